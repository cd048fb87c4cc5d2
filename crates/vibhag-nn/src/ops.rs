//! Every tensor operation that costs time goes through here, so that kernels are chosen in one
//! place. The functions mirror PyTorch's functional API on NCHW tensors.

use burn::tensor::Tensor;
use burn::tensor::activation::{hard_swish, relu, sigmoid, silu};
use burn::tensor::module as generic;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, MaxPoolOptions};
use vibhag_core::{Error, ErrorKind, Result};

use crate::backend;

/// An element-wise activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The identity.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x * sigmoid(x)`.
    Silu,
    /// `x * min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

/// Applies an activation.
pub fn activate(x: Tensor<4>, activation: Activation) -> Tensor<4> {
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(x),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Silu => silu(x),
        Activation::HardSwish => hard_swish(x),
        Activation::Sigmoid => sigmoid(x),
    }
}

/// 2-D convolution.
///
/// # Shapes
/// `x` [N, C, H, W], `weight` [O, C / groups, Kh, Kw], `bias` \[O\] -> [N, O, H', W'].
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, options: ConvOptions<2>) -> Tensor<4> {
    backend::conv2d(x, weight, bias, options)
}

/// Transposed 2-D convolution without padding.
///
/// # Shapes
/// `x` [N, C, H, W], `weight` [C, O, K, K], `bias` \[O\] -> [N, O, (H - 1) * stride + K, ..].
pub fn conv_transpose2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, stride: usize) -> Tensor<4> {
    if let (Some(bias), 2, [_, _, 2, 2]) = (&bias, stride, weight.dims()) {
        return backend::conv_transpose2x2(x, weight, bias.clone());
    }
    let options = ConvTransposeOptions::new([stride; 2], [0; 2], [0; 2], [1; 2], 1);
    generic::conv_transpose2d(x, weight, bias, options)
}

/// Normalises with the statistics of the batch, then applies the activation.
///
/// Returns the output [N, C, H, W], the batch mean \[C\] and the biased batch variance \[C\]; the
/// statistics carry no gradient.
pub fn batch_norm_act(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    activation: Activation,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    backend::batch_norm_act(x, gamma, beta, epsilon, activation)
}

/// Multiplies each channel by `scale` \[C\], adds `shift` \[C\] and applies the activation.
pub fn affine_act(x: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>, activation: Activation) -> Tensor<4> {
    backend::affine_act(x, scale, shift, activation)
}

/// Max pooling; padding counts as minus infinity.
pub fn max_pool2d(x: Tensor<4>, kernel: usize, stride: usize, padding: usize) -> Tensor<4> {
    if [kernel, stride, padding] == [2, 2, 0] {
        return backend::max_pool2x2(x);
    }
    generic::max_pool2d(x, pool_options(kernel, stride, padding))
}

/// Puts each value of `x` [N, C, H, W] where 2x2 max pooling finds the largest values of
/// `reference` [N, C, 2H, 2W], zeros elsewhere.
pub fn max_unpool2x2(x: Tensor<4>, reference: Tensor<4>) -> Tensor<4> {
    backend::max_unpool2x2(x, reference)
}

/// Doubles height and width by repetition.
pub fn upsample_nearest2x(x: Tensor<4>) -> Tensor<4> {
    backend::upsample2x_concat(x, None)
}

/// Doubles height and width by repetition and appends the channels of `skip`, in one pass.
pub fn upsample_nearest2x_concat(x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
    backend::upsample2x_concat(x, Some(skip))
}

/// The channels of `x`, then those of `y`.
pub fn concat(x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
    backend::concat(x, y)
}

/// Doubles height and width by bilinear interpolation between pixel centres (`align_corners`
/// false in PyTorch's terms).
pub fn upsample_bilinear2x(x: Tensor<4>) -> Tensor<4> {
    backend::upsample_bilinear2x(x)
}

/// The mean of each channel: [N, C, H, W] -> [N, C, 1, 1].
pub fn channel_means(x: Tensor<4>) -> Tensor<4> {
    x.mean_dim(3).mean_dim(2)
}

/// A tensor's values, the last side fastest.
///
/// # Errors
/// When the device does not give them out.
pub fn values<const D: usize>(x: Tensor<D>) -> Result<Vec<f32>> {
    x.try_into_vec_as::<f32>()
        .map_err(|error| Error::new(ErrorKind::Model, format!("cannot read the values of a tensor: {error:?}")))
}

fn pool_options(kernel: usize, stride: usize, padding: usize) -> MaxPoolOptions<2> {
    MaxPoolOptions {
        kernel_size: [kernel; 2],
        stride: [stride; 2],
        padding: [(padding, padding); 2],
        dilation: [1; 2],
        ceil_mode: false,
    }
}
