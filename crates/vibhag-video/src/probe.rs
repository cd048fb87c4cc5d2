//! What a video file holds.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use vibhag_core::{Error, ErrorKind, Result};

use crate::process::query;
use crate::tools::Tools;

/// Frames a second, as a fraction: 30000/1001 has no decimal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRate {
    /// Frames in `denominator` seconds.
    pub numerator: u32,
    /// Never 0.
    pub denominator: u32,
}

impl FrameRate {
    /// A rate; `None` unless it is more than 0 and at most 1000 frames a second.
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        let rate = Self { numerator, denominator };
        (numerator > 0 && denominator > 0 && rate.per_second() <= 1000.0).then_some(rate)
    }

    /// Frames a second.
    pub fn per_second(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    fn parse(text: &str) -> Option<Self> {
        let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
        Self::new(numerator.parse().ok()?, denominator.parse().ok()?)
    }
}

impl std::fmt::Display for FrameRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

/// A file's video stream, and what else matters beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoInfo {
    /// Width of a frame as it is shown: upright and with square pixels.
    pub width: usize,
    /// Height of a frame as it is shown.
    pub height: usize,
    /// The constant rate at which frames are read.
    pub frame_rate: FrameRate,
    /// Frames at that rate, estimated from the header.
    pub frames: Option<u64>,
    /// Codec of the video stream, by ffmpeg's name.
    pub codec: String,
    /// Quarter turns clockwise that the file asks for, 0 to 3; `width` and `height` are those after them.
    pub quarter_turns: u8,
    /// Codecs of the audio streams, by ffmpeg's names.
    pub audio: Vec<String>,
    pub(crate) stream: u64,
    /// The matrix of YUV to take where the file does not name one.
    pub(crate) guessed_matrix: Option<&'static str>,
}

/// The rate of a stream that does not know its own.
const DEFAULT_RATE: FrameRate = FrameRate { numerator: 25, denominator: 1 };
/// Pixels of the largest frame, far above any camera's: beyond it a header is damaged.
const MOST_PIXELS: u64 = 1 << 28;
/// Height from which players take unmarked video for BT.709, below it for BT.601.
const HD_HEIGHT: u64 = 720;

/// Reads the header of the file at `path`.
///
/// The frame rate is the stream's average one; where its nominal rate differs by less than a percent, that is taken,
/// since the average of a short clip is not exact.
///
/// # Errors
/// When there is no file, ffprobe cannot read it, or it holds no video (a cover picture is none).
pub fn probe(tools: &Tools, path: &Path) -> Result<VideoInfo> {
    std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    let info = probe_input(tools, &["-i".into(), file_argument(path)]);
    info.map_err(|error| error.at_path(path))
}

/// Codecs of the sound in the file at `path`, by ffmpeg's names; it need not hold video.
pub(crate) fn probe_sound(tools: &Tools, path: &Path) -> Result<Vec<String>> {
    std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    let header = header(tools, &["-i".into(), file_argument(path)]).map_err(|error| error.at_path(path))?;
    Ok(codecs(&header, "audio"))
}

/// The argument that makes ffmpeg take `path` for a file, whatever its name looks like.
pub(crate) fn file_argument(path: &Path) -> OsString {
    let mut argument = OsString::from("file:");
    argument.push(path);
    argument
}

pub(crate) fn probe_input(tools: &Tools, input: &[OsString]) -> Result<VideoInfo> {
    read_header(&header(tools, input)?)
}

fn header(tools: &Tools, input: &[OsString]) -> Result<Value> {
    let mut command = Command::new(&tools.ffprobe);
    command.args(["-v", "error", "-print_format", "json", "-show_format", "-show_streams"]).args(input);
    let text = query(&mut command).map_err(|error| error.hint("the file is damaged, cut off, or no video"))?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::new(ErrorKind::Decode, "ffprobe's answer cannot be read").at(error.to_string()).because(error)
    })
}

fn streams<'a>(header: &'a Value, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    header["streams"].as_array().into_iter().flatten().filter(move |stream| stream["codec_type"] == kind)
}

/// Stands for a codec that ffmpeg has no name for.
pub(crate) const UNKNOWN_CODEC: &str = "unknown";

fn codec(stream: &Value) -> String {
    stream["codec_name"].as_str().unwrap_or(UNKNOWN_CODEC).to_owned()
}

fn codecs(header: &Value, kind: &'static str) -> Vec<String> {
    streams(header, kind).map(codec).collect()
}

fn read_header(header: &Value) -> Result<VideoInfo> {
    let audio = codecs(header, "audio");
    let Some(video) = streams(header, "video").find(|stream| stream["disposition"]["attached_pic"] != 1) else {
        let what = Error::new(ErrorKind::Decode, "the file holds no video");
        return Err(match audio.as_slice() {
            [] => what.hint("it is damaged, cut off, or no video file"),
            _ => what.at(format!("only sound: {}", audio.join(", "))).hint("give a video file"),
        });
    };
    let number = |key: &str| video[key].as_u64().unwrap_or(0);
    let (coded_w, coded_h) = (number("width"), number("height"));
    let (mut width, mut height) = squared((coded_w, coded_h), video["sample_aspect_ratio"].as_str());
    let most = coded_w.saturating_mul(coded_h).max((width as u64).saturating_mul(height as u64));
    if coded_w == 0 || coded_h == 0 || most > MOST_PIXELS {
        return Err(Error::new(ErrorKind::Decode, format!("frames of {coded_w}x{coded_h} pixels cannot be read"))
            .at(format!("{width}x{height} with square pixels")));
    }
    let quarter_turns = quarter_turns(video);
    if quarter_turns % 2 == 1 {
        (width, height) = (height, width);
    }
    let rate = |key: &str| video[key].as_str().and_then(FrameRate::parse);
    let (average, nominal) = (rate("avg_frame_rate"), rate("r_frame_rate"));
    let near = |a: FrameRate, b: FrameRate| (a.per_second() / b.per_second() - 1.0).abs() < 0.01;
    let constant = matches!((average, nominal), (Some(a), Some(n)) if near(a, n));
    let frame_rate = if constant { nominal } else { average.or(nominal) }.unwrap_or(DEFAULT_RATE);
    let text_number = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    let counted = video["nb_frames"].as_str().and_then(|text| text.parse().ok()).filter(|_| constant);
    // Matroska tells a stream's own length in a tag; that of the file may be the sound's.
    let tagged = || video["tags"]["DURATION"].as_str().and_then(clock);
    let seconds =
        text_number(&video["duration"]).or_else(tagged).or_else(|| text_number(&header["format"]["duration"]));
    let estimated = seconds.map(|seconds| (seconds * frame_rate.per_second()).round()).filter(|&n| n >= 1.0);
    let unmarked = matches!(video["color_space"].as_str(), None | Some("unknown" | "unspecified"));
    let yuv = video["pix_fmt"].as_str().is_some_and(|format| format.starts_with("yuv"));
    Ok(VideoInfo {
        width,
        height,
        frame_rate,
        frames: counted.or(estimated.map(|n| n as u64)),
        codec: codec(video),
        quarter_turns,
        audio,
        stream: number("index"),
        guessed_matrix: (unmarked && yuv).then_some(if coded_h >= HD_HEIGHT { "bt709" } else { "bt601" }),
    })
}

/// The display matrix's rotation, or the tag that stood for it before.
fn quarter_turns(video: &Value) -> u8 {
    let matrix = video["side_data_list"].as_array().into_iter().flatten().find_map(|data| data["rotation"].as_f64());
    // The matrix counts anticlockwise, the tag clockwise.
    let tag = || video["tags"]["rotate"].as_str().and_then(|text| text.parse::<f64>().ok());
    let turns = matrix.map(|degrees| -degrees).or_else(tag).unwrap_or(0.0) / 90.0;
    // ffmpeg turns by other angles within the frame, whose size then stays.
    if (turns - turns.round()).abs() < 1.0 / 90.0 { (turns.round() as i64).rem_euclid(4) as u8 } else { 0 }
}

/// Seconds of `hours:minutes:seconds`.
fn clock(text: &str) -> Option<f64> {
    text.split(':').try_fold(0.0, |sum, part| Some(60.0 * sum + part.parse::<f64>().ok()?))
}

/// The size with square pixels, in which the longer of a pixel's sides keeps its number.
fn squared((width, height): (u64, u64), aspect: Option<&str>) -> (usize, usize) {
    let ratio = aspect.and_then(|text| {
        let (a, b) = text.split_once(':')?;
        Some(a.parse::<f64>().ok()? / b.parse::<f64>().ok()?)
    });
    let ratio = ratio.filter(|ratio| (0.1..=10.0).contains(ratio)).unwrap_or(1.0);
    if ratio >= 1.0 {
        ((width as f64 * ratio).round() as usize, height as usize)
    } else {
        (width as usize, (height as f64 / ratio).round() as usize)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stream(extra: &[(&str, Value)]) -> Value {
        let mut stream = json!({
            "index": 1, "codec_type": "video", "codec_name": "h264", "width": 720, "height": 576, "pix_fmt": "yuv420p",
            "avg_frame_rate": "30000/1001", "r_frame_rate": "30000/1001", "nb_frames": "300", "duration": "10.01",
        });
        for (key, value) in extra {
            stream[*key] = value.clone();
        }
        json!({ "streams": [{ "codec_type": "audio", "codec_name": "aac" }, stream], "format": { "duration": "10.5" } })
    }

    #[test]
    fn size_is_that_on_the_screen() {
        let info = read_header(&stream(&[])).unwrap();
        assert_eq!((info.width, info.height, info.stream, info.frames), (720, 576, 1, Some(300)));
        assert_eq!((info.guessed_matrix, info.audio.as_slice()), (Some("bt601"), &["aac".to_owned()][..]));
        let wide = read_header(&stream(&[("sample_aspect_ratio", json!("64:45"))])).unwrap();
        assert_eq!((wide.width, wide.height), (1024, 576));
        let turned = [("side_data_list", json!([{ "side_data_type": "x" }, { "rotation": -90 }]))];
        let turned = read_header(&stream(&turned)).unwrap();
        assert_eq!((turned.width, turned.height, turned.quarter_turns), (576, 720, 1));
        let tagged = read_header(&stream(&[("tags", json!({ "rotate": "270" }))])).unwrap();
        assert_eq!((tagged.width, tagged.quarter_turns), (576, 3));
        assert_eq!(read_header(&stream(&[("color_space", json!("bt709"))])).unwrap().guessed_matrix, None);
    }

    #[test]
    fn a_variable_rate_becomes_the_average() {
        let info =
            read_header(&stream(&[("avg_frame_rate", json!("24/1")), ("r_frame_rate", json!("90000/1"))])).unwrap();
        assert_eq!((info.frame_rate.to_string().as_str(), info.frames), ("24/1", Some(240)));
        let near = [("avg_frame_rate", json!("2997/100")), ("nb_frames", json!("N/A"))];
        let near = read_header(&stream(&near)).unwrap();
        assert_eq!((near.frame_rate.to_string().as_str(), near.frames), ("30000/1001", Some(300)));
        let unknown = [("avg_frame_rate", json!("0/0")), ("r_frame_rate", json!("0/0")), ("duration", json!(null))];
        let unknown = read_header(&stream(&unknown)).unwrap();
        assert_eq!((unknown.frame_rate, unknown.frames), (DEFAULT_RATE, Some(263)));
        let tagged =
            [("nb_frames", json!(null)), ("duration", json!(null)), ("tags", json!({ "DURATION": "00:01:00.5000" }))];
        assert_eq!(read_header(&stream(&tagged)).unwrap().frames, Some(1813));
    }

    #[test]
    fn sound_with_a_cover_is_no_video() {
        let cover = stream(&[("disposition", json!({ "attached_pic": 1 }))]);
        let error = read_header(&cover).unwrap_err().to_string();
        assert!(error.contains("no video") && error.contains("aac"), "{error}");
        assert!(read_header(&json!({})).is_err());
        assert!(read_header(&stream(&[("width", json!(0))])).is_err());
        assert!(read_header(&stream(&[("width", json!(1u64 << 40))])).is_err());
    }
}
