//! SegNet's decoder (Badrinarayanan, Kendall and Cipolla, TPAMI 2017): the encoder's mirror image,
//! with unpooling at the positions of the encoder's maxima.

use burn::module::Module;
use burn::tensor::Device;
use vibhag_core::{Error, Result};

use crate::blocks::{Order, Sequential, conv_stack};
use crate::encoders::{FeatureSpec, Features};
use crate::engine::Engine;

/// Unpooling, then convolutions, once per pooling of the encoder. The paper's last convolution,
/// which makes the classes, is the head.
#[derive(Module, Debug)]
pub struct SegNetDecoder {
    blocks: Vec<Sequential>,
    out_channels: usize,
}

impl SegNetDecoder {
    /// A decoder for maps before each pooling (strides 1, 2, 4, ...) and after the last.
    ///
    /// # Errors
    /// When the strides are others.
    pub fn new(specs: &[FeatureSpec], device: &Device) -> Result<Self> {
        let from_one = specs.iter().enumerate().all(|(level, spec)| spec.stride == 1 << level);
        if specs.len() < 2 || !from_one {
            return Err(Error::config(
                "SegNet's decoder needs feature maps at strides 1, 2, 4, ... and their pooling indices",
            ));
        }
        let stages = specs.len() - 1;
        let blocks =
            (0..stages).rev().map(|stage| conv_stack(&widths(specs, stage), Order::NormRelu, device)).collect();
        Ok(Self { blocks, out_channels: specs[0].channels })
    }

    /// Channels of the output.
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// Maps and indices (finest first) -> [N, C, H, W] at stride 1.
    pub fn forward<E: Engine>(&self, engine: &mut E, features: Features<E>) -> E::Map {
        let Features { coarsest: mut x, mut pool_indices, .. } = features;
        for block in &self.blocks {
            if let Some(indices) = pool_indices.pop() {
                x = engine.unpool(x, indices);
            }
            x = block.forward(engine, x);
        }
        x
    }
}

/// The paper's table: two or three convolutions a stage, the last of which narrows to the next
/// finer stage; one less in the finest, whose last is the classifier.
fn widths(specs: &[FeatureSpec], stage: usize) -> Vec<usize> {
    let own = specs[stage].channels;
    match stage {
        0 => vec![own, own],
        1 => vec![own, own, specs[0].channels],
        _ => vec![own, own, own, specs[stage - 1].channels],
    }
}
