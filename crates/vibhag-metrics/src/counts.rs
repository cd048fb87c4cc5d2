//! Pixel counts of one class against the rest: all that the overlap metrics need.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// How the pixels of one class fell, in pixels. Void pixels are in none of the counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// In truth and in prediction.
    pub true_positive: u64,
    /// In prediction only.
    pub false_positive: u64,
    /// In truth only.
    pub false_negative: u64,
    /// In neither.
    pub true_negative: u64,
}

impl Counts {
    /// Counts two masks of the same length; surplus pixels of the longer one are left out.
    pub fn of_masks(truth: &[bool], prediction: &[bool]) -> Self {
        let mut counts = Self::default();
        for pair in truth.iter().zip(prediction) {
            match pair {
                (true, true) => counts.true_positive += 1,
                (false, true) => counts.false_positive += 1,
                (true, false) => counts.false_negative += 1,
                (false, false) => counts.true_negative += 1,
            }
        }
        counts
    }

    /// Pixels of the class in the truth.
    pub fn truth(&self) -> u64 {
        self.true_positive + self.false_negative
    }

    /// Pixels of the class in the prediction.
    pub fn predicted(&self) -> u64 {
        self.true_positive + self.false_positive
    }

    /// All pixels that were counted.
    pub fn total(&self) -> u64 {
        self.truth() + self.false_positive + self.true_negative
    }

    /// Whether truth or prediction has the class at all.
    pub fn is_present(&self) -> bool {
        self.truth() + self.false_positive > 0
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.true_positive += other.true_positive;
        self.false_positive += other.false_positive;
        self.false_negative += other.false_negative;
        self.true_negative += other.true_negative;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_counted_cell_by_cell() {
        let counts = Counts::of_masks(&[true, true, false, false, true], &[true, false, true, false, true]);
        assert_eq!(counts, Counts { true_positive: 2, false_positive: 1, false_negative: 1, true_negative: 1 });
        assert_eq!((counts.truth(), counts.predicted(), counts.total()), (3, 3, 5));
    }
}
