//! Panoptic quality (Kirillov et al., "Panoptic Segmentation", CVPR 2019): things and stuff in one figure.

pub mod evaluation;

pub use evaluation::{PanopticClassScore, PanopticEvaluation, PanopticImageScore, PanopticMean};
