//! Frames of video files and webcams, and video written back, through `ffmpeg` and `ffprobe` as child processes.
//!
//! Raw frames go through pipes, a few at a time, so the memory does not grow with the length of a video.
//! [`Tools::find`] finds the programs or says how to install them, [`Reader`] gives upright 8-bit RGB frames at a
//! constant rate, and [`Writer`] makes a file of frames that appears under its name only when it is whole.
//!
//! Rules, all of them ffmpeg's or stated here:
//!
//! - A frame that is broken is repaired or left out as ffmpeg does it, and counted ([`Reader::damage`]).
//! - A video of variable rate is brought to its average rate: frame `k` is what is on screen `k / rate` seconds after
//!   the file's start, so frames may be repeated or left out, and sound stays in step.
//! - Pixels that are not square are made square, and a rotation that the file asks for is carried out.
//! - A process that dies, or that gives or takes nothing for a while, is an error with what it said; it never makes
//!   the caller wait for ever.

pub mod camera;
pub mod format;
pub mod probe;
pub mod progress;
pub mod reader;
pub mod tools;
pub mod writer;

mod exchange;
mod place;
mod process;

pub use camera::Camera;
pub use format::{FORMATS, Format, is_video_path};
pub use probe::{FrameRate, VideoInfo, probe};
pub use progress::{Meter, Progress};
pub use reader::{Damage, Frame, Reader};
pub use tools::Tools;
pub use writer::{Writer, WriterOptions};
