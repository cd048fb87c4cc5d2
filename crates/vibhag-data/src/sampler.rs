//! The order of an epoch: a pure function of (seed, epoch, indices), so that a resumed run
//! continues exactly.

use vibhag_core::{Purpose, Rng};

/// `indices` in the order of `epoch`; unchanged without `shuffle`.
pub fn epoch_order(seed: u64, epoch: u64, indices: &[usize], shuffle: bool) -> Vec<usize> {
    let mut order = indices.to_vec();
    if shuffle {
        Rng::new(seed, epoch, 0, Purpose::Shuffle).shuffle(&mut order);
    }
    order
}

/// Each of `indices` as often as windows of `window` pixels cover its image, `pixels(index)` being the image's: at least
/// once and at most [`MOST_WINDOWS`] times. Large images then are not learnt from less than small ones.
pub fn by_area(indices: &[usize], window: usize, pixels: impl Fn(usize) -> usize) -> Vec<usize> {
    let times = |index: usize| ((pixels(index) + window / 2) / window.max(1)).clamp(1, MOST_WINDOWS);
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
    fn large_images_come_as_often_as_windows_cover_them() {
        let pixels = [100, 149, 150, 1000, 1_000_000];
        let found = by_area(&[0, 1, 2, 3], 100, |index| pixels[index]);
        assert_eq!(found, [vec![0, 1, 2, 2], vec![3; 10]].concat());
        assert_eq!(by_area(&[4], 100, |index| pixels[index]).len(), MOST_WINDOWS);
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
