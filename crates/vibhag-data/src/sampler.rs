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
    fn full_batches_wrap_and_others_end_short() {
        assert_eq!(batch_count(5, 4), 2);
        assert_eq!(batch_positions(5, 4, 1, true), [(4, 0), (0, 1), (1, 1), (2, 1)]);
        assert_eq!(batch_positions(5, 4, 1, false), [(4, 0)]);
        assert_eq!(batch_positions(2, 5, 0, true), [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]);
        assert_eq!(batch_positions(4, 4, 1, false), []);
        assert_eq!((batch_count(0, 4), batch_positions(0, 4, 0, true)), (0, vec![]));
    }
}
