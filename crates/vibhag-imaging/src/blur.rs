//! Gaussian blur of interleaved float images.

/// Blurs `pixels` (HWC) in place with a separable Gaussian of standard deviation `sigma` pixels,
/// cut at three deviations; edges are replicated. A `sigma` of zero or less changes nothing.
pub fn gaussian_blur(pixels: &mut [f32], width: usize, channels: usize, sigma: f32) {
    let stride = width * channels;
    if sigma.is_nan() || sigma <= 0.0 || stride == 0 {
        return;
    }
    let radius = ((3.0 * sigma).ceil() as usize).max(1);
    let mut kernel: Vec<f32> = (0..=radius).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let total = kernel[0] + 2.0 * kernel[1..].iter().sum::<f32>();
    for weight in &mut kernel {
        *weight /= total;
    }
    let mut padded = vec![0.0; stride + 2 * radius * channels];
    for row in pixels.chunks_exact_mut(stride) {
        for (index, pixel) in padded.chunks_exact_mut(channels).enumerate() {
            let column = index.saturating_sub(radius).min(width - 1);
            pixel.copy_from_slice(&row[column * channels..][..channels]);
        }
        let middle = radius * channels;
        for (value, center) in row.iter_mut().zip(&padded[middle..]) {
            *value = kernel[0] * center;
        }
        for (distance, &weight) in kernel.iter().enumerate().skip(1) {
            let before = &padded[middle - distance * channels..];
            let after = &padded[middle + distance * channels..];
            for ((value, a), b) in row.iter_mut().zip(before).zip(after) {
                *value += weight * (a + b);
            }
        }
    }
    let height = pixels.len() / stride;
    let source = pixels.to_vec();
    let line = |row: usize| &source[row * stride..][..stride];
    for (row, target) in pixels.chunks_exact_mut(stride).enumerate() {
        for value in target.iter_mut() {
            *value *= kernel[0];
        }
        for (distance, &weight) in kernel.iter().enumerate().skip(1) {
            let above = line(row.saturating_sub(distance));
            let below = line((row + distance).min(height - 1));
            for ((value, a), b) in target.iter_mut().zip(above).zip(below) {
                *value += weight * (a + b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_becomes_a_gaussian_and_keeps_its_mass() {
        let mut pixels = vec![0.0; 31 * 31];
        pixels[15 * 31 + 15] = 1.0;
        gaussian_blur(&mut pixels, 31, 1, 2.0);
        let mass: f32 = pixels.iter().sum();
        assert!((mass - 1.0).abs() < 1e-4, "mass {mass}");
        let ratio = pixels[15 * 31 + 17] / pixels[15 * 31 + 15];
        assert!((ratio - (-0.5f32).exp()).abs() < 1e-4, "one deviation away: {ratio}");
        assert_eq!(pixels[13 * 31 + 15], pixels[15 * 31 + 17]);
    }

    #[test]
    fn constants_and_channels_survive_any_size() {
        for (width, height) in [(1, 1), (2, 5), (7, 3)] {
            let mut pixels: Vec<f32> = (0..width * height).flat_map(|_| [10.0, 200.0]).collect();
            gaussian_blur(&mut pixels, width, 2, 1.5);
            assert!(pixels.chunks_exact(2).all(|p| (p[0] - 10.0).abs() < 1e-3 && (p[1] - 200.0).abs() < 1e-3));
        }
    }
}
