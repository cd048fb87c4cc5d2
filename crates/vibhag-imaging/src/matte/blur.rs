//! The blur of a background around what stands before it.

use rayon::prelude::*;
use vibhag_core::{Image, Result};

use super::grid::Grid;
use super::pixels::{check_image, check_plane, read_row, size, to_u8};
use super::window::window_means;

/// Box filters that stand for one Gaussian.
const PASSES: usize = 3;
/// Weight of a background that the foreground hides, so that there is a colour wherever one is asked for.
const HIDDEN: f32 = 1e-4;

/// 8-bit RGB of the image blurred by a Gaussian of `sigma` pixels, in which a pixel counts by its share of background,
/// `1 - alpha`: the foreground's colours leave no halo. The mean is one of light, as behind a lens: encoded values are
/// made linear before it and encoded again after. The Gaussian is three box filters on blocks of a quarter of `sigma`.
///
/// # Errors
/// When there is not one finite alpha a pixel, or the image has more than four channels.
pub fn blur_around(image: &Image, alpha: &[f32], sigma: f32) -> Result<Vec<u8>> {
    check_image(image)?;
    check_plane("alphas", alpha, size(image))?;
    if sigma.is_nan() || sigma <= 0.0 {
        return Ok(image.to_rgb8());
    }
    let (width, height) = size(image);
    // Beyond that all is one mean.
    let sigma = sigma.min(width.max(height) as f32);
    let step = ((sigma / 4.0) as usize).max(1);
    let table: Vec<f32> = (0..=LAST).map(|value| linear(value as f32 / LAST as f32)).collect();
    let mut light = Grid::shrink((width, height), step, |y, out: &mut [[f32; 4]]| {
        let mut row = vec![[0.0; 3]; width];
        read_row(image, y, &mut row);
        for ((out, color), &alpha) in out.iter_mut().zip(&row).zip(&alpha[y * width..]) {
            let weight = (1.0 - alpha).clamp(HIDDEN, 1.0);
            let [r, g, b] = color.map(|value| weight * table[(value * LAST as f32 + 0.5) as usize]);
            *out = [r, g, b, weight];
        }
    });
    let small = (light.width, light.height);
    // Three boxes of 2r + 1 blocks have a variance of ((2r + 1)^2 - 1) / 4 of them.
    let radius = (((4.0 * (sigma / step as f32).powi(2) + 1.0).sqrt() - 1.0) / 2.0).round() as usize;
    for _ in 0..PASSES {
        let read = |y: usize, out: &mut [[f32; 4]]| out.copy_from_slice(&light.values[y * small.0..][..small.0]);
        let round = |_: usize, _: usize, means: [f64; 4]| means.map(|value| value as f32);
        light.values = window_means(small, radius, [0.0; 4], read, round);
    }
    let codes: Vec<f32> = (0..=LAST).map(|value| encoded((value as f32 / LAST as f32).powi(2))).collect();
    let enlarged = light.enlarged((width, height));
    let mut out = vec![0; width * height * 3];
    out.par_chunks_exact_mut(3 * width).enumerate().for_each(|(y, out)| {
        let mut row = vec![[0.0; 4]; width];
        enlarged.row(y, &mut row);
        for (out, &[r, g, b, weight]) in out.chunks_exact_mut(3).zip(&row) {
            for (out, light) in out.iter_mut().zip([r, g, b]) {
                let root = (light / weight).clamp(0.0, 1.0).sqrt();
                *out = to_u8(codes[(root * LAST as f32 + 0.5) as usize]);
            }
        }
    });
    Ok(out)
}

/// The last entry of the tables. That of encoded values is by the root of light, whose steps are as fine as theirs.
const LAST: usize = 4095;

/// The light of an encoded value (IEC 61966-2-1).
fn linear(value: f32) -> f32 {
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The encoded value of light.
fn encoded(light: f32) -> f32 {
    if light <= 0.0031308 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_flat_image_comes_back() {
        for value in 0..=255 {
            let image = Image::from_u8(5, 3, 3, vec![value; 45]).unwrap();
            let out = blur_around(&image, &[0.0; 15], 1.5).unwrap();
            assert!(out.iter().all(|&v| v == value), "{value}: {out:?}");
        }
    }

    #[test]
    fn the_foreground_leaves_no_halo() {
        let (width, height) = (60, 40);
        let inside = |i: usize| (20..40).contains(&(i % width)) && (10..30).contains(&(i / width));
        let pixels = (0..width * height).flat_map(|i| if inside(i) { [255, 0, 0] } else { [0, 90, 200] });
        let image = Image::from_u8(width, height, 3, pixels.collect()).unwrap();
        let alpha: Vec<f32> = (0..width * height).map(|i| if inside(i) { 1.0 } else { 0.0 }).collect();
        let out = blur_around(&image, &alpha, 6.0).unwrap();
        for (i, pixel) in out.chunks_exact(3).enumerate().filter(|(i, _)| !inside(*i)) {
            assert!(pixel[0] <= 12 && pixel[1].abs_diff(90) <= 2, "{i}: {pixel:?}");
        }
    }

    #[test]
    fn a_black_and_white_edge_meets_in_the_middle_of_light() {
        let (width, height) = (120, 8);
        let pixels = (0..width * height).map(|i| if i % width < 60 { 0 } else { 255 }).collect();
        let image = Image::from_u8(width, height, 1, pixels).unwrap();
        let out = blur_around(&image, &vec![0.0; width * height], 5.0).unwrap();
        let red = |x: usize| i32::from(out[3 * (3 * width + x)]);
        // Half of the light is encoded as 188.
        assert!((red(59) + red(60) - 2 * 188).abs() < 16, "{} {}", red(59), red(60));
        // 0.9 deviations beside the edge a Gaussian has 81.6 percent of the light, which is encoded as 233.
        assert!((red(64) - 233).abs() < 6, "{}", red(64));
        assert!(red(20) == 0 && red(100) == 255);
    }
}
