//! Probabilities through a compiled plan: the logits of flipped copies, each as probabilities,
//! and their mean.

use rayon::prelude::*;
use vibhag_core::{Head, RAYS, Result};
use vibhag_imaging::instances::mirrored;
use vibhag_nn::activate_output;
use vibhag_nn::bundle::View;

use crate::plan::Plan;

/// Values that one task of rayon handles.
const CHUNK: usize = 1 << 12;

/// Writes to `mean` [planes, H, W] the mean probabilities, and the mean of the maps of `head`, over the `views` of
/// `image` [C, H, W] of `size` (height, width).
///
/// # Errors
/// When image or mean do not have the plan's size.
pub(crate) fn probabilities(
    plan: &mut Plan,
    image: &[f32],
    size: [usize; 2],
    views: &[View],
    head: Head,
    mean: &mut [f32],
) -> Result<()> {
    let pixels = size[0] * size[1];
    let classes = plan.out_channels() - head.maps();
    let mut copy = vec![0.0; if views.len() > 1 { image.len() } else { 0 }];
    let mut values = vec![0.0; mean.len()];
    let share = 1.0 / views.len() as f32;
    mean.fill(0.0);
    for &view in views {
        if view.is_identity() {
            plan.run(image, &mut values)?;
        } else {
            view_of(image, size, view, &mut copy, |to, from| *to = from);
            plan.run(&copy, &mut values)?;
        }
        activate_output(&mut values, pixels, classes, head);
        let back = back_from(view);
        let (class_mean, map_mean) = mean.split_at_mut(classes * pixels);
        view_of(&values, size, back, class_mean, |to, from| *to += share * from);
        for ((source, sign), to) in map_sources(head, view).into_iter().zip(map_mean.chunks_exact_mut(pixels)) {
            let from = &values[(classes + source) * pixels..];
            view_of(from, size, back, to, |to, from| *to += share * sign * from);
        }
    }
    Ok(())
}

/// For each map of `head` as the input has it: the map of a `view`'s output that shows it, and its sign. Mirrored, a
/// direction points the other way; transposed, down is right.
pub(crate) fn map_sources(head: Head, view: View) -> Vec<(usize, f32)> {
    let transposed = |map: usize| match (head, map) {
        _ if !view.transposed => map,
        (Head::Center, 1 | 2) => 3 - map,
        (Head::Flow, _) => 1 - map,
        // A ray at an angle from right to down is at the rest to a right angle.
        (Head::Star, 1..) => 1 + (RAYS + RAYS / 4 - (map - 1)) % RAYS,
        (Head::Semantic | Head::Center | Head::Star | Head::Pose, _) => map,
    };
    mirrored(head, view.horizontal, view.vertical).into_iter().map(|(map, sign)| (transposed(map), sign)).collect()
}

/// The view that undoes `view`.
pub(crate) fn back_from(view: View) -> View {
    if view.transposed { View { vertical: view.horizontal, horizontal: view.vertical, transposed: true } } else { view }
}

/// Combines every value of `y` with the value of `x` (planes of `size` in a row) that `view` puts at its place. A
/// transposed view is of square planes.
fn view_of(
    x: &[f32],
    [height, width]: [usize; 2],
    view: View,
    y: &mut [f32],
    combine: impl Fn(&mut f32, f32) + Send + Sync,
) {
    let View { vertical, horizontal, transposed } = view;
    y.par_chunks_mut(width.max(1)).with_min_len(CHUNK.div_ceil(width.max(1))).enumerate().for_each(|(index, line)| {
        let (plane, row) = (index / height, index % height);
        let plane = &x[plane * height * width..][..height * width];
        if transposed {
            let column = if horizontal { width - 1 - row } else { row };
            let down = plane[column..].iter().step_by(width);
            if vertical {
                line.iter_mut().zip(down.rev()).for_each(|(to, from)| combine(to, *from));
            } else {
                line.iter_mut().zip(down).for_each(|(to, from)| combine(to, *from));
            }
            return;
        }
        let row = if vertical { height - 1 - row } else { row };
        let from = &plane[row * width..][..width];
        if horizontal {
            line.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| combine(to, *from));
        } else {
            line.iter_mut().zip(from).for_each(|(to, from)| combine(to, *from));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_imaging::instances::targets;
    use vibhag_nn::bundle::Flips;

    #[test]
    fn every_view_is_undone() {
        let x: Vec<f32> = (0..18).map(|i| i as f32).collect();
        for &view in Flips::Turns.views([3, 3]) {
            let (mut there, mut back) = (vec![0.0; 18], vec![0.0; 18]);
            view_of(&x, [3, 3], view, &mut there, |to, from| *to = from);
            view_of(&there, [3, 3], back_from(view), &mut back, |to, from| *to = from);
            assert_eq!(back, x, "{view:?}");
            assert_eq!(there == x, view.is_identity(), "{view:?}");
        }
    }

    #[test]
    fn rows_and_columns_move_within_their_plane() {
        let x: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let views = Flips::All.views([2, 3]);
        let expected = [
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
            [2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9],
            [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8],
            [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6],
        ];
        for (&view, expected) in views.iter().zip(expected) {
            let mut y = vec![0.0; 12];
            view_of(&x, [2, 3], view, &mut y, |to, from| *to = from);
            assert_eq!(y, expected.map(|i| i as f32), "{view:?}");
        }
    }

    /// What a perfect network would say of a view, brought back, is what it says of the image.
    #[test]
    fn maps_of_a_view_come_back_as_those_of_the_image() {
        const SIDE: usize = 24;
        let inside = |x: usize, y: usize, cx: f32, cy: f32| (x as f32 - cx).hypot(y as f32 - cy) < 5.0;
        let ids: Vec<f32> = (0..SIDE * SIDE)
            .map(|i| {
                let (x, y) = (i % SIDE, i / SIDE);
                if inside(x, y, 7.0, 8.0) { 1.0 } else { 2.0 * f32::from(u8::from(inside(x, y, 16.0, 14.0))) }
            })
            .collect();
        let of = |head: Head, ids: &[f32]| {
            let ids: Vec<u32> = ids.iter().map(|&id| id as u32).collect();
            let mut planes = vec![0.0; head.target_planes() * SIDE * SIDE];
            targets(head, &ids, SIDE, SIDE, &mut planes);
            planes
        };
        for head in [Head::Center, Head::Flow] {
            let expected = of(head, &ids);
            for &view in Flips::Turns.views([SIDE, SIDE]) {
                let mut seen = vec![0.0; SIDE * SIDE];
                view_of(&ids, [SIDE, SIDE], view, &mut seen, |to, from| *to = from);
                let maps = of(head, &seen);
                for (map, (source, sign)) in map_sources(head, view).into_iter().enumerate() {
                    let mut found = vec![0.0; SIDE * SIDE];
                    let from = &maps[source * SIDE * SIDE..][..SIDE * SIDE];
                    view_of(from, [SIDE, SIDE], back_from(view), &mut found, |to, from| *to = sign * from);
                    let own = &expected[map * SIDE * SIDE..][..SIDE * SIDE];
                    let far = found.iter().zip(own).filter(|(a, b)| (**a - **b).abs() > 0.2).count();
                    assert!(far < 8, "{head} map {map} of {view:?}: {far} pixels differ");
                }
            }
        }
    }

    #[test]
    fn a_transposed_ray_points_where_its_direction_went() {
        let view = View { vertical: false, horizontal: true, transposed: true };
        let sources = map_sources(Head::Star, view);
        // Right, mirrored, is left; transposed, left is up: three quarters of a turn from right by way of down.
        assert_eq!(sources[1], (1 + 3 * RAYS / 4, 1.0));
        // Down stays down when left and right are exchanged; transposed, it is right.
        assert_eq!(sources[1 + RAYS / 4], (1, 1.0));
    }
}
