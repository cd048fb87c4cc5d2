//! Webcams.

use std::ffi::OsString;
use std::path::Path;

use vibhag_core::{Error, ErrorKind, Result};

/// A camera that this computer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    /// Its number, from 0, or its device: a path on Linux, a name elsewhere. Windows knows no
    /// numbers.
    pub device: String,
    /// Width and height to ask it for; otherwise its own choice.
    pub size: Option<(usize, usize)>,
}

impl Camera {
    /// The camera that `text` names: `webcam` is the first, `webcam:1` the second, `webcam:DEVICE` one by its device.
    /// `None` when the text names no camera.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("webcam")?;
        let device = if rest.is_empty() { "0" } else { rest.strip_prefix(':').filter(|device| !device.is_empty())? };
        Some(Self { device: device.to_owned(), size: None })
    }

    /// What ffmpeg is told to read from it.
    ///
    /// # Errors
    /// When there is no such device, as far as that can be known beforehand.
    pub(crate) fn input(&self) -> Result<Vec<OsString>> {
        let numbered = self.device.chars().all(|c| c.is_ascii_digit());
        let (system, name) = if cfg!(target_os = "macos") {
            ("avfoundation", format!("{}:none", self.device))
        } else if cfg!(windows) {
            if numbered {
                let error = Error::config("a webcam has no number on Windows").at(self.device.clone());
                let list = "ffmpeg -list_devices true -f dshow -i dummy";
                return Err(error.hint(format!("say webcam:NAME; {list} prints the names")));
            }
            ("dshow", format!("video={}", self.device))
        } else {
            ("v4l2", self.linux_device(numbered)?)
        };
        let mut input: Vec<OsString> = vec!["-f".into(), system.into()];
        if system == "avfoundation" {
            // Its default of 29.97 is one that no camera of a Mac has.
            input.extend(["-framerate".into(), "30".into()]);
        }
        if let Some((width, height)) = self.size {
            input.extend(["-video_size".into(), format!("{width}x{height}").into()]);
        }
        input.extend(["-i".into(), name.into()]);
        Ok(input)
    }

    fn linux_device(&self, numbered: bool) -> Result<String> {
        let device = if numbered { format!("/dev/video{}", self.device) } else { self.device.clone() };
        if Path::new(&device).exists() {
            return Ok(device);
        }
        let present = std::fs::read_dir("/dev").into_iter().flatten().flatten();
        let mut present: Vec<String> = present
            .map(|entry| entry.path().display().to_string())
            .filter(|path| path.strip_prefix("/dev/video").is_some_and(|n| n.parse::<u32>().is_ok()))
            .collect();
        present.sort();
        let hint = match present.as_slice() {
            [] => "no camera is connected, or this user may not see it".to_owned(),
            list => format!("there are: {}", list.join(", ")),
        };
        Err(Error::new(ErrorKind::Io, "no such webcam").at_path(device).hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_are_named_by_number_or_device() {
        let device = |text| Camera::parse(text).map(|camera| camera.device);
        assert_eq!(device("webcam").as_deref(), Some("0"));
        assert_eq!(device("webcam:2").as_deref(), Some("2"));
        assert_eq!(device("webcam:/dev/video4").as_deref(), Some("/dev/video4"));
        assert!(device("webcam:").is_none() && device("webcam.mp4").is_none() && device("clip.mp4").is_none());
    }
}
