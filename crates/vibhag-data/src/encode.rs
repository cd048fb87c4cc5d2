//! Writes PNG files: index masks, 8-bit pictures and 16-bit probability maps.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType, Encoder};
use vibhag_core::error::ErrorKind;
use vibhag_core::{ClassTable, Error, IdMap, LabelMap, Result};

use crate::annotations::id_map_file;

/// Writes `labels` as a palette PNG whose indices are the labels and whose palette holds the
/// class colours; labels above 255 make it a 16-bit grey PNG.
///
/// # Errors
/// When the file cannot be written.
pub fn write_mask_png(path: &Path, labels: &LabelMap, classes: &ClassTable) -> Result<()> {
    let (width, height) = (labels.width(), labels.height());
    let largest = labels.labels().iter().copied().max().unwrap_or(0);
    if largest > 255 {
        return write_gray16_png(path, width, height, labels.labels());
    }
    let indices: Vec<u8> = labels.labels().iter().map(|&label| label as u8).collect();
    let mut palette = vec![0u8; 3 * (usize::from(largest) + 1).max(classes.len()).min(256)];
    for (entry, class) in palette.chunks_exact_mut(3).zip(&classes.classes) {
        entry.copy_from_slice(&class.color);
    }
    if let Some(void) = classes.ignore
        && let Some(entry) = palette.chunks_exact_mut(3).nth(usize::from(void))
    {
        // The Pascal VOC colour of void.
        entry.copy_from_slice(&[224, 224, 192]);
    }
    write(path, width, height, ColorType::Indexed, BitDepth::Eight, Some(palette), &indices)
}

/// Writes a binary mask as 8-bit grey: 255 where `labels` is `foreground`, 0 elsewhere.
///
/// # Errors
/// When the file cannot be written.
pub fn write_binary_png(path: &Path, labels: &LabelMap, foreground: u16) -> Result<()> {
    let pixels: Vec<u8> = labels.labels().iter().map(|&label| if label == foreground { 255 } else { 0 }).collect();
    write_gray8_png(path, labels.width(), labels.height(), &pixels)
}

/// Writes 8-bit grey `pixels`, row-major.
///
/// # Errors
/// When the number of pixels does not fit the size or the file cannot be written.
pub fn write_gray8_png(path: &Path, width: usize, height: usize, pixels: &[u8]) -> Result<()> {
    write(path, width, height, ColorType::Grayscale, BitDepth::Eight, None, pixels)
}

/// Writes 16-bit grey `pixels`, row-major.
///
/// # Errors
/// When the number of pixels does not fit the size or the file cannot be written.
pub fn write_gray16_png(path: &Path, width: usize, height: usize, pixels: &[u16]) -> Result<()> {
    let bytes: Vec<u8> = pixels.iter().flat_map(|value| value.to_be_bytes()).collect();
    write(path, width, height, ColorType::Grayscale, BitDepth::Sixteen, None, &bytes)
}

/// Writes 8-bit RGB `pixels`, row-major and interleaved.
///
/// # Errors
/// When the number of samples does not fit the size or the file cannot be written.
pub fn write_rgb_png(path: &Path, width: usize, height: usize, pixels: &[u8]) -> Result<()> {
    write(path, width, height, ColorType::Rgb, BitDepth::Eight, None, pixels)
}

/// Writes 8-bit RGBA `pixels`, row-major and interleaved, colours not multiplied by alpha.
///
/// # Errors
/// When the number of samples does not fit the size or the file cannot be written.
pub fn write_rgba_png(path: &Path, width: usize, height: usize, pixels: &[u8]) -> Result<()> {
    write(path, width, height, ColorType::Rgba, BitDepth::Eight, None, pixels)
}

/// The content of an 8-bit grey PNG file of `pixels`, row-major.
///
/// # Errors
/// When the number of pixels does not fit the size.
pub fn gray8_png(width: usize, height: usize, pixels: &[u8]) -> Result<Vec<u8>> {
    let path = Path::new("PNG");
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(|error| encode_error(error, path))?;
    writer.write_image_data(pixels).map_err(|error| encode_error(error, path))?;
    writer.finish().map_err(|error| encode_error(error, path))?;
    Ok(bytes)
}

fn write(
    path: &Path,
    width: usize,
    height: usize,
    color: ColorType,
    depth: BitDepth,
    palette: Option<Vec<u8>>,
    bytes: &[u8],
) -> Result<()> {
    let file = File::create(path)
        .map_err(|error| Error::io(path, error).hint("check that the folder exists and is writable"))?;
    let mut encoder = Encoder::new(BufWriter::new(file), width as u32, height as u32);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    let mut writer = encoder.write_header().map_err(|error| encode_error(error, path))?;
    writer.write_image_data(bytes).map_err(|error| encode_error(error, path))?;
    // Dropping the writer would swallow a full disk.
    writer.finish().map_err(|error| encode_error(error, path))
}

fn encode_error(error: png::EncodingError, path: &Path) -> Error {
    match error {
        png::EncodingError::IoError(error) => Error::io(path, error).hint("check free space and permissions"),
        other => Error::new(ErrorKind::Io, format!("cannot write the PNG: {other}")).at_path(path).because(other),
    }
}

/// Writes object numbers to `stem` with the ending that fits: `.png` of 16 bits up to 65,535, `.tif` of 32 bits above.
/// Returns the path.
///
/// # Errors
/// When the file cannot be written.
pub fn write_id_map(stem: &Path, map: &IdMap) -> Result<PathBuf> {
    let mut name = stem.as_os_str().to_owned();
    name.push(".");
    name.push(id_map_file::extension_for(map));
    let path = PathBuf::from(name);
    id_map_file::write_ids(&path, map, false)?;
    Ok(path)
}
