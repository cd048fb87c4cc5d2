//! What every decoder ends with: small objects go, holes close, numbers become dense.

use rayon::prelude::*;
use vibhag_core::{Error, ErrorKind, Grouping, IdMap, Result};

use super::runs::fill_holes;

/// Pixels below which a map stays on the calling thread.
pub(super) const PARALLEL_FROM: usize = 1 << 16;

/// Objects read from maps: dense ids `1..=n`, and a score in `0..=1` for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Objects {
    /// The object of each pixel; 0 is none.
    pub ids: IdMap,
    /// How sure the maps are of object `n`, at `n - 1`.
    pub scores: Vec<f32>,
}

/// Checks the size of each plane (name, length) and the values of `grouping`.
pub(super) fn check(width: usize, height: usize, planes: &[(&str, usize)], grouping: &Grouping) -> Result<()> {
    grouping.validate()?;
    let pixels = width.checked_mul(height).filter(|&pixels| pixels > 0 && pixels < u32::MAX as usize);
    let Some(pixels) = pixels else {
        return Err(Error::new(ErrorKind::Unsupported, "objects are read from maps of 1 to 2^32 - 2 pixels")
            .at(format!("{width}x{height}")));
    };
    match planes.iter().find(|(_, length)| *length != pixels) {
        None => Ok(()),
        Some((name, length)) => Err(Error::new(
            ErrorKind::SizeMismatch,
            format!("the plane of the {name} has {length} values, not {width}x{height}"),
        )),
    }
}

/// Fills the rows of `out` one by one, on all threads if there are many pixels.
pub(super) fn for_each_row<T: Send>(out: &mut [T], width: usize, fill: impl Fn(usize, &mut [T]) + Send + Sync) {
    if out.len() < PARALLEL_FROM {
        out.chunks_exact_mut(width).enumerate().for_each(|(y, row)| fill(y, row));
    } else {
        out.par_chunks_exact_mut(width).enumerate().for_each(|(y, row)| fill(y, row));
    }
}

/// Pixels of each object, and the sums of `values` over them; those of object `n` are at `n - 1`.
pub(super) fn tally(ids: &[u32], values: &[f32], count: usize) -> (Vec<usize>, Vec<f64>) {
    let (mut areas, mut sums) = (vec![0; count], vec![0.0; count]);
    for (&id, &value) in ids.iter().zip(values).filter(|(id, _)| **id != 0) {
        areas[id as usize - 1] += 1;
        sums[id as usize - 1] += f64::from(value.clamp(0.0, 1.0));
    }
    (areas, sums)
}

/// The objects of `ids`, which number them up to the length of `scores`; those without a score and those of fewer than
/// `grouping.min_area` pixels are left out. The order of the numbers stays.
pub(super) fn finish(
    width: usize,
    height: usize,
    mut ids: Vec<u32>,
    scores: &[Option<f32>],
    grouping: &Grouping,
) -> Result<Objects> {
    let mut areas = vec![0; scores.len() + 1];
    for &id in &ids {
        areas[id as usize] += 1;
    }
    let mut numbers = vec![0; scores.len() + 1];
    let mut kept = Vec::new();
    for ((number, &area), score) in numbers[1..].iter_mut().zip(&areas[1..]).zip(scores) {
        if let Some(score) = score
            && area >= grouping.min_area.max(1)
        {
            kept.push(if score.is_nan() { 0.0 } else { score.clamp(0.0, 1.0) });
            *number = kept.len() as u32;
        }
    }
    for id in &mut ids {
        *id = numbers[*id as usize];
    }
    if grouping.fill_holes {
        fill_holes(&mut ids, width);
    }
    Ok(Objects { ids: IdMap::new(width, height, ids)?, scores: kept })
}
