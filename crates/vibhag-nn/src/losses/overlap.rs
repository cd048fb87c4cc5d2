//! Soft counts of overlap, for the losses that are ratios of them.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::inputs::Inputs;

/// Over what a ratio of overlaps is taken before it is averaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// One ratio per image and class.
    #[default]
    Image,
    /// One ratio per class over the whole batch: steadier when classes are small or rare.
    Batch,
}

/// Soft counts over valid pixels, each `[N, C]`, or `[1, C]` over the batch.
pub(super) struct Overlap {
    /// Sum of p * y.
    pub(super) intersection: Tensor<2>,
    /// Sum of p.
    pub(super) predicted: Tensor<2>,
    /// Sum of y.
    pub(super) truth: Tensor<2>,
}

impl Overlap {
    pub(super) fn new(inputs: &mut Inputs, pooling: Pooling) -> Self {
        if let Some(sums) = inputs.sums() {
            let pooled = |values: Tensor<2>| match pooling {
                Pooling::Image => values,
                Pooling::Batch => values.sum_dim(0),
            };
            return Self {
                intersection: pooled(sums.intersection),
                predicted: pooled(sums.predicted),
                truth: pooled(sums.truth),
            };
        }
        let (probabilities, one_hot, valid) = (inputs.probabilities(), inputs.one_hot(), inputs.valid());
        let sum = |values: Tensor<4>| {
            let [images, channels, height, width] = values.dims();
            let per_image = values.reshape([images, channels, height * width]).sum_dim(2).squeeze_dim::<2>(2);
            match pooling {
                Pooling::Image => per_image,
                Pooling::Batch => per_image.sum_dim(0),
            }
        };
        Self {
            intersection: sum(probabilities.clone() * one_hot.clone()),
            predicted: sum(probabilities * valid),
            truth: sum(one_hot),
        }
    }
}

/// Mean over images, and over classes with their weights, of `1 - score`, from `[N, C]` scores; only of those where
/// `counted` is 1 rather than 0, if it is given.
pub(super) fn mean_loss(scores: Tensor<2>, counted: Option<Tensor<2>>, inputs: &Inputs) -> Tensor<1> {
    let losses = scores.neg().add_scalar(1.0);
    let weights = match (&inputs.class_weights, counted) {
        (None, None) => return losses.mean(),
        (None, Some(counted)) => counted,
        (Some(weights), None) => losses.ones_like() * weights.clone().reshape([1, -1]),
        (Some(weights), Some(counted)) => counted * weights.clone().reshape([1, -1]),
    };
    // A batch without any class that counts costs nothing.
    let total = weights.clone().sum().clamp_min(f32::EPSILON);
    (losses * weights).sum() / total
}
