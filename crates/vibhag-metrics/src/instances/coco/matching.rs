//! COCO's greedy matching of one image: predictions choose in the order of their scores.

use std::collections::BTreeMap;

use super::super::scene::{Pair, Scene};
use super::{View, thresholds};

/// What became of a prediction, a bit for each threshold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// It has a partner.
    pub(crate) matched: u16,
    /// It counts as nothing: its partner is a crowd or out of range, or it has none and is itself out of range.
    pub(crate) ignored: u16,
}

/// What is kept of a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Detection {
    pub(crate) score: f32,
    /// In the order of [`View::ALL`].
    pub(crate) outcomes: [Outcome; View::ALL.len()],
}

/// What is kept of one class of an image.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Detections {
    /// By falling score.
    pub(crate) predicted: Vec<Detection>,
    /// True objects that count, in the order of [`View::ALL`].
    pub(crate) truths: [u64; View::ALL.len()],
    /// Predictions that were left out since there are too many.
    pub(crate) cut: u64,
}

/// Matches the image class by class; of each class the `most` predictions with the highest scores take part.
pub(crate) fn detections(scene: &Scene, boxes: &[Pair], boundaries: &[Pair], most: usize) -> BTreeMap<u16, Detections> {
    let mut classes: BTreeMap<u16, Detections> = BTreeMap::new();
    for object in &scene.truth {
        let truths = &mut classes.entry(object.class).or_default().truths;
        for (count, view) in truths.iter_mut().zip(View::ALL) {
            *count += u64::from(!object.crowd && view.holds(object.area as f64));
        }
    }
    let mut order: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (predicted, object) in scene.predicted.iter().enumerate() {
        order.entry(object.class).or_default().push(predicted);
    }
    let choices = [&scene.pairs, boxes, boundaries].map(|pairs| by_prediction(scene, pairs));
    for (class, mut order) in order {
        // Stable: of equal scores the earlier one chooses first.
        order.sort_by(|&a, &b| scene.predicted[b].score.total_cmp(&scene.predicted[a].score));
        let entry = classes.entry(class).or_default();
        entry.cut = order.len().saturating_sub(most) as u64;
        order.truncate(most);
        entry.predicted = order
            .iter()
            .map(|&predicted| Detection { score: scene.predicted[predicted].score, outcomes: Default::default() })
            .collect();
        for (index, view) in View::ALL.into_iter().enumerate() {
            let choices = match view {
                View::Boxes => &choices[1],
                View::Boundaries => &choices[2],
                _ => &choices[0],
            };
            let outcomes = match_view(scene, view, &order, choices);
            for (detection, outcome) in entry.predicted.iter_mut().zip(outcomes) {
                detection.outcomes[index] = outcome;
            }
        }
    }
    classes
}

/// For each prediction the pairs it can choose from, by place of the true object.
fn by_prediction(scene: &Scene, pairs: &[Pair]) -> Vec<Vec<Pair>> {
    let mut choices = vec![Vec::new(); scene.predicted.len()];
    for pair in pairs.iter().filter(|pair| pair.iou >= 0.5) {
        choices[pair.predicted].push(*pair);
    }
    choices
}

fn match_view(scene: &Scene, view: View, order: &[usize], choices: &[Vec<Pair>]) -> Vec<Outcome> {
    let truths: Vec<Truth> = scene
        .truth
        .iter()
        .map(|object| Truth { crowd: object.crowd, ignored: object.crowd || !view.holds(object.area as f64) })
        .collect();
    let choosers: Vec<Chooser<'_>> = order
        .iter()
        .map(|&predicted| Chooser {
            pairs: &choices[predicted],
            outside: !view.holds(scene.predicted[predicted].area as f64),
        })
        .collect();
    match_greedily(&truths, &choosers)
}

/// A true object that predictions choose from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truth {
    /// Many predictions may have it as their partner.
    pub(crate) crowd: bool,
    /// It counts as nothing.
    pub(crate) ignored: bool,
}

/// A prediction that chooses a partner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chooser<'a> {
    /// The true objects that it is at least half like, by their places.
    pub(crate) pairs: &'a [Pair],
    /// Out of the range of sizes, so that it counts as nothing without a partner.
    pub(crate) outside: bool,
}

/// What becomes of predictions that choose one after the other, each the free true object that it is most like; of equal
/// ones the last.
pub(crate) fn match_greedily(truths: &[Truth], choosers: &[Chooser<'_>]) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::default(); choosers.len()];
    for (bit, threshold) in thresholds().into_iter().enumerate().map(|(index, t)| (1u16 << index, t)) {
        let mut taken = vec![false; truths.len()];
        for (outcome, chooser) in outcomes.iter_mut().zip(choosers) {
            let mut choice: Option<usize> = None;
            let mut least = threshold;
            // True objects that count come first; the others are looked at only where none of them will do.
            for pass in [false, true] {
                for pair in chooser.pairs.iter().filter(|pair| truths[pair.truth].ignored == pass) {
                    let free = !taken[pair.truth] || truths[pair.truth].crowd;
                    if free && pair.iou >= least {
                        least = pair.iou;
                        choice = Some(pair.truth);
                    }
                }
                if choice.is_some() {
                    break;
                }
            }
            match choice {
                Some(truth) => {
                    taken[truth] = true;
                    outcome.matched |= bit;
                    outcome.ignored |= if truths[truth].ignored { bit } else { 0 };
                }
                None if chooser.outside => outcome.ignored |= bit,
                None => {}
            }
        }
    }
    outcomes
}
