//! Decoders: from feature maps to one map for the head. A decoder sees an encoder only as a list
//! of [`FeatureSpec`](crate::encoders::FeatureSpec).

mod fpn;
mod pyramid;
mod segnet;
mod unet;

use burn::module::Module;

pub use fpn::FpnDecoder;
pub use pyramid::PyramidUNet;
pub use segnet::SegNetDecoder;
pub use unet::UNetDecoder;

use crate::encoders::Features;
use crate::engine::Engine;

/// Any decoder.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a network has one decoder, so unused bytes do not matter")]
pub enum Decoder {
    /// The classical U-Net's expanding path.
    UNet(UNetDecoder),
    /// U-Net's decoder for backbone encoders.
    Pyramid(PyramidUNet),
    /// A feature pyramid's levels, summed.
    Fpn(FpnDecoder),
    /// SegNet's unpooling decoder.
    SegNet(SegNetDecoder),
}

impl Decoder {
    /// Channels of the output.
    pub fn out_channels(&self) -> usize {
        match self {
            Self::UNet(decoder) => decoder.out_channels(),
            Self::Pyramid(decoder) => decoder.out_channels(),
            Self::Fpn(decoder) => decoder.out_channels(),
            Self::SegNet(decoder) => decoder.out_channels(),
        }
    }

    /// Whether it needs the positions of the encoder's pooling maxima.
    pub fn needs_pool_indices(&self) -> bool {
        matches!(self, Self::SegNet(_))
    }

    /// One map [N, C, H, W] at the image's resolution, or that of [`Head::Pose`](vibhag_core::Head::Pose).
    pub fn forward<E: Engine>(&self, engine: &mut E, features: Features<E>) -> E::Map {
        match self {
            Self::UNet(decoder) => decoder.forward(engine, features),
            Self::Pyramid(decoder) => decoder.forward(engine, features),
            Self::Fpn(decoder) => decoder.forward(engine, features),
            Self::SegNet(decoder) => decoder.forward(engine, features),
        }
    }
}
