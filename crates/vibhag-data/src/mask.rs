//! Reads mask files as they are stored: indices stay indices, colours stay colours.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;
use std::path::Path;

use image::DynamicImage;
use serde::{Deserialize, Serialize};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result, Rgb};

use crate::decode::{check_size, decode_dynamic, read_bytes};

/// One stored value of a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MaskValue {
    /// A grey value or palette index.
    Value(u16),
    /// A colour.
    Color(Rgb),
}

impl fmt::Display for MaskValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value}"),
            Self::Color([r, g, b]) => write!(f, "rgb({r}, {g}, {b})"),
        }
    }
}

/// The pixels of a mask file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaskPixels {
    /// Grey values or palette indices.
    Values(Vec<u16>),
    /// Colours that differ between channels somewhere in the file.
    Colors(Vec<Rgb>),
}

/// A mask file before anybody decided what its values mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMask {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The stored values, row-major.
    pub pixels: MaskPixels,
    /// The palette of an indexed PNG.
    pub palette: Option<Vec<Rgb>>,
    /// Whether the file went through JPEG, which changes values.
    pub lossy: bool,
    /// Whether the file stores 16 bits a sample.
    pub deep: bool,
}

/// How often a value occurs in one mask, and where first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// Number of pixels.
    pub count: u64,
    /// Row-major index of the first pixel.
    pub first: u64,
}

/// Reads the mask at `path` without interpreting it. PNG palettes are kept as indices; RGB(A)
/// files whose channels agree everywhere are reduced to grey values.
///
/// # Errors
/// As [`crate::decode::read_image`].
pub fn read_mask(path: &Path) -> Result<RawMask> {
    decode_mask(&read_bytes(path)?, path)
}

/// Decodes `bytes`, the content of the mask file at `path`.
///
/// # Errors
/// As [`read_mask`].
pub fn decode_mask(bytes: &[u8], path: &Path) -> Result<RawMask> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") { decode_png(bytes, path) } else { decode_other(bytes, path) }
}

fn decode_png(bytes: &[u8], path: &Path) -> Result<RawMask> {
    let failed = |error: png::DecodingError| {
        Error::new(ErrorKind::Decode, format!("cannot decode: {error}"))
            .at_path(path)
            .hint("the file is damaged or truncated: export the mask again, or delete it")
            .because(error)
    };
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(failed)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let size = reader.output_buffer_size().unwrap_or(usize::MAX);
    check_size(width as u64, height as u64, size as u64, path)?;
    let mut buffer = vec![0; size];
    let frame = reader.next_frame(&mut buffer).map_err(failed)?;
    buffer.truncate(frame.buffer_size());
    let depth = frame.bit_depth as usize;
    let samples = unpack(&buffer, frame.line_size, width * frame.color_type.samples(), depth);
    let palette = reader.info().palette.as_ref().map(|entries| {
        let (colors, _) = entries.as_chunks::<3>();
        colors.to_vec()
    });
    let pixels = match frame.color_type {
        png::ColorType::Indexed | png::ColorType::Grayscale => MaskPixels::Values(samples),
        color => from_samples(&samples, color.samples(), depth == 16, false),
    };
    let palette = palette.filter(|_| frame.color_type == png::ColorType::Indexed);
    Ok(RawMask { width, height, pixels, palette, lossy: false, deep: depth == 16 })
}

/// Unpacks rows of 1-, 2-, 4-, 8- or 16-bit samples.
fn unpack(buffer: &[u8], line_size: usize, per_line: usize, depth: usize) -> Vec<u16> {
    let lines = buffer.chunks_exact(line_size.max(1));
    match depth {
        16 => lines.flat_map(|line| line.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair))).collect(),
        8 => buffer.iter().map(|&value| u16::from(value)).collect(),
        _ => {
            let mask = (1u16 << depth) - 1;
            let sample = |line: &[u8], x: usize| {
                let bit = x * depth;
                (u16::from(line[bit / 8]) >> (8 - depth - bit % 8)) & mask
            };
            lines.flat_map(|line| (0..per_line).map(move |x| sample(line, x))).collect()
        }
    }
}

fn decode_other(bytes: &[u8], path: &Path) -> Result<RawMask> {
    let lossy = bytes.starts_with(&[0xFF, 0xD8]);
    let decoded = decode_dynamic(bytes, path)?;
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let widen = |samples: Vec<u8>| samples.into_iter().map(u16::from).collect::<Vec<u16>>();
    let (channels, deep, samples) = match decoded {
        DynamicImage::ImageLuma8(buffer) => (1, false, widen(buffer.into_raw())),
        DynamicImage::ImageLumaA8(buffer) => (2, false, widen(buffer.into_raw())),
        DynamicImage::ImageRgb8(buffer) => (3, false, widen(buffer.into_raw())),
        DynamicImage::ImageRgba8(buffer) => (4, false, widen(buffer.into_raw())),
        DynamicImage::ImageLuma16(buffer) => (1, true, buffer.into_raw()),
        DynamicImage::ImageLumaA16(buffer) => (2, true, buffer.into_raw()),
        DynamicImage::ImageRgb16(buffer) => (3, true, buffer.into_raw()),
        DynamicImage::ImageRgba16(buffer) => (4, true, buffer.into_raw()),
        other => {
            return Err(Error::new(ErrorKind::Unsupported, format!("a mask of {:?} samples", other.color()))
                .at_path(path)
                .hint("export the mask as an 8- or 16-bit PNG"));
        }
    };
    let pixels = from_samples(&samples, channels, deep, lossy);
    Ok(RawMask { width, height, pixels, palette: None, lossy, deep })
}

/// Largest difference between the channels of a grey pixel after JPEG's chroma rounding.
const JPEG_GREY_SPREAD: u16 = 24;

/// Interleaved samples of 1 to 4 channels as mask pixels. A mask drawn in the alpha channel over
/// one constant colour is taken from there.
fn from_samples(samples: &[u16], channels: usize, deep: bool, lossy: bool) -> MaskPixels {
    let pixels = samples.chunks_exact(channels);
    let colors = if channels >= 3 { 3 } else { 1 };
    if colors < channels {
        let constant = samples.chunks_exact(channels).all(|pixel| pixel[..colors] == samples[..colors]);
        let drawn = pixels.clone().any(|pixel| pixel[colors] != samples[colors]);
        if constant && drawn {
            return MaskPixels::Values(pixels.map(|pixel| pixel[colors]).collect());
        }
    }
    if colors == 1 {
        return MaskPixels::Values(pixels.map(|pixel| pixel[0]).collect());
    }
    let spread = if lossy { JPEG_GREY_SPREAD } else { 0 };
    let grey = |p: &[u16]| p[0].abs_diff(p[1]) <= spread && p[1].abs_diff(p[2]) <= spread;
    if pixels.clone().all(grey) {
        return MaskPixels::Values(pixels.map(|pixel| pixel[1]).collect());
    }
    let narrow = |value: u16| if deep { (value >> 8) as u8 } else { value as u8 };
    MaskPixels::Colors(pixels.map(|p| [narrow(p[0]), narrow(p[1]), narrow(p[2])]).collect())
}

impl RawMask {
    /// Every value of the mask with its number of pixels and first position.
    pub fn occurrences(&self) -> BTreeMap<MaskValue, Occurrence> {
        match &self.pixels {
            MaskPixels::Values(values) => tally(values, MaskValue::Value),
            MaskPixels::Colors(colors) => tally(colors, MaskValue::Color),
        }
    }

    /// The pixels as colours: palette indices through the palette, grey values repeated.
    pub fn to_colors(&self) -> Vec<Rgb> {
        match &self.pixels {
            MaskPixels::Colors(colors) => colors.clone(),
            MaskPixels::Values(values) => values.iter().map(|&value| self.color_of(value)).collect(),
        }
    }

    /// The colour that the stored `value` shows as.
    pub fn color_of(&self, value: u16) -> Rgb {
        match &self.palette {
            Some(palette) => palette.get(usize::from(value)).copied().unwrap_or_default(),
            None if self.deep => [(value >> 8) as u8; 3],
            None => [value.min(255) as u8; 3],
        }
    }
}

/// Counts runs of equal pixels: masks are made of them.
fn tally<T: Copy + Ord>(pixels: &[T], wrap: fn(T) -> MaskValue) -> BTreeMap<MaskValue, Occurrence> {
    let mut counts: BTreeMap<T, Occurrence> = BTreeMap::new();
    let mut at = 0u64;
    for run in pixels.chunk_by(T::eq) {
        let length = run.len() as u64;
        counts.entry(run[0]).and_modify(|o| o.count += length).or_insert(Occurrence { count: length, first: at });
        at += length;
    }
    counts.into_iter().map(|(value, occurrence)| (wrap(value), occurrence)).collect()
}
