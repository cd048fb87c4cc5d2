//! Flows of all objects of a map.

use super::diffusion::for_each_flow;
use super::extent::{Extent, extents};
use super::targets::write_known;

/// Planes: flow down, flow right, weight.
pub(super) fn write(ids: &[u32], width: usize, planes: &mut [f32]) {
    let pixels = ids.len();
    let (down, rest) = planes.split_at_mut(pixels);
    let (right, weight) = rest.split_at_mut(pixels);
    down.fill(0.0);
    right.fill(0.0);
    write_known(ids, weight);
    for extent in extents(ids, width) {
        for_each(&extent, ids, width, |index, flow| [down[index], right[index]] = flow);
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
