//! U-Net's contracting path (Ronneberger et al., 2015): double convolutions, max pooling between.

use burn::module::Module;
use burn::tensor::Device;

use super::{FeatureSpec, Features, doubling_specs};
use crate::blocks::{Order, Sequential, conv_stack};
use crate::engine::Engine;

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

    /// The maps of [N, C, H, W].
    pub fn forward<E: Engine>(&self, engine: &mut E, mut x: E::Map) -> Features<E> {
        let mut finer = Vec::new();
        for (index, level) in self.down.iter().enumerate() {
            if index > 0 {
                finer.push(x.clone());
                x = engine.max_pool(x, 2, 2, 0);
            }
            x = level.forward(engine, x);
        }
        Features { coarsest: x, finer, pool_indices: Vec::new() }
    }
}
