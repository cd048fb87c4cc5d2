//! Frames into a video.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use vibhag_core::{Error, ErrorKind, Image, Result, Samples};

use crate::exchange::{Exchange, Missed, WhenFull};
use crate::format::Format;
use crate::place::Place;
use crate::probe::{FrameRate, UNKNOWN_CODEC, file_argument, probe_sound};
use crate::process::{GRACE, Pipe, Process, settled};
use crate::tools::Tools;

/// Time without a frame taken after which ffmpeg counts as dead.
const PATIENCE: Duration = Duration::from_mins(2);
/// What ffmpeg may take to complete a file after the last frame: the sound of hours, and the index moved to the front.
const END: Duration = Duration::from_mins(30);
/// The longest gap that one frame fills, in seconds: a camera that was silent for longer has other times than it says.
const LONGEST_GAP: f64 = 3600.0;
/// Channel orders of Opus.
const OPUS_LAYOUTS: &str = "7.1|6.1|5.1|5.0|quad|3.0|stereo|mono";
/// Names of the pictures in a folder.
const PICTURES: &str = "%06d.png";

/// What a video will be.
#[derive(Debug, Clone, PartialEq)]
pub struct WriterOptions {
    /// Width of the frames in pixels.
    pub width: usize,
    /// Height of the frames in pixels.
    pub height: usize,
    /// Frames a second, constant.
    pub frame_rate: FrameRate,
    /// Frames are RGBA instead of RGB.
    pub alpha: bool,
    /// The file whose sound is taken over: copied where the format takes its codec, encoded anew where not. A folder of
    /// pictures has no sound.
    pub sound_from: Option<PathBuf>,
}

/// Writes a video that appears under its name when it is whole.
///
/// Until [`Writer::finish`] it grows under a hidden name beside it (`.NAME.part`), which the next writer of the same
/// name overwrites; so a run that is killed leaves what was there before, or nothing. Dropping a writer that has not
/// finished removes what there is.
///
/// H.264 needs even sides: a frame with an odd one gets its last row or column twice.
#[derive(Debug)]
pub struct Writer {
    options: WriterOptions,
    even: bool,
    process: Process,
    // Behind the process, since fields are dropped in this order and a file in use cannot be removed everywhere.
    place: Place,
    frames: Arc<Exchange<Arc<Vec<u8>>>>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
    last: Option<Arc<Vec<u8>>>,
    written: u64,
}

impl Writer {
    /// Begins the video `path`, whose ending says its [`Format`].
    ///
    /// # Errors
    /// When the format is unknown, holds no alpha though it is wanted, or ffmpeg has no encoder for it; when a side is
    /// 0, the place cannot be written to, is a folder that holds something, or is the file whose sound is taken; when
    /// that file cannot be read.
    pub fn create(tools: &Tools, path: &Path, options: WriterOptions) -> Result<Self> {
        let format = Format::of(path, options.alpha)?;
        if options.width == 0 || options.height == 0 {
            let what = format!("a video of {}x{} pixels cannot be written", options.width, options.height);
            return Err(Error::config(what).at_path(path));
        }
        let encoding = format.encoding(tools, options.alpha).map_err(|error| error.at_path(path))?;
        let sound = match &options.sound_from {
            Some(source) if !format.is_folder() => Sound::of(tools, format, source, path)?,
            _ => Sound::default(),
        };
        let place = Place::new(path, format.is_folder())?;
        let mut command = Command::new(&tools.ffmpeg);
        command.args(["-hide_banner", "-nostdin", "-loglevel", "repeat+warning", "-y", "-f", "rawvideo"]);
        let (pixels, rate) = (if options.alpha { "rgba" } else { "rgb24" }, options.frame_rate.to_string());
        let up = |side: usize| if encoding.even { side.next_multiple_of(2) } else { side };
        let size = format!("{}x{}", up(options.width), up(options.height));
        command.args(["-pix_fmt", pixels, "-video_size", &size, "-framerate", &rate, "-i", "pipe:0"]);
        command.args(sound.input).args(["-map", "0:v:0"]).args(sound.output);
        command.args(["-c:v", encoding.encoder, "-pix_fmt", encoding.pixels]).args(encoding.arguments);
        if encoding.pixels.starts_with("yuv") {
            // Unmarked, players would have to guess the colours.
            command.args(["-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709"]);
            command.args(["-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]);
        }
        command.args(format.muxer);
        if format.is_folder() {
            // By its working folder, whose name may hold what a pattern takes for a number.
            command.current_dir(&place.partial).arg(PICTURES);
        } else {
            command.arg(file_argument(&place.partial));
        }
        let mut process = Process::start(&mut command, Pipe::Into).map_err(|error| error.at_path(path))?;
        let frames = Arc::new(Exchange::new());
        let thread = process.stdin().map(|stdin| {
            let frames = Arc::clone(&frames);
            std::thread::spawn(move || pump(stdin, &frames))
        });
        Ok(Self { options, even: encoding.even, process, place, frames, thread, last: None, written: 0 })
    }

    /// Frames written so far, repeated ones too.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Appends `frame`: 8 bits, RGB, or RGBA (not multiplied by alpha) where alpha is wanted.
    ///
    /// # Errors
    /// When the frame has another size, depth or number of channels than the video, or ffmpeg has failed (its message
    /// is in the error) or takes nothing for two minutes.
    pub fn push(&mut self, frame: &Image) -> Result<()> {
        let pixels = self.pixels(frame)?;
        self.send(pixels)
    }

    /// Appends `frame` at its time, in seconds after the first: frames of a camera, which come when they come. The one
    /// before is repeated up to it; of several within the time of one frame the first stays, and the last fills a gap after
    /// them.
    ///
    /// # Errors
    /// Those of [`Writer::push`], and a time that is no number or an hour and more after the last frame.
    pub fn push_at(&mut self, frame: &Image, seconds: f64) -> Result<()> {
        let pixels = self.pixels(frame)?;
        let gap = seconds - self.written as f64 / self.options.frame_rate.per_second();
        if !(seconds.is_finite() && gap < LONGEST_GAP) {
            let what = format!("a frame at {seconds} s cannot follow {} frames", self.written);
            return Err(Error::new(ErrorKind::Decode, what).at_path(&self.place.target));
        }
        let slot = (seconds * self.options.frame_rate.per_second()).round().max(0.0) as u64;
        while self.written < slot {
            let held = self.last.clone().unwrap_or_else(|| Arc::clone(&pixels));
            self.send(held)?;
        }
        if self.written == slot {
            return self.send(pixels);
        }
        self.last = Some(pixels);
        Ok(())
    }

    /// Completes the video and gives it its name; returns the number of frames.
    ///
    /// # Errors
    /// When there is no frame, ffmpeg fails, or the file cannot be renamed. Nothing is left behind then.
    pub fn finish(mut self) -> Result<u64> {
        self.frames.close();
        if self.written == 0 {
            return Err(Error::new(ErrorKind::Decode, "there is no frame to write").at_path(&self.place.target));
        }
        let sent = self.thread.take().and_then(|thread| settled(thread, PATIENCE));
        match sent {
            Some(Ok(())) => self.process.finish(END).map_err(|error| self.placed(error))?,
            Some(Err(_)) => return Err(self.failure()),
            None => return Err(self.placed(self.process.error("does not take the last frames"))),
        }
        self.place.publish()?;
        Ok(self.written)
    }

    fn send(&mut self, pixels: Arc<Vec<u8>>) -> Result<()> {
        match self.frames.give(Arc::clone(&pixels), WhenFull::Wait, Some(PATIENCE)) {
            Ok(()) => {
                self.written += 1;
                self.last = Some(pixels);
                Ok(())
            }
            Err(Missed::Closed) => Err(self.failure()),
            Err(Missed::Late) => {
                self.process.kill();
                Err(self.placed(self.process.error(format!("took no frame for {} s", PATIENCE.as_secs()))))
            }
        }
    }

    /// Why the pipe to ffmpeg broke.
    fn failure(&mut self) -> Error {
        match self.process.finish(Duration::from_secs(10)) {
            Err(error) => self.placed(error),
            Ok(()) => self.placed(self.process.error("ended before the last frame")),
        }
    }

    fn placed(&self, mut error: Error) -> Error {
        error.kind = ErrorKind::Io;
        error
            .at_path(&self.place.target)
            .hint("see that there is room on the disk and that the folder may be written to")
    }

    /// The frame's bytes, with even sides where they must be.
    fn pixels(&self, frame: &Image) -> Result<Arc<Vec<u8>>> {
        let (width, height) = (self.options.width, self.options.height);
        let channels = if self.options.alpha { 4 } else { 3 };
        let given = (frame.width(), frame.height(), frame.channels());
        let Samples::U8(values) = frame.samples() else {
            return Err(self.unfit("16-bit samples, and 8 are wanted"));
        };
        if given != (width, height, channels) {
            let found =
                format!("{}x{} pixels of {} channels, not {width}x{height} of {channels}", given.0, given.1, given.2);
            return Err(self.unfit(&found));
        }
        if !self.even || (width % 2 == 0 && height % 2 == 0) {
            return Ok(Arc::new(values.clone()));
        }
        let mut padded = Vec::with_capacity((width + 1) * (height + 1) * channels);
        for row in values.chunks_exact(width * channels) {
            padded.extend_from_slice(row);
            if width % 2 == 1 {
                padded.extend_from_slice(&row[(width - 1) * channels..]);
            }
        }
        if height % 2 == 1 {
            let stride = width.next_multiple_of(2) * channels;
            padded.extend_from_within((height - 1) * stride..);
        }
        Ok(Arc::new(padded))
    }

    fn unfit(&self, found: &str) -> Error {
        Error::new(ErrorKind::SizeMismatch, format!("a frame does not fit the video: {found}"))
            .at_path(&self.place.target)
            .at(format!("frame {}", self.written))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.frames.close();
        self.process.kill();
        if let Some(thread) = self.thread.take() {
            settled(thread, GRACE);
        }
    }
}

/// The arguments by which ffmpeg takes sound from another file.
#[derive(Debug, Default)]
struct Sound {
    input: Vec<OsString>,
    output: Vec<String>,
}

impl Sound {
    fn of(tools: &Tools, format: &Format, source: &Path, target: &Path) -> Result<Self> {
        let same = source.canonicalize().ok().zip(target.canonicalize().ok()).is_some_and(|(a, b)| a == b);
        if same {
            let what = "the video would be written over the file that it is made of";
            return Err(Error::config(what).at_path(target).hint("choose another name for the result"));
        }
        let codecs = probe_sound(tools, source)?;
        if codecs.is_empty() {
            return Ok(Self::default());
        }
        let input = vec!["-i".into(), file_argument(&source.canonicalize().map_err(|error| Error::io(source, error))?)];
        let mut output = Vec::new();
        // A track that ffmpeg does not know, as some phones add one, would fail the others.
        let known = codecs.iter().enumerate().filter(|(_, codec)| !matches!(codec.as_str(), UNKNOWN_CODEC | "none"));
        for (index, (track, codec)) in known.enumerate() {
            output.extend(["-map".to_owned(), format!("1:a:{track}")]);
            let copied = format.sound.contains(&codec.as_str());
            let way = if copied { "copy" } else { format.sound_encoder };
            output.extend([format!("-c:a:{index}"), way.to_owned()]);
            if !copied && format.sound_encoder == "libopus" {
                // It refuses channel orders that other codecs have.
                output.extend([format!("-filter:a:{index}"), format!("aformat=channel_layouts={OPUS_LAYOUTS}")]);
            }
        }
        Ok(Self { input, output })
    }
}

/// Writes frames until no more come; the pipe closes with it, which tells ffmpeg that this was the last.
fn pump(mut pipe: ChildStdin, frames: &Exchange<Arc<Vec<u8>>>) -> std::io::Result<()> {
    while let Ok(pixels) = frames.take(None) {
        if let Err(error) = pipe.write_all(&pixels) {
            frames.close();
            return Err(error);
        }
    }
    Ok(())
}
