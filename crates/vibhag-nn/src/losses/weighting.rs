//! Class weights from frequencies, for [`LossConfig::class_weights`](super::LossConfig).

/// Median frequency balancing (Eigen and Fergus, ICCV 2015; used by SegNet).
///
/// The frequency of a class is its number of pixels (`class_pixels`) over the pixels of all images
/// that contain it (`image_pixels`); its weight is the median frequency over its own. Classes that do
/// not occur get 1. Surplus entries of the longer slice are left out.
pub fn median_frequency(class_pixels: &[u64], image_pixels: &[u64]) -> Vec<f32> {
    let frequencies: Vec<Option<f64>> = class_pixels
        .iter()
        .zip(image_pixels)
        .map(|(&class, &image)| (class > 0 && image > 0).then(|| class as f64 / image as f64))
        .collect();
    let mut sorted: Vec<f64> = frequencies.iter().copied().flatten().collect();
    sorted.sort_by(f64::total_cmp);
    let median = match sorted.len() {
        0 => 1.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    };
    frequencies.into_iter().map(|frequency| frequency.map_or(1.0, |f| (median / f) as f32)).collect()
}

/// Bounded inverse frequency `1 / ln(1.02 + share)` (Paszke et al., ENet, 2016): between 1.4 and 50.
///
/// `share` is the class's part of all pixels.
pub fn inverse_log(class_pixels: &[u64]) -> Vec<f32> {
    let total = class_pixels.iter().sum::<u64>().max(1) as f64;
    class_pixels.iter().map(|&pixels| (1.0 / (1.02 + pixels as f64 / total).ln()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_class_weighs_one_and_rare_classes_more() {
        assert_eq!(median_frequency(&[80, 20, 10, 0], &[100, 100, 100, 0]), [0.25, 1.0, 2.0, 1.0]);
        assert_eq!(median_frequency(&[], &[]), Vec::<f32>::new());
    }

    #[test]
    fn inverse_log_is_bounded() {
        let weights = inverse_log(&[1_000_000, 0]);
        assert!((weights[0] - 1.4222).abs() < 1e-3 && (weights[1] - 50.498).abs() < 1e-2, "{weights:?}");
        assert!(inverse_log(&[0, 0]).iter().all(|weight| weight.is_finite()));
    }
}
