//! Segmentation networks on burn: encoder, decoder and head, their registries, losses and weights.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use vibhag_nn::NetworkConfig;
//!
//! # fn main() -> vibhag_core::Result<()> {
//! let device = Device::flex();
//! let network = NetworkConfig::new("unet-lite", None, 3, 2)?.init(&device, 0)?;
//! let logits = network.forward(Tensor::zeros([1, 3, 33, 50], &device));
//! assert_eq!(logits.dims(), [1, 2, 33, 50]);
//! # Ok(())
//! # }
//! ```

pub mod backend;
pub mod blocks;
pub mod bundle;
pub mod decoders;
pub mod device;
pub mod encoders;
pub mod engine;
pub mod heads;
pub mod import;
pub mod losses;
pub mod ops;
pub mod posenet;
pub mod selfie;
pub mod weights;

mod config;
mod init;
mod named;
mod network;
mod output;
mod registry;

pub use config::NetworkConfig;
pub use encoders::{ENCODERS, EncoderInfo, PretrainedInfo, encoder_info};
pub use engine::{Burn, Engine, Interpolation};
pub use named::{LoadReport, NamedTensor, is_statistic};
pub use network::Network;
pub use output::activate_output;
pub use posenet::PoseNet;
pub use registry::{ARCHITECTURES, ArchitectureInfo, architecture_info};
pub use selfie::SelfieNet;
