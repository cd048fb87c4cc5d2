//! Encoders: from an image to feature maps of falling resolution. An encoder knows nothing of
//! decoders; it reports the channels and the stride of each map.

mod efficientnet_lite;
mod mobilenet;
mod plain;
mod registry;
mod resnet;
mod vgg;

use burn::module::Module;

pub use efficientnet_lite::EfficientNetLite;
pub use mobilenet::MobileNetV1;
pub use plain::PlainEncoder;
pub use registry::{ENCODERS, EncoderInfo, PretrainedInfo, encoder_info};
pub use resnet::ResNet;
pub use vgg::Vgg;

use crate::engine::Engine;

/// Channels of a feature map, and how many input pixels one of its pixels stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureSpec {
    /// Channels.
    pub channels: usize,
    /// Input pixels per feature pixel, along each side.
    pub stride: usize,
}

/// What an encoder computes from a batch: maps [N, C, H / stride, W / stride].
pub struct Features<E: Engine> {
    /// The map of the largest stride.
    pub coarsest: E::Map,
    /// The other maps, finest first.
    pub finer: Vec<E::Map>,
    /// For encoders with 2x2 max pooling, where the maxima were, finest first; empty unless asked
    /// for.
    pub pool_indices: Vec<E::Indices>,
}

impl<E: Engine> Features<E> {
    /// All maps, finest first.
    pub fn into_maps(self) -> Vec<E::Map> {
        self.finer.into_iter().chain([self.coarsest]).collect()
    }
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
    /// MobileNetV1.
    MobileNetV1(MobileNetV1),
}

impl Encoder {
    /// The maps that [`Encoder::forward`] returns, finest first.
    pub fn specs(&self) -> Vec<FeatureSpec> {
        match self {
            Self::Plain(encoder) => encoder.specs(),
            Self::Vgg(encoder) => encoder.specs(),
            Self::ResNet(_) => ResNet::specs(),
            Self::EfficientNetLite(_) => EfficientNetLite::specs(),
            Self::MobileNetV1(_) => MobileNetV1::specs(),
        }
    }

    /// Computes the maps of `x` [N, C, H, W]; sides are multiples of the largest stride.
    /// `keep_indices` asks for the positions of pooling maxima.
    pub fn forward<E: Engine>(&self, engine: &mut E, x: E::Map, keep_indices: bool) -> Features<E> {
        match self {
            Self::Plain(encoder) => encoder.forward(engine, x),
            Self::Vgg(encoder) => encoder.forward(engine, x, keep_indices),
            Self::ResNet(encoder) => encoder.forward(engine, x),
            Self::EfficientNetLite(encoder) => encoder.forward(engine, x),
            Self::MobileNetV1(encoder) => encoder.forward(engine, x),
        }
    }
}

pub(crate) fn doubling_specs(channels: &[usize], first_stride: usize) -> Vec<FeatureSpec> {
    channels
        .iter()
        .enumerate()
        .map(|(level, &channels)| FeatureSpec { channels, stride: first_stride << level })
        .collect()
}
