//! How well objects are found, told apart and outlined: COCO's average precision, the average precision of the 2018
//! Data Science Bowl and StarDist, and counts.

pub mod evaluation;

pub use evaluation::{CountPair, InstanceClassScore, InstanceEvaluation, InstanceImageScore, SizeHistogram, SizePair};
