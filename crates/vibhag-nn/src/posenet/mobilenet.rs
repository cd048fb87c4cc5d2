//! MobileNetV1 of three quarters of the width (Howard et al., "MobileNets: Efficient convolutional neural networks for
//! mobile vision applications", 2017), its last two halvings and the last widening left out, as PoseNet has it.

use burn::module::Module;

use crate::blocks::{Conv2d, ConvSpec};
use crate::engine::Engine;
use crate::ops::Activation;

/// Channels after the first convolution.
const STEM: usize = 24;
/// Output channels of each block, and the stride of its depthwise convolution.
const BLOCKS: [(usize, usize); 13] = [
    (48, 1),
    (96, 2),
    (96, 1),
    (192, 2),
    (192, 1),
    (384, 2),
    (384, 1),
    (384, 1),
    (384, 1),
    (384, 1),
    (384, 1),
    (384, 1),
    (384, 1),
];

/// A convolution of stride 2, then blocks of a depthwise and a pointwise convolution, ReLU6 after each.
#[derive(Module, Debug)]
pub struct MobileNetV1 {
    stem: Conv2d,
    depthwise: Vec<Conv2d>,
    pointwise: Vec<Conv2d>,
}

impl MobileNetV1 {
    /// Channels of the features.
    pub const FEATURES: usize = BLOCKS[BLOCKS.len() - 1].0;
    /// Pixels from one cell of the features to the next.
    pub const STRIDE: usize = 16;

    /// The network whose layers `make` makes, by the checkpoint's names.
    pub(super) fn build(make: &mut dyn FnMut(&str, ConvSpec) -> Conv2d) -> Self {
        let stem = make("Conv2d_0", ConvSpec::new(3, STEM, 3).stride(2).same().bias());
        let (mut depthwise, mut pointwise, mut inputs) = (Vec::new(), Vec::new(), STEM);
        for (index, (outputs, stride)) in (1..).zip(BLOCKS) {
            let own = ConvSpec::new(inputs, inputs, 3).stride(stride).same().depthwise().bias();
            depthwise.push(make(&depthwise_name(index), own));
            pointwise.push(make(&pointwise_name(index), ConvSpec::new(inputs, outputs, 1).bias()));
            inputs = outputs;
        }
        Self { stem, depthwise, pointwise }
    }

    /// Every layer by the checkpoint's name, in the order in which they run.
    pub(super) fn layers(&self) -> Vec<(String, &Conv2d)> {
        let mut layers = vec![("Conv2d_0".to_owned(), &self.stem)];
        for (index, (depthwise, pointwise)) in (1..).zip(self.depthwise.iter().zip(&self.pointwise)) {
            layers.push((depthwise_name(index), depthwise));
            layers.push((pointwise_name(index), pointwise));
        }
        layers
    }

    /// [N, 3, H, W] -> [N, [`Self::FEATURES`], ceil(H / 16), ceil(W / 16)].
    pub fn forward<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let mut x = engine.conv(x, &self.stem, None, Activation::Relu6);
        for (depthwise, pointwise) in self.depthwise.iter().zip(&self.pointwise) {
            x = engine.conv(x, depthwise, None, Activation::Relu6);
            x = engine.conv(x, pointwise, None, Activation::Relu6);
        }
        x
    }
}

fn depthwise_name(index: usize) -> String {
    format!("Conv2d_{index}_depthwise")
}

fn pointwise_name(index: usize) -> String {
    format!("Conv2d_{index}_pointwise")
}
