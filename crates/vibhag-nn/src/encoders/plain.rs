//! U-Net's contracting path (Ronneberger et al., 2015): double convolutions, max pooling between.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{FeatureSpec, doubling_specs};
use crate::blocks::{Order, Sequential, conv_stack};
use crate::ops;

/// Double 3x3 convolutions at strides 1, 2, 4, ...
#[derive(Module, Debug)]
pub struct PlainEncoder {
    down: Vec<Sequential>,
    #[module(skip)]
    widths: Vec<usize>,
}

impl PlainEncoder {
    /// One level per width.
    pub fn new(in_channels: usize, widths: &[usize], order: Order, device: &Device) -> Self {
        let inputs = std::iter::once(in_channels).chain(widths.iter().copied());
        let down =
            inputs.zip(widths).map(|(inputs, &width)| conv_stack(&[inputs, width, width], order, device)).collect();
        Self { down, widths: widths.to_vec() }
    }

    /// Widths at strides 1, 2, 4, ...
    pub fn specs(&self) -> Vec<FeatureSpec> {
        doubling_specs(&self.widths, 1)
    }

    /// The maps of [N, C, H, W], finest first.
    pub fn forward(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let mut maps: Vec<Tensor<4>> = Vec::with_capacity(self.down.len());
        for level in &self.down {
            let input = maps.last().map_or_else(|| x.clone(), |map| ops::max_pool2d(map.clone(), 2, 2, 0));
            maps.push(level.forward(input));
        }
        maps
    }
}
