//! VGG-16 with batch normalisation (Simonyan and Zisserman, 2015), torchvision's `vgg16_bn`
//! without the classifier: SegNet's encoder.

use burn::module::Module;
use burn::tensor::Device;

use super::{FeatureSpec, Features, doubling_specs};
use crate::blocks::{BatchNorm, ConvSpec, Layer, Sequential};
use crate::engine::Engine;

/// Stages of 3x3 convolutions, each followed by 2x2 max pooling. The maps are those before each
/// pooling (strides 1, 2, 4, ...) and the last one pooled.
#[derive(Module, Debug)]
pub struct Vgg {
    features: Sequential,
    #[module(skip)]
    widths: Vec<usize>,
}

impl Vgg {
    /// Convolutions in each of VGG-16's stages: 2, 2, 3, 3, 3.
    pub fn convolutions(stage: usize) -> usize {
        if stage < 2 { 2 } else { 3 }
    }

    /// One stage per width.
    pub fn new(in_channels: usize, widths: &[usize], device: &Device) -> Self {
        let mut layers = Vec::new();
        let mut inputs = in_channels;
        for (stage, &width) in widths.iter().enumerate() {
            for _ in 0..Self::convolutions(stage) {
                layers.push(Layer::Conv(ConvSpec::new(inputs, width, 3).bias().init(device)));
                layers.push(Layer::Norm(BatchNorm::new(width, device)));
                layers.push(Layer::relu());
                inputs = width;
            }
            layers.push(Layer::pool());
        }
        Self { features: Sequential::new(layers), widths: widths.to_vec() }
    }

    /// Widths at strides 1, 2, 4, ..., the last width once more for the last pooling.
    pub fn specs(&self) -> Vec<FeatureSpec> {
        let channels: Vec<usize> = self.widths.iter().chain(self.widths.last()).copied().collect();
        doubling_specs(&channels, 1)
    }

    /// The maps of [N, C, H, W], and where the maxima were when asked for.
    pub fn forward<E: Engine>(&self, engine: &mut E, mut x: E::Map, keep_indices: bool) -> Features<E> {
        let (mut finer, mut pool_indices) = (Vec::new(), Vec::new());
        for stage in self.features.layers().split(|layer| matches!(layer, Layer::Pool(_))).take(self.widths.len()) {
            let map = Sequential::run(engine, stage, x);
            finer.push(map.clone());
            x = if keep_indices {
                let (pooled, indices) = engine.max_pool_with_indices(map);
                pool_indices.push(indices);
                pooled
            } else {
                engine.max_pool(map, 2, 2, 0)
            };
        }
        Features { coarsest: x, finer, pool_indices }
    }
}
