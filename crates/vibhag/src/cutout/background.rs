//! What stands behind a cut-out: nothing, a colour, a picture, a video, or the blurred original.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use vibhag_core::{Error, ErrorKind, Image, Result, Rgb};
use vibhag_data::decode::read_image;
use vibhag_imaging::matte;
use vibhag_video::{Reader, Tools, is_video_path};

use super::CutoutRequest;

/// Standard deviation of the blur against the diagonal, unless it is given.
const BLUR: f32 = 1.0 / 60.0;

/// Colours that have a name here; `green` is that of green screens.
const COLORS: &[(&str, Rgb)] = &[
    ("black", [0, 0, 0]),
    ("white", [255, 255, 255]),
    ("grey", [128, 128, 128]),
    ("gray", [128, 128, 128]),
    ("green", [0, 177, 64]),
    ("blue", [0, 71, 187]),
    ("red", [220, 30, 30]),
];

/// A background as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Background {
    /// One colour.
    Color(Rgb),
    /// The input's own background, blurred with this standard deviation in pixels; a sixtieth of the diagonal when absent.
    Blur(Option<f32>),
    /// A picture or a video, which begins again at its end.
    File(PathBuf),
}

impl FromStr for Background {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(rest) = text.strip_prefix('#') {
            return hex(rest).map(Self::Color).ok_or_else(|| {
                Error::config(format!("{text:?} is no colour")).hint("write #rrggbb or #rgb, such as #20c040")
            });
        }
        if let Some((_, color)) = COLORS.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Color(*color));
        }
        if text == "blur" {
            return Ok(Self::Blur(None));
        }
        if let Some(sigma) = text.strip_prefix("blur:") {
            let parsed = sigma.parse::<f32>().ok().filter(|sigma| *sigma > 0.0 && sigma.is_finite());
            return parsed.map(|sigma| Self::Blur(Some(sigma))).ok_or_else(|| {
                Error::config(format!("{text:?} names no blur")).hint("write blur:SIGMA in pixels, such as blur:20")
            });
        }
        Ok(Self::File(text.into()))
    }
}

fn hex(digits: &str) -> Option<Rgb> {
    let value = u32::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    match digits.len() {
        6 => Some([(value >> 16) as u8, (value >> 8) as u8, value as u8]),
        // Each digit stands for itself twice.
        3 => Some([(value >> 8) as u8, (value >> 4) as u8, value as u8].map(|digit| (digit & 15) * 17)),
        _ => None,
    }
}

/// A background that is ready to be put behind frames.
#[derive(Debug)]
pub(super) enum Backdrop {
    /// The foreground alone, with alpha.
    Nothing,
    /// The matte alone, grey.
    Matte,
    /// The same behind every frame.
    Fixed(matte::Background),
    /// The frame's own, blurred.
    Blur(Option<f32>),
    /// Frame by frame.
    Video(Box<Endless>),
}

impl Backdrop {
    /// What `request` asks for; a picture is scaled to `size` (width, height) once where that is known.
    ///
    /// # Errors
    /// When a picture or video cannot be read.
    pub(super) fn open(request: &CutoutRequest, tools: Option<&Tools>, size: Option<(usize, usize)>) -> Result<Self> {
        if request.matte {
            return Ok(Self::Matte);
        }
        match &request.background {
            None => Ok(Self::Nothing),
            Some(Background::Color(color)) => Ok(Self::Fixed(matte::Background::Color(*color))),
            Some(Background::Blur(sigma)) => Ok(Self::Blur(*sigma)),
            Some(Background::File(path)) if !path.is_file() => {
                let names: Vec<&str> = COLORS.iter().map(|(name, _)| *name).collect();
                Err(Error::new(ErrorKind::Io, "no such background").at_path(path).hint(format!(
                    "give a picture, a video, blur, a colour such as #20c040, or one of {}",
                    names.join(", ")
                )))
            }
            Some(Background::File(path)) if is_video_path(path) => match tools {
                Some(tools) => Ok(Self::Video(Box::new(Endless::open(tools, path)?))),
                None => Err(Tools::find().err().unwrap_or_else(|| Error::config("no ffmpeg")).at_path(path)),
            },
            Some(Background::File(path)) => {
                let picture = matte::Background::Picture(read_image(path)?);
                let fitted = match size {
                    Some((width, height)) => picture.fitted(width, height).map_err(|error| error.at_path(path))?,
                    None => picture,
                };
                Ok(Self::Fixed(fitted))
            }
        }
    }

    /// Whether it changes from frame to frame by itself.
    pub(super) fn moves(&self) -> bool {
        matches!(self, Self::Video(_))
    }

    /// Whether what is shown has alpha.
    pub(super) fn is_transparent(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// `frame` as it is shown `seconds` after the start, with `alpha` (a value a pixel) for its foreground: RGBA over
    /// nothing, grey for the matte, RGB otherwise; 8 bits.
    ///
    /// # Errors
    /// When a frame of the background cannot be read, or alpha does not fit the frame.
    pub(super) fn show(&mut self, frame: &Image, alpha: &[f32], seconds: f64) -> Result<Image> {
        let (width, height) = (frame.width(), frame.height());
        let over = |background: &matte::Background| {
            let front = matte::estimate_foreground(frame, alpha)?;
            let pixels = matte::composite(&front, alpha, &background.pixels(frame, alpha)?)?;
            Image::from_u8(width, height, 3, pixels)
        };
        match self {
            Self::Nothing => matte::rgba(&matte::estimate_foreground(frame, alpha)?, alpha, width, height),
            Self::Matte => matte::grey(alpha, width, height),
            Self::Fixed(background) => over(background),
            Self::Blur(sigma) => {
                let usual = BLUR * (width as f32).hypot(height as f32);
                over(&matte::Background::Blur(sigma.unwrap_or(usual)))
            }
            Self::Video(endless) => over(&matte::Background::Picture(endless.at(seconds)?.clone())),
        }
    }
}

/// A video that begins again at its end.
#[derive(Debug)]
pub(super) struct Endless {
    tools: Tools,
    path: PathBuf,
    reader: Reader,
    current: Option<Image>,
    /// Frames read, over all rounds.
    read: u64,
}

impl Endless {
    fn open(tools: &Tools, path: &Path) -> Result<Self> {
        let reader = Reader::open(tools, path)?;
        Ok(Self { tools: tools.clone(), path: path.to_owned(), reader, current: None, read: 0 })
    }

    /// The frame on screen `seconds` after the start; time does not go back.
    fn at(&mut self, seconds: f64) -> Result<&Image> {
        let wanted = (seconds.max(0.0) * self.reader.info().frame_rate.per_second()).floor() as u64;
        while self.read <= wanted || self.current.is_none() {
            match self.reader.next_frame()? {
                Some(frame) => {
                    self.current = Some(frame.image);
                    self.read += 1;
                }
                // A file without any frame is an error of the reader, so this comes to an end.
                None => self.reader = Reader::open(&self.tools, &self.path)?,
            }
        }
        let nothing = || Error::new(ErrorKind::Decode, "the background has no frame").at_path(&self.path);
        self.current.as_ref().ok_or_else(nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backgrounds_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Background>().unwrap();
        assert_eq!(read("#20c040"), Background::Color([0x20, 0xc0, 0x40]));
        assert_eq!(read("#f0a"), Background::Color([255, 0, 170]));
        assert_eq!(read("white"), Background::Color([255; 3]));
        assert_eq!((read("blur"), read("blur:7.5")), (Background::Blur(None), Background::Blur(Some(7.5))));
        assert_eq!(read("beach.jpg"), Background::File("beach.jpg".into()));
        for text in ["#12345", "#gggggg", "#+12345", "blur:", "blur:-1", "blur:inf"] {
            let error = text.parse::<Background>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("such as"), "{error}");
        }
    }

    #[test]
    fn what_is_shown_is_the_foreground_over_the_background() {
        let frame = Image::from_u8(2, 1, 3, vec![200, 100, 50, 9, 9, 9]).unwrap();
        let alpha = [1.0, 0.0];
        let shown = |mut backdrop: Backdrop| backdrop.show(&frame, &alpha, 0.0).unwrap();
        let alone = shown(Backdrop::Nothing);
        assert_eq!((alone.channels(), &alone.to_rgb8()[..3]), (4, &[200, 100, 50][..]));
        assert_eq!(shown(Backdrop::Matte), Image::from_u8(2, 1, 1, vec![255, 0]).unwrap());
        let green = Backdrop::Fixed(matte::Background::Color([0, 177, 64]));
        assert_eq!(shown(green).to_rgb8(), [200, 100, 50, 0, 177, 64]);
        let blurred = shown(Backdrop::Blur(None));
        assert_eq!((blurred.channels(), &blurred.to_rgb8()[..3]), (3, &[200, 100, 50][..]));
    }
}
