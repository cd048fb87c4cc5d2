//! Refinement of heat maps and part affinity fields.

use burn::module::Module;
use burn::tensor::Device;

use crate::blocks::{Conv2d, ConvSpec};
use crate::engine::Engine;
use crate::ops::Activation;

/// One more look at the maps of people beside the features that they came from (Cao et al., "OpenPose", TPAMI 2019,
/// section 3.1): what is known of one joint tells where the others can be. Two 3x3 convolutions with ReLU, then a 1x1
/// convolution to the maps.
#[derive(Module, Debug)]
pub struct PoseStage {
    first: Conv2d,
    second: Conv2d,
    maps: Conv2d,
}

impl PoseStage {
    /// A stage over `features` channels of features and `maps` maps, with `width` hidden channels.
    pub fn new(features: usize, maps: usize, width: usize, device: &Device) -> Self {
        Self {
            first: ConvSpec::new(features + maps, width, 3).bias().init(device),
            second: ConvSpec::new(width, width, 3).bias().init(device),
            maps: ConvSpec::new(width, maps, 1).bias().init(device),
        }
    }

    /// Features [N, C, H, W] and maps [N, M, H, W] -> better maps [N, M, H, W].
    pub fn forward<E: Engine>(&self, engine: &mut E, features: E::Map, maps: E::Map) -> E::Map {
        let x = engine.concat(features, maps);
        let x = engine.conv(x, &self.first, None, Activation::Relu);
        let x = engine.conv(x, &self.second, None, Activation::Relu);
        engine.conv(x, &self.maps, None, Activation::Identity)
    }
}
