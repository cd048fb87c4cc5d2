//! Our own kernels inside burn: a backend extension for CPU tensors with its own backward passes.
//!
//! Every function computes with `vibhag-kernels` when the tensors are `f32` on the CPU, the kernels know the shape,
//! and [`set_kernels_enabled`] has not switched them off; in every other case it calls burn's own operation.

mod adamw;
mod autodiff;
mod class_sums;
mod extension;
mod flex;

pub use adamw::{AdamW, adamw};
pub use class_sums::{ClassSums, class_sums};

use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::{Dispatch, DispatchTensorKind, TensorMetadata};
use burn::tensor::module as generic;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{DType, Device, IndexingUpdateOp, Tensor};
use extension::KernelOps;
use vibhag_kernels::{Activation as Act, ConvShape, UpShape, algorithm};

use crate::ops::{Activation, activate};

static ENABLED: AtomicBool = AtomicBool::new(true);

/// Switches our kernels on (the default) or off, for comparison with burn's own operations.
pub fn set_kernels_enabled(enabled: bool) {
    ENABLED.store(enabled, Ordering::Relaxed);
}

/// Whether our kernels are on.
pub fn kernels_enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Whether our kernels are on and can compute what lives on `device`.
pub fn computes_on(device: &Device) -> bool {
    kernels_enabled() && *device == Device::flex()
}

/// Whether the kernels can take the tensor, which comes back with the answer.
fn on_cpu<const D: usize>(x: Tensor<D>) -> (Tensor<D>, bool) {
    let x = x.into_dispatch();
    let kind = if let DispatchTensorKind::Autodiff(inner) = &x.kind { inner.as_ref() } else { &x.kind };
    let ours = kernels_enabled() && x.dtype() == DType::F32 && matches!(kind, DispatchTensorKind::Flex(_));
    (Tensor::from_dispatch(x), ours)
}

/// Whether the kernels compute on this tensor.
pub fn computes<const D: usize>(x: &Tensor<D>) -> bool {
    on_cpu(x.clone()).1
}

impl From<Activation> for Act {
    fn from(activation: Activation) -> Self {
        match activation {
            Activation::Identity => Self::None,
            Activation::Relu => Self::Relu,
            Activation::Relu6 => Self::Relu6,
            Activation::Silu => Self::Silu,
            Activation::HardSwish => Self::HardSwish,
            Activation::Sigmoid => Self::Sigmoid,
        }
    }
}

/// 2-D convolution.
///
/// # Shapes
/// `x` [N, C, H, W], `weight` [O, C / groups, Kh, Kw], `bias` \[O\] -> [N, O, H', W'].
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, options: ConvOptions<2>) -> Tensor<4> {
    let [n, cin, h, w] = x.dims();
    let [cout, per_group, kh, kw] = weight.dims();
    let [(top, bottom), (left, right)] = [options.padding[0], options.padding[1]];
    let shape = ConvShape {
        n,
        cin,
        h,
        w,
        cout,
        kernel: [kh, kw],
        stride: options.stride,
        padding: [top, left, bottom, right],
        dilation: options.dilation,
        groups: options.groups,
    };
    let (x, ours) = on_cpu(x);
    let known = algorithm(&shape).is_some() && per_group * shape.groups == cin;
    let bias_fits = bias.as_ref().is_none_or(|b| b.dims() == [cout] && b.dtype() == DType::F32);
    if !(ours && known && bias_fits && weight.dtype() == DType::F32) {
        return generic::conv2d(x, weight, bias, options);
    }
    let y = match bias {
        None => Dispatch::kernel_conv2d(x.into_dispatch(), weight.into_dispatch(), shape),
        Some(bias) => {
            Dispatch::kernel_conv2d_bias(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch(), shape)
        }
    };
    Tensor::from_dispatch(y)
}

/// Transposed 2x2 convolution of stride 2.
///
/// # Shapes
/// `x` [N, C, H, W], `weight` [C, O, 2, 2], `bias` \[O\] -> [N, O, 2H, 2W].
pub fn conv_transpose2x2(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let [n, cin, h, w] = x.dims();
    let [rows, cout, kh, kw] = weight.dims();
    let (x, ours) = on_cpu(x);
    if !ours || [rows, kh, kw] != [cin, 2, 2] || bias.dims() != [cout] {
        let options = ConvTransposeOptions::new([2; 2], [0; 2], [0; 2], [1; 2], 1);
        return generic::conv_transpose2d(x, weight, Some(bias), options);
    }
    let shape = UpShape { n, cin, cout, h, w };
    let (weight, bias) = (weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::kernel_conv_transpose(x.into_dispatch(), weight, bias, shape))
}

/// 2x2 max pooling of stride 2.
///
/// # Shapes
/// `x` [N, C, H, W] -> [N, C, H / 2, W / 2].
pub fn max_pool2x2(x: Tensor<4>) -> Tensor<4> {
    let (x, ours) = on_cpu(x);
    if ours {
        return Tensor::from_dispatch(Dispatch::kernel_max_pool(x.into_dispatch()));
    }
    generic::max_pool2d(x, halving())
}

/// Puts every value of `x` where 2x2 max pooling finds the (first of the) largest values of `reference`, zeros
/// elsewhere. No gradient flows into the reference.
///
/// # Shapes
/// `x` [N, C, H, W], `reference` [N, C, 2H, 2W] -> [N, C, 2H, 2W].
pub fn max_unpool2x2(x: Tensor<4>, reference: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let ((x, x_ours), (reference, ours)) = (on_cpu(x), on_cpu(reference));
    if x_ours && ours && reference.dims() == [n, c, 2 * h, 2 * w] {
        return Tensor::from_dispatch(Dispatch::kernel_unpool(x.into_dispatch(), reference.into_dispatch()));
    }
    let (_, indices) = generic::max_pool2d_with_indices(reference.detach(), halving());
    Tensor::<3>::zeros([n, c, 4 * h * w], &x.device())
        .scatter(2, indices.reshape([n, c, h * w]), x.reshape([n, c, h * w]), IndexingUpdateOp::Add)
        .reshape([n, c, 2 * h, 2 * w])
}

fn halving() -> MaxPoolOptions<2> {
    MaxPoolOptions { kernel_size: [2; 2], stride: [2; 2], padding: [(0, 0); 2], dilation: [1; 2], ceil_mode: false }
}

/// Batch normalisation with the statistics of the batch, then the activation, in one pass over the memory.
///
/// Returns the output [N, C, H, W], the batch mean \[C\] and the biased batch variance \[C\]; the statistics carry no
/// gradient.
pub fn batch_norm_act(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    activation: Activation,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let channels = x.dims()[1];
    let (x, ours) = on_cpu(x);
    if !ours || gamma.dims() != [channels] || beta.dims() != [channels] {
        let result = generic::batch_norm_train(x, gamma, beta, epsilon);
        return (activate(result.output, activation), result.mean.detach(), result.variance.detach());
    }
    let act = Act::from(activation);
    let (y, stats) = Dispatch::kernel_batch_norm(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon as f32,
        act,
    );
    let stats = Tensor::<2>::from_dispatch(stats).detach();
    let row = |i: usize| stats.clone().narrow(0, i, 1).reshape([channels]);
    (Tensor::from_dispatch(y), row(0), row(1))
}

/// `activation(scale * x + shift)` per channel.
///
/// # Shapes
/// `x` [N, C, H, W], `scale` and `shift` \[C\] -> [N, C, H, W].
pub fn affine_act(x: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>, activation: Activation) -> Tensor<4> {
    let channels = x.dims()[1];
    let (x, ours) = on_cpu(x);
    if !ours || scale.dims() != [channels] || shift.dims() != [channels] {
        let z = x * scale.reshape([1, channels, 1, 1]) + shift.reshape([1, channels, 1, 1]);
        return activate(z, activation);
    }
    let act = Act::from(activation);
    Tensor::from_dispatch(Dispatch::kernel_affine(x.into_dispatch(), scale.into_dispatch(), shift.into_dispatch(), act))
}

/// Doubles height and width by bilinear interpolation between pixel centres.
///
/// # Shapes
/// `x` [N, C, H, W] -> [N, C, 2H, 2W].
pub fn upsample_bilinear2x(x: Tensor<4>) -> Tensor<4> {
    let [_, _, h, w] = x.dims();
    let (x, ours) = on_cpu(x);
    if ours {
        return Tensor::from_dispatch(Dispatch::kernel_upsample_bilinear(x.into_dispatch()));
    }
    let options = InterpolateOptions::new(InterpolateMode::Bilinear);
    generic::interpolate(x, options.with_align_corners(false).with_output_size([2 * h, 2 * w]))
}

/// The channels of `x`, then those of `y`.
///
/// # Shapes
/// `x` [N, C, H, W], `y` [N, D, H, W] -> [N, C + D, H, W].
pub fn concat(x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
    let ([n, _, h, w], [yn, _, yh, yw]) = (x.dims(), y.dims());
    let ((x, x_ours), (y, y_ours)) = (on_cpu(x), on_cpu(y));
    if x_ours && y_ours && [n, h, w] == [yn, yh, yw] {
        return Tensor::from_dispatch(Dispatch::kernel_concat(x.into_dispatch(), y.into_dispatch()));
    }
    Tensor::cat(vec![x, y], 1)
}

/// Doubles height and width by repetition and appends the channels of `skip` [N, S, 2H, 2W].
///
/// # Shapes
/// `x` [N, C, H, W] -> [N, C + S, 2H, 2W].
pub fn upsample2x_concat(x: Tensor<4>, skip: Option<Tensor<4>>) -> Tensor<4> {
    let [n, _, h, w] = x.dims();
    let (x, ours) = on_cpu(x);
    let fits = skip.as_ref().is_none_or(|s| {
        let [sn, _, sh, sw] = s.dims();
        [sn, sh, sw] == [n, 2 * h, 2 * w] && s.dtype() == DType::F32
    });
    if ours && fits {
        return Tensor::from_dispatch(match skip {
            None => Dispatch::kernel_upsample(x.into_dispatch()),
            Some(skip) => Dispatch::kernel_upsample_concat(x.into_dispatch(), skip.into_dispatch()),
        });
    }
    let options = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([2 * h, 2 * w]);
    let up = generic::interpolate(x, options);
    match skip {
        None => up,
        Some(skip) => Tensor::cat(vec![up, skip], 1),
    }
}

#[cfg(test)]
mod tests;
