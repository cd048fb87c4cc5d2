//! Class logits per pixel.

use burn::module::Module;
use burn::tensor::Device;

use crate::blocks::{Conv2d, ConvSpec};
use crate::engine::Engine;
use crate::ops::Activation;

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
    pub fn forward<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        engine.conv(x, &self.conv, None, Activation::Identity)
    }
}
