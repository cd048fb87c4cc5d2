//! The maps by which objects are told apart, beside the class logits.

use burn::module::Module;
use burn::tensor::Device;

use crate::blocks::{Conv2d, ConvSpec};
use crate::engine::Engine;
use crate::ops::Activation;

/// A 3x3 convolution with ReLU, then a 1x1 convolution to the maps. The classes have a head of their own, because what
/// is of one class need not be of one object.
#[derive(Module, Debug)]
pub struct ObjectHead {
    hidden: Conv2d,
    maps: Conv2d,
}

impl ObjectHead {
    /// A head of `width` hidden channels that gives `maps` maps.
    pub fn new(in_channels: usize, width: usize, maps: usize, device: &Device) -> Self {
        Self {
            hidden: ConvSpec::new(in_channels, width, 3).bias().init(device),
            maps: ConvSpec::new(width, maps, 1).bias().init(device),
        }
    }

    /// [N, C, H, W] -> [N, maps, H, W].
    pub fn forward<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let x = engine.conv(x, &self.hidden, None, Activation::Relu);
        engine.conv(x, &self.maps, None, Activation::Identity)
    }
}
