//! What becomes of a head's maps when the image is mirrored.

use vibhag_core::{Head, RAYS};

/// For each map of `head` which map of the mirrored image it is read from (at the mirrored pixel), and by what to
/// multiply it. `flip_x` mirrors left and right, `flip_y` up and down. It leads there and back alike.
pub fn mirrored(head: Head, flip_x: bool, flip_y: bool) -> Vec<(usize, f32)> {
    let sign = |flip: bool| if flip { -1.0 } else { 1.0 };
    match head {
        Head::Semantic | Head::Pose => Vec::new(),
        Head::Center => vec![(0, 1.0), (1, sign(flip_y)), (2, sign(flip_x))],
        Head::Star => {
            let source = |ray: usize| match (flip_x, flip_y) {
                (false, false) => ray,
                (true, false) => (RAYS + RAYS / 2 - ray) % RAYS,
                (false, true) => (RAYS - ray) % RAYS,
                (true, true) => (RAYS / 2 + ray) % RAYS,
            };
            std::iter::once((0, 1.0)).chain((0..RAYS).map(|ray| (1 + source(ray), 1.0))).collect()
        }
        Head::Flow => vec![(0, sign(flip_y)), (1, sign(flip_x))],
    }
}
