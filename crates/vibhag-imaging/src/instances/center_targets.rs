//! Heat of centres and offsets to them.

use std::collections::HashMap;

use super::extent::{Extent, extents};
use super::targets::{is_object, write_known};
use crate::gaussian::raise;

/// Objects with fewer pixels are small: the paper's 64x64 in crops of 513 pixels and more, here in windows of half that.
const SMALL: usize = 32 * 32;

/// Planes: heat, offset down, offset right, weight of the heat, weight of the offsets, 1 on small objects.
pub(super) fn write(ids: &[u32], width: usize, planes: &mut [f32]) {
    let pixels = ids.len();
    let (heat, rest) = planes.split_at_mut(pixels);
    let (down, rest) = rest.split_at_mut(pixels);
    let (right, rest) = rest.split_at_mut(pixels);
    let (heat_weight, rest) = rest.split_at_mut(pixels);
    let (offset_weight, small) = rest.split_at_mut(pixels);
    small.fill(0.0);
    heat.fill(0.0);
    down.fill(0.0);
    right.fill(0.0);
    write_known(ids, heat_weight);
    for (weight, &id) in offset_weight.iter_mut().zip(ids) {
        *weight = f32::from(is_object(id));
    }
    let mut centers = HashMap::new();
    for extent in extents(ids, width) {
        let center = center(&extent, ids, width);
        raise(heat, width, center, deviation(extent.area));
        centers.insert(extent.id, (center, extent.area < SMALL));
    }
    for (y, row) in ids.chunks_exact(width).enumerate() {
        let mut end = 0;
        for run in row.chunk_by(u32::eq) {
            let start = end;
            end += run.len();
            let Some(&([center_x, center_y], is_small)) = centers.get(&run[0]) else { continue };
            let range = y * width + start..y * width + end;
            small[range.clone()].fill(f32::from(is_small));
            down[range.clone()].fill((center_y - y as f64) as f32);
            for (x, offset) in (start..end).zip(&mut right[range]) {
                *offset = (center_x - x as f64) as f32;
            }
        }
    }
}

/// Standard deviation of the heat of an object, in pixels: small nuclei beside each other stay apart.
fn deviation(area: usize) -> f64 {
    (0.1 * (area as f64).sqrt()).clamp(1.5, 8.0)
}

/// The mean position (x, y) of an object's pixels, or the centre of its pixel nearest to it if it lies in none of them;
/// of several at one distance the first in row-major order.
fn center(extent: &Extent, ids: &[u32], width: usize) -> [f64; 2] {
    let mean = [extent.sum_x, extent.sum_y].map(|sum| sum as f64 / extent.area as f64);
    let [xs, ys] = mean.map(touched);
    let own = |x: usize, y: usize| ids[y * width + x] == extent.id;
    if ys.iter().any(|&y| xs.iter().any(|&x| own(x, y))) {
        return mean;
    }
    let mut best = (f64::INFINITY, mean);
    for (y, row) in extent.rows(ids, width) {
        for (x, _) in (extent.left..extent.right).zip(row).filter(|(_, id)| **id == extent.id) {
            let square = (x as f64 - mean[0]).powi(2) + (y as f64 - mean[1]).powi(2);
            if square < best.0 {
                best = (square, [x as f64, y as f64]);
            }
        }
    }
    best.1
}

/// The two pixels (mostly one and the same) that hold a coordinate: halves lie on the edge between two.
fn touched(value: f64) -> [usize; 2] {
    [(value - 0.5).ceil() as usize, (value + 0.5).floor() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::{VOID, targets};
    use vibhag_core::Head;

    #[test]
    fn a_center_outside_moves_to_the_nearest_own_pixel() {
        // A U whose mean (2, 1.4) lies in its gap.
        #[rustfmt::skip]
        let ids = [
            4, 0, 0, 0, 4,
            4, 0, 0, 0, 4,
            4, 4, 4, 4, 4,
        ];
        let found = extents(&ids, 5);
        assert_eq!(center(&found[0], &ids, 5), [2.0, 2.0]);
        // Two pixels share the edge on which the mean lies.
        assert_eq!(center(&extents(&[3, 3], 2)[0], &[3, 3], 2), [0.5, 0.0]);
    }

    #[test]
    fn heat_offsets_and_weights_follow_the_object() {
        let mut ids = vec![0; 15 * 11];
        for y in 3..8 {
            ids[y * 15 + 4..y * 15 + 9].fill(300_000);
        }
        ids[0] = VOID;
        let mut planes = vec![f32::NAN; 6 * ids.len()];
        targets(Head::Center, &ids, 15, 11, &mut planes);
        let at = |plane: usize, x: usize, y: usize| planes[plane * ids.len() + y * 15 + x];
        assert_eq!(at(0, 6, 5), 1.0);
        assert!((at(0, 8, 5) - (-0.5f32 * (2.0 / 1.5f32).powi(2)).exp()).abs() < 1e-6);
        assert_eq!((at(1, 4, 7), at(2, 4, 7)), (-2.0, 2.0));
        assert_eq!((at(3, 0, 0), at(3, 1, 0), at(3, 6, 5)), (0.0, 1.0, 1.0));
        assert_eq!((at(4, 0, 0), at(4, 1, 0), at(4, 6, 5)), (0.0, 0.0, 1.0));
        assert!(planes.iter().all(|value| value.is_finite()));
    }
}
