//! One pure function per metric, and their registry.
//!
//! Empty masks: when neither truth nor prediction has the class, every score is 1 (nothing was to be
//! found and nothing was claimed). When only one of them is empty, every score is 0, also precision
//! and recall, whose ratio would be 0/0.

use crate::counts::Counts;

/// Below this Jaccard index an image scores 0 in [`threshold_jaccard`] (ISIC 2018, task 1).
pub const JACCARD_THRESHOLD: f64 = 0.65;

/// A metric of one class: name, one line of explanation, function.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// The key under which it is printed.
    pub name: &'static str,
    /// The formula, for people.
    pub summary: &'static str,
    /// The function; its result lies in [0, 1].
    pub function: fn(Counts) -> f64,
}

/// The metrics of one class, in the order in which they are printed.
pub const METRICS: &[Metric] = &[
    Metric { name: "iou", summary: "intersection over union, TP / (TP + FP + FN)", function: iou },
    Metric { name: "dice", summary: "Dice coefficient, 2 TP / (2 TP + FP + FN)", function: dice },
    Metric {
        name: "precision",
        summary: "share of the predicted pixels that are right, TP / (TP + FP)",
        function: precision,
    },
    Metric { name: "recall", summary: "share of the true pixels that were found, TP / (TP + FN)", function: recall },
    Metric {
        name: "pixel_accuracy",
        summary: "share of all pixels that are right, (TP + TN) / all",
        function: pixel_accuracy,
    },
];

/// Intersection over union (Jaccard index).
pub fn iou(counts: Counts) -> f64 {
    overlap(counts, counts.true_positive, counts.true_positive + counts.false_positive + counts.false_negative)
}

/// Dice coefficient (F1 of the pixels).
pub fn dice(counts: Counts) -> f64 {
    overlap(counts, 2 * counts.true_positive, counts.truth() + counts.predicted())
}

/// Share of the predicted pixels that are right.
pub fn precision(counts: Counts) -> f64 {
    overlap(counts, counts.true_positive, counts.predicted())
}

/// Share of the true pixels that were found.
pub fn recall(counts: Counts) -> f64 {
    overlap(counts, counts.true_positive, counts.truth())
}

/// Share of all counted pixels that are right; 1 when no pixel was counted.
pub fn pixel_accuracy(counts: Counts) -> f64 {
    match counts.total() {
        0 => 1.0,
        total => (counts.true_positive + counts.true_negative) as f64 / total as f64,
    }
}

/// The Jaccard index of an image if it reaches [`JACCARD_THRESHOLD`], else 0.
///
/// The figure of a data set is the mean of this over its images.
pub fn threshold_jaccard(image_iou: f64) -> f64 {
    if image_iou >= JACCARD_THRESHOLD { image_iou } else { 0.0 }
}

/// Arithmetic mean; 0 of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / count as f64 }
}

fn overlap(counts: Counts, numerator: u64, denominator: u64) -> f64 {
    match (counts.is_present(), denominator) {
        (false, _) => 1.0,
        (true, 0) => 0.0,
        (true, denominator) => numerator as f64 / denominator as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(true_positive: u64, false_positive: u64, false_negative: u64, true_negative: u64) -> Counts {
        Counts { true_positive, false_positive, false_negative, true_negative }
    }

    #[test]
    fn formulas_hold_on_a_hand_computed_case() {
        let c = counts(6, 2, 4, 8);
        assert_eq!(iou(c), 0.5);
        assert_eq!(dice(c), 12.0 / 18.0);
        assert_eq!(precision(c), 0.75);
        assert_eq!(recall(c), 0.6);
        assert_eq!(pixel_accuracy(c), 0.7);
    }

    #[test]
    fn both_empty_is_perfect_and_one_empty_is_zero() {
        for metric in METRICS {
            assert_eq!((metric.function)(counts(0, 0, 0, 9)), 1.0, "{}", metric.name);
            assert_eq!((metric.function)(Counts::default()), 1.0, "{}", metric.name);
        }
        for function in [iou, dice, precision, recall] {
            assert_eq!(function(counts(0, 3, 0, 6)), 0.0);
            assert_eq!(function(counts(0, 0, 3, 6)), 0.0);
        }
    }

    #[test]
    fn the_jaccard_threshold_is_inclusive() {
        assert_eq!(threshold_jaccard(0.65), 0.65);
        assert_eq!(threshold_jaccard(0.649_999), 0.0);
    }
}
