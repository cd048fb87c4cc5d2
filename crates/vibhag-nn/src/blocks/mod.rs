//! Building blocks. Names of fields are the names that published PyTorch checkpoints use.

mod basic_block;
mod buffer;
mod conv;
mod mbconv;
mod norm;
mod padding;
mod sequential;
mod upsample;

pub use basic_block::BasicBlock;
pub use buffer::Buffer;
pub use conv::{Conv2d, ConvSpec, ConvTranspose2d, Padding};
pub use mbconv::{MbConv, MbConvSpec};
pub use norm::{BatchNorm, conv_norm};
pub use padding::{crop, crop_planes, pad_planes, pad_to_multiple, padded_size};
pub use sequential::{Layer, Order, Sequential, conv_stack};
pub use upsample::Upsampling;
