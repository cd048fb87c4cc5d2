//! Gathers images one by one, or in parts that are merged, into an [`InstanceEvaluation`].

use std::collections::BTreeMap;

use vibhag_core::{ClassTable, Error, Panoptic, Result};

use super::coco::{Detections, THRESHOLDS, detections};
use super::evaluation::{InstanceEvaluation, InstanceImageScore, SizePair};
use super::matching::{Fate, match_scene};
use super::scene::Scene;
use super::summary;
use crate::counts::Counts;
use crate::functions::{iou, mean};

/// COCO's limit of predictions of one class in one image.
pub const MAX_DETECTIONS: usize = 100;

/// Accumulates an evaluation of objects. Each image is matched when it is added, and of an object about fifty bytes
/// are kept: areas, score, and what became of it at each threshold.
///
/// The result depends on the set of images only, not on their order or on how they were split over merged builders.
#[derive(Debug, Clone)]
pub struct InstanceEvaluationBuilder {
    pub(super) classes: ClassTable,
    pub(super) most: usize,
    pub(super) images: Vec<ScoredImage>,
}

/// What is kept of an image.
#[derive(Debug, Clone)]
pub(super) struct ScoredImage {
    pub(super) score: InstanceImageScore,
    /// Objects by IoU threshold of the Data Science Bowl.
    pub(super) counts: [Counts; THRESHOLDS],
    /// Objects by class, at IoU 0.50.
    pub(super) class_counts: BTreeMap<u16, Counts>,
    pub(super) detections: BTreeMap<u16, Detections>,
    /// Of the pairs at IoU 0.50.
    pub(super) iou_sum: f64,
    pub(super) sizes: Vec<SizePair>,
    pub(super) truth_areas: Vec<u64>,
    pub(super) predicted_areas: Vec<u64>,
    /// Predictions in crowds.
    pub(super) ignored: u64,
}

/// The IoU thresholds of the Data Science Bowl.
pub(super) fn bowl_thresholds() -> [f64; THRESHOLDS] {
    std::array::from_fn(|index| (50 + 5 * index) as f64 / 100.0)
}

impl InstanceEvaluationBuilder {
    /// An empty evaluation of the objects of the thing classes of `classes`.
    pub fn new(classes: ClassTable) -> Self {
        Self { classes, most: MAX_DETECTIONS, images: Vec::new() }
    }

    /// Lets `most` predictions of one class in one image enter COCO's figures instead of [`MAX_DETECTIONS`], for
    /// images with more objects than that. Call it before the first image.
    #[must_use]
    pub fn with_max_detections(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Scores one image and returns its row.
    ///
    /// Objects are the segments of thing classes that have pixels; stuff and nothing are background here.
    ///
    /// # Errors
    /// When no class is a thing, the sizes differ, an id has no segment, a class is not in the table, or a score is
    /// not a number; the image is not counted then.
    pub fn add_image(
        &mut self,
        id: &str,
        tags: &BTreeMap<String, String>,
        truth: &Panoptic,
        prediction: &Panoptic,
    ) -> Result<&InstanceImageScore> {
        let image = score(id, tags, truth, prediction, &self.classes, self.most).map_err(|mut error| {
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
    /// When the class tables or the numbers of predictions that count differ.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        if self.classes != other.classes || self.most != other.most {
            return Err(Error::config(
                "evaluations over different class tables or limits of predictions cannot be merged",
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
    pub fn finish(mut self) -> InstanceEvaluation {
        self.images.sort_by(|a, b| a.score.image.cmp(&b.score.image));
        summary::summarize(&self)
    }
}

fn score(
    id: &str,
    tags: &BTreeMap<String, String>,
    truth: &Panoptic,
    prediction: &Panoptic,
    classes: &ClassTable,
    most: usize,
) -> Result<ScoredImage> {
    let scene = Scene::new(truth, prediction, classes)?;
    let objects = scene.truth.iter().filter(|object| !object.crowd).count() as u64;
    let matches = bowl_thresholds().map(|threshold| match_scene(&scene, threshold));
    let counts = std::array::from_fn(|index| {
        let matched = &matches[index];
        let with = |fate: Fate| matched.predicted.iter().filter(|&&other| other == fate).count() as u64;
        Counts {
            true_positive: matched.pairs.len() as u64,
            false_positive: with(Fate::False),
            false_negative: objects - matched.pairs.len() as u64,
            true_negative: 0,
        }
    });
    let half = &matches[0];
    let mut class_counts: BTreeMap<u16, Counts> = BTreeMap::new();
    for object in scene.truth.iter().filter(|object| !object.crowd) {
        class_counts.entry(object.class).or_default().false_negative += 1;
    }
    for (object, fate) in scene.predicted.iter().zip(&half.predicted) {
        let counts = class_counts.entry(object.class).or_default();
        match fate {
            Fate::Matched => {
                counts.true_positive += 1;
                counts.false_negative -= 1;
            }
            Fate::False => counts.false_positive += 1,
            Fate::Ignored => {}
        }
    }
    let predicted = scene.predicted.iter().zip(&half.predicted).filter(|&(_, &fate)| fate != Fate::Ignored);
    Ok(ScoredImage {
        score: InstanceImageScore {
            image: id.to_owned(),
            objects_truth: counts[0].truth(),
            objects_predicted: counts[0].predicted(),
            tp: counts[0].true_positive,
            fp: counts[0].false_positive,
            fn_: counts[0].false_negative,
            ap50: iou(counts[0]),
            ap_mean: mean(counts.iter().map(|&counts| iou(counts))),
            tags: tags.clone(),
        },
        counts,
        class_counts,
        detections: detections(&scene, &scene.box_pairs(), &scene.boundary_pairs(truth, prediction), most),
        iou_sum: half.pairs.iter().map(|pair| pair.iou).sum(),
        sizes: half
            .pairs
            .iter()
            .map(|pair| SizePair {
                truth: scene.truth[pair.truth].area,
                predicted: scene.predicted[pair.predicted].area,
            })
            .collect(),
        truth_areas: scene.truth.iter().filter(|object| !object.crowd).map(|object| object.area).collect(),
        predicted_areas: predicted.map(|(object, _)| object.area).collect(),
        ignored: half.predicted.iter().filter(|&&fate| fate == Fate::Ignored).count() as u64,
    })
}
