//! The result of an evaluation of objects, as `vibhag evaluate --json` prints it. The field names are the contract
//! with scripts that read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bootstrap::Interval;

/// Scores of predicted objects against the true ones.
///
/// A figure that is `None` (null) has nothing to be computed from, such as `AP_small` without a small object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceEvaluation {
    /// Number of images.
    pub images: usize,
    /// True objects of all images.
    pub objects_truth: u64,
    /// Predicted objects of all images.
    pub objects_predicted: u64,

    /// TP / (TP + FP + FN) of all images together, by IoU threshold: keys "0.50", "0.55" to "0.95".
    pub ap_dsb: BTreeMap<String, f64>,
    /// Mean of `ap_dsb` over its ten thresholds.
    pub ap_dsb_mean: f64,
    /// Mean over images of the image's mean over the ten thresholds (the 2018 Data Science Bowl).
    pub ap_dsb_by_image: f64,
    /// Bootstrap 95% confidence interval of `ap_dsb` at 0.50; absent with fewer than two images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ap_dsb_50_ci95: Option<Interval>,

    /// COCO's average precision of masks, mean over the IoU thresholds 0.50 to 0.95.
    #[serde(rename = "AP")]
    pub ap: Option<f64>,
    /// The same at IoU 0.50.
    #[serde(rename = "AP50")]
    pub ap50: Option<f64>,
    /// The same at IoU 0.75.
    #[serde(rename = "AP75")]
    pub ap75: Option<f64>,
    /// `AP` of objects of at most 32 x 32 pixels.
    #[serde(rename = "AP_small")]
    pub ap_small: Option<f64>,
    /// `AP` of objects of 32 x 32 to 96 x 96 pixels.
    #[serde(rename = "AP_medium")]
    pub ap_medium: Option<f64>,
    /// `AP` of objects of at least 96 x 96 pixels.
    #[serde(rename = "AP_large")]
    pub ap_large: Option<f64>,
    /// COCO's average recall of masks, mean over the IoU thresholds 0.50 to 0.95.
    #[serde(rename = "AR")]
    pub ar: Option<f64>,
    /// `AP` with the IoU of the bounding boxes.
    #[serde(rename = "AP_bbox")]
    pub ap_bbox: Option<f64>,
    /// `AP50` with the IoU of the bounding boxes.
    #[serde(rename = "AP50_bbox")]
    pub ap50_bbox: Option<f64>,
    /// `AP` with the smaller of mask IoU and boundary IoU.
    #[serde(rename = "AP_boundary")]
    pub ap_boundary: Option<f64>,

    /// Mean over images of |predicted - true| objects.
    pub count_mae: f64,
    /// Mean over the images that have objects of |predicted - true| / true.
    pub count_error: Option<f64>,
    /// Mean over images of predicted - true objects: above 0, too many are found.
    pub count_bias: f64,

    /// Share of the predicted objects that match a true one at IoU 0.50.
    pub precision50: f64,
    /// Share of the true objects that are matched at IoU 0.50.
    pub recall50: f64,
    /// Harmonic mean of the two.
    pub f1_50: f64,
    /// Mean IoU of the pairs matched at IoU 0.50.
    pub mean_matched_iou: Option<f64>,

    /// Every thing class, in label order.
    pub classes: Vec<InstanceClassScore>,
    /// Objects counted in every image, by name of the image.
    pub counts: Vec<CountPair>,
    /// Areas of the pairs matched at IoU 0.50, by true area; evenly thinned where there are too many to draw.
    pub sizes: Vec<SizePair>,
    /// Areas of all true and all predicted objects.
    pub size_histogram: SizeHistogram,
    /// Every image, worst first.
    pub per_image: Vec<InstanceImageScore>,
    /// How the figures are defined, in sentences.
    pub conventions: Vec<String>,
    /// What a reader must know before trusting the figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Scores of one class over all images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceClassScore {
    /// The class.
    pub name: String,
    /// COCO's average precision of masks; `None` for a class without a true object.
    #[serde(rename = "AP")]
    pub ap: Option<f64>,
    /// The same at IoU 0.50.
    #[serde(rename = "AP50")]
    pub ap50: Option<f64>,
    /// True objects.
    pub objects_truth: u64,
    /// Predicted objects.
    pub objects_predicted: u64,
    /// Pairs matched at IoU 0.50.
    pub tp: u64,
    /// Predicted objects without a partner.
    pub fp: u64,
    /// True objects without a partner.
    #[serde(rename = "fn")]
    pub fn_: u64,
}

/// How many objects an image has, and how many were predicted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountPair {
    /// The image's identifier.
    pub image: String,
    /// True objects.
    pub truth: u64,
    /// Predicted objects.
    pub predicted: u64,
}

/// Areas of two matched objects, in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SizePair {
    /// Area of the true object.
    pub truth: u64,
    /// Area of the predicted object.
    pub predicted: u64,
}

/// How many objects there are of which area. The edges of the bins have a constant ratio.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SizeHistogram {
    /// Rising edges of the bins in pixels, one more than bins; a bin holds its lower edge. Empty without objects.
    pub edges: Vec<f64>,
    /// True objects in each bin.
    pub truth: Vec<u64>,
    /// Predicted objects in each bin.
    pub predicted: Vec<u64>,
}

/// Scores of one image, matched at IoU 0.50.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceImageScore {
    /// The image's identifier.
    pub image: String,
    /// True objects.
    pub objects_truth: u64,
    /// Predicted objects.
    pub objects_predicted: u64,
    /// Matched pairs.
    pub tp: u64,
    /// Predicted objects without a partner.
    pub fp: u64,
    /// True objects without a partner.
    #[serde(rename = "fn")]
    pub fn_: u64,
    /// TP / (TP + FP + FN) at IoU 0.50.
    pub ap50: f64,
    /// Mean of TP / (TP + FP + FN) over the IoU thresholds 0.50 to 0.95.
    pub ap_mean: f64,
    /// What else is known about the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}
