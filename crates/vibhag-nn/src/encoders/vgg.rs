//! VGG-16 with batch normalisation (Simonyan and Zisserman, 2015), torchvision's `vgg16_bn`
//! without the classifier: SegNet's encoder.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use super::{FeatureSpec, Features, doubling_specs};
use crate::blocks::{BatchNorm, ConvSpec, Layer, Sequential};
use crate::ops;

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

    /// The maps of [N, C, H, W], finest first, and where the maxima were when asked for.
    pub fn forward(&self, mut x: Tensor<4>, keep_indices: bool) -> Features {
        let mut features = Features { maps: Vec::new(), pool_indices: Vec::new() };
        for stage in self.features.layers().split(|layer| matches!(layer, Layer::Pool(_))).take(self.widths.len()) {
            let map = Sequential::run(stage, x);
            x = pool(map.clone(), keep_indices, &mut features.pool_indices);
            features.maps.push(map);
        }
        features.maps.push(x);
        features
    }
}

fn pool(map: Tensor<4>, keep_indices: bool, kept: &mut Vec<Tensor<4, Int>>) -> Tensor<4> {
    if !keep_indices {
        return ops::max_pool2d(map, 2, 2, 0);
    }
    let (pooled, indices) = ops::max_pool2x2_with_indices(map);
    kept.push(indices);
    pooled
}
