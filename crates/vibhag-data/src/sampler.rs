//! The order of an epoch: a pure function of (seed, epoch, indices), so that a resumed run
//! continues exactly.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vibhag_core::{Purpose, Rng};

/// `indices` in the order of `epoch`; unchanged without `shuffle`.
pub fn epoch_order(seed: u64, epoch: u64, indices: &[usize], shuffle: bool) -> Vec<usize> {
    let mut order = indices.to_vec();
    if shuffle {
        Rng::new(seed, epoch, 0, Purpose::Shuffle).shuffle(&mut order);
    }
    order
}

/// How often an epoch takes a sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Once.
    #[default]
    Uniform,
    /// By size and kind: see [`balanced`].
    Balanced,
}

/// Each of `indices` as often as balances sizes and kinds of images, at least once and at most [`MOST_WINDOWS`] times.
///
/// An image of `pixels(index)` counts as the square root of the windows of `window` pixels that cover it, between once
/// for each image and once for each object. A kind of images (`kind(index)`, see [`crate::appearance`]) that comes a
/// quarter as often as the commonest one counts twice: the square root again, so that what is rare is neither drowned
/// nor learnt by heart.
pub fn balanced(
    indices: &[usize],
    window: usize,
    pixels: impl Fn(usize) -> usize,
    kind: impl Fn(usize) -> usize,
) -> Vec<usize> {
    let windows = |index: usize| (pixels(index) as f64 / window.max(1) as f64).sqrt().max(1.0);
    let mut totals: BTreeMap<usize, f64> = BTreeMap::new();
    for &index in indices {
        *totals.entry(kind(index)).or_default() += windows(index);
    }
    let most = totals.values().copied().fold(0.0, f64::max);
    let times = |index: usize| {
        let rarity = (most / totals[&kind(index)]).sqrt();
        ((windows(index) * rarity).round() as usize).clamp(1, MOST_WINDOWS)
    };
    indices.iter().flat_map(|&index| std::iter::repeat_n(index, times(index))).collect()
}

/// Windows of one image in an epoch at most.
pub const MOST_WINDOWS: usize = 16;

/// Batches that `samples` samples make; none without samples. A last partial batch counts.
pub fn batch_count(samples: usize, batch: usize) -> usize {
    samples.div_ceil(batch.max(1))
}

/// Positions in the epoch's order that make up batch `index`, each with how often the order was
/// gone through before. With `full`, the last batch is filled from the order's start, as often
/// as needed; otherwise it may be short.
pub fn batch_positions(samples: usize, batch: usize, index: usize, full: bool) -> Vec<(usize, usize)> {
    if samples == 0 {
        return Vec::new();
    }
    let first = index * batch.max(1);
    let last = first + batch.max(1);
    let end = if full { last } else { last.min(samples) };
    (first..end.max(first)).map(|slot| (slot % samples, slot / samples)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_a_permutation_that_its_key_decides() {
        let indices: Vec<usize> = (10..60).collect();
        let order = epoch_order(1, 2, &indices, true);
        assert_eq!(order, epoch_order(1, 2, &indices, true));
        assert_ne!(order, epoch_order(1, 3, &indices, true));
        assert_ne!(order, epoch_order(2, 2, &indices, true));
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, indices);
        assert_eq!(epoch_order(1, 2, &indices, false), indices);
    }

    #[test]
    fn large_images_come_by_the_root_of_their_size() {
        let pixels = [100, 149, 400, 1000, 1_000_000];
        let found = balanced(&[0, 1, 2, 3], 100, |index| pixels[index], |_| 0);
        assert_eq!(found, [vec![0, 1], vec![2; 2], vec![3; 3]].concat());
        assert_eq!(balanced(&[4], 100, |index| pixels[index], |_| 7).len(), MOST_WINDOWS);
        assert!(balanced(&[], 100, |_| 1, |_| 0).is_empty());
    }

    #[test]
    fn rare_kinds_of_images_come_more_often() {
        // Sixteen of one kind, four of another, one of a third.
        let indices: Vec<usize> = (0..21).collect();
        let kind = |index: usize| usize::from(index >= 16) + usize::from(index == 20);
        let found = balanced(&indices, 100, |_| 100, kind);
        let count = |wanted: usize| found.iter().filter(|&&index| kind(index) == wanted).count();
        assert_eq!([count(0), count(1), count(2)], [16, 8, 4]);
    }

    #[test]
    fn full_batches_wrap_and_others_end_short() {
        assert_eq!(batch_count(5, 4), 2);
        assert_eq!(batch_positions(5, 4, 1, true), [(4, 0), (0, 1), (1, 1), (2, 1)]);
        assert_eq!(batch_positions(5, 4, 1, false), [(4, 0)]);
        assert_eq!(batch_positions(2, 5, 0, true), [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]);
        assert_eq!(batch_positions(4, 4, 1, false), []);
        assert_eq!((batch_count(0, 4), batch_positions(0, 4, 0, true)), (0, vec![]));
    }
}
