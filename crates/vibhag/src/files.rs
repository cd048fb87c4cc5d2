//! Files that more than one verb writes.

use std::path::{Path, PathBuf};

use serde::Serialize;
use vibhag_core::{Error, Image, Result, Samples};
use vibhag_data::encode;

/// Writes a picture of 1, 3 or 4 channels as PNG, which appears whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_picture(path: &Path, picture: &Image) -> Result<()> {
    let (width, height) = (picture.width(), picture.height());
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = match (picture.samples(), picture.channels()) {
        (Samples::U8(pixels), 1) => encode::write_gray8_png(&partial, width, height, pixels),
        (Samples::U8(pixels), 4) => encode::write_rgba_png(&partial, width, height, pixels),
        _ => encode::write_rgb_png(&partial, width, height, &picture.to_rgb8()),
    };
    written
        .and_then(|()| std::fs::rename(&partial, path).map_err(|error| Error::io(path, error)))
        .inspect_err(|_| drop(std::fs::remove_file(&partial)))
}

/// Writes a value as JSON.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string(value)
        .map_err(|error| Error::config("cannot write JSON").at_path(path).because(error))?;
    std::fs::write(path, json).map_err(|error| Error::io(path, error))
}

/// Rounded to hundredths, which is finer than any keypoint is known.
pub(crate) fn hundredths(value: f64) -> f64 {
    (100.0 * value).round() / 100.0
}
