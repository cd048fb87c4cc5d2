//! The figures of keypoints that help texts and tables list.

use super::evaluation::KeypointEvaluation;

/// A figure over all images: name, one line of explanation, and where to find it.
#[derive(Debug, Clone, Copy)]
pub struct KeypointMetric {
    /// The key under which it is printed.
    pub name: &'static str,
    /// What it is, for people.
    pub summary: &'static str,
    /// Its value; `None` where there is nothing to compute it from.
    pub value: fn(&KeypointEvaluation) -> Option<f64>,
}

const fn metric(
    name: &'static str,
    summary: &'static str,
    value: fn(&KeypointEvaluation) -> Option<f64>,
) -> KeypointMetric {
    KeypointMetric { name, summary, value }
}

/// The figures in the order in which they are printed.
pub const KEYPOINT_METRICS: &[KeypointMetric] = &[
    metric("AP", "COCO's average precision of poses, mean over similarities (OKS) of 0.50 to 0.95", |e| e.ap),
    metric("AP50", "COCO's average precision of poses at a similarity of 0.50", |e| e.ap50),
    metric("AP75", "COCO's average precision of poses at a similarity of 0.75", |e| e.ap75),
    metric("AP_medium", "AP of people of 32 x 32 to 96 x 96 pixels", |e| e.ap_medium),
    metric("AP_large", "AP of people of at least 96 x 96 pixels", |e| e.ap_large),
    metric("AR", "COCO's average recall of poses", |e| e.ar),
    metric("AR50", "recall of poses at a similarity of 0.50", |e| e.ar50),
    metric("AR75", "recall of poses at a similarity of 0.75", |e| e.ar75),
    metric("AR_medium", "AR of people of 32 x 32 to 96 x 96 pixels", |e| e.ar_medium),
    metric("AR_large", "AR of people of at least 96 x 96 pixels", |e| e.ar_large),
    metric("pck@0.2", "share of the labelled keypoints within 0.2 of the reference length", |e| e.pck),
    metric("mean_oks", "mean over people of the similarity to the prediction taken for them", |e| e.mean_oks),
];
