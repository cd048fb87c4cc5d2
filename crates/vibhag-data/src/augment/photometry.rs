//! One photometric pass over an interleaved image on the 0..=255 scale.

use vibhag_core::{Purpose, Rng};
use vibhag_imaging::gaussian_blur;

use super::Key;
use super::config::AugmentConfig;

/// Applies a drawn blur, colour change and noise to `pixels` (HWC); values stay in 0..=255.
pub(crate) fn apply(config: &AugmentConfig, pixels: &mut [f32], width: usize, channels: usize, key: Key) {
    let mut rng = key.rng(Purpose::Photometry);
    // Everything is drawn always, so that one option does not change the numbers of another.
    let around_one = |rng: &mut Rng, half: f32| 1.0 + rng.uniform(-1.0, 1.0) * half;
    let blurred = rng.chance(config.blur_probability);
    let sigma = rng.uniform(config.blur_sigma[0], config.blur_sigma[1]);
    let colored = rng.chance(config.color_probability);
    let brightness = around_one(&mut rng, config.brightness);
    let contrast = around_one(&mut rng, config.contrast);
    let gamma = (rng.uniform(-1.0, 1.0) * config.gamma.ln_1p()).exp();
    let hue = rng.uniform(-1.0, 1.0) * config.hue_degrees;
    let saturation = around_one(&mut rng, config.saturation);
    let noisy = rng.chance(config.noise_probability);
    let deviation = rng.unit() * config.noise;

    stain(config, pixels, channels, key);
    if blurred {
        gaussian_blur(pixels, width, channels, sigma);
    }
    if colored {
        if brightness != 1.0 || contrast != 1.0 || gamma != 1.0 {
            tone(pixels, brightness, contrast, gamma);
        }
        if channels == 3 && (hue != 0.0 || saturation != 1.0) {
            color(pixels, hue.to_radians(), saturation);
        }
    }
    if noisy && deviation > 0.0 {
        noise(pixels, deviation, &mut rng);
    }
}

/// Takes colours away and exchanges bright and dark, each by chance.
fn stain(config: &AugmentConfig, pixels: &mut [f32], channels: usize, key: Key) {
    let mut rng = key.rng(Purpose::Staining);
    let (grey, inverted) = (rng.chance(config.grey_probability), rng.chance(config.invert_probability));
    if grey && channels == 3 {
        color(pixels, 0.0, 0.0);
    }
    if inverted {
        for pixel in pixels {
            *pixel = 255.0 - *pixel;
        }
    }
}

/// Brightness, contrast about the mean, and gamma, through one table of 256 steps.
fn tone(pixels: &mut [f32], brightness: f32, contrast: f32, gamma: f32) {
    let mean = pixels.iter().sum::<f32>() / pixels.len().max(1) as f32;
    let mut table = [0.0f32; 257];
    for (value, entry) in table.iter_mut().enumerate() {
        let linear = (mean + (value as f32 - mean) * contrast) * brightness;
        *entry = 255.0 * (linear.clamp(0.0, 255.0) / 255.0).powf(gamma);
    }
    for pixel in pixels {
        let value = pixel.clamp(0.0, 255.0);
        let step = value as usize;
        *pixel = table[step] + (value - step as f32) * (table[step + 1] - table[step]);
    }
}

/// Rotates the hue and scales the saturation about the grey axis, as the SVG filters `hueRotate`
/// and `saturate` (Filter Effects Module Level 1, section 9.6).
fn color(pixels: &mut [f32], hue: f32, saturation: f32) {
    let (sin, cos) = hue.sin_cos();
    let (u, v) = (saturation * cos, saturation * sin);
    let luma = [0.299, 0.587, 0.114];
    // The product YIQ^-1 * rotation * YIQ, as in the SVG hueRotate filter; each row is rounded to a
    // sum of exactly zero, so that grey stays grey.
    let sine = [[0.168, 0.330, -0.498], [-0.328, 0.035, 0.293], [1.250, -1.050, -0.200]];
    let mut matrix = [[0.0f32; 3]; 3];
    for (row, line) in matrix.iter_mut().enumerate() {
        for (column, entry) in line.iter_mut().enumerate() {
            let identity = if row == column { 1.0 } else { 0.0 };
            *entry = luma[column] + u * (identity - luma[column]) + v * sine[row][column];
        }
    }
    for pixel in pixels.chunks_exact_mut(3) {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]];
        for (value, line) in pixel.iter_mut().zip(&matrix) {
            *value = (line[0] * r + line[1] * g + line[2] * b).clamp(0.0, 255.0);
        }
    }
}

/// Adds noise of standard deviation `deviation`. The sum of four random bytes stands for a
/// normal number: its tails end at 3.5 deviations, which no network can tell.
fn noise(pixels: &mut [f32], deviation: f32, rng: &mut Rng) {
    const BYTES_DEVIATION: f32 = 147.801;
    let scale = deviation / BYTES_DEVIATION;
    for pixel in pixels {
        let sum: u32 = rng.next_u32().to_le_bytes().into_iter().map(u32::from).sum();
        *pixel = (*pixel + (sum as f32 - 510.0) * scale).clamp(0.0, 255.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient() -> Vec<f32> {
        (0..64 * 64 * 3).map(|i| (i * 31 % 256) as f32).collect()
    }

    #[test]
    fn values_stay_in_range_under_the_strongest_settings() {
        let config = AugmentConfig {
            color_probability: 1.0,
            noise_probability: 1.0,
            blur_probability: 1.0,
            brightness: 1.0,
            contrast: 1.0,
            gamma: 9.0,
            hue_degrees: 180.0,
            saturation: 1.0,
            noise: 255.0,
            blur_sigma: [0.0, 3.0],
            ..AugmentConfig::default()
        };
        for (sample, channels) in [(0, 1), (1, 3), (2, 3), (3, 6)] {
            let mut pixels = gradient();
            apply(&config, &mut pixels, 64, channels, Key { seed: 1, epoch: 0, sample, copy: 0 });
            assert!(pixels.iter().all(|v| (0.0..=255.0).contains(v)), "{channels} channels");
            assert_ne!(pixels, gradient());
        }
    }

    #[test]
    fn inverted_grey_is_what_is_left_of_a_stain() {
        let config = AugmentConfig { grey_probability: 1.0, invert_probability: 1.0, ..AugmentConfig::none() };
        let mut pixels = vec![180.0, 100.0, 90.0, 255.0, 255.0, 255.0];
        apply(&config, &mut pixels, 2, 3, Key { seed: 1, epoch: 0, sample: 0, copy: 0 });
        let grey = 255.0 - (0.299 * 180.0 + 0.587 * 100.0 + 0.114 * 90.0);
        assert!(pixels[..3].iter().all(|v| (v - grey).abs() < 1e-2), "{pixels:?}");
        assert!(pixels[3..].iter().all(|v| v.abs() < 1e-2), "{pixels:?}");
    }

    #[test]
    fn tone_does_what_its_factors_say() {
        let mut pixels = vec![100.0, 50.0, 150.0];
        tone(&mut pixels, 1.0, 0.5, 1.0);
        assert!(pixels.iter().zip([100.0, 75.0, 125.0]).all(|(a, b)| (a - b).abs() < 1e-3), "{pixels:?}");
        tone(&mut pixels, 1.2, 1.0, 1.0);
        assert!((pixels[0] - 120.0).abs() < 1e-3);
        let mut pixels = vec![63.75];
        tone(&mut pixels, 1.0, 1.0, 0.5);
        assert!((pixels[0] - 127.5).abs() < 0.5, "{pixels:?}");
    }

    #[test]
    fn hue_and_saturation_keep_grey_and_luma() {
        let mut grey = vec![80.0; 3];
        color(&mut grey, 1.0, 1.7);
        assert!(grey.iter().all(|v| (v - 80.0).abs() < 1e-3), "{grey:?}");
        let mut red = vec![180.0, 100.0, 90.0];
        color(&mut red, 0.0, 0.0);
        assert!(red.iter().all(|v| (v - red[0]).abs() < 1e-3), "no saturation is grey: {red:?}");
        let mut same = vec![180.0, 100.0, 90.0];
        color(&mut same, 0.0, 1.0);
        assert!(same.iter().zip([180.0, 100.0, 90.0]).all(|(a, b)| (a - b).abs() < 1e-3));
    }

    #[test]
    fn noise_has_the_asked_deviation() {
        let mut pixels = vec![128.0; 100_000];
        noise(&mut pixels, 10.0, &mut Rng::new(1, 0, 0, Purpose::Photometry));
        let variance = pixels.iter().map(|v| (v - 128.0).powi(2)).sum::<f32>() / 1e5;
        assert!((variance.sqrt() - 10.0).abs() < 0.2, "{}", variance.sqrt());
    }
}
