//! The result of an evaluation of keypoints, as `vibhag evaluate --json` prints it. The field names are the contract with
//! scripts that read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pck::PckReference;
use crate::bootstrap::Interval;

/// Scores of predicted poses against the true ones.
///
/// A figure that is `None` (null) has nothing to be computed from, such as `AP_large` without a large person.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KeypointEvaluation {
    /// The skeleton.
    pub skeleton: String,
    /// Number of images.
    pub images: usize,
    /// True people with a labelled keypoint, of all images.
    pub people_truth: u64,
    /// Predicted people of all images, without those in crowds and on people without labels.
    pub people_predicted: u64,

    /// COCO's average precision, mean over the similarity thresholds 0.50 to 0.95.
    #[serde(rename = "AP")]
    pub ap: Option<f64>,
    /// The same at a similarity of 0.50.
    #[serde(rename = "AP50")]
    pub ap50: Option<f64>,
    /// The same at a similarity of 0.75.
    #[serde(rename = "AP75")]
    pub ap75: Option<f64>,
    /// `AP` of people of 32 x 32 to 96 x 96 pixels.
    #[serde(rename = "AP_medium")]
    pub ap_medium: Option<f64>,
    /// `AP` of people of at least 96 x 96 pixels.
    #[serde(rename = "AP_large")]
    pub ap_large: Option<f64>,
    /// COCO's average recall, mean over the similarity thresholds 0.50 to 0.95.
    #[serde(rename = "AR")]
    pub ar: Option<f64>,
    /// The recall at a similarity of 0.50.
    #[serde(rename = "AR50")]
    pub ar50: Option<f64>,
    /// The recall at a similarity of 0.75.
    #[serde(rename = "AR75")]
    pub ar75: Option<f64>,
    /// `AR` of people of 32 x 32 to 96 x 96 pixels.
    #[serde(rename = "AR_medium")]
    pub ar_medium: Option<f64>,
    /// `AR` of people of at least 96 x 96 pixels.
    #[serde(rename = "AR_large")]
    pub ar_large: Option<f64>,

    /// Share of the labelled keypoints that lie within 0.2 of the reference length.
    #[serde(rename = "pck@0.2")]
    pub pck: Option<f64>,
    /// Bootstrap 95% confidence interval of it; absent with fewer than two images.
    #[serde(rename = "pck@0.2_ci95", default, skip_serializing_if = "Option::is_none")]
    pub pck_ci95: Option<Interval>,
    /// The same for several shares of the reference length: keys "0.05", "0.10", "0.20", "0.50".
    pub pck_by_alpha: BTreeMap<String, f64>,
    /// The length to which errors are compared.
    pub pck_reference: PckReference,

    /// Mean over the true people of the similarity to the prediction taken for them, 0 where there is none.
    pub mean_oks: Option<f64>,

    /// Every keypoint of the skeleton, in its order.
    pub joints: Vec<JointScore>,
    /// Every image, worst first.
    pub per_image: Vec<KeypointImageScore>,
    /// How the figures are defined, in sentences.
    pub conventions: Vec<String>,
    /// What a reader must know before trusting the figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How well one keypoint is found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JointScore {
    /// The keypoint.
    pub name: String,
    /// On how many people it is labelled, of those who have the reference length.
    pub labelled: u64,
    /// On how many of these it was found at all.
    pub found: u64,
    /// Share of the labelled ones within 0.2 of the reference length.
    pub pck: Option<f64>,
    /// Mean error of the found ones, in reference lengths.
    pub mean_error: Option<f64>,
}

/// Scores of one image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KeypointImageScore {
    /// The image's identifier.
    pub image: String,
    /// True people with a labelled keypoint.
    pub people_truth: u64,
    /// Predicted people that count.
    pub people_predicted: u64,
    /// People found, at a similarity of 0.50.
    pub tp: u64,
    /// Predictions of nobody.
    pub fp: u64,
    /// People not found.
    #[serde(rename = "fn")]
    pub fn_: u64,
    /// Mean over the true people of the similarity to the prediction taken for them. Without people 1 if nobody is
    /// predicted, else 0.
    pub oks: f64,
    /// Share of the labelled keypoints that lie within 0.2 of the reference length.
    pub pck: Option<f64>,
    /// What else is known about the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}
