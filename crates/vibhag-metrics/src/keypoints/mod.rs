//! How well people's keypoints are found: COCO's average precision by object keypoint similarity, and the percentage of
//! correct keypoints.
//!
//! An image is matched when it is added, so an evaluation keeps numbers, and parts of it merge.

pub mod builder;
pub mod evaluation;
pub mod pck;
pub mod registry;

mod conventions;
mod matching;
mod summary;

pub use builder::{KeypointEvaluationBuilder, MAX_PEOPLE};
pub use evaluation::{JointScore, KeypointEvaluation, KeypointImageScore};
pub use matching::match_people;
pub use pck::{PCK_ALPHA, PCK_ALPHAS, PckReference, reference_length};
pub use registry::{KEYPOINT_METRICS, KeypointMetric};
