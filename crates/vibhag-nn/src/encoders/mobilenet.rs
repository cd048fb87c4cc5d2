//! MobileNetV1 (Howard et al., "MobileNets: Efficient convolutional neural networks for mobile vision applications", 2017)
//! of three quarters of the width, without its last halving and widening, as PoseNet has it. Its normalisation is part of
//! the convolutions, so it is made for fine-tuning.

use burn::module::Module;
use burn::tensor::Device;

use super::{FeatureSpec, Features, doubling_specs};
use crate::blocks::{Conv2d, ConvSpec};
use crate::engine::Engine;
use crate::ops::Activation;

/// Channels after the first convolution.
const STEM: usize = 24;

struct Block {
    outputs: usize,
    /// Of the depthwise convolution.
    stride: usize,
    /// Whether the block's map is one of the encoder's.
    tap: bool,
}

const fn block(outputs: usize, stride: usize, tap: bool) -> Block {
    Block { outputs, stride, tap }
}

const BLOCKS: [Block; 13] = [
    block(48, 1, true),
    block(96, 2, false),
    block(96, 1, true),
    block(192, 2, false),
    block(192, 1, true),
    block(384, 2, false),
    block(384, 1, false),
    block(384, 1, false),
    block(384, 1, false),
    block(384, 1, false),
    block(384, 1, false),
    block(384, 1, false),
    block(384, 1, true),
];

/// A convolution of stride 2, then blocks of a depthwise and a pointwise convolution, ReLU6 after each.
#[derive(Module, Debug)]
pub struct MobileNetV1 {
    stem: Conv2d,
    depthwise: Vec<Conv2d>,
    pointwise: Vec<Conv2d>,
}

impl MobileNetV1 {
    /// Channels of the coarsest map.
    pub const FEATURES: usize = BLOCKS[BLOCKS.len() - 1].outputs;
    /// Pixels from one cell of the coarsest map to the next.
    pub const STRIDE: usize = 16;

    /// The network, with kernels of zeros.
    pub fn new(in_channels: usize, device: &Device) -> Self {
        Self::build(in_channels, &mut |_, spec| spec.init(device))
    }

    /// The network whose layers `make` makes, by the names of the published checkpoint.
    pub(crate) fn build(in_channels: usize, make: &mut dyn FnMut(&str, ConvSpec) -> Conv2d) -> Self {
        let stem = make(STEM_NAME, ConvSpec::new(in_channels, STEM, 3).stride(2).same().bias());
        let (mut depthwise, mut pointwise, mut inputs) = (Vec::new(), Vec::new(), STEM);
        for (number, Block { outputs, stride, .. }) in (1..).zip(BLOCKS) {
            let own = ConvSpec::new(inputs, inputs, 3).stride(stride).same().depthwise().bias();
            depthwise.push(make(&layer_name(number, DEPTHWISE), own));
            pointwise.push(make(&layer_name(number, POINTWISE), ConvSpec::new(inputs, outputs, 1).bias()));
            inputs = outputs;
        }
        Self { stem, depthwise, pointwise }
    }

    /// Every layer by the checkpoint's name, in the order in which they run.
    pub(crate) fn layers(&self) -> Vec<(String, &Conv2d)> {
        let mut layers = vec![(STEM_NAME.to_owned(), &self.stem)];
        for (number, (depthwise, pointwise)) in (1..).zip(self.depthwise.iter().zip(&self.pointwise)) {
            layers.push((layer_name(number, DEPTHWISE), depthwise));
            layers.push((layer_name(number, POINTWISE), pointwise));
        }
        layers
    }

    /// 48, 96, 192, 384 channels at strides 2 to 16.
    pub fn specs() -> Vec<FeatureSpec> {
        let channels: Vec<usize> = BLOCKS.iter().filter(|block| block.tap).map(|block| block.outputs).collect();
        doubling_specs(&channels, 2)
    }

    /// The maps of [N, C, H, W]; sides of any length give maps of `ceil(side / stride)`.
    pub fn forward<E: Engine>(&self, engine: &mut E, x: E::Map) -> Features<E> {
        let mut x = engine.conv(x, &self.stem, None, Activation::Relu6);
        let mut finer = Vec::new();
        for ((depthwise, pointwise), block) in self.depthwise.iter().zip(&self.pointwise).zip(&BLOCKS) {
            x = engine.conv(x, depthwise, None, Activation::Relu6);
            x = engine.conv(x, pointwise, None, Activation::Relu6);
            if block.tap {
                finer.push(x.clone());
            }
        }
        // The last map of all is the coarsest.
        finer.pop();
        Features { coarsest: x, finer, pool_indices: Vec::new() }
    }
}

const STEM_NAME: &str = "Conv2d_0";
const DEPTHWISE: &str = "depthwise";
const POINTWISE: &str = "pointwise";

fn layer_name(number: usize, kind: &str) -> String {
    format!("Conv2d_{number}_{kind}")
}

/// What the encoder calls a tensor of the published checkpoint; `None` for those of PoseNet's heads.
pub(super) fn own_name(name: &str) -> Option<String> {
    let (layer, part) = name.rsplit_once('.')?;
    if layer == STEM_NAME {
        return Some(format!("stem.{part}"));
    }
    let (number, kind) = layer.strip_prefix("Conv2d_")?.split_once('_')?;
    Some(format!("{kind}.{}.{part}", number.parse::<usize>().ok()?.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkpoints_names_become_those_of_the_fields() {
        let own = |name| own_name(name).unwrap_or_default();
        assert_eq!(own("Conv2d_0.weight"), "stem.weight");
        assert_eq!(own("Conv2d_13_pointwise.bias"), "pointwise.12.bias");
        assert_eq!(own("Conv2d_1_depthwise.weight"), "depthwise.0.weight");
        for head in ["heatmap_2.weight", "offset_2.bias", "Conv2d_0_depthwise.bias"] {
            assert_eq!(own_name(head), None, "{head}");
        }
    }
}
