//! COCO's average precision: precision at 101 recalls, each the best at that recall or beyond.

use super::THRESHOLDS;
use super::matching::Outcome;

const RECALLS: usize = 101;

/// Average precision and recall of one class at each threshold.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ClassAverages {
    pub(crate) precision: [f64; THRESHOLDS],
    pub(crate) recall: [f64; THRESHOLDS],
}

/// Averages of a class with `truths` true objects; `None` without any.
///
/// `outcomes` are those of the predictions by falling score, equal ones in the order of the images.
pub(crate) fn average(outcomes: impl Iterator<Item = Outcome> + Clone, truths: u64) -> Option<ClassAverages> {
    if truths == 0 {
        return None;
    }
    let mut averages = ClassAverages::default();
    for threshold in 0..THRESHOLDS {
        (averages.precision[threshold], averages.recall[threshold]) = curve(outcomes.clone(), 1 << threshold, truths);
    }
    Some(averages)
}

/// Mean precision over the recalls 0, 0.01, ..., 1, and the recall that is reached.
fn curve(outcomes: impl Iterator<Item = Outcome>, bit: u16, truths: u64) -> (f64, f64) {
    let (mut right, mut wrong) = (0u64, 0u64);
    let mut points: Vec<(f64, f64)> = Vec::new();
    for outcome in outcomes.filter(|outcome| outcome.ignored & bit == 0) {
        if outcome.matched & bit == 0 {
            wrong += 1;
        } else {
            right += 1;
        }
        points.push((right as f64 / truths as f64, right as f64 / (right + wrong) as f64));
    }
    let mut best = 0.0;
    for (_, precision) in points.iter_mut().rev() {
        best = f64::max(best, *precision);
        *precision = best;
    }
    let sum: f64 = (0..RECALLS)
        .map(|index| {
            // As numpy's linspace has it.
            let wanted = index as f64 * 0.01;
            points.get(points.partition_point(|&(recall, _)| recall < wanted)).map_or(0.0, |&(_, precision)| precision)
        })
        .sum();
    (sum / RECALLS as f64, points.last().map_or(0.0, |&(recall, _)| recall))
}
