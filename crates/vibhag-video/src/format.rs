//! The kinds of video that can be written.

use std::path::Path;
use std::process::Command;

use vibhag_core::{Error, ErrorKind, Result};

use crate::process::query;
use crate::tools::{INSTALL, Tools};

/// A kind of output: what it is called, and how ffmpeg makes it.
#[derive(Debug)]
pub struct Format {
    /// Name in messages.
    pub name: &'static str,
    /// Endings of file names; none for a folder.
    pub extensions: &'static [&'static str],
    /// One sentence for the user.
    pub summary: &'static str,
    /// Ways to encode frames without alpha; the first whose encoder ffmpeg has is taken.
    pub opaque: &'static [Encoding],
    /// Ways to encode frames with alpha; empty where the format holds none.
    pub transparent: &'static [Encoding],
    /// Codecs of sound that are copied as they are.
    pub sound: &'static [&'static str],
    /// What other sound becomes.
    pub sound_encoder: &'static str,
    pub(crate) muxer: &'static [&'static str],
}

/// An encoder of ffmpeg and its settings.
#[derive(Debug)]
pub struct Encoding {
    /// ffmpeg's name of it.
    pub encoder: &'static str,
    /// Pixel format.
    pub pixels: &'static str,
    pub(crate) arguments: &'static [&'static str],
    /// Colours are kept for 2x2 pixels together and sides must be even.
    pub(crate) even: bool,
}

/// Quality is set high: what is cut out will often be encoded once more.
const H264: &[Encoding] = &[
    h264("libx264", &["-crf", "18", "-preset", "veryfast"]),
    h264("h264_videotoolbox", &["-q:v", "65"]),
    h264("h264_mf", &["-b:v", "12M"]),
    h264("libopenh264", &["-b:v", "12M"]),
];

const fn h264(encoder: &'static str, arguments: &'static [&'static str]) -> Encoding {
    Encoding { encoder, pixels: "yuv420p", arguments, even: true }
}

const fn vp9(pixels: &'static str) -> Encoding {
    // Alternative reference frames cannot be had together with alpha.
    let arguments =
        &["-crf", "24", "-b:v", "0", "-deadline", "good", "-cpu-used", "5", "-row-mt", "1", "-auto-alt-ref", "0"];
    Encoding { encoder: "libvpx-vp9", pixels, arguments, even: false }
}

const fn png(pixels: &'static str) -> Encoding {
    Encoding { encoder: "png", pixels, arguments: &[], even: false }
}

/// Endings of files that are taken for videos to read; ffmpeg reads more, whatever their names are.
const READABLE: &[&str] =
    &["mp4", "m4v", "mov", "mkv", "webm", "avi", "wmv", "flv", "mpg", "mpeg", "ts", "mts", "m2ts", "3gp", "ogv", "mxf"];

/// Whether the ending of `path` is one of videos.
pub fn is_video_path(path: &Path) -> bool {
    path.extension().is_some_and(|ending| READABLE.contains(&ending.to_string_lossy().to_ascii_lowercase().as_str()))
}

/// Every format, in the order in which help lists them.
pub const FORMATS: &[Format] = &[
    Format {
        name: "MP4",
        extensions: &["mp4", "m4v"],
        summary: "H.264, plays everywhere; no alpha",
        opaque: H264,
        transparent: &[],
        sound: &["aac", "mp3", "ac3", "eac3", "alac", "opus"],
        sound_encoder: "aac",
        // The index at the front, so that players on the web can begin at once.
        muxer: &["-f", "mp4", "-movflags", "+faststart"],
    },
    Format {
        name: "QuickTime",
        extensions: &["mov"],
        summary: "H.264, or ProRes 4444 with alpha for video editors",
        opaque: H264,
        transparent: &[Encoding {
            encoder: "prores_ks",
            pixels: "yuva444p10le",
            arguments: &["-profile:v", "4444", "-alpha_bits", "16", "-vendor", "apl0"],
            even: false,
        }],
        sound: &["aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_f32le"],
        sound_encoder: "aac",
        muxer: &["-f", "mov", "-movflags", "+faststart"],
    },
    Format {
        name: "WebM",
        extensions: &["webm"],
        summary: "VP9, with alpha for browsers if wanted",
        opaque: &[vp9("yuv420p")],
        transparent: &[vp9("yuva420p")],
        sound: &["opus", "vorbis"],
        sound_encoder: "libopus",
        muxer: &["-f", "webm"],
    },
    Format {
        name: "Matroska",
        extensions: &["mkv"],
        summary: "H.264 with any sound; no alpha",
        opaque: H264,
        transparent: &[],
        sound: &["aac", "mp3", "ac3", "eac3", "dts", "alac", "flac", "opus", "vorbis", "pcm_s16le", "pcm_s24le"],
        sound_encoder: "aac",
        muxer: &["-f", "matroska"],
    },
    Format {
        name: "folder of PNG",
        extensions: &[],
        summary: "a picture a frame, exact, with alpha if wanted; no sound",
        opaque: &[png("rgb24")],
        transparent: &[png("rgba")],
        sound: &[],
        sound_encoder: "",
        muxer: &["-f", "image2", "-start_number", "0"],
    },
];

impl Format {
    /// The format that the ending of `path` stands for; a path without an ending is a folder of pictures.
    ///
    /// # Errors
    /// When the ending is unknown, or stands for a format without alpha where `alpha` is wanted.
    pub fn of(path: &Path, alpha: bool) -> Result<&'static Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let found = FORMATS.iter().find(|format| match &ending {
            Some(ending) => format.extensions.contains(&ending.as_str()),
            None => format.is_folder(),
        });
        let Some(format) = found else {
            let what = format!("video cannot be written as .{}", ending.unwrap_or_default());
            let error = Error::new(ErrorKind::Unsupported, what).at_path(path);
            return Err(error.hint(format!("choose one of {}, or a folder without an ending", endings(false))));
        };
        if alpha && format.transparent.is_empty() {
            let error = Error::new(ErrorKind::Unsupported, format!("{} holds no alpha", format.name)).at_path(path);
            return Err(error.hint(format!("choose one of {}, or a folder without an ending", endings(true))));
        }
        Ok(format)
    }

    /// The encoding to use: the first of which `ffmpeg` has the encoder.
    ///
    /// # Errors
    /// When it has none, or does not say which it has.
    pub(crate) fn encoding(&self, tools: &Tools, alpha: bool) -> Result<&'static Encoding> {
        let wanted = if alpha { self.transparent } else { self.opaque };
        let text = query(Command::new(&tools.ffmpeg).args(["-hide_banner", "-loglevel", "error", "-encoders"]))?;
        let text = String::from_utf8_lossy(&text);
        // A line holds flags, the name and a description.
        let names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        wanted.iter().find(|encoding| names.contains(&encoding.encoder)).ok_or_else(|| {
            let list: Vec<&str> = wanted.iter().map(|encoding| encoding.encoder).collect();
            let what = format!("this ffmpeg cannot write {}: it has no {}", self.name, list.join(" or "));
            Error::new(ErrorKind::Unsupported, what).hint(format!("install a complete one: {INSTALL}"))
        })
    }

    /// Whether it is a folder of pictures.
    pub fn is_folder(&self) -> bool {
        self.extensions.is_empty()
    }
}

fn endings(alpha: bool) -> String {
    let formats = FORMATS.iter().filter(|format| !alpha || !format.transparent.is_empty());
    let endings: Vec<String> =
        formats.flat_map(|format| format.extensions).map(|ending| format!(".{ending}")).collect();
    endings.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_decides_and_alpha_needs_a_format_that_holds_it() {
        let name = |path: &str, alpha| Format::of(Path::new(path), alpha).map(|format| format.name);
        assert_eq!(name("a/b.MP4", false).unwrap(), "MP4");
        assert_eq!(name("b.mov", true).unwrap(), "QuickTime");
        assert_eq!(name("frames", true).unwrap(), "folder of PNG");
        let error = name("b.mp4", true).unwrap_err().to_string();
        assert!(error.contains("no alpha") && error.contains(".mov, .webm, or"), "{error}");
        let error = name("b.avi", false).unwrap_err().to_string();
        assert!(error.contains(".avi") && error.contains(".mp4"), "{error}");
    }

    #[test]
    fn no_ending_stands_for_two_formats_and_each_can_be_written() {
        let mut endings: Vec<_> = FORMATS.iter().flat_map(|format| format.extensions).collect();
        let count = endings.len();
        endings.sort_unstable();
        endings.dedup();
        assert_eq!(endings.len(), count);
        assert_eq!(FORMATS.iter().filter(|format| format.is_folder()).count(), 1);
        assert!(FORMATS.iter().all(|format| !format.opaque.is_empty()));
    }
}
