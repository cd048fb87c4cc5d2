//! Flows of all objects of a map.

use super::diffusion::flow;
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
    let flows = flow(&inside, extent.width());
    let rows = inside.chunks_exact(extent.width()).zip(flows.chunks_exact(extent.width()));
    for (y, (inside, flows)) in (extent.top..).zip(rows) {
        for (x, (_, &flow)) in (extent.left..).zip(inside.iter().zip(flows)).filter(|(_, (inside, _))| **inside) {
            visit(y * width + x, flow);
        }
    }
}
