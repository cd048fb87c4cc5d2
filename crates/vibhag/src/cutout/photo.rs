//! One photo.

use std::path::Path;

use vibhag_core::Result;
use vibhag_data::decode;

use super::Row;
use super::background::Backdrop;
use super::cutter::Cutter;
use crate::files::write_picture;

/// Cuts the photo at `path` out and writes `target`, which appears whole or not at all.
///
/// # Errors
/// When the photo cannot be read or the result not be written.
pub(super) fn cut(cutter: &Cutter, path: &Path, target: &Path, backdrop: &mut Backdrop, row: &mut Row) -> Result<()> {
    let image = decode::read_image(path)?;
    row.size = Some([image.width(), image.height()]);
    let alpha = cutter.alpha(&image, None)?;
    row.share = Some(mean(&alpha));
    write_picture(target, &backdrop.show(&image, &alpha, 0.0)?)
}

/// The mean of values, 0 of none.
pub(super) fn mean(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len().max(1) as f64
}
