//! Gathers images one by one, or in parts that are merged, into a [`KeypointEvaluation`].

use std::collections::BTreeMap;

use vibhag_core::{Error, Person, Pose, Result, Skeleton};

use super::evaluation::{KeypointEvaluation, KeypointImageScore};
use super::matching::{Found, Scene, VIEWS, is_counted};
use super::pck::{JointCounts, PckReference, USUAL, count, reference_length};
use super::summary;

/// COCO's limit of people in one image.
pub const MAX_PEOPLE: usize = 20;

/// Accumulates an evaluation of keypoints. Each image is matched when it is added, and of a person some numbers are kept.
///
/// The result depends on the set of images only, not on their order or on how they were split over merged builders.
#[derive(Debug, Clone)]
pub struct KeypointEvaluationBuilder {
    pub(super) skeleton: Skeleton,
    pub(super) reference: PckReference,
    pub(super) most: usize,
    pub(super) images: Vec<ScoredImage>,
}

/// What is kept of an image.
#[derive(Debug, Clone)]
pub(super) struct ScoredImage {
    pub(super) score: KeypointImageScore,
    /// By falling score.
    pub(super) found: Vec<Found>,
    /// True people that count, in the order of the views.
    pub(super) truths: [u64; VIEWS.len()],
    /// By keypoint of the skeleton.
    pub(super) joints: Vec<JointCounts>,
    /// Sum of the similarities of the true people to their partners.
    pub(super) similarity: f64,
    /// Predictions that were left out since there are too many.
    pub(super) cut: u64,
    /// Predictions in crowds or on people without labels.
    pub(super) ignored: u64,
    /// True people without the reference length.
    pub(super) without_length: u64,
}

impl KeypointEvaluationBuilder {
    /// An empty evaluation of people of `skeleton`; errors of keypoints are compared with the `reference` length.
    ///
    /// # Errors
    /// When the skeleton has a fault or lacks the joints of the reference length.
    pub fn new(skeleton: &Skeleton, reference: PckReference) -> Result<Self> {
        skeleton.validate()?;
        reference.check(skeleton)?;
        Ok(Self { skeleton: skeleton.clone(), reference, most: MAX_PEOPLE, images: Vec::new() })
    }

    /// Lets `most` predictions in one image take part instead of [`MAX_PEOPLE`], for images with more people than that.
    /// Call it before the first image.
    #[must_use]
    pub fn with_max_people(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Scores one image and returns its row. Crowds and people without a labelled keypoint are to be found by nobody, and
    /// predictions on them count as nothing.
    ///
    /// # Errors
    /// When a pose has another number of keypoints than the skeleton, or a place, an area or a score is not a number; the
    /// image is not counted then.
    pub fn add_image(
        &mut self,
        id: &str,
        tags: &BTreeMap<String, String>,
        truth: &[Person],
        predicted: &[Pose],
    ) -> Result<&KeypointImageScore> {
        let image = self.score(id, tags, truth, predicted).map_err(|mut error| {
            error.what = format!("{id}: {}", error.what);
            error
        })?;
        let index = self.images.len();
        self.images.push(image);
        Ok(&self.images[index].score)
    }

    /// Takes over the images of `other`.
    ///
    /// # Errors
    /// When the skeletons, the reference lengths or the numbers of predictions that take part differ.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        if self.skeleton != other.skeleton || self.reference != other.reference || self.most != other.most {
            return Err(Error::config(
                "evaluations over different skeletons, reference lengths or limits of people cannot be merged",
            ));
        }
        self.images.extend(other.images);
        Ok(())
    }

    /// Number of images so far.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// The evaluation. Without any image every figure is 0 or `None`.
    pub fn finish(mut self) -> KeypointEvaluation {
        self.images.sort_by(|a, b| a.score.image.cmp(&b.score.image));
        summary::summarize(&self)
    }

    fn score(
        &self,
        id: &str,
        tags: &BTreeMap<String, String>,
        truth: &[Person],
        predicted: &[Pose],
    ) -> Result<ScoredImage> {
        let scene = Scene::new(&self.skeleton, truth, predicted, self.most)?;
        let (found, truths) = scene.coco(truth, predicted);
        let partners = scene.partners(truth);
        let mut joints = vec![JointCounts::default(); self.skeleton.len()];
        let mut without_length = 0;
        for (person, partner) in truth.iter().zip(&partners).filter(|(person, _)| is_counted(person)) {
            match reference_length(self.reference, &self.skeleton, person) {
                Some(length) => count(&mut joints, person, partner.map(|(p, _)| &predicted[p]), length),
                None => without_length += 1,
            }
        }
        let at_half = |matched: bool, ignored: bool| {
            let outcomes = found.iter().map(|found| found.outcomes[0]);
            outcomes.filter(|o| (o.matched & 1 != 0) == matched && (o.ignored & 1 != 0) == ignored).count() as u64
        };
        let (tp, fp) = (at_half(true, false), at_half(false, false));
        let similarity: f64 = partners.iter().flatten().map(|(_, similarity)| similarity).sum();
        let labelled: u64 = joints.iter().map(|joint| joint.labelled).sum();
        let correct: u64 = joints.iter().map(|joint| joint.correct[USUAL]).sum();
        Ok(ScoredImage {
            score: KeypointImageScore {
                image: id.to_owned(),
                people_truth: truths[0],
                people_predicted: tp + fp,
                tp,
                fp,
                fn_: truths[0] - tp,
                oks: match (truths[0], tp + fp) {
                    (0, 0) => 1.0,
                    (0, _) => 0.0,
                    (people, _) => similarity / people as f64,
                },
                pck: (labelled > 0).then(|| correct as f64 / labelled as f64),
                tags: tags.clone(),
            },
            cut: predicted.len().saturating_sub(self.most) as u64,
            ignored: at_half(true, true) + at_half(false, true),
            found,
            truths,
            joints,
            similarity,
            without_length,
        })
    }
}
