//! Encoders: from an image to feature maps of falling resolution. An encoder knows nothing of
//! decoders; it reports the channels and the stride of each map.

mod efficientnet_lite;
mod plain;
mod registry;
mod resnet;
mod vgg;

use burn::module::Module;
use burn::tensor::{Int, Tensor};

pub use efficientnet_lite::EfficientNetLite;
pub use plain::PlainEncoder;
pub use registry::{ENCODERS, EncoderInfo, PretrainedInfo, encoder_info};
pub use resnet::ResNet;
pub use vgg::Vgg;

/// Channels of a feature map, and how many input pixels one of its pixels stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureSpec {
    /// Channels.
    pub channels: usize,
    /// Input pixels per feature pixel, along each side.
    pub stride: usize,
}

/// What an encoder computes from a batch.
#[derive(Debug)]
pub struct Features {
    /// Maps [N, C, H / stride, W / stride], finest first.
    pub maps: Vec<Tensor<4>>,
    /// For encoders with 2x2 max pooling, where the maxima were (indices into the plane before
    /// pooling), finest first; empty unless asked for.
    pub pool_indices: Vec<Tensor<4, Int>>,
}

/// Any encoder.
#[derive(Module, Debug)]
pub enum Encoder {
    /// Double convolutions and max pooling.
    Plain(PlainEncoder),
    /// VGG-16 with batch normalisation.
    Vgg(Vgg),
    /// ResNet-18 or -34.
    ResNet(ResNet),
    /// EfficientNet-Lite0.
    EfficientNetLite(EfficientNetLite),
}

impl Encoder {
    /// The maps that [`Encoder::forward`] returns, finest first.
    pub fn specs(&self) -> Vec<FeatureSpec> {
        match self {
            Self::Plain(encoder) => encoder.specs(),
            Self::Vgg(encoder) => encoder.specs(),
            Self::ResNet(_) => ResNet::specs(),
            Self::EfficientNetLite(_) => EfficientNetLite::specs(),
        }
    }

    /// Computes the maps of `x` [N, C, H, W]; sides are multiples of the largest stride.
    /// `keep_indices` asks for the positions of pooling maxima.
    pub fn forward(&self, x: Tensor<4>, keep_indices: bool) -> Features {
        match self {
            Self::Plain(encoder) => maps_only(encoder.forward(x)),
            Self::Vgg(encoder) => encoder.forward(x, keep_indices),
            Self::ResNet(encoder) => maps_only(encoder.forward(x)),
            Self::EfficientNetLite(encoder) => maps_only(encoder.forward(x)),
        }
    }
}

fn maps_only(maps: Vec<Tensor<4>>) -> Features {
    Features { maps, pool_indices: Vec::new() }
}

pub(crate) fn doubling_specs(channels: &[usize], first_stride: usize) -> Vec<FeatureSpec> {
    channels
        .iter()
        .enumerate()
        .map(|(level, &channels)| FeatureSpec { channels, stride: first_stride << level })
        .collect()
}
