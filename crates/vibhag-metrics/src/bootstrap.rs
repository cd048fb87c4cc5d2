//! Confidence intervals by the percentile bootstrap (Efron and Tibshirani, "An Introduction to the
//! Bootstrap", 1993, chapter 13): images are resampled with replacement.

use serde::{Deserialize, Serialize};
use vibhag_core::{Purpose, Rng};

use crate::functions::mean;

/// A confidence interval of a mean over images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The confidence, 0.95 for a 95% interval.
    pub confidence: f64,
    /// Number of bootstrap resamples.
    pub resamples: usize,
}

/// The percentile bootstrap interval of the mean of `values`, at `confidence` in (0, 1).
///
/// The result depends on the set of values and the seed, not on the order. `None` when there are
/// fewer than two values, no resamples, or `confidence` is out of range: nothing can be said then.
pub fn bootstrap_mean(values: &[f64], resamples: usize, confidence: f64, seed: u64) -> Option<Interval> {
    if values.len() < 2 || resamples == 0 || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let mut means: Vec<f64> = (0..resamples)
        .map(|resample| {
            let mut rng = Rng::new(seed, 0, resample as u64, Purpose::Bootstrap);
            mean((0..values.len()).map(|_| values[rng.below(values.len())]))
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: quantile(&means, tail), high: quantile(&means, 1.0 - tail), confidence, resamples })
}

/// The `q`-quantile of sorted, non-empty values with linear interpolation (numpy's default).
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_agrees_with_the_normal_approximation() {
        let mut rng = Rng::new(3, 0, 0, Purpose::Synthesis);
        let values: Vec<f64> = (0..400).map(|_| f64::from(0.8 + 0.1 * rng.normal())).collect();
        let interval = bootstrap_mean(&values, 1000, 0.95, 0).unwrap();
        let center = mean(values.iter().copied());
        let half = 1.96 * 0.1 / 20.0;
        assert!((interval.low - (center - half)).abs() < 0.002, "{interval:?} around {center}");
        assert!((interval.high - (center + half)).abs() < 0.002, "{interval:?} around {center}");
    }

    #[test]
    fn one_value_has_no_interval_and_equal_values_have_none_of_width() {
        assert_eq!(bootstrap_mean(&[0.5], 1000, 0.95, 0), None);
        assert_eq!(bootstrap_mean(&[0.5, 0.6], 1000, 1.5, 0), None);
        let interval = bootstrap_mean(&[0.5; 8], 1000, 0.95, 0).unwrap();
        assert_eq!((interval.low, interval.high), (0.5, 0.5));
    }

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), 4.0);
    }
}
