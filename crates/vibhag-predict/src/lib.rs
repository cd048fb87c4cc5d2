//! From a model bundle and images to masks: windows, test-time augmentation, outputs.
//!
//! ```no_run
//! use std::path::Path;
//! use vibhag_nn::device::DeviceChoice;
//! use vibhag_predict::{PredictOptions, Predictor};
//!
//! # fn main() -> vibhag_core::Result<()> {
//! # let image = vibhag_core::Image::from_u8(1, 1, 1, vec![0])?;
//! let predictor = Predictor::load(Path::new("run"), DeviceChoice::Cpu, PredictOptions::default())?;
//! let prediction = predictor.predict(&image)?;
//! assert_eq!(prediction.labels.width(), image.width());
//! # Ok(())
//! # }
//! ```

pub mod outputs;
pub mod pose;
pub mod timing;

mod input;
mod plan;
mod planned;
mod pose_model;
mod prediction;
mod predictor;
mod runner;
mod selfie;
mod sink;
mod whole;
mod window;
mod zoom;

pub use plan::Plan;
pub use pose_model::{PoseMaps, PoseModel, PoseOptions};
pub use prediction::Prediction;
pub use predictor::{PredictOptions, Predictor};
pub use selfie::SelfiePredictor;
