//! The result of an evaluation, as `vibhag evaluate --json` prints it. The field names are the
//! contract with scripts that read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bootstrap::Interval;

/// Scores of a set of predictions against the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Number of images.
    pub images: usize,
    /// Pooled scores per class, in label order, background included.
    pub classes: Vec<ClassScore>,
    /// Mean of the pooled IoU over the classes present in truth or prediction.
    pub mean_iou: f64,
    /// Mean over images of the image's Dice.
    pub dice_per_image: f64,
    /// Bootstrap 95% confidence interval of `dice_per_image`; absent with fewer than two images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dice_per_image_ci95: Option<Interval>,
    /// Mean over images of the image's IoU.
    pub iou_per_image: f64,
    /// Mean over images of the image's boundary IoU.
    #[serde(default)]
    pub boundary_iou: f64,
    /// Dice of the counts of all images together.
    pub dice_pooled: f64,
    /// IoU of the counts of all images together.
    pub iou_pooled: f64,
    /// Mean over images of the IoU, counted as 0 below 0.65.
    pub threshold_jaccard: f64,
    /// Share of all valid pixels with the right class.
    pub pixel_accuracy: f64,
    /// Every image, worst Dice first.
    pub per_image: Vec<ImageScore>,
    /// Scores by diagnosis, where it is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_diagnosis: BTreeMap<String, GroupScore>,
    /// Pixel counts by true and predicted class.
    pub confusion: Confusion,
    /// How the figures are defined, in sentences.
    pub conventions: Vec<String>,
    /// What a reader must know before trusting the figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Pooled scores of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// The class.
    pub name: String,
    /// Intersection over union.
    pub iou: f64,
    /// Dice coefficient.
    pub dice: f64,
    /// Share of the predicted pixels that are right.
    pub precision: f64,
    /// Share of the true pixels that were found.
    pub recall: f64,
    /// Pixels of the class in the truth.
    pub truth_pixels: u64,
    /// Pixels of the class in the prediction.
    pub predicted_pixels: u64,
}

/// Scores of one image: of the foreground class, or the mean over the classes present.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageScore {
    /// The image's identifier.
    pub image: String,
    /// Dice coefficient.
    pub dice: f64,
    /// Intersection over union.
    pub iou: f64,
    /// IoU of the pixels near the outlines (Cheng et al., CVPR 2021).
    #[serde(default)]
    pub boundary_iou: f64,
    /// Share of the predicted pixels that are right.
    pub precision: f64,
    /// Share of the true pixels that were found.
    pub recall: f64,
    /// What else is known about the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Scores of the images that share a diagnosis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupScore {
    /// Number of images.
    pub images: usize,
    /// Mean over images of the image's Dice.
    pub dice_per_image: f64,
    /// Mean over images of the image's IoU.
    pub iou_per_image: f64,
}

/// The confusion matrix with its class names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// The classes in label order.
    pub classes: Vec<String>,
    /// `counts[truth][prediction]`, in pixels.
    pub counts: Vec<Vec<u64>>,
    /// Valid pixels by true class whose prediction is void.
    pub unassigned: Vec<u64>,
}
