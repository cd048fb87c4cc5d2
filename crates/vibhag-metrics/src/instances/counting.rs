//! How well objects are counted, and how large they are.

use super::evaluation::{CountPair, SizeHistogram, SizePair};
use crate::functions::mean;

/// Pairs of sizes that are enough to draw.
pub const MAX_SIZES: usize = 5000;

const BINS: u64 = 24;

/// Mean of |predicted - true| objects; 0 of no image.
pub fn count_mae(counts: &[CountPair]) -> f64 {
    mean(counts.iter().map(|pair| pair.predicted.abs_diff(pair.truth) as f64))
}

/// Mean of |predicted - true| / true over the images that have objects; `None` when none has.
pub fn count_error(counts: &[CountPair]) -> Option<f64> {
    let mut with_objects = counts.iter().filter(|pair| pair.truth > 0).peekable();
    with_objects.peek()?;
    Some(mean(with_objects.map(|pair| pair.predicted.abs_diff(pair.truth) as f64 / pair.truth as f64)))
}

/// Mean of predicted - true objects; 0 of no image.
pub fn count_bias(counts: &[CountPair]) -> f64 {
    mean(counts.iter().map(|pair| pair.predicted as f64 - pair.truth as f64))
}

/// At most `most` of the pairs, evenly spaced in the order of their areas.
pub(super) fn thinned(mut sizes: Vec<SizePair>, most: usize) -> Vec<SizePair> {
    sizes.sort_unstable();
    let all = sizes.len();
    if all <= most {
        return sizes;
    }
    (0..most).map(|index| sizes[index * all / most]).collect()
}

/// A histogram over areas, which are at least 1, between the smallest and the largest of both lists.
pub(super) fn size_histogram(truth: &[u64], predicted: &[u64]) -> SizeHistogram {
    let all = || truth.iter().chain(predicted).copied();
    let (Some(smallest), Some(largest)) = (all().min(), all().max()) else {
        return SizeHistogram::default();
    };
    let bins = BINS.min(largest - smallest + 1) as usize;
    let (low, high) = (smallest as f64, (largest + 1) as f64);
    let edges: Vec<f64> = (0..=bins)
        .map(|index| match index {
            0 => low,
            last if last == bins => high,
            _ => low * (high / low).powf(index as f64 / bins as f64),
        })
        .collect();
    let count = |areas: &[u64]| {
        let mut counts = vec![0; bins];
        for &area in areas {
            counts[edges.partition_point(|&edge| edge <= area as f64) - 1] += 1;
        }
        counts
    };
    SizeHistogram { truth: count(truth), predicted: count(predicted), edges }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_their_formulas() {
        let pair = |truth, predicted| CountPair { image: String::new(), truth, predicted };
        let counts = [pair(4, 5), pair(0, 3), pair(10, 5)];
        assert_eq!((count_mae(&counts), count_bias(&counts)), (3.0, -1.0 / 3.0));
        assert_eq!(count_error(&counts), Some(0.375));
        assert_eq!((count_error(&counts[1..2]), count_mae(&[]), count_bias(&[])), (None, 0.0, 0.0));
    }

    #[test]
    fn every_area_is_in_one_bin() {
        let histogram = size_histogram(&[1, 1, 900, 40], &[7, 65_536]);
        assert_eq!((histogram.edges.len(), histogram.truth.len()), (25, 24));
        assert_eq!((histogram.truth[0], histogram.predicted[23]), (2, 1));
        assert_eq!((histogram.truth.iter().sum::<u64>(), histogram.predicted.iter().sum::<u64>()), (4, 2));
        assert!(histogram.edges.is_sorted());
        assert_eq!(size_histogram(&[5, 5], &[]).edges, [5.0, 6.0]);
        assert_eq!(size_histogram(&[], &[]), SizeHistogram::default());
    }

    #[test]
    fn thinning_keeps_the_spread() {
        let sizes: Vec<SizePair> = (0..100).rev().map(|area| SizePair { truth: area, predicted: 1 }).collect();
        let kept: Vec<u64> = thinned(sizes, 4).iter().map(|size| size.truth).collect();
        assert_eq!(kept, [0, 25, 50, 75]);
    }
}
