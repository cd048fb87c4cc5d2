//! Flows of all objects of a map.

use super::diffusion::for_each_flow;
use super::extent::{Extent, extents};
use super::targets::{is_object, write_known};

/// Pixels of objects with fewer than this many weigh more.
const USUAL: f64 = 256.0;
/// The most that a pixel of an object weighs.
const MOST: f64 = 4.0;

/// Pixels beside another object weigh at least this: there flows must part.
const TOUCHING: f32 = 3.0;
/// Steps right and down to pixels that are beside.
const BESIDE: [(isize, usize); 6] = [(1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (-1, 1)];

/// Planes: flow down, flow right, weight.
pub(super) fn write(ids: &[u32], width: usize, planes: &mut [f32]) {
    let pixels = ids.len();
    let (down, rest) = planes.split_at_mut(pixels);
    let (right, weight) = rest.split_at_mut(pixels);
    down.fill(0.0);
    right.fill(0.0);
    write_known(ids, weight);
    for extent in extents(ids, width) {
        // An object of a quarter of the usual area has twice the weight a pixel: half of the usual object's in all.
        let pixel_weight = (USUAL / extent.area as f64).sqrt().clamp(1.0, MOST) as f32;
        for_each(&extent, ids, width, |index, flow| {
            [down[index], right[index]] = flow;
            weight[index] = pixel_weight;
        });
    }
    weigh_touching(ids, width, weight);
}

fn weigh_touching(ids: &[u32], width: usize, weight: &mut [f32]) {
    for (index, &id) in ids.iter().enumerate().filter(|(_, id)| is_object(**id)) {
        for (right, down) in BESIDE {
            let inside = (index % width).checked_add_signed(right).is_some_and(|x| x < width);
            let beside = (index + down * width).wrapping_add_signed(right);
            if inside && ids.get(beside).is_some_and(|&other| is_object(other) && other != id) {
                weight[index] = weight[index].max(TOUCHING);
                weight[beside] = weight[beside].max(TOUCHING);
            }
        }
    }
}

/// Visits the pixels of one object with their flows `[down, right]`.
pub(super) fn for_each(extent: &Extent, ids: &[u32], width: usize, mut visit: impl FnMut(usize, [f32; 2])) {
    let inside: Vec<bool> =
        extent.rows(ids, width).flat_map(|(_, row)| row.iter().map(|&id| id == extent.id)).collect();
    let across = extent.width();
    for_each_flow(&inside, across, |index, flow| {
        visit((extent.top + index / across) * width + extent.left + index % across, flow);
    });
}
