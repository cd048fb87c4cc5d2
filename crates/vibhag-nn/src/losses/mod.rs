//! Losses on logits, their configuration and their registry.
//!
//! A loss is a weighted sum of terms. One softmax (or sigmoid), one one-hot encoding of the target and
//! one mask of valid pixels are shared by all terms.
//!
//! Shapes: logits `[N, C, H, W]`, target `[N, H, W]` with class indices. `C == 1` is the binary task:
//! the target is 0 or 1 and the probability is the sigmoid of the logit.

pub mod weighting;

mod bce;
mod config;
mod cross_entropy;
mod dice;
mod edge;
mod focal;
mod inputs;
mod objects;
mod overlap;
mod poses;
mod registry;
mod tversky;

pub use bce::Bce;
pub use config::{LossConfig, LossTerm};
pub use cross_entropy::CrossEntropy;
pub use dice::Dice;
pub use edge::Edge;
pub use focal::Focal;
pub use objects::ObjectLoss;
pub use overlap::Pooling;
pub use poses::PoseLoss;
pub use registry::{LOSSES, LossInfo, loss_info};
pub use tversky::Tversky;
