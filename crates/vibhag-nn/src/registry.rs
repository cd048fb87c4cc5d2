//! The architectures, in the order in which help and tables show them.

use crate::blocks::Upsampling;

/// How the tensors of an architecture are called: what stands before the encoder's, the decoder's
/// and the head's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefixes {
    pub(crate) encoder: &'static str,
    pub(crate) decoder: &'static str,
    pub(crate) head: &'static str,
}

/// No prefixes: `down.0.0.weight`, `up.0.weight`, `dec.0.0.weight`, `head.weight`.
pub(crate) const FLAT: Prefixes = Prefixes { encoder: "", decoder: "", head: "head." };
/// `encoder.features.0.weight`, `decoder.blocks.0.0.weight`, `head.weight`.
pub(crate) const PARTS: Prefixes = Prefixes { encoder: "encoder.", decoder: "decoder.", head: "head." };
/// Names of segmentation-models-pytorch.
pub(crate) const SMP: Prefixes = Prefixes { encoder: "encoder.", decoder: "decoder.", head: "segmentation_head.0." };

/// An entry of [`ARCHITECTURES`].
#[derive(Debug, Clone, Copy)]
pub struct ArchitectureInfo {
    /// The name that configurations use.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The paper.
    pub paper: &'static str,
    /// Widths of its own encoder, finest level first.
    pub widths: &'static [usize],
    /// Widths of the decoder where it has widths of its own: always, or over an encoder that is not its own.
    pub decoder_channels: &'static [usize],
    /// How its own decoder upsamples.
    pub upsampling: Upsampling,
    /// Whether an encoder of [`ENCODERS`](crate::ENCODERS) can take the place of its own.
    pub takes_encoder: bool,
}

/// Every architecture.
pub const ARCHITECTURES: &[ArchitectureInfo] = &[
    ArchitectureInfo {
        name: "segnet",
        summary: "VGG-16 encoder with batch normalisation, unpooling at the encoder's maxima",
        paper: "Badrinarayanan, Kendall and Cipolla, SegNet, TPAMI 2017",
        widths: &[64, 128, 256, 512, 512],
        decoder_channels: &[],
        upsampling: Upsampling::Unpooling,
        takes_encoder: false,
    },
    ArchitectureInfo {
        name: "segnet-lite",
        summary: "16-32-64-128 with a 256 bottleneck, conv-ReLU-BN, bilinear upsampling, no skips",
        paper: "after Badrinarayanan, Kendall and Cipolla, SegNet, TPAMI 2017",
        widths: &[16, 32, 64, 128, 256],
        decoder_channels: &[],
        upsampling: Upsampling::Bilinear,
        takes_encoder: false,
    },
    ArchitectureInfo {
        name: "unet",
        summary: "double convolutions 64..1024 with batch normalisation and skips, or over an encoder",
        paper: "Ronneberger, Fischer and Brox, U-Net, MICCAI 2015",
        widths: &[64, 128, 256, 512, 1024],
        decoder_channels: &[256, 128, 64, 32, 16],
        upsampling: Upsampling::Transposed,
        takes_encoder: true,
    },
    ArchitectureInfo {
        name: "unet-lite",
        summary: "U-Net of a quarter of the width: 16..256",
        paper: "Ronneberger, Fischer and Brox, U-Net, MICCAI 2015",
        widths: &[16, 32, 64, 128, 256],
        decoder_channels: &[],
        upsampling: Upsampling::Transposed,
        takes_encoder: false,
    },
    ArchitectureInfo {
        name: "fpn",
        summary: "every level of a feature pyramid summed at stride 4, refined to full resolution: many kinds of objects",
        paper: "Kirillov, Girshick, He and Dollar, Panoptic Feature Pyramid Networks, CVPR 2019",
        widths: &[16, 32, 64, 128, 256],
        decoder_channels: &[192, 96, 16],
        upsampling: Upsampling::Bilinear,
        takes_encoder: true,
    },
];

/// The architecture called `name`.
pub fn architecture_info(name: &str) -> Option<&'static ArchitectureInfo> {
    ARCHITECTURES.iter().find(|architecture| architecture.name == name)
}
