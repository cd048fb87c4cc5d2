//! Gathers images one by one, or in parts that are merged, into an [`Evaluation`].

use std::collections::BTreeMap;

use vibhag_core::{ClassTable, Error, LabelMap, Result};

use crate::bootstrap::bootstrap_mean;
use crate::boundary::{BOUNDARY_RATIO, boundary_counts};
use crate::confusion::ConfusionMatrix;
use crate::counts::Counts;
use crate::evaluation::{ClassScore, Confusion, Evaluation, GroupScore, ImageScore};
use crate::functions::{self, mean, threshold_jaccard};

/// The tag by which images are grouped in [`Evaluation::by_diagnosis`].
const DIAGNOSIS: &str = "diagnosis";
const RESAMPLES: usize = 1000;
/// Label of the foreground in a binary task.
const FOREGROUND: usize = 1;

/// Accumulates an evaluation: pooled counts and a row per image.
///
/// The result depends on the set of images only, not on their order or on how they were split
/// over merged builders.
#[derive(Debug, Clone)]
pub struct EvaluationBuilder {
    classes: ClassTable,
    pooled: ConfusionMatrix,
    rows: Vec<ImageScore>,
}

impl EvaluationBuilder {
    /// An empty evaluation over `classes`; the table's void label is left out of every count.
    pub fn new(classes: ClassTable) -> Self {
        let pooled = ConfusionMatrix::new(classes.len());
        Self { classes, pooled, rows: Vec::new() }
    }

    /// Scores one image, at the size of its masks, and returns its row.
    ///
    /// # Errors
    /// When the sizes differ or a label is not in the class table; the image is not counted then.
    pub fn add_image(
        &mut self,
        id: &str,
        tags: &BTreeMap<String, String>,
        truth: &LabelMap,
        prediction: &LabelMap,
    ) -> Result<&ImageScore> {
        truth.same_size(prediction, &format!("truth and prediction of {id}"))?;
        let mut matrix = ConfusionMatrix::new(self.classes.len());
        matrix.add(truth.labels(), prediction.labels(), self.classes.ignore).map_err(|mut error| {
            error.what = format!("{id}: {}", error.what);
            error
        })?;
        self.pooled.merge(&matrix)?;
        let row = ImageScore {
            image: id.to_owned(),
            dice: self.score(&matrix, functions::dice),
            iou: self.score(&matrix, functions::iou),
            boundary_iou: self.boundary(truth, prediction),
            precision: self.score(&matrix, functions::precision),
            recall: self.score(&matrix, functions::recall),
            tags: tags.clone(),
        };
        let index = self.rows.len();
        self.rows.push(row);
        Ok(&self.rows[index])
    }

    /// Takes over the images of `other`.
    ///
    /// # Errors
    /// When the class tables differ.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        if self.classes != other.classes {
            return Err(Error::config("evaluations over different class tables cannot be merged"));
        }
        self.pooled.merge(&other.pooled)?;
        self.rows.extend(other.rows);
        Ok(())
    }

    /// Number of images so far.
    pub fn images(&self) -> usize {
        self.rows.len()
    }

    /// The pooled counts so far.
    pub fn confusion(&self) -> &ConfusionMatrix {
        &self.pooled
    }

    /// The evaluation. Without any image every figure is 0.
    pub fn finish(mut self) -> Evaluation {
        self.rows.sort_by(|a, b| {
            a.dice.total_cmp(&b.dice).then(a.iou.total_cmp(&b.iou)).then_with(|| a.image.cmp(&b.image))
        });
        let rows = &self.rows;
        let pooled = &self.pooled;
        // Perfect scores on no data would be taken for a result.
        let or_zero = |value: f64| if rows.is_empty() { 0.0 } else { value };
        let dice: Vec<f64> = rows.iter().map(|row| row.dice).collect();
        let classes = self.class_scores();
        Evaluation {
            images: rows.len(),
            notes: one_class_everywhere(&classes).into_iter().collect(),
            classes,
            mean_iou: or_zero(pooled.mean_iou()),
            dice_per_image: mean(dice.iter().copied()),
            dice_per_image_ci95: bootstrap_mean(&dice, RESAMPLES, 0.95, 0),
            iou_per_image: mean(rows.iter().map(|row| row.iou)),
            boundary_iou: mean(rows.iter().map(|row| row.boundary_iou)),
            dice_pooled: or_zero(self.score(pooled, functions::dice)),
            iou_pooled: or_zero(self.score(pooled, functions::iou)),
            threshold_jaccard: mean(rows.iter().map(|row| threshold_jaccard(row.iou))),
            pixel_accuracy: or_zero(pooled.pixel_accuracy()),
            by_diagnosis: by_diagnosis(rows),
            confusion: Confusion {
                classes: self.classes.names(),
                counts: pooled.rows(),
                unassigned: pooled.unassigned().to_vec(),
            },
            conventions: conventions(&self.classes),
            per_image: self.rows,
        }
    }

    /// The foreground's score in a binary task, the mean over the classes present otherwise.
    fn score(&self, matrix: &ConfusionMatrix, metric: fn(Counts) -> f64) -> f64 {
        if self.classes.is_binary() { metric(matrix.counts(FOREGROUND)) } else { matrix.mean_over_present(metric) }
    }

    /// The boundary IoU of the foreground in a binary task, the mean over the classes whose boundaries are in truth or
    /// prediction otherwise.
    fn boundary(&self, truth: &LabelMap, prediction: &LabelMap) -> f64 {
        let counts = boundary_counts(truth, prediction, self.classes.len(), self.classes.ignore);
        if self.classes.is_binary() {
            return counts.get(FOREGROUND).map_or(1.0, |&counts| functions::iou(counts));
        }
        mean(counts.into_iter().filter(Counts::is_present).map(functions::iou))
    }

    fn class_scores(&self) -> Vec<ClassScore> {
        self.classes
            .names()
            .into_iter()
            .enumerate()
            .map(|(class, name)| {
                let counts = self.pooled.counts(class);
                let or_zero = |value: f64| if self.rows.is_empty() { 0.0 } else { value };
                ClassScore {
                    name,
                    iou: or_zero(functions::iou(counts)),
                    dice: or_zero(functions::dice(counts)),
                    precision: or_zero(functions::precision(counts)),
                    recall: or_zero(functions::recall(counts)),
                    truth_pixels: counts.truth(),
                    predicted_pixels: counts.predicted(),
                }
            })
            .collect()
    }
}

/// Says so when nearly every pixel is given to one class that covers much less in truth: a mean can hide it.
fn one_class_everywhere(classes: &[ClassScore]) -> Option<String> {
    let share = |pixels: fn(&ClassScore) -> u64, class: &ClassScore| {
        pixels(class) as f64 / classes.iter().map(pixels).sum::<u64>().max(1) as f64
    };
    let found = classes
        .iter()
        .find(|class| share(|c| c.predicted_pixels, class) >= 0.97 && share(|c| c.truth_pixels, class) <= 0.8)?;
    Some(format!(
        "nearly every pixel was taken for {:?} ({:.0} % in truth): this model has not learned to tell the classes apart",
        found.name,
        100.0 * share(|c| c.truth_pixels, found)
    ))
}

fn by_diagnosis(rows: &[ImageScore]) -> BTreeMap<String, GroupScore> {
    let mut groups: BTreeMap<&str, Vec<&ImageScore>> = BTreeMap::new();
    for row in rows {
        if let Some(diagnosis) = row.tags.get(DIAGNOSIS) {
            groups.entry(diagnosis).or_default().push(row);
        }
    }
    groups
        .into_iter()
        .map(|(diagnosis, members)| {
            let score = GroupScore {
                images: members.len(),
                dice_per_image: mean(members.iter().map(|row| row.dice)),
                iou_per_image: mean(members.iter().map(|row| row.iou)),
            };
            (diagnosis.to_owned(), score)
        })
        .collect()
}

fn conventions(classes: &ClassTable) -> Vec<String> {
    let what = if classes.is_binary() {
        format!(
            "Binary task: dice_*, iou_*, threshold_jaccard and per_image are of the foreground class {:?}; mean_iou averages background and foreground.",
            classes.classes[FOREGROUND].name
        )
    } else {
        "Multi-class task: dice_*, iou_*, threshold_jaccard and per_image are means over the classes present in truth or prediction (of the image, or of all images for *_pooled), background included.".to_owned()
    };
    let void = match classes.ignore {
        Some(label) => format!(
            "Void: pixels whose truth is {label} are excluded from every count; a valid pixel predicted as {label} is a miss."
        ),
        None => "Void: no label is void, every pixel counts.".to_owned(),
    };
    vec![
        what,
        "Per image: each image is scored at the size of its masks, then images are averaged with equal weight. Pooled: pixel counts of all images are added first, with one division at the end.".to_owned(),
        "Empty masks: a class absent from both truth and prediction scores 1 in iou, dice, precision and recall; a class absent from only one of them scores 0.".to_owned(),
        "mean_iou: pooled IoU averaged over the classes present in truth or prediction; a class absent from both does not enter the mean.".to_owned(),
        void,
        "threshold_jaccard: mean over images of the IoU, counted as 0 where it is below 0.65.".to_owned(),
        format!(
            "boundary_iou: IoU of the pixels of each mask that lie within {:.0} % of the image's diagonal of its outline, \
             the image's border included (Cheng et al., CVPR 2021), averaged over images.",
            100.0 * BOUNDARY_RATIO
        ),
        format!("dice_per_image_ci95: percentile bootstrap over images, {RESAMPLES} resamples, seed 0."),
        "confusion.counts: rows are true classes, columns are predicted classes, in pixels.".to_owned(),
    ]
}
