//! Panoptic quality (Kirillov et al., "Panoptic Segmentation", CVPR 2019): things and stuff in one figure.

pub mod builder;
pub mod evaluation;
pub mod matching;
pub mod quality;

pub use builder::PanopticEvaluationBuilder;
pub use evaluation::{PanopticClassScore, PanopticEvaluation, PanopticImageScore, PanopticMean};
pub use matching::match_segments;
pub use quality::PanopticCounts;
