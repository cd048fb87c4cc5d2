//! Who computes a network. Blocks, encoders, decoders, heads and [`Network`](crate::Network) are
//! written once over [`Engine`]: [`Burn`] computes them with tensors, for training and on any
//! device; an engine of another crate may note them down and compute them later, its own way.

use burn::tensor::Tensor;

use crate::blocks::{BatchNorm, Conv2d, ConvTranspose2d, conv_norm};
use crate::ops::{self, Activation};

/// Doubling the resolution without weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// Repetition.
    Nearest,
    /// Bilinear between pixel centres (`align_corners` false in PyTorch's terms).
    Bilinear,
}

/// The operations that networks consist of, on maps [N, C, H, W].
pub trait Engine {
    /// A map; cloning it is cheap.
    type Map: Clone;
    /// Where the maxima of a pooled map were.
    type Indices;

    /// Convolution, then the normalisation if there is one, then the activation.
    fn conv(&mut self, x: Self::Map, conv: &Conv2d, norm: Option<&BatchNorm>, activation: Activation) -> Self::Map;

    /// Normalisation that follows no convolution, then the activation.
    fn norm(&mut self, x: Self::Map, norm: &BatchNorm, activation: Activation) -> Self::Map;

    /// Transposed convolution.
    fn transposed(&mut self, x: Self::Map, conv: &ConvTranspose2d) -> Self::Map;

    /// An activation alone.
    fn activate(&mut self, x: Self::Map, activation: Activation) -> Self::Map;

    /// The sum of two maps of one shape, then the activation.
    fn add(&mut self, x: Self::Map, y: Self::Map, activation: Activation) -> Self::Map;

    /// Max pooling; padding counts as minus infinity.
    fn max_pool(&mut self, x: Self::Map, kernel: usize, stride: usize, padding: usize) -> Self::Map;

    /// 2x2 max pooling of a map of even sides that also tells where the maxima were.
    fn max_pool_with_indices(&mut self, x: Self::Map) -> (Self::Map, Self::Indices);

    /// Doubles height and width: each value goes where its maximum was, zeros elsewhere.
    fn unpool(&mut self, x: Self::Map, indices: Self::Indices) -> Self::Map;

    /// Doubles height and width, and appends the channels of `skip` [N, S, 2H, 2W].
    fn upsample(&mut self, x: Self::Map, interpolation: Interpolation, skip: Option<Self::Map>) -> Self::Map;

    /// The channels of `x`, then those of `y`.
    fn concat(&mut self, x: Self::Map, y: Self::Map) -> Self::Map;

    /// The mean of each channel, [N, C, 1, 1].
    fn means(&mut self, x: Self::Map) -> Self::Map;

    /// Each channel of `x` times its value in `factors` [N, C, 1, 1].
    fn scale(&mut self, x: Self::Map, factors: Self::Map) -> Self::Map;
}

/// Computes with burn's tensors: gradients on an autodiff device, and batch statistics there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Burn;

impl Engine for Burn {
    type Map = Tensor<4>;
    /// The map before pooling: it tells again where its maxima are, and training keeps it anyway.
    type Indices = Tensor<4>;

    fn conv(&mut self, x: Tensor<4>, conv: &Conv2d, norm: Option<&BatchNorm>, activation: Activation) -> Tensor<4> {
        match norm {
            Some(norm) => conv_norm(conv, norm, activation, x),
            None => conv.forward_activated(x, activation),
        }
    }

    fn norm(&mut self, x: Tensor<4>, norm: &BatchNorm, activation: Activation) -> Tensor<4> {
        norm.forward(x, activation)
    }

    fn transposed(&mut self, x: Tensor<4>, conv: &ConvTranspose2d) -> Tensor<4> {
        conv.forward(x)
    }

    fn activate(&mut self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        ops::activate(x, activation)
    }

    fn add(&mut self, x: Tensor<4>, y: Tensor<4>, activation: Activation) -> Tensor<4> {
        ops::activate(x + y, activation)
    }

    fn max_pool(&mut self, x: Tensor<4>, kernel: usize, stride: usize, padding: usize) -> Tensor<4> {
        ops::max_pool2d(x, kernel, stride, padding)
    }

    fn max_pool_with_indices(&mut self, x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        (ops::max_pool2d(x.clone(), 2, 2, 0), x)
    }

    fn unpool(&mut self, x: Tensor<4>, reference: Tensor<4>) -> Tensor<4> {
        ops::max_unpool2x2(x, reference)
    }

    fn upsample(&mut self, x: Tensor<4>, interpolation: Interpolation, skip: Option<Tensor<4>>) -> Tensor<4> {
        match (interpolation, skip) {
            (Interpolation::Nearest, None) => ops::upsample_nearest2x(x),
            (Interpolation::Nearest, Some(skip)) => ops::upsample_nearest2x_concat(x, skip),
            (Interpolation::Bilinear, None) => ops::upsample_bilinear2x(x),
            (Interpolation::Bilinear, Some(skip)) => self.concat(ops::upsample_bilinear2x(x), skip),
        }
    }

    fn concat(&mut self, x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
        ops::concat(x, y)
    }

    fn means(&mut self, x: Tensor<4>) -> Tensor<4> {
        ops::channel_means(x)
    }

    fn scale(&mut self, x: Tensor<4>, factors: Tensor<4>) -> Tensor<4> {
        x * factors
    }
}
