//! Class logits per pixel.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::blocks::{Conv2d, ConvSpec};

/// One convolution with bias.
#[derive(Module, Debug)]
pub struct SemanticHead {
    conv: Conv2d,
}

impl SemanticHead {
    /// A head with a `kernel` x `kernel` convolution.
    pub fn new(in_channels: usize, classes: usize, kernel: usize, device: &Device) -> Self {
        Self { conv: ConvSpec::new(in_channels, classes, kernel).bias().init(device) }
    }

    /// [N, C, H, W] -> logits [N, classes, H, W].
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.conv.forward(x)
    }
}
