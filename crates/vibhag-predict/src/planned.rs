//! Probabilities through a compiled plan: the logits of flipped copies, each as probabilities,
//! and their mean.

use rayon::prelude::*;
use vibhag_core::{Head, Result};
use vibhag_imaging::instances::mirrored;
use vibhag_nn::activate_output;

use crate::plan::Plan;

/// Values that one task of rayon handles.
const CHUNK: usize = 1 << 12;

/// Writes to `mean` [planes, H, W] the mean probabilities, and the mean of the maps of `head`, over copies of `image`
/// [C, H, W] of `size` (height, width), flipped along each of `flips` (axes as in NCHW).
///
/// # Errors
/// When image or mean do not have the plan's size.
pub(crate) fn probabilities(
    plan: &mut Plan,
    image: &[f32],
    size: [usize; 2],
    flips: &[&[isize]],
    head: Head,
    mean: &mut [f32],
) -> Result<()> {
    let mut copy = vec![0.0; if flips.len() > 1 { image.len() } else { 0 }];
    let mut values = vec![0.0; mean.len()];
    let share = 1.0 / flips.len() as f32;
    mean.fill(0.0);
    for axes in flips {
        if axes.is_empty() {
            plan.run(image, &mut values)?;
        } else {
            flip(image, size, axes, &mut copy, |to, from| *to = from);
            plan.run(&copy, &mut values)?;
        }
        let classes = plan.out_channels() - head.maps();
        activate_output(&mut values, size[0] * size[1], classes, head);
        let (class_mean, map_mean) = mean.split_at_mut(classes * size[0] * size[1]);
        flip(&values, size, axes, class_mean, |to, from| *to += share * from);
        // Mirrored, a map may point the other way or be another ray's.
        let sources = mirrored(head, axes.contains(&3), axes.contains(&2));
        for ((source, sign), to) in sources.into_iter().zip(map_mean.chunks_exact_mut(size[0] * size[1])) {
            let from = &values[(classes + source) * size[0] * size[1]..];
            flip(from, size, axes, to, |to, from| *to += share * sign * from);
        }
    }
    Ok(())
}

/// Combines every value of `y` with the value of `x` (planes of `size` in a row) that is at its
/// place after flipping along `axes`.
fn flip(
    x: &[f32],
    [height, width]: [usize; 2],
    axes: &[isize],
    y: &mut [f32],
    combine: impl Fn(&mut f32, f32) + Send + Sync,
) {
    let (vertical, horizontal) = (axes.contains(&2), axes.contains(&3));
    y.par_chunks_mut(width.max(1)).with_min_len(CHUNK.div_ceil(width.max(1))).enumerate().for_each(|(index, line)| {
        let (plane, row) = (index / height, index % height);
        let row = if vertical { height - 1 - row } else { row };
        let from = &x[(plane * height + row) * width..][..width];
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

    #[test]
    fn flipping_moves_rows_and_columns_within_their_plane() {
        let x: Vec<f32> = (0..12).map(|i| i as f32).collect();
        for (axes, expected) in [
            (&[][..], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
            (&[3][..], [2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9]),
            (&[2][..], [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8]),
            (&[2, 3][..], [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6]),
        ] {
            let mut y = vec![0.0; 12];
            flip(&x, [2, 3], axes, &mut y, |to, from| *to = from);
            assert_eq!(y, expected.map(|i| i as f32), "{axes:?}");
        }
    }
}
