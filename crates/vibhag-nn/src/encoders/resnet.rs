//! ResNet-18 and -34 (He et al., "Deep residual learning for image recognition", 2016) under
//! torchvision's parameter names.

use burn::module::Module;
use burn::tensor::Device;

use super::{FeatureSpec, Features, doubling_specs};
use crate::blocks::{BasicBlock, BatchNorm, Conv2d, ConvSpec, Padding};
use crate::engine::Engine;
use crate::ops::Activation;

const CHANNELS: [usize; 5] = [64, 64, 128, 256, 512];

/// The residual network without its classifier.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    layer4: Vec<BasicBlock>,
}

impl ResNet {
    /// `depths` counts the blocks of each stage: 2, 2, 2, 2 for ResNet-18; 3, 4, 6, 3 for -34.
    pub fn new(in_channels: usize, depths: [usize; 4], device: &Device) -> Self {
        let stage = |index: usize| {
            let (inputs, outputs) = (CHANNELS[index], CHANNELS[index + 1]);
            let first_stride = if index == 0 { 1 } else { 2 };
            let first = BasicBlock::new(inputs, outputs, first_stride, device);
            std::iter::once(first)
                .chain((1..depths[index]).map(|_| BasicBlock::new(outputs, outputs, 1, device)))
                .collect()
        };
        let stem = ConvSpec { padding: Padding::Symmetric(3), ..ConvSpec::new(in_channels, CHANNELS[0], 7) };
        Self {
            conv1: stem.stride(2).init(device),
            bn1: BatchNorm::new(CHANNELS[0], device),
            layer1: stage(0),
            layer2: stage(1),
            layer3: stage(2),
            layer4: stage(3),
        }
    }

    /// 64, 64, 128, 256, 512 channels at strides 2 to 32.
    pub fn specs() -> Vec<FeatureSpec> {
        doubling_specs(&CHANNELS, 2)
    }

    /// The maps of [N, C, H, W].
    pub fn forward<E: Engine>(&self, engine: &mut E, x: E::Map) -> Features<E> {
        let stem = engine.conv(x, &self.conv1, Some(&self.bn1), Activation::Relu);
        let mut x = engine.max_pool(stem.clone(), 3, 2, 1);
        let mut finer = vec![stem];
        for (index, stage) in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().enumerate() {
            if index > 0 {
                finer.push(x.clone());
            }
            x = stage.iter().fold(x, |x, block| block.forward(engine, x));
        }
        Features { coarsest: x, finer, pool_indices: Vec::new() }
    }
}
