//! The people of one image, matched as COCO does and one to one.

use vibhag_core::{Error, ErrorKind, Person, Pose, Result, Skeleton};
use vibhag_imaging::pose::oks;

use super::builder::MAX_PEOPLE;
use crate::instances::Pair;
use crate::instances::coco::{Chooser, Outcome, Truth, View, match_greedily};

/// The ranges of sizes that COCO reports for keypoints.
pub(super) const VIEWS: [View; 3] = [View::Masks, View::Medium, View::Large];

/// What is kept of a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) score: f32,
    /// In the order of [`VIEWS`].
    pub(super) outcomes: [Outcome; VIEWS.len()],
}

/// The people of one image, compared.
#[derive(Debug)]
pub(super) struct Scene {
    /// The predictions that take part, by falling score: their places in the list.
    order: Vec<usize>,
    /// Similarities of all true people (rows) to all predictions.
    similarities: Vec<f64>,
    predicted: usize,
}

impl Scene {
    /// The `most` best predictions take part.
    pub(super) fn new(skeleton: &Skeleton, truth: &[Person], predicted: &[Pose], most: usize) -> Result<Self> {
        check(skeleton, truth, predicted)?;
        let mut order: Vec<usize> = (0..predicted.len()).collect();
        // Stable: of equal scores the earlier one chooses first.
        order.sort_by(|&a, &b| predicted[b].score.total_cmp(&predicted[a].score));
        order.truncate(most);
        let similarities = truth
            .iter()
            .flat_map(|person| predicted.iter().map(|pose| oks(person, &pose.keypoints, &skeleton.sigmas)))
            .collect();
        Ok(Self { order, similarities, predicted: predicted.len() })
    }

    fn similarity(&self, truth: usize, predicted: usize) -> f64 {
        self.similarities[truth * self.predicted + predicted]
    }

    /// COCO's matching: what became of the predictions, by falling score, and how many true people count in each view.
    pub(super) fn coco(&self, truth: &[Person], predicted: &[Pose]) -> (Vec<Found>, [u64; VIEWS.len()]) {
        let mut found: Vec<Found> =
            self.order.iter().map(|&p| Found { score: predicted[p].score, outcomes: Default::default() }).collect();
        let pairs: Vec<Vec<Pair>> = self
            .order
            .iter()
            .map(|&predicted| {
                let like =
                    (0..truth.len()).map(|truth| Pair { truth, predicted, iou: self.similarity(truth, predicted) });
                like.filter(|pair| pair.iou >= 0.5).collect()
            })
            .collect();
        let mut counts = [0; VIEWS.len()];
        for (index, view) in VIEWS.into_iter().enumerate() {
            let truths: Vec<Truth> = truth
                .iter()
                .map(|person| Truth { crowd: person.crowd, ignored: !is_counted(person) || !view.holds(person.area) })
                .collect();
            counts[index] = truths.iter().filter(|truth| !truth.ignored).count() as u64;
            let choosers: Vec<Chooser<'_>> = self
                .order
                .iter()
                .zip(&pairs)
                .map(|(&p, pairs)| Chooser { pairs, outside: !view.holds(area(&predicted[p])) })
                .collect();
            for (found, outcome) in found.iter_mut().zip(match_greedily(&truths, &choosers)) {
                found.outcomes[index] = outcome;
            }
        }
        (found, counts)
    }

    /// For each true person who counts the prediction that is taken for it, however unlike, and their similarity: the most
    /// similar two first.
    pub(super) fn partners(&self, truth: &[Person]) -> Vec<Option<(usize, f64)>> {
        let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
        for index in (0..truth.len()).filter(|&index| is_counted(&truth[index])) {
            let like = self.order.iter().map(|&predicted| (self.similarity(index, predicted), index, predicted));
            pairs.extend(like.filter(|pair| pair.0 > 0.0));
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut partners, mut taken) = (vec![None; truth.len()], vec![false; self.predicted]);
        for (similarity, truth, predicted) in pairs {
            if partners[truth].is_none() && !taken[predicted] {
                partners[truth] = Some((predicted, similarity));
                taken[predicted] = true;
            }
        }
        partners
    }
}

/// For each true person with a labelled keypoint who is no crowd the place of the prediction that is taken for it, however
/// unlike, and their similarity: at most one person each, the most similar two first; `None` where there is none. At most
/// [`MAX_PEOPLE`] predictions take part, those with the highest scores.
///
/// # Errors
/// When a pose has another number of keypoints than the skeleton, or a place, an area or a score is not a number.
pub fn match_people(skeleton: &Skeleton, truth: &[Person], predicted: &[Pose]) -> Result<Vec<Option<(usize, f64)>>> {
    Ok(Scene::new(skeleton, truth, predicted, MAX_PEOPLE)?.partners(truth))
}

/// Whether a true person is to be found: it is one person with a labelled keypoint.
pub(super) fn is_counted(person: &Person) -> bool {
    !person.crowd && person.pose.present() > 0
}

/// The area of a prediction as COCO takes it: that of the box around all its keypoints, absent ones at (0, 0).
fn area(pose: &Pose) -> f64 {
    let span = |of: fn(&vibhag_core::Keypoint) -> f64| {
        let values = pose.keypoints.iter().map(|keypoint| if keypoint.is_present() { of(keypoint) } else { 0.0 });
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        high - low
    };
    span(|keypoint| keypoint.x) * span(|keypoint| keypoint.y)
}

fn check(skeleton: &Skeleton, truth: &[Person], predicted: &[Pose]) -> Result<()> {
    let fault = |what: String, index: usize, which: &str| {
        Err(Error::new(ErrorKind::MaskValue, what).at(format!("person {index} of the {which}")))
    };
    let sizes = |poses: &mut dyn Iterator<Item = &Pose>| {
        poses.map(|pose| pose.keypoints.len()).enumerate().find(|&(_, count)| count != skeleton.len())
    };
    let places = |pose: &Pose| pose.keypoints.iter().all(|k| !k.is_present() || (k.x.is_finite() && k.y.is_finite()));
    for (which, wrong) in
        [("truth", sizes(&mut truth.iter().map(|person| &person.pose))), ("prediction", sizes(&mut predicted.iter()))]
    {
        if let Some((index, count)) = wrong {
            return fault(
                format!("{count} keypoints, not the {} of {:?}", skeleton.len(), skeleton.name),
                index,
                which,
            );
        }
    }
    for (index, person) in truth.iter().enumerate() {
        let numbers = person.bounds.iter().chain([&person.area]).all(|value| value.is_finite());
        if !numbers || person.area < 0.0 || !places(&person.pose) {
            return fault("a place, the box or the area is not a number, or negative".to_owned(), index, "truth");
        }
    }
    for (index, pose) in predicted.iter().enumerate() {
        if pose.score.is_nan() || !places(pose) {
            return fault("the score or a place is not a number".to_owned(), index, "prediction");
        }
    }
    Ok(())
}
