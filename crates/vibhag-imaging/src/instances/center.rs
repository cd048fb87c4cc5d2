//! Objects from a heat map of centres and the offsets to them.

use vibhag_core::{Grouping, Result};

use super::objects::{Objects, check, finish, for_each_row, tally};
use crate::distance::nearest;
use crate::maxima::local_maxima;

/// Objects by votes for centres (Cheng et al., "Panoptic-DeepLab", CVPR 2020). All planes have `width * height` values.
///
/// - `things`: the probability that the pixel belongs to any thing
/// - `heat`: high at the centres of objects
/// - `offsets`: from the pixel to the centre of its object, down and right, in pixels
///
/// A centre is a pixel of at least `grouping.objectness` that has the largest heat in the square of
/// `grouping.peak_window` around it; of equal ones in reach of each other the first in row-major order, so that a plateau
/// has one. Each pixel whose probability is at least `grouping.foreground` votes for the pixel that its offset leads to
/// (moved into the image, an offset that is not finite counting as none) and joins the centre nearest to that, of several
/// the first. Objects are numbered by their centres; the score is the centre's heat times the mean probability of the
/// object's pixels.
///
/// # Errors
/// When a plane has another size, or a value of `grouping` is out of range.
pub fn decode_center(
    width: usize,
    height: usize,
    things: &[f32],
    heat: &[f32],
    offsets: [&[f32]; 2],
    grouping: &Grouping,
) -> Result<Objects> {
    let [down, right] = offsets;
    let planes = [("things", things.len()), ("heat", heat.len()), ("offsets", down.len()), ("offsets", right.len())];
    check(width, height, &planes, grouping)?;
    let peaks = local_maxima(heat, width, grouping.peak_window / 2, grouping.objectness);
    let mut ids = vec![0; things.len()];
    if !peaks.is_empty() {
        let numbers = nearest_numbers(&peaks, width, height);
        for_each_row(&mut ids, width, |y, row| {
            for (x, id) in row.iter_mut().enumerate() {
                let index = y * width + x;
                if things[index] >= grouping.foreground {
                    let [vote_y, vote_x] = [vote(y, down[index], height), vote(x, right[index], width)];
                    *id = numbers[vote_y * width + vote_x];
                }
            }
        });
    }
    let (areas, sums) = tally(&ids, things, peaks.len());
    let scores: Vec<Option<f32>> = peaks
        .iter()
        .zip(areas.iter().zip(sums))
        .map(|(&peak, (&area, sum))| Some(heat[peak].clamp(0.0, 1.0) * (sum / area as f64) as f32))
        .collect();
    finish(width, height, ids, &scores, grouping)
}

fn vote(at: usize, offset: f32, side: usize) -> usize {
    let offset = if offset.is_finite() { offset } else { 0.0 };
    // The cast brings what is negative to 0.
    ((at as f32 + offset + 0.5) as usize).min(side - 1)
}

/// The number of the nearest peak for each pixel.
fn nearest_numbers(peaks: &[usize], width: usize, height: usize) -> Vec<u32> {
    let mut sites = vec![false; width * height];
    for &peak in peaks {
        sites[peak] = true;
    }
    let mut nearest = nearest(&sites, width, height);
    for_each_row(&mut nearest, width, |_, row| {
        // Neighbours mostly share their peak.
        let mut last = (u32::MAX, 0);
        for site in row {
            if *site != last.0 {
                last = (*site, peaks.partition_point(|&peak| peak < *site as usize) as u32 + 1);
            }
            *site = last.1;
        }
    });
    nearest
}
