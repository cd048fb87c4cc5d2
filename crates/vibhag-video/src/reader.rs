//! Frames out of a video.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vibhag_core::{Error, ErrorKind, Image, Result};

use crate::camera::Camera;
use crate::exchange::{Exchange, Missed, WhenFull};
use crate::probe::{FrameRate, VideoInfo, file_argument, probe, probe_input};
use crate::process::{GRACE, Pipe, Process, settled};
use crate::progress::{Meter, Progress};
use crate::tools::Tools;

/// Time without a frame after which a source counts as dead.
const PATIENCE: Duration = Duration::from_mins(1);
/// The same for a camera, which has no damage to search through.
const PATIENCE_LIVE: Duration = Duration::from_secs(15);
/// What ffmpeg may take to end after its last frame.
const END: Duration = Duration::from_secs(30);

/// One picture of a video.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The picture, upright, 8-bit RGB.
    pub image: Image,
    /// Its number, from 0.
    pub index: u64,
    /// When it is on screen, in seconds after the start of the file, or after a camera's first frame.
    pub seconds: f64,
}

/// What was wrong with a video that could be read all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// Frames that could not be decoded, or not whole. ffmpeg repairs them from their neighbours or leaves them out,
    /// and then the frame before is shown longer.
    pub broken: u64,
    /// What ffmpeg said of the first of them.
    pub first: Option<String>,
    /// Frames that the header promises and a file that is cut off does not hold. Known at the end.
    pub missing: u64,
}

/// Reads frames of a file or a camera, in order, holding a few at a time.
///
/// Frames are decoded ahead by one in a thread of its own. A camera does not wait: who takes its frames too slowly gets
/// the newest and misses those between. Dropping the reader ends ffmpeg.
#[derive(Debug)]
pub struct Reader {
    info: VideoInfo,
    path: Option<PathBuf>,
    process: Process,
    frames: Arc<Exchange<(Vec<u8>, Instant)>>,
    thread: Option<JoinHandle<()>>,
    meter: Meter,
    first: Option<Instant>,
    ended: bool,
}

impl Reader {
    /// Opens the video file at `path`.
    ///
    /// # Errors
    /// Those of [`probe`], and when ffmpeg cannot be started.
    pub fn open(tools: &Tools, path: &Path) -> Result<Self> {
        let info = probe(tools, path)?;
        // Every frame at its time after the file's start, so that sound that is copied stays in step.
        let timing = format!("fps={}:start_time=0", info.frame_rate);
        let input = ["-i".into(), file_argument(path)];
        Self::start(tools, info, &input, &timing, Some(path.to_owned())).map_err(|error| error.at_path(path))
    }

    /// Opens a webcam.
    ///
    /// # Errors
    /// When there is none, or it gives no picture.
    pub fn camera(tools: &Tools, camera: &Camera) -> Result<Self> {
        let hint = "see that it is plugged in and that no other program uses it";
        Self::live(tools, &camera.input()?).map_err(|error| error.hint(hint))
    }

    fn live(tools: &Tools, input: &[OsString]) -> Result<Self> {
        let mut info = probe_input(tools, input)?;
        info.frames = None;
        let timing = numbered(info.frame_rate);
        Self::start(tools, info, input, &timing, None)
    }

    fn start(tools: &Tools, info: VideoInfo, input: &[OsString], timing: &str, path: Option<PathBuf>) -> Result<Self> {
        let matrix = info.guessed_matrix.map(|matrix| format!(":in_color_matrix={matrix}")).unwrap_or_default();
        // The size is asked for by number, so that a frame always has the bytes that are read for it.
        let filter = format!("{timing},scale={}:{}{matrix},setsar=1", info.width, info.height);
        let mut command = Command::new(&tools.ffmpeg);
        // Without `repeat`, ffmpeg folds equal lines into one, and broken frames could not be counted.
        command.args(["-hide_banner", "-nostdin", "-loglevel", "repeat+warning"]).args(input);
        command.args(["-map", &format!("0:{}", info.stream), "-vf", &filter, "-r", &info.frame_rate.to_string()]);
        command.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
        let mut process = Process::start(&mut command, Pipe::From)?;
        let frames = Arc::new(Exchange::new());
        let length = 3 * info.width * info.height;
        let when_full = if path.is_some() { WhenFull::Wait } else { WhenFull::Replace };
        let thread = process.stdout().map(|stdout| {
            let frames = Arc::clone(&frames);
            std::thread::spawn(move || pump(stdout, length, &frames, when_full))
        });
        let meter = Meter::new(info.frames);
        Ok(Self { info, path, process, frames, thread, meter, first: None, ended: false })
    }

    /// What the header says.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// How many frames have been read, and how fast.
    pub fn progress(&self) -> Progress {
        self.meter.progress()
    }

    /// What has been found broken so far.
    pub fn damage(&self) -> Damage {
        let complaints = self.process.complaints();
        let read = self.progress().done;
        // A header alone proves nothing: it counts frames that an edit list hides too.
        let promised = self.info.frames.filter(|_| self.ended && complaints.cut_off);
        let missing = promised.map_or(0, |promised| promised.saturating_sub(read));
        Damage { broken: complaints.broken, first: complaints.first_broken, missing }
    }

    /// The next frame, or `None` after the last.
    ///
    /// # Errors
    /// When ffmpeg fails or is ended from outside, gives no frame for a minute, a file holds no frame that can be
    /// decoded, or a camera stops. After an error there are no more frames.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.ended {
            return Ok(None);
        }
        let patience = if self.path.is_some() { PATIENCE } else { PATIENCE_LIVE };
        match self.frames.take(Some(patience)) {
            Ok((pixels, arrived)) => {
                let index = self.progress().done;
                self.meter.add();
                let first = *self.first.get_or_insert(arrived);
                let seconds = match self.path {
                    Some(_) => index as f64 / self.info.frame_rate.per_second(),
                    None => (arrived - first).as_secs_f64(),
                };
                let image = Image::from_u8(self.info.width, self.info.height, 3, pixels)?;
                Ok(Some(Frame { image, index, seconds }))
            }
            Err(Missed::Late) => {
                self.ended = true;
                self.process.kill();
                Err(self.placed(self.process.error(format!("gave no frame for {} s", patience.as_secs()))))
            }
            Err(Missed::Closed) => {
                self.ended = true;
                self.process.finish(END).map_err(|error| self.placed(error))?;
                if self.path.is_none() {
                    let stopped = self.process.error("gets no more pictures from the webcam");
                    return Err(self.placed(stopped));
                }
                if self.progress().done == 0 {
                    let nothing = self.process.error("found no frame that can be decoded");
                    return Err(self.placed(nothing).hint("the file is damaged or cut off at its start"));
                }
                Ok(None)
            }
        }
    }

    fn placed(&self, mut error: Error) -> Error {
        if let Some(path) = &self.path {
            return error.at_path(path);
        }
        error.kind = ErrorKind::Io;
        error.hint("see that the webcam is still plugged in")
    }
}

impl Iterator for Reader {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_frame().transpose()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // In this order: the thread waits for the exchange or for the pipe, and both let it go.
        self.frames.close();
        self.process.kill();
        if let Some(thread) = self.thread.take() {
            settled(thread, GRACE);
        }
    }
}

/// The filter that times frames by their number: those that a camera leaves out must not be made up for by copies.
fn numbered(rate: FrameRate) -> String {
    format!("settb=1/1000000,setpts=N*1000000*{}/{}", rate.denominator, rate.numerator)
}

/// Reads frames of `length` bytes until the pipe ends or nobody takes them; part of a frame at the end is no frame.
fn pump(mut pipe: ChildStdout, length: usize, frames: &Exchange<(Vec<u8>, Instant)>, when_full: WhenFull) {
    loop {
        let mut pixels = vec![0; length];
        if pipe.read_exact(&mut pixels).is_err() || frames.give((pixels, Instant::now()), when_full, None).is_err() {
            break;
        }
    }
    frames.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ffmpeg's own test picture stands for a camera of 100 frames a second.
    fn live(seconds: f32) -> Option<Reader> {
        let tools = Tools::find();
        if tools.is_err() && std::env::var_os("CI").is_none() {
            eprintln!("skipped: ffmpeg is not installed");
            return None;
        }
        let source = format!("testsrc=size=64x48:rate=100:duration={seconds}");
        let input = ["-re", "-f", "lavfi", "-i", &source].map(OsString::from);
        // ffprobe knows no `-re`.
        let info = probe_input(tools.as_ref().unwrap(), &input[1..]).unwrap();
        let info = VideoInfo { frames: None, ..info };
        let timing = numbered(info.frame_rate);
        Some(Reader::start(&tools.unwrap(), info, &input, &timing, None).unwrap())
    }

    #[test]
    fn a_slow_taker_of_live_frames_gets_the_newest() {
        let Some(mut reader) = live(20.0) else { return };
        let mut last = 0.0;
        for _ in 0..5 {
            let frame = reader.next_frame().unwrap().unwrap();
            assert!(frame.seconds >= last && (frame.image.width(), frame.image.height()) == (64, 48));
            last = frame.seconds;
            std::thread::sleep(Duration::from_millis(120));
        }
        assert!(last > 0.3, "five frames in a row end at 0.04 s, these at {last} s");
        assert_eq!(reader.progress().total, None);
    }

    #[test]
    fn a_camera_that_stops_is_an_error_once() {
        let Some(mut reader) = live(0.2) else { return };
        let error = loop {
            match reader.next_frame() {
                Ok(frame) => assert!(frame.is_some(), "ended without an error"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("webcam") && error.kind == ErrorKind::Io, "{error}");
        assert_eq!(reader.next_frame().unwrap(), None);
    }
}
