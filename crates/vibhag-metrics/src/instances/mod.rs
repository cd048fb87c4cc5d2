//! How well objects are found, told apart and outlined: COCO's average precision, the average precision of the 2018
//! Data Science Bowl and StarDist, and counts.
//!
//! An image is matched when it is added, so an evaluation keeps numbers and no masks, and parts of it merge.

pub mod builder;
pub mod counting;
pub mod evaluation;
pub mod matching;
pub mod registry;

pub(crate) mod coco;

mod assignment;
mod conventions;
mod scene;
mod summary;

pub use builder::{InstanceEvaluationBuilder, MAX_DETECTIONS};
pub use counting::{MAX_SIZES, count_bias, count_error, count_mae};
pub use evaluation::{CountPair, InstanceClassScore, InstanceEvaluation, InstanceImageScore, SizeHistogram, SizePair};
pub use matching::{Matching, match_objects};
pub use registry::{INSTANCE_METRICS, InstanceMetric};

pub(crate) use scene::Pair;
