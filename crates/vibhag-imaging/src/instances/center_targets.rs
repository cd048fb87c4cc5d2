//! Heat of centres and offsets to them.

use std::collections::HashMap;

use super::extent::{Extent, extents};
use super::targets::write_known;
use crate::gaussian::raise;

/// Objects with fewer pixels are small: the paper's 64x64 in crops of 513 pixels and more, here in windows of half that.
const SMALL: usize = 32 * 32;
/// The most that a pixel of a small object weighs.
const MOST: f64 = 4.0;

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
    offset_weight.fill(0.0);
    let mut centers = HashMap::new();
    for extent in extents(ids, width) {
        let center = center(&extent);
        raise(heat, width, center, deviation(extent.area));
        centers.insert(extent.id, (center, weight(extent.area)));
    }
    for (y, row) in ids.chunks_exact(width).enumerate() {
        let mut end = 0;
        for run in row.chunk_by(u32::eq) {
            let start = end;
            end += run.len();
            let Some(&([center_x, center_y], weight)) = centers.get(&run[0]) else { continue };
            let range = y * width + start..y * width + end;
            small[range.clone()].fill(f32::from(weight > 1.0));
            heat_weight[range.clone()].fill(weight);
            offset_weight[range.clone()].fill(weight);
            down[range.clone()].fill((center_y - y as f64) as f32);
            for (x, offset) in (start..end).zip(&mut right[range]) {
                *offset = (center_x - x as f64) as f32;
            }
        }
    }
}

/// What a pixel of an object of `area` weighs: a small object beside a large one would be given up for its sake.
fn weight(area: usize) -> f32 {
    (SMALL as f64 / area as f64).sqrt().clamp(1.0, MOST) as f32
}

/// Standard deviation of the heat of an object, in pixels: small nuclei beside each other stay apart.
fn deviation(area: usize) -> f64 {
    (0.1 * (area as f64).sqrt()).clamp(1.5, 8.0)
}

/// The mean position (x, y) of an object's pixels, which need not be one of them: a centre that jumps to the ring of a
/// ring cannot be learnt.
fn center(extent: &Extent) -> [f64; 2] {
    [extent.sum_x, extent.sum_y].map(|sum| sum as f64 / extent.area as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::{VOID, targets};
    use vibhag_core::Head;

    #[test]
    fn a_center_may_lie_outside() {
        // A U whose mean lies in its gap.
        #[rustfmt::skip]
        let ids = [
            4, 0, 0, 0, 4,
            4, 0, 0, 0, 4,
            4, 4, 4, 4, 4,
        ];
        let [x, y] = center(&extents(&ids, 5)[0]);
        assert!(x == 2.0 && (y - 12.0 / 9.0).abs() < 1e-12, "{x} {y}");
        // Of two pixels it is the edge between them.
        assert_eq!(center(&extents(&[3, 3], 2)[0]), [0.5, 0.0]);
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
        // 25 pixels of 1024 weigh as much as a pixel may.
        assert_eq!((at(3, 0, 0), at(3, 1, 0), at(3, 6, 5)), (0.0, 1.0, 4.0));
        assert_eq!((at(4, 0, 0), at(4, 1, 0), at(4, 6, 5)), (0.0, 0.0, 4.0));
        assert_eq!((weight(256), weight(1024), weight(5000)), (2.0, 1.0, 1.0));
        assert!(planes.iter().all(|value| value.is_finite()));
    }
}
