//! The result of a panoptic evaluation, as `vibhag evaluate --json` prints it. The field names are the contract with
//! scripts that read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bootstrap::Interval;

/// Scores of predicted segments against the true ones: PQ = SQ x RQ of each class, then the mean over classes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PanopticEvaluation {
    /// Number of images.
    pub images: usize,
    /// Panoptic quality, mean over the classes that occur.
    #[serde(rename = "PQ")]
    pub pq: f64,
    /// Segmentation quality, the mean IoU of matched segments, mean over the classes that occur.
    #[serde(rename = "SQ")]
    pub sq: f64,
    /// Recognition quality, the F1 of the segments, mean over the classes that occur.
    #[serde(rename = "RQ")]
    pub rq: f64,
    /// Bootstrap 95% confidence interval of `PQ`; absent with fewer than two images.
    #[serde(default, rename = "PQ_ci95", skip_serializing_if = "Option::is_none")]
    pub pq_ci95: Option<Interval>,
    /// The means over the thing classes.
    pub things: PanopticMean,
    /// The means over the stuff classes.
    pub stuff: PanopticMean,
    /// Mean over the classes of the pooled IoU of pixels, objects of a class taken together.
    pub mean_iou: f64,
    /// Every class, in label order.
    pub classes: Vec<PanopticClassScore>,
    /// Every image, worst first.
    pub per_image: Vec<PanopticImageScore>,
    /// How the figures are defined, in sentences.
    pub conventions: Vec<String>,
    /// What a reader must know before trusting the figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Means over the classes of a kind that occur in truth or prediction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PanopticMean {
    /// Panoptic quality; 0 where `n` is 0.
    #[serde(rename = "PQ")]
    pub pq: f64,
    /// Segmentation quality; 0 where `n` is 0.
    #[serde(rename = "SQ")]
    pub sq: f64,
    /// Recognition quality; 0 where `n` is 0.
    #[serde(rename = "RQ")]
    pub rq: f64,
    /// Number of classes that were averaged.
    pub n: usize,
}

/// Scores of one class over all images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PanopticClassScore {
    /// The class.
    pub name: String,
    /// Whether it has objects.
    pub thing: bool,
    /// Panoptic quality; 0 for a class that does not occur (TP + FP + FN = 0), which enters no mean.
    #[serde(rename = "PQ")]
    pub pq: f64,
    /// Mean IoU of the matched segments.
    #[serde(rename = "SQ")]
    pub sq: f64,
    /// TP / (TP + FP / 2 + FN / 2).
    #[serde(rename = "RQ")]
    pub rq: f64,
    /// Matched pairs.
    #[serde(rename = "TP")]
    pub tp: u64,
    /// Predicted segments without a partner.
    #[serde(rename = "FP")]
    pub fp: u64,
    /// True segments without a partner.
    #[serde(rename = "FN")]
    pub fn_: u64,
}

/// Scores of one image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PanopticImageScore {
    /// The image's identifier.
    pub image: String,
    /// Panoptic quality, mean over the classes in truth or prediction of the image.
    #[serde(rename = "PQ")]
    pub pq: f64,
    /// Matched pairs.
    pub tp: u64,
    /// Predicted segments without a partner.
    pub fp: u64,
    /// True segments without a partner.
    #[serde(rename = "fn")]
    pub fn_: u64,
    /// What else is known about the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}
