//! Gathers images one by one, or in parts that are merged, into a [`PanopticEvaluation`].

use std::collections::BTreeMap;

use vibhag_core::{ClassTable, Error, Panoptic, Result};

use super::evaluation::{PanopticClassScore, PanopticEvaluation, PanopticImageScore, PanopticMean};
use super::matching::{count, match_segments};
use super::quality::PanopticCounts;
use crate::bootstrap_pooled::bootstrap_pooled;
use crate::confusion::ConfusionMatrix;
use crate::functions::mean;

const RESAMPLES: usize = 1000;

/// Accumulates a panoptic evaluation: counts by class and image, and a confusion matrix of pixels.
///
/// The result depends on the set of images only, not on their order or on how they were split over merged builders.
#[derive(Debug, Clone)]
pub struct PanopticEvaluationBuilder {
    classes: ClassTable,
    pixels: ConfusionMatrix,
    images: Vec<ScoredImage>,
}

#[derive(Debug, Clone)]
struct ScoredImage {
    score: PanopticImageScore,
    /// The classes that occur.
    counts: BTreeMap<u16, PanopticCounts>,
}

impl PanopticEvaluationBuilder {
    /// An empty evaluation over `classes`, which says what is a thing.
    pub fn new(classes: ClassTable) -> Self {
        let pixels = ConfusionMatrix::new(classes.len());
        Self { classes, pixels, images: Vec::new() }
    }

    /// Scores one image and returns its row. Pixels of no segment (0) in the truth are void.
    ///
    /// # Errors
    /// When the sizes differ, an id has no segment, or a class is not in the table; the image is not counted then.
    pub fn add_image(
        &mut self,
        id: &str,
        tags: &BTreeMap<String, String>,
        truth: &Panoptic,
        prediction: &Panoptic,
    ) -> Result<&PanopticImageScore> {
        let named = |mut error: Error| {
            error.what = format!("{id}: {}", error.what);
            error
        };
        let matching = match_segments(truth, prediction, &self.classes).map_err(named)?;
        let void = self.classes.ignore.unwrap_or(u16::MAX);
        let (t, p) = (truth.class_map(void), prediction.class_map(void));
        self.pixels.add(t.labels(), p.labels(), Some(void)).map_err(named)?;
        let counts = count(truth, prediction, &matching);
        let score = PanopticImageScore {
            image: id.to_owned(),
            // Nothing was to be found and nothing was claimed.
            pq: if counts.is_empty() { 1.0 } else { mean(counts.values().map(PanopticCounts::quality)) },
            tp: matching.pairs.len() as u64,
            fp: matching.false_objects.len() as u64,
            fn_: matching.missed.len() as u64,
            tags: tags.clone(),
        };
        let index = self.images.len();
        self.images.push(ScoredImage { score, counts });
        Ok(&self.images[index].score)
    }

    /// Takes over the images of `other`.
    ///
    /// # Errors
    /// When the class tables differ.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        if self.classes != other.classes {
            return Err(Error::config("evaluations over different class tables cannot be merged"));
        }
        self.pixels.merge(&other.pixels)?;
        self.images.extend(other.images);
        Ok(())
    }

    /// Number of images so far.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// The evaluation. Without any image every figure is 0.
    pub fn finish(mut self) -> PanopticEvaluation {
        self.images.sort_by(|a, b| a.score.image.cmp(&b.score.image));
        let pooled = self.pooled(0..self.images.len());
        let of = |wanted: fn(bool) -> bool| self.average(&pooled, wanted);
        let all = of(|_| true);
        PanopticEvaluation {
            images: self.images.len(),
            pq: all.pq,
            sq: all.sq,
            rq: all.rq,
            pq_ci95: bootstrap_pooled(self.images.len(), RESAMPLES, 0.95, 0, |drawn| {
                self.average(&self.pooled(drawn.iter().copied()), |_| true).pq
            }),
            things: of(|thing| thing),
            stuff: of(|thing| !thing),
            mean_iou: if self.images.is_empty() { 0.0 } else { self.pixels.mean_iou() },
            classes: self.class_scores(&pooled),
            conventions: conventions(),
            notes: self.notes(all.n),
            per_image: {
                let mut rows: Vec<_> = self.images.into_iter().map(|image| image.score).collect();
                rows.sort_by(|a, b| a.pq.total_cmp(&b.pq));
                rows
            },
        }
    }

    /// Counts by class of the images with these numbers.
    fn pooled(&self, images: impl Iterator<Item = usize>) -> Vec<PanopticCounts> {
        let mut pooled = vec![PanopticCounts::default(); self.classes.len()];
        for image in images {
            for (&class, &counts) in &self.images[image].counts {
                pooled[usize::from(class)] += counts;
            }
        }
        pooled
    }

    /// Means over the classes that occur and whose kind (thing or not) is wanted.
    fn average(&self, pooled: &[PanopticCounts], wanted: fn(bool) -> bool) -> PanopticMean {
        let classes = || {
            let of_kind = self.classes.classes.iter().zip(pooled).filter(|(class, _)| wanted(class.thing));
            of_kind.map(|(_, counts)| counts).filter(|counts| counts.is_present())
        };
        PanopticMean {
            pq: mean(classes().map(PanopticCounts::quality)),
            sq: mean(classes().map(PanopticCounts::segmentation)),
            rq: mean(classes().map(PanopticCounts::recognition)),
            n: classes().count(),
        }
    }

    fn class_scores(&self, pooled: &[PanopticCounts]) -> Vec<PanopticClassScore> {
        let classes = self.classes.classes.iter().zip(pooled);
        classes
            .map(|(class, counts)| PanopticClassScore {
                name: class.name.clone(),
                thing: class.thing,
                pq: counts.quality(),
                sq: counts.segmentation(),
                rq: counts.recognition(),
                tp: counts.tp,
                fp: counts.fp,
                fn_: counts.fn_,
            })
            .collect()
    }

    fn notes(&self, occurring: usize) -> Vec<String> {
        if occurring == 0 && !self.images.is_empty() {
            vec!["neither truth nor prediction has a segment in any image: there is nothing to score".to_owned()]
        } else {
            Vec::new()
        }
    }
}

fn conventions() -> Vec<String> {
    vec![
        "A predicted and a true segment match when they are of the same class and their IoU is above 0.5, without the pixels of the prediction where the truth has no segment (void).".to_owned(),
        "PQ = sum of the IoUs of the matched / (TP + FP / 2 + FN / 2) of a class, the segments of all images together; SQ = mean IoU of the matched; RQ = TP / (TP + FP / 2 + FN / 2). PQ, SQ and RQ without a class are means over the classes with TP + FP + FN > 0; things and stuff are the same over the classes of that kind, n of them.".to_owned(),
        "Crowds of the truth are not to be found. A prediction without a partner is left out when more than half of it lies in void and crowds of its class.".to_owned(),
        "per_image: PQ of the image's own counts, mean over the classes that occur in it; an image where none does scores 1.".to_owned(),
        "mean_iou: IoU of the pixels of all images by class, objects of a class and crowds taken together, void left out; a pixel of no predicted segment is a miss. Mean over the classes in truth or prediction.".to_owned(),
        format!("PQ_ci95: percentile bootstrap over images, {RESAMPLES} resamples, seed 0."),
    ]
}
