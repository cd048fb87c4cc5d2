//! Confidence intervals of figures that are computed from the counts of all images together: whole images are
//! resampled, then their counts are added.

use vibhag_core::{Purpose, Rng};

use crate::bootstrap::{Interval, quantile};

/// The percentile bootstrap interval of `figure`, which is given the numbers of the images of one resample, at
/// `confidence` in (0, 1).
///
/// `None` when there are fewer than two images, no resamples, or `confidence` is out of range: nothing can be said
/// then.
pub fn bootstrap_pooled(
    images: usize,
    resamples: usize,
    confidence: f64,
    seed: u64,
    mut figure: impl FnMut(&[usize]) -> f64,
) -> Option<Interval> {
    if images < 2 || resamples == 0 || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let mut drawn = vec![0; images];
    let mut figures: Vec<f64> = (0..resamples)
        .map(|resample| {
            let mut rng = Rng::new(seed, 0, resample as u64, Purpose::Bootstrap);
            drawn.fill_with(|| rng.below(images));
            figure(&drawn)
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: quantile(&figures, tail), high: quantile(&figures, 1.0 - tail), confidence, resamples })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::bootstrap_mean;
    use crate::functions::mean;

    #[test]
    fn the_interval_of_a_mean_is_that_of_the_plain_bootstrap() {
        let values = [0.1, 0.4, 0.5, 0.9, 1.0];
        let pooled = bootstrap_pooled(5, 300, 0.95, 7, |drawn| mean(drawn.iter().map(|&image| values[image])));
        assert_eq!(pooled, bootstrap_mean(&values, 300, 0.95, 7));
        assert_eq!(bootstrap_pooled(1, 300, 0.95, 7, |_| 0.5), None);
    }
}
