//! Refinement of heat maps and part affinity fields.

use burn::module::Module;
use burn::tensor::Device;

use crate::blocks::{BatchNorm, Conv2d, ConvSpec, Layer, Order, Sequential, conv_stack};
use crate::engine::{Engine, Interpolation};
use crate::ops::Activation;

/// Convolutions of the coarsest maps: three of them at a stride of 32 reach 100 pixels to every side.
const DEEPEST: usize = 3;

/// One more look at the maps of people beside the features that they came from (Cao et al., "OpenPose", TPAMI 2019,
/// section 3.1): what is known of one joint tells where the others can be.
///
/// A knee tells of an ankle a whole limb away, so a stage sees the whole person: it is an hourglass (Newell, Yang and Deng,
/// "Stacked Hourglass Networks for Human Pose Estimation", ECCV 2016) that goes down to the encoder's coarsest stride and
/// back with sums, where the coarse maps cost next to nothing.
#[derive(Module, Debug)]
pub struct PoseStage {
    first: Sequential,
    down: Vec<Sequential>,
    deepest: Sequential,
    up: Vec<Sequential>,
    maps: Conv2d,
}

impl PoseStage {
    /// A stage over `features` channels of features and `maps` maps, with `width` hidden channels, that halves the
    /// resolution `halvings` times.
    pub fn new(features: usize, maps: usize, width: usize, halvings: usize, device: &Device) -> Self {
        let halving = || {
            let conv = ConvSpec::new(width, width, 3).stride(2).init(device);
            Sequential::new(vec![Layer::Conv(conv), Layer::Norm(BatchNorm::new(width, device)), Layer::relu()])
        };
        Self {
            first: conv_stack(&[features + maps, width], Order::NormRelu, device),
            down: (0..halvings).map(|_| halving()).collect(),
            deepest: conv_stack(&[width; DEEPEST + 1], Order::NormRelu, device),
            up: (0..halvings).map(|_| conv_stack(&[width, width], Order::NormRelu, device)).collect(),
            maps: ConvSpec::new(width, maps, 1).bias().init(device),
        }
    }

    /// Features [N, C, H, W] and maps [N, M, H, W] -> better maps [N, M, H, W].
    pub fn forward<E: Engine>(&self, engine: &mut E, features: E::Map, maps: E::Map) -> E::Map {
        let both = engine.concat(features, maps);
        let mut x = self.first.forward(engine, both);
        let mut finer = Vec::new();
        for halving in &self.down {
            finer.push(x.clone());
            x = halving.forward(engine, x);
        }
        x = self.deepest.forward(engine, x);
        for (own, convolution) in finer.into_iter().rev().zip(&self.up) {
            let above = engine.upsample(x, Interpolation::Bilinear, None);
            let sum = engine.add(own, above, Activation::Identity);
            x = convolution.forward(engine, sum);
        }
        engine.conv(x, &self.maps, None, Activation::Identity)
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleMapper, Param};
    use burn::tensor::Tensor;

    use super::*;
    use crate::engine::Burn;

    /// Every value 0.1, so that nothing that is seen cancels out.
    struct Positive;

    impl ModuleMapper for Positive {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (dims, device) = (param.dims(), param.val().device());
            Param::from_tensor(Tensor::full(dims, 0.1, &device))
        }
    }

    #[test]
    fn a_stage_sees_as_far_as_a_person_reaches() {
        let device = Device::flex();
        let side = 64;
        let reach = |halvings: usize| {
            let stage = PoseStage::new(2, 1, 3, halvings, &device).map(&mut Positive);
            let features = Tensor::<4>::zeros([1, 2, side, side], &device);
            let mut values = vec![0.0f32; side * side];
            let seen = |values: &[f32]| {
                let maps = Tensor::<1>::from_floats(values, &device).reshape([1, 1, side, side]);
                let maps = stage.forward(&mut Burn, features.clone(), maps);
                assert_eq!(maps.dims(), [1, 1, side, side]);
                maps.try_into_data_as::<f32>().unwrap().try_to_vec::<f32>().unwrap()
            };
            let without = seen(&values);
            values[side / 2 * side] = 1.0;
            let with = seen(&values);
            (0..side).filter(|column| with[side / 2 * side + column] > without[side / 2 * side + column]).max().unwrap()
        };
        // In cells of four pixels: three convolutions and those of the way there and back.
        assert_eq!(reach(0), 4);
        assert!(reach(3) >= 25, "{}", reach(3));
    }
}
