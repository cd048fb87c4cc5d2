//! Probabilities through a compiled plan: the logits of flipped copies, each as probabilities,
//! and their mean.

use rayon::prelude::*;
use vibhag_core::Result;

use crate::plan::Plan;

/// Values that one task of rayon handles.
const CHUNK: usize = 1 << 12;

/// Writes to `mean` [planes, H, W] the mean probabilities over copies of `image` [C, H, W] of
/// `size` (height, width), flipped along each of `flips` (axes as in NCHW).
///
/// # Errors
/// When image or mean do not have the plan's size.
pub(crate) fn probabilities(
    plan: &mut Plan,
    image: &[f32],
    size: [usize; 2],
    flips: &[&[isize]],
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
        activate(&mut values, plan.out_channels());
        flip(&values, size, axes, mean, |to, from| *to += share * from);
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

/// Logits [planes, H * W] to probabilities: of the foreground for one plane, over the planes for
/// several.
fn activate(values: &mut [f32], planes: usize) {
    if planes == 1 {
        values.par_chunks_mut(CHUNK).for_each(|part| part.iter_mut().for_each(|z| *z = 1.0 / (1.0 + (-*z).exp())));
        return;
    }
    let pixels = values.len() / planes.max(1);
    let mut per_pixel = vec![f32::NEG_INFINITY; pixels];
    gather(&mut per_pixel, values, f32::max);
    // The largest logit is subtracted, so that no exponential overflows.
    spread(values, &per_pixel, |z, largest| (z - largest).exp());
    per_pixel.fill(0.0);
    gather(&mut per_pixel, values, |sum, value| sum + value);
    spread(values, &per_pixel, |value, sum| value / sum);
}

/// Folds the planes' values at each pixel into `per_pixel`.
fn gather(per_pixel: &mut [f32], planes: &[f32], fold: impl Fn(f32, f32) -> f32 + Send + Sync) {
    let pixels = per_pixel.len().max(1);
    per_pixel.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, folded)| {
        for plane in planes.chunks_exact(pixels) {
            for (folded, value) in folded.iter_mut().zip(&plane[chunk * CHUNK..]) {
                *folded = fold(*folded, *value);
            }
        }
    });
}

/// Replaces each plane's values by what they and `per_pixel` make.
fn spread(planes: &mut [f32], per_pixel: &[f32], make: impl Fn(f32, f32) -> f32 + Send + Sync) {
    planes
        .par_chunks_mut(per_pixel.len().max(1))
        .flat_map(|plane| plane.par_chunks_mut(CHUNK).zip(per_pixel.par_chunks(CHUNK)))
        .for_each(|(values, others)| {
            for (value, other) in values.iter_mut().zip(others) {
                *value = make(*value, *other);
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_planes_become_shares_of_one_and_large_logits_stay_finite() {
        let pixels = CHUNK + 3;
        let mut values: Vec<f32> = (0..3 * pixels).map(|i| (i * 37 % 211) as f32 * 3.0 - 300.0).collect();
        let logits = values.clone();
        activate(&mut values, 3);
        for pixel in 0..pixels {
            let own = |from: &[f32]| -> Vec<f64> { (0..3).map(|p| f64::from(from[p * pixels + pixel])).collect() };
            let exponentials: Vec<f64> = own(&logits).iter().map(|z| z.exp()).collect();
            let sum: f64 = exponentials.iter().sum();
            for (found, expected) in own(&values).iter().zip(&exponentials) {
                assert!((found - expected / sum).abs() < 1e-5, "pixel {pixel}: {found}");
            }
        }
        let mut single = vec![-1000.0, 0.0, 1000.0];
        activate(&mut single, 1);
        assert_eq!(single, [0.0, 0.5, 1.0]);
    }

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
