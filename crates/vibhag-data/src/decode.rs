//! Reads images: PNG, JPEG, BMP, TIFF and WebP, 8 or 16 bits, EXIF orientation applied.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, IdMap, Image, Result, Samples};

use crate::annotations::id_map_file;

/// File name extensions that count as images, in lower case.
pub const IMAGE_EXTENSIONS: &[&str] = &["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp"];

/// Pixels that an image may have: above any camera, far below what exhausts memory.
pub const MAX_PIXELS: u64 = 400_000_000;

/// Bytes that one decoded image may occupy.
pub const MAX_BYTES: u64 = 1 << 30;

/// Whether the extension of `path` is one of [`IMAGE_EXTENSIONS`], in any case.
pub fn is_image_path(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| IMAGE_EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

/// Reads the image at `path` upright, with 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 channels.
/// Palettes are expanded; an alpha channel that is opaque everywhere is dropped.
///
/// # Errors
/// When the file cannot be read, is empty, truncated, of an unknown kind, or would decode to
/// more than [`MAX_PIXELS`] or [`MAX_BYTES`].
pub fn read_image(path: &Path) -> Result<Image> {
    decode_image(&read_bytes(path)?, path)
}

/// Decodes `bytes`, the content of the file at `path` (the path only serves the messages).
///
/// # Errors
/// As [`read_image`].
pub fn decode_image(bytes: &[u8], path: &Path) -> Result<Image> {
    from_dynamic(decode_dynamic(bytes, path)?, path)
}

/// The content of the file at `path`, which must not be empty.
///
/// # Errors
/// An I/O error, or a decode error for a file of zero bytes.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Decode, "the file is empty (0 bytes)")
            .at_path(path)
            .hint("copy or download it again, or delete it"));
    }
    Ok(bytes)
}

pub(crate) fn decode_dynamic(bytes: &[u8], path: &Path) -> Result<DynamicImage> {
    let failed = |error: image::ImageError| decode_error(error, path);
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| Error::io(path, error))?;
    let format = reader.format();
    if format.is_none() {
        return Err(Error::new(ErrorKind::Decode, "the content is not PNG, JPEG, BMP, TIFF or WebP")
            .at_path(path)
            .hint("convert the file to PNG"));
    }
    if format == Some(image::ImageFormat::Jpeg) && !crate::jpeg::is_complete(bytes) {
        return Err(Error::new(ErrorKind::Decode, "the JPEG file is truncated: its end-of-image marker is missing")
            .at_path(path)
            .hint("copy or download it again, or delete it"));
    }
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_size(u64::from(width), u64::from(height), decoder.total_bytes(), path)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(2 * MAX_BYTES);
    decoder.set_limits(limits).map_err(failed)?;
    // A damaged EXIF block is no reason to lose the pixels.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(failed)?;
    decoded.apply_orientation(orientation);
    Ok(decoded)
}

pub(crate) fn check_size(width: u64, height: u64, bytes: u64, path: &Path) -> Result<()> {
    if width.saturating_mul(height) <= MAX_PIXELS && bytes <= MAX_BYTES {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Decode, format!("{width}x{height} pixels ({} MiB decoded) are too many", bytes >> 20))
        .at_path(path)
        .hint(format!(
            "cut it into tiles of at most {} megapixels and {} MiB",
            MAX_PIXELS / 1_000_000,
            MAX_BYTES >> 20
        )))
}

pub(crate) fn decode_error(error: image::ImageError, path: &Path) -> Error {
    let hint = match &error {
        image::ImageError::Unsupported(_) => "convert the file to 8- or 16-bit PNG",
        _ => "the file is damaged or truncated: copy or download it again, or delete it",
    };
    Error::new(ErrorKind::Decode, format!("cannot decode: {error}")).at_path(path).hint(hint).because(error)
}

fn from_dynamic(decoded: DynamicImage, path: &Path) -> Result<Image> {
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let (channels, samples) = match decoded {
        DynamicImage::ImageLuma8(buffer) => (1, Samples::U8(buffer.into_raw())),
        DynamicImage::ImageLumaA8(buffer) => without_opaque_alpha8(2, buffer.into_raw()),
        DynamicImage::ImageRgb8(buffer) => (3, Samples::U8(buffer.into_raw())),
        DynamicImage::ImageRgba8(buffer) => without_opaque_alpha8(4, buffer.into_raw()),
        DynamicImage::ImageLuma16(buffer) => (1, Samples::U16(buffer.into_raw())),
        DynamicImage::ImageLumaA16(buffer) => without_opaque_alpha16(2, buffer.into_raw()),
        DynamicImage::ImageRgb16(buffer) => (3, Samples::U16(buffer.into_raw())),
        DynamicImage::ImageRgba16(buffer) => without_opaque_alpha16(4, buffer.into_raw()),
        other => {
            return Err(Error::new(ErrorKind::Unsupported, format!("samples of type {:?}", other.color()))
                .at_path(path)
                .hint("convert the file to 8- or 16-bit integers"));
        }
    };
    Image::new(width, height, channels, samples).map_err(|error| error.at_path(path))
}

fn without_opaque_alpha8(channels: usize, samples: Vec<u8>) -> (usize, Samples) {
    let (channels, samples) = without_opaque_alpha(channels, samples, u8::MAX);
    (channels, Samples::U8(samples))
}

fn without_opaque_alpha16(channels: usize, samples: Vec<u16>) -> (usize, Samples) {
    let (channels, samples) = without_opaque_alpha(channels, samples, u16::MAX);
    (channels, Samples::U16(samples))
}

fn without_opaque_alpha<T: Copy + PartialEq>(channels: usize, samples: Vec<T>, opaque: T) -> (usize, Vec<T>) {
    if samples.chunks_exact(channels).any(|pixel| pixel[channels - 1] != opaque) {
        return (channels, samples);
    }
    let colors = samples.chunks_exact(channels).flat_map(|pixel| pixel[..channels - 1].iter().copied()).collect();
    (channels - 1, colors)
}

/// Reads a label map that numbers objects: 8, 16 or 32 bits, PNG or TIFF.
///
/// # Errors
/// When the file cannot be decoded or holds what is no object's number.
pub fn read_id_map(path: &Path) -> Result<IdMap> {
    id_map_file::read_ids(path).map(|(map, _)| map)
}
