//! Keypoints as peaks of heat, found between the cells.

use vibhag_core::Keypoint;

use crate::maxima::local_maxima;
use crate::pose::Grid;

/// Heat below this share of the peak's says nothing of its place: a network's zeros are noise.
const FLOOR: f32 = 0.01;

/// A peak, in cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::pose) struct Peak {
    pub(in crate::pose) x: f32,
    pub(in crate::pose) y: f32,
    /// The heat between the cells.
    pub(in crate::pose) score: f32,
}

impl Peak {
    /// The keypoint in pixels of the image.
    pub(in crate::pose) fn placed(&self, grid: &Grid) -> Keypoint {
        Keypoint::found(grid.pixel(f64::from(self.x)), grid.pixel(f64::from(self.y)), self.score)
    }
}

/// The peaks of a heat map (rows of `width` cells) above `threshold`, in row-major order; of more than `most` the highest.
pub(in crate::pose) fn find_peaks(heat: &[f32], width: usize, threshold: f32, most: usize) -> Vec<Peak> {
    // The cells around a peak are lower than the peak itself, for a heat of one cell's deviation by up to a quarter.
    let candidates = local_maxima(heat, width, 1, 0.5 * threshold);
    let peaks = candidates.into_iter().filter_map(|index| refine(heat, width, index));
    let mut peaks: Vec<Peak> = peaks.filter(|peak| peak.score > threshold).collect();
    if peaks.len() > most {
        let mut order: Vec<usize> = (0..peaks.len()).collect();
        order.sort_by(|&a, &b| peaks[b].score.total_cmp(&peaks[a].score));
        order.truncate(most);
        order.sort_unstable();
        peaks = order.into_iter().map(|index| peaks[index]).collect();
    }
    peaks
}

/// The top of the Gaussian through the cell and its neighbours, whose logarithm is a parabola along each axis.
fn refine(heat: &[f32], width: usize, index: usize) -> Option<Peak> {
    let value = heat[index];
    if !(value.is_finite() && value > 0.0) {
        return None;
    }
    let (x, y) = (index % width, index / width);
    // NaN becomes the floor.
    let drop = |there: bool, at: usize| there.then(|| value.ln() - heat[at].max(FLOOR * value).ln());
    let across = [drop(x > 0, index.wrapping_sub(1)), drop(x + 1 < width, index + 1)];
    let down = [drop(y > 0, index.wrapping_sub(width)), drop(index + width < heat.len(), index + width)];
    let (bend_x, bend_y) = (bend(across), bend(down));
    let (shift_x, gain_x) = top(across, bend_x.or(bend_y));
    let (shift_y, gain_y) = top(down, bend_y.or(bend_x));
    // A heat map says how likely a keypoint is, so that its top is at most 1 unless it has passed that already.
    let score = (value * (gain_x + gain_y).exp()).min(1.0).max(value);
    Some(Peak { x: x as f32 + shift_x, y: y as f32 + shift_y, score })
}

/// The curvature along an axis, where both neighbours are there.
fn bend(drops: [Option<f32>; 2]) -> Option<f32> {
    match drops {
        [Some(before), Some(after)] => Some(before + after),
        _ => None,
    }
}

/// How far the top lies beyond the cell, and how much higher its logarithm is. At the border of the map, where a
/// neighbour is missing, the curvature is that of the other axis.
fn top(drops: [Option<f32>; 2], bend: Option<f32>) -> (f32, f32) {
    let Some(bend) = bend.filter(|&bend| bend > 0.0) else { return (0.0, 0.0) };
    let shift = match drops {
        [Some(before), Some(after)] => 0.5 * (before - after) / bend,
        [None, Some(after)] => 0.5 - after / bend,
        [Some(before), None] => before / bend - 0.5,
        [None, None] => 0.0,
    };
    let shift = shift.clamp(-0.5, 0.5);
    (shift, 0.5 * bend * shift * shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gaussian::raise;

    #[test]
    fn the_top_of_a_gaussian_is_found_wherever_it_lies() {
        for step in 0..200 {
            let center = [f64::from(step % 20) * 0.35 - 0.4, f64::from(step / 20) * 0.47 - 0.3];
            let mut heat = vec![0.0; 8 * 6];
            raise(&mut heat, 8, center, 0.875);
            let found = find_peaks(&heat, 8, 0.05, 10);
            assert_eq!(found.len(), 1, "{center:?}");
            let corner = (center[0] < 0.0 || center[0] > 7.0) && (center[1] < 0.0 || center[1] > 5.0);
            let off = (f64::from(found[0].x) - center[0]).hypot(f64::from(found[0].y) - center[1]);
            let [at_left, at_top] = [center[0] < 0.5, center[1] < 0.5];
            // In the very corner both axes lack a neighbour.
            let tolerance = if corner || (at_left && at_top) { 0.75 } else { 1e-4 };
            assert!(off < tolerance, "{center:?}: {:?}", found[0]);
            assert!(off > 1e-4 || (found[0].score - 1.0).abs() < 1e-4, "{:?}", found[0]);
        }
    }

    #[test]
    fn a_plateau_has_one_peak_between_its_cells_and_noise_has_none() {
        let mut heat = vec![0.0; 5 * 3];
        heat[7] = 0.5;
        heat[8] = 0.5;
        let found = find_peaks(&heat, 5, 0.05, 10);
        assert_eq!(found.len(), 1);
        assert!((found[0].x - 2.5).abs() < 1e-6 && found[0].y == 1.0);
        heat.fill(0.04);
        assert!(find_peaks(&heat, 5, 0.05, 10).is_empty());
        heat.fill(f32::NAN);
        assert!(find_peaks(&heat, 5, 0.0, 10).is_empty());
        heat[7] = 0.5;
        assert_eq!(find_peaks(&heat, 5, 0.05, 10).len(), 1);
        heat.fill(f32::INFINITY);
        assert!(find_peaks(&heat, 5, 0.05, 10).is_empty());
        assert_eq!(find_peaks(&[0.7], 1, 0.05, 10), [Peak { x: 0.0, y: 0.0, score: 0.7 }]);
    }

    #[test]
    fn of_too_many_peaks_the_highest_stay_in_their_order() {
        let heat = [0.3, 0.0, 0.9, 0.0, 0.2, 0.0, 0.8];
        let found = find_peaks(&heat, 7, 0.05, 2);
        assert_eq!(found.iter().map(|peak| peak.x.round()).collect::<Vec<_>>(), [2.0, 6.0]);
    }
}
