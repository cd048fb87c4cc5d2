//! From a network's output to probabilities and maps, on plain slices.

use rayon::prelude::*;
use vibhag_core::{Head, LENGTH_UNIT};

/// Values that one task of rayon handles.
const CHUNK: usize = 1 << 12;

/// Turns a network's output [planes, pixels] into probabilities and maps: the first `classes` planes are logits of the
/// classes (one: of the foreground), the others are the maps of `head`, of which a star's first is a logit too. Lengths come
/// out in pixels. A pose head's maps are used as they are.
pub fn activate_output(values: &mut [f32], pixels: usize, classes: usize, head: Head) {
    if head == Head::Pose {
        return;
    }
    let (logits, maps) = values.split_at_mut(classes * pixels);
    activate(logits, classes);
    match head {
        Head::Star => {
            let (probability, distances) = maps.split_at_mut(pixels);
            activate(probability, 1);
            in_pixels(distances);
        }
        Head::Center => in_pixels(&mut maps[pixels..]),
        Head::Semantic | Head::Flow | Head::Pose => {}
    }
}

fn in_pixels(lengths: &mut [f32]) {
    lengths.par_chunks_mut(CHUNK).for_each(|part| part.iter_mut().for_each(|length| *length *= LENGTH_UNIT));
}

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
    fn a_stars_probability_is_one_and_lengths_are_pixels() {
        let mut values = vec![0.0, 0.0, 0.0, 0.0, 7.0, 8.0];
        activate_output(&mut values, 2, 1, Head::Star);
        assert_eq!(values, [0.5, 0.5, 0.5, 0.5, 56.0, 64.0]);
        let mut values = vec![0.0, 0.0, 3.0, 4.0, 7.0, 8.0];
        activate_output(&mut values, 2, 1, Head::Flow);
        assert_eq!(values, [0.5, 0.5, 3.0, 4.0, 7.0, 8.0]);
    }
}
