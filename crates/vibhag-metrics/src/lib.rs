//! Segmentation metrics: pure functions of counts, mergeable accumulators of counts, and the evaluation objects that
//! `vibhag evaluate --json` prints.
//!
//! - Classes of pixels: [`EvaluationBuilder`] gives an [`Evaluation`] (IoU, Dice and their like).
//! - Objects: [`InstanceEvaluationBuilder`] gives an [`InstanceEvaluation`] (COCO's average precision, that of the Data
//!   Science Bowl and StarDist, counts); [`match_objects`] says which object is which.
//! - Poses: [`KeypointEvaluationBuilder`] gives a [`KeypointEvaluation`] (COCO's average precision by the similarity of
//!   keypoints, and the percentage of correct keypoints).
//! - Things and stuff: [`PanopticEvaluationBuilder`] gives a [`PanopticEvaluation`] (panoptic quality);
//!   [`match_segments`] says which segment is which.
//!
//! Accumulators add counts and divide once at the end, so that merging parts gives the same result as scoring
//! everything in one go.

pub mod bootstrap;
pub mod bootstrap_pooled;
pub mod boundary;
pub mod confusion;
pub mod counts;
pub mod evaluation;
pub mod functions;
pub mod instances;
pub mod keypoints;
pub mod overlaps;
pub mod panoptic;

mod builder;

pub use bootstrap::{Interval, bootstrap_mean};
pub use bootstrap_pooled::bootstrap_pooled;
pub use boundary::{BOUNDARY_RATIO, boundary_distance, boundary_iou};
pub use builder::EvaluationBuilder;
pub use confusion::ConfusionMatrix;
pub use counts::Counts;
pub use evaluation::{ClassScore, Confusion, Evaluation, GroupScore, ImageScore};
pub use functions::{
    JACCARD_THRESHOLD, METRICS, Metric, dice, iou, mean, pixel_accuracy, precision, recall, threshold_jaccard,
};
pub use instances::{
    CountPair, INSTANCE_METRICS, InstanceClassScore, InstanceEvaluation, InstanceEvaluationBuilder, InstanceImageScore,
    InstanceMetric, MAX_DETECTIONS, Matching, SizeHistogram, SizePair, count_bias, count_error, count_mae,
    match_objects,
};
pub use keypoints::{
    JointScore, KEYPOINT_METRICS, KeypointEvaluation, KeypointEvaluationBuilder, KeypointImageScore, KeypointMetric,
    MAX_PEOPLE, PCK_ALPHA, PCK_ALPHAS, PckReference, match_people, reference_length,
};
pub use overlaps::{Overlap, Overlaps};
pub use panoptic::{
    PanopticClassScore, PanopticCounts, PanopticEvaluation, PanopticEvaluationBuilder, PanopticImageScore,
    PanopticMean, match_segments,
};
