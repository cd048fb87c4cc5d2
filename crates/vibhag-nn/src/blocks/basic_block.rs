//! The two-convolution residual block (He et al., "Deep residual learning", 2016).

use burn::module::Module;
use burn::tensor::Device;

use super::{BatchNorm, Conv2d, ConvSpec, Layer, Sequential};
use crate::engine::Engine;
use crate::ops::Activation;

/// ResNet-18's and -34's block, under torchvision's names.
#[derive(Module, Debug)]
pub struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    downsample: Option<Sequential>,
}

impl BasicBlock {
    /// The block, with kernels of zeros.
    pub fn new(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Self {
        let shortcut = || {
            Sequential::new(vec![
                Layer::Conv(ConvSpec::new(inputs, outputs, 1).stride(stride).init(device)),
                Layer::Norm(BatchNorm::new(outputs, device)),
            ])
        };
        Self {
            conv1: ConvSpec::new(inputs, outputs, 3).stride(stride).init(device),
            bn1: BatchNorm::new(outputs, device),
            conv2: ConvSpec::new(outputs, outputs, 3).init(device),
            bn2: BatchNorm::new(outputs, device),
            downsample: (stride != 1 || inputs != outputs).then(shortcut),
        }
    }

    /// [N, C, H, W] -> [N, O, H / stride, W / stride].
    pub fn forward<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let y = engine.conv(x.clone(), &self.conv1, Some(&self.bn1), Activation::Relu);
        let y = engine.conv(y, &self.conv2, Some(&self.bn2), Activation::Identity);
        let shortcut = match &self.downsample {
            Some(layers) => layers.forward(engine, x),
            None => x,
        };
        engine.add(y, shortcut, Activation::Relu)
    }
}
