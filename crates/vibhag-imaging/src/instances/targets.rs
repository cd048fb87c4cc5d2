//! Training targets of every head, from numbered objects.

use vibhag_core::Head;

use super::{center_targets, flow_targets, star_targets};

/// Marks pixels that nothing is known of (outside the image, crowds): they weigh nothing.
pub const VOID: u32 = u32::MAX;

/// Writes the training targets of `head` ([`Head::target_planes`] planes of `width * height`, see there for their
/// order) for the objects numbered by `ids` (0: no object, [`VOID`]: unknown) into `planes`.
///
/// The numbers need not be dense; an object may be in several pieces.
///
/// - center: the heat is a Gaussian around the mean position of the object's pixels, its deviation a tenth of the square
///   root of the area, at least 1.5 and at most 8 pixels; of several objects the largest heat counts. Offsets lead from
///   the pixel to that position. A pixel of an object with fewer than 1024 pixels weighs the square root of what it lacks
///   more, at most four times as much as any other.
/// - star: the object probability is the distance to the nearest pixel outside the object, as a share of its largest
///   value in the object; the border of the window is not outside. Distances are measured at pixels of objects whose row
///   and column are both even, and at all pixels of an object that has none of these; a ray also ends at the border of
///   the window. Everywhere else distances are -1, and the loss is to skip negative ones.
/// - flow: unit vectors up the gradient of heat that spreads within each piece of the object from its middle; (0, 0)
///   outside of objects and where the gradient vanishes, as it does in the middle itself. A pixel of an object with fewer
///   than 256 pixels weighs the square root of what it lacks more, at most four times as much as any other: small
///   objects would be given up for the sake of large ones. Pixels at most two away from another object weigh three
///   times as much at least.
///
/// `ids` must hold `width * height` values, `planes` as many for each plane.
pub fn targets(head: Head, ids: &[u32], width: usize, height: usize, planes: &mut [f32]) {
    let pixels = width * height;
    if pixels == 0 {
        return;
    }
    let ids = &ids[..pixels];
    let planes = &mut planes[..head.target_planes() * pixels];
    match head {
        Head::Semantic | Head::Pose => {}
        Head::Center => center_targets::write(ids, width, planes),
        Head::Star => star_targets::write(ids, width, planes),
        Head::Flow => flow_targets::write(ids, width, planes),
    }
}

/// Is `id` that of an object?
pub(super) fn is_object(id: u32) -> bool {
    id != 0 && id != VOID
}

/// 1 at every pixel of which something is known.
pub(super) fn write_known(ids: &[u32], weights: &mut [f32]) {
    for (weight, &id) in weights.iter_mut().zip(ids) {
        *weight = f32::from(id != VOID);
    }
}
