//! One photo.

use std::path::{Path, PathBuf};

use vibhag_core::{Error, Image, Result, Samples};
use vibhag_data::{decode, encode};

use super::Row;
use super::background::Backdrop;
use super::cutter::Cutter;

/// Cuts the photo at `path` out and writes `target`, which appears whole or not at all.
///
/// # Errors
/// When the photo cannot be read or the result not be written.
pub(super) fn cut(cutter: &Cutter, path: &Path, target: &Path, backdrop: &mut Backdrop, row: &mut Row) -> Result<()> {
    let image = decode::read_image(path)?;
    row.size = Some([image.width(), image.height()]);
    let alpha = cutter.alpha(&image, None)?;
    row.share = Some(mean(&alpha));
    write(target, &backdrop.show(&image, &alpha, 0.0)?)
}

/// The mean of values, 0 of none.
pub(super) fn mean(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len().max(1) as f64
}

fn write(path: &Path, picture: &Image) -> Result<()> {
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
