//! The figures of objects that help texts and tables list.

use super::evaluation::InstanceEvaluation;

/// A figure over all images: name, one line of explanation, and where to find it.
#[derive(Debug, Clone, Copy)]
pub struct InstanceMetric {
    /// The key under which it is printed.
    pub name: &'static str,
    /// What it is, for people.
    pub summary: &'static str,
    /// Its value; `None` where there is nothing to compute it from.
    pub value: fn(&InstanceEvaluation) -> Option<f64>,
}

const fn metric(
    name: &'static str,
    summary: &'static str,
    value: fn(&InstanceEvaluation) -> Option<f64>,
) -> InstanceMetric {
    InstanceMetric { name, summary, value }
}

/// The figures in the order in which they are printed.
pub const INSTANCE_METRICS: &[InstanceMetric] = &[
    metric("ap_dsb_mean", "TP / (TP + FP + FN), mean over IoU thresholds 0.50 to 0.95, all images together", |e| {
        Some(e.ap_dsb_mean)
    }),
    metric("ap_dsb_by_image", "the same for each image, then the mean over images (2018 Data Science Bowl)", |e| {
        Some(e.ap_dsb_by_image)
    }),
    metric("AP", "COCO's average precision of masks, mean over IoU thresholds 0.50 to 0.95", |e| e.ap),
    metric("AP50", "COCO's average precision of masks at IoU 0.50", |e| e.ap50),
    metric("AP75", "COCO's average precision of masks at IoU 0.75", |e| e.ap75),
    metric("AP_small", "AP of objects of at most 32 x 32 pixels", |e| e.ap_small),
    metric("AP_medium", "AP of objects of 32 x 32 to 96 x 96 pixels", |e| e.ap_medium),
    metric("AP_large", "AP of objects of at least 96 x 96 pixels", |e| e.ap_large),
    metric("AR", "COCO's average recall of masks", |e| e.ar),
    metric("AP_bbox", "COCO's average precision of bounding boxes", |e| e.ap_bbox),
    metric("AP50_bbox", "COCO's average precision of bounding boxes at IoU 0.50", |e| e.ap50_bbox),
    metric("AP_boundary", "AP with the smaller of mask IoU and boundary IoU", |e| e.ap_boundary),
    metric("precision50", "share of the predicted objects that are right at IoU 0.50", |e| Some(e.precision50)),
    metric("recall50", "share of the true objects that were found at IoU 0.50", |e| Some(e.recall50)),
    metric("f1_50", "harmonic mean of precision50 and recall50", |e| Some(e.f1_50)),
    metric("mean_matched_iou", "mean IoU of the objects matched at IoU 0.50", |e| e.mean_matched_iou),
    metric("count_mae", "mean over images of |predicted - true| objects", |e| Some(e.count_mae)),
    metric("count_error", "mean over images with objects of |predicted - true| / true", |e| e.count_error),
    metric("count_bias", "mean over images of predicted - true objects", |e| Some(e.count_bias)),
];
