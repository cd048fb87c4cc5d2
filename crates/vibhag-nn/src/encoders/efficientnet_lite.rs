//! EfficientNet-Lite0: EfficientNet (Tan and Le, 2019) without squeeze-and-excitation and with
//! ReLU6, under the names of the published PyTorch checkpoints.

// Fields bear the names of the published checkpoints, underscores included.
#![allow(clippy::used_underscore_binding)]

use burn::module::Module;
use burn::tensor::Device;

use super::{FeatureSpec, Features, doubling_specs};
use crate::blocks::{BatchNorm, Conv2d, ConvSpec, MbConv, MbConvSpec};
use crate::engine::Engine;
use crate::ops::Activation;

const STEM: usize = 32;
const CHANNELS: [usize; 5] = [16, 24, 40, 112, 320];
const EPSILON: f64 = 1e-3;

struct Stage {
    expand: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    blocks: usize,
    /// Whether the stage's last map is one of the finer ones.
    tap: bool,
}

const fn stage(expand: usize, outputs: usize, kernel: usize, stride: usize, blocks: usize, tap: bool) -> Stage {
    Stage { expand, outputs, kernel, stride, blocks, tap }
}

const STAGES: [Stage; 7] = [
    stage(1, 16, 3, 1, 1, true),
    stage(6, 24, 3, 2, 2, true),
    stage(6, 40, 5, 2, 2, true),
    stage(6, 80, 3, 2, 3, false),
    stage(6, 112, 5, 1, 3, true),
    stage(6, 192, 5, 2, 4, false),
    stage(6, 320, 3, 1, 1, false),
];

/// The network without its classifier.
#[derive(Module, Debug)]
pub struct EfficientNetLite {
    _conv_stem: Conv2d,
    _bn0: BatchNorm,
    _blocks: Vec<MbConv>,
}

impl EfficientNetLite {
    /// The network, with kernels of zeros.
    pub fn new(in_channels: usize, device: &Device) -> Self {
        let mut blocks = Vec::new();
        let mut inputs = STEM;
        for stage in &STAGES {
            for index in 0..stage.blocks {
                let stride = if index == 0 { stage.stride } else { 1 };
                let spec =
                    MbConvSpec { inputs, outputs: stage.outputs, kernel: stage.kernel, stride, expand: stage.expand };
                blocks.push(MbConv::new(spec, device));
                inputs = stage.outputs;
            }
        }
        Self {
            _conv_stem: ConvSpec::new(in_channels, STEM, 3).stride(2).same().init(device),
            _bn0: BatchNorm::with_epsilon(STEM, EPSILON, device),
            _blocks: blocks,
        }
    }

    /// 16, 24, 40, 112, 320 channels at strides 2 to 32.
    pub fn specs() -> Vec<FeatureSpec> {
        doubling_specs(&CHANNELS, 2)
    }

    /// The maps of [N, C, H, W].
    pub fn forward<E: Engine>(&self, engine: &mut E, x: E::Map) -> Features<E> {
        let mut x = engine.conv(x, &self._conv_stem, Some(&self._bn0), Activation::Relu6);
        let mut finer = Vec::new();
        let mut blocks = self._blocks.iter();
        for stage in &STAGES {
            x = blocks.by_ref().take(stage.blocks).fold(x, |x, block| block.forward(engine, x));
            if stage.tap {
                finer.push(x.clone());
            }
        }
        Features { coarsest: x, finer, pool_indices: Vec::new() }
    }
}
