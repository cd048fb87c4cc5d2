//! Photos, videos and webcams that a user names, and their frames: the same rules for every verb that takes them.

use std::path::{Path, PathBuf};

use vibhag_core::{Error, Result};
use vibhag_data::decode::is_image_path;
use vibhag_video::{Camera, Damage, Frame, Progress, Reader, Tools, VideoInfo, is_video_path};

use crate::inputs;

/// Where pictures come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// An image file.
    Photo(PathBuf),
    /// A video file.
    Video(PathBuf),
    /// A webcam.
    Camera(Camera),
}

impl Source {
    /// Its name in results.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Photo(_) => "photo",
            Self::Video(_) => "video",
            Self::Camera(_) => "webcam",
        }
    }

    /// The file, where it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Photo(path) | Self::Video(path) => Some(path),
            Self::Camera(_) => None,
        }
    }

    /// What names of results are made of.
    pub(crate) fn stem_path(&self) -> &Path {
        self.path().unwrap_or(Path::new("webcam"))
    }
}

/// What `inputs` name, files in order of their paths and then webcams; each with what the user named, or the file found
/// there. `seconds` is how long webcams are read.
///
/// # Errors
/// When an input names nothing, or `seconds` is missing for a webcam, given without one, or no length of time.
pub(crate) fn sources(inputs: &[String], seconds: Option<f64>) -> Result<Vec<(String, Source)>> {
    let is_camera = |input: &String| Camera::parse(input).is_some() && !Path::new(input).exists();
    let (cameras, files): (Vec<String>, Vec<String>) = inputs.iter().cloned().partition(is_camera);
    let wanted = |path: &Path| is_image_path(path) || is_video_path(path);
    let paths = if files.is_empty() { Vec::new() } else { inputs::expand_kind(&files, &wanted, "image or video")? };
    let mut sources: Vec<(String, Source)> = paths
        .into_iter()
        .map(|path| {
            let name = path.display().to_string();
            (name, if is_video_path(&path) { Source::Video(path) } else { Source::Photo(path) })
        })
        .collect();
    for name in cameras {
        if let Some(camera) = Camera::parse(&name) {
            sources.push((name, Source::Camera(camera)));
        }
    }
    check_seconds(seconds, &sources)?;
    Ok(sources)
}

fn check_seconds(seconds: Option<f64>, sources: &[(String, Source)]) -> Result<()> {
    let cameras = sources.iter().filter(|(_, source)| matches!(source, Source::Camera(_))).count();
    match seconds {
        None if cameras > 0 => Err(Error::config("a webcam has no end").hint("say how long to look with --seconds 30")),
        Some(seconds) if !(seconds > 0.0 && seconds.is_finite()) => {
            Err(Error::config(format!("--seconds {seconds} is no length of time")).hint("use a number above 0"))
        }
        Some(_) if cameras == 0 => Err(Error::config("--seconds is for webcams, and none is among the inputs")
            .hint("leave it out; a video is taken whole")),
        _ => Ok(()),
    }
}

/// The frames of a video file, or those of a webcam for some seconds. A webcam that goes away after its first frame ends
/// them, and is told as damage.
#[derive(Debug)]
pub(crate) struct Footage {
    reader: Reader,
    is_camera: bool,
    /// In seconds.
    end: f64,
    begun: bool,
    lost: Option<String>,
}

impl Footage {
    /// Opens `source`, of which a photo is read as a video of one frame where ffmpeg can.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn open(tools: &Tools, source: &Source, seconds: Option<f64>) -> Result<Self> {
        let (reader, is_camera) = match source {
            Source::Camera(camera) => (Reader::camera(tools, camera)?, true),
            Source::Photo(path) | Source::Video(path) => (Reader::open(tools, path)?, false),
        };
        let end = seconds.filter(|_| is_camera).unwrap_or(f64::INFINITY);
        Ok(Self { reader, is_camera, end, begun: false, lost: None })
    }

    /// Whether frames come when they come, and must be shown at their time.
    pub(crate) fn is_live(&self) -> bool {
        self.is_camera
    }

    /// What the header says.
    pub(crate) fn info(&self) -> &VideoInfo {
        self.reader.info()
    }

    /// How many frames have been read, and how fast.
    pub(crate) fn progress(&self) -> Progress {
        self.reader.progress()
    }

    /// The next frame, or `None` after the last.
    ///
    /// # Errors
    /// When a file breaks off by a failure of ffmpeg, or a webcam gives nothing at all.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>> {
        match self.reader.next_frame() {
            Ok(Some(frame)) if frame.seconds < self.end => {
                self.begun = true;
                Ok(Some(frame))
            }
            Ok(_) => Ok(None),
            Err(error) if self.is_camera && self.begun => {
                self.lost = Some(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What was broken in what could be read all the same. Known whole at the end.
    pub(crate) fn damage(&self) -> Option<String> {
        self.lost.clone().or_else(|| damage_text(&self.reader.damage()))
    }
}

fn damage_text(damage: &Damage) -> Option<String> {
    let mut parts = Vec::new();
    if damage.broken > 0 {
        let first = damage.first.as_deref().unwrap_or("unknown");
        parts.push(format!("{} broken frames were repaired or left out (the first: {first})", damage.broken));
    }
    if damage.missing > 0 {
        parts.push(format!("the file is cut off: {} frames are missing at its end", damage.missing));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What `error` says, for the next input that meets it.
pub(crate) fn said_again(error: &Error) -> Error {
    let copied = Error::new(error.kind, error.what.clone());
    match &error.hint {
        Some(hint) => copied.hint(hint.clone()),
        None => copied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_for_webcams() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.png"), b"x").unwrap();
        let photo = [dir.path().join("x.png").display().to_string()];
        let camera = ["webcam:1".to_owned()];
        assert!(sources(&camera, None).unwrap_err().to_string().contains("--seconds 30"));
        assert!(sources(&camera, Some(-1.0)).unwrap_err().to_string().contains("-1"));
        assert!(sources(&photo, Some(1.0)).unwrap_err().to_string().contains("taken whole"));
        let both = [photo[0].clone(), camera[0].clone()];
        let kinds: Vec<_> = sources(&both, Some(1.0)).unwrap().iter().map(|(_, source)| source.kind()).collect();
        assert_eq!(kinds, ["photo", "webcam"]);
    }

    #[test]
    fn damage_is_told_only_where_there_is_some() {
        assert_eq!(damage_text(&Damage::default()), None);
        let damage = Damage { broken: 2, first: Some("bad slice".to_owned()), missing: 5 };
        let text = damage_text(&damage).unwrap();
        assert!(text.contains("2 broken") && text.contains("bad slice") && text.contains("5 frames"), "{text}");
    }
}
