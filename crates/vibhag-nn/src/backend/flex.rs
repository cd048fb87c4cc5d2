//! The kernels on burn's CPU tensors. Contiguous tensors are read in place.

use burn::backend::TensorMetadata;
use burn::tensor::TensorData;
use burn_flex::{Flex, FlexTensor};
use vibhag_kernels::{self as kernels, Activation, BatchNorm, ConvShape, Planes, Truth, UpShape, unspecified};

use super::extension::{ChannelGrads, ClassTruth, KernelGrads, KernelOps};

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn dims(x: &FlexTensor) -> [usize; 4] {
    let shape = x.shape();
    std::array::from_fn(|i| shape[i])
}

fn planes([n, c, h, w]: [usize; 4]) -> Planes {
    Planes { n, c, len: h * w }
}

fn borrowed(truth: &ClassTruth) -> Truth<'_> {
    let ClassTruth { labels, ignore, weights, smoothing } = truth;
    Truth { labels, ignore: *ignore, weights, smoothing: *smoothing }
}

fn convolve(x: &FlexTensor, weight: &FlexTensor, bias: Option<&[f32]>, shape: &ConvShape) -> FlexTensor {
    let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
    let (ho, wo) = shape.output().unwrap_or_default();
    let mut y = unspecified(shape.output_len());
    kernels::forward(shape, x.storage(), weight.storage(), bias, &mut y);
    tensor(y, [shape.n, shape.cout, ho, wo])
}

fn upsample(x: &FlexTensor, skip: &[f32], skip_channels: usize) -> FlexTensor {
    let x = x.to_contiguous();
    let [n, c, h, w] = dims(&x);
    let mut y = unspecified(n * (c + skip_channels) * 4 * h * w);
    kernels::upsample2x_concat([n, c, h, w], skip_channels, x.storage(), skip, &mut y);
    tensor(y, [n, c + skip_channels, 2 * h, 2 * w])
}

impl KernelOps for Flex {
    fn kernel_conv2d(x: FlexTensor, weight: FlexTensor, shape: ConvShape) -> FlexTensor {
        convolve(&x, &weight, None, &shape)
    }

    fn kernel_conv2d_bias(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, shape: ConvShape) -> FlexTensor {
        convolve(&x, &weight, Some(bias.to_contiguous().storage()), &shape)
    }

    fn kernel_batch_norm(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        eps: f32,
        act: Activation,
    ) -> (FlexTensor, FlexTensor) {
        let (x, gamma, beta) = (x.to_contiguous(), gamma.to_contiguous(), beta.to_contiguous());
        let shape = dims(&x);
        let p = planes(shape);
        let mut y = unspecified(p.total());
        let bn = BatchNorm { gamma: gamma.storage(), beta: beta.storage(), eps, act };
        let stats = kernels::batch_norm_act(p, x.storage(), bn, &mut y);
        (tensor(y, shape), tensor(stats, [2, p.c]))
    }

    fn kernel_affine(x: FlexTensor, scale: FlexTensor, shift: FlexTensor, act: Activation) -> FlexTensor {
        let (x, scale, shift) = (x.to_contiguous(), scale.to_contiguous(), shift.to_contiguous());
        let shape = dims(&x);
        let p = planes(shape);
        let mut y = unspecified(p.total());
        kernels::affine_act(p, x.storage(), scale.storage(), shift.storage(), act, &mut y);
        tensor(y, shape)
    }

    fn kernel_conv_transpose(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, shape: UpShape) -> FlexTensor {
        let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
        let mut y = unspecified(shape.output_len());
        kernels::conv_transpose2x2(&shape, x.storage(), weight.storage(), Some(bias.storage()), &mut y);
        tensor(y, [shape.n, shape.cout, 2 * shape.h, 2 * shape.w])
    }

    fn kernel_max_pool(x: FlexTensor) -> FlexTensor {
        let x = x.to_contiguous();
        let [n, c, h, w] = dims(&x);
        let mut y = unspecified(n * c * (h / 2) * (w / 2));
        kernels::max_pool([n * c, h, w], 2, 2, 0, x.storage(), &mut y);
        tensor(y, [n, c, h / 2, w / 2])
    }

    fn kernel_unpool(x: FlexTensor, reference: FlexTensor) -> FlexTensor {
        // Unpooling is the adjoint of pooling.
        Self::max_pool_dx(reference, x)
    }

    fn kernel_class_sums(logits: FlexTensor, truth: ClassTruth) -> FlexTensor {
        let logits = logits.to_contiguous();
        let sums = kernels::class_sums(planes(dims(&logits)), logits.storage(), borrowed(&truth));
        let count = sums.len();
        tensor(sums, [count])
    }

    fn kernel_concat(x: FlexTensor, y: FlexTensor) -> FlexTensor {
        let (x, y) = (x.to_contiguous(), y.to_contiguous());
        let [n, c, h, w] = dims(&x);
        let total = c + dims(&y)[1];
        let mut z = unspecified(n * total * h * w);
        kernels::concat(n, x.storage(), y.storage(), &mut z);
        tensor(z, [n, total, h, w])
    }

    fn kernel_upsample(x: FlexTensor) -> FlexTensor {
        upsample(&x, &[], 0)
    }

    fn kernel_upsample_bilinear(x: FlexTensor) -> FlexTensor {
        let x = x.to_contiguous();
        let [n, c, h, w] = dims(&x);
        let mut y = unspecified(n * c * 4 * h * w);
        kernels::upsample_bilinear2x([n * c, h, w], x.storage(), &mut y);
        tensor(y, [n, c, 2 * h, 2 * w])
    }

    fn kernel_upsample_concat(x: FlexTensor, skip: FlexTensor) -> FlexTensor {
        let channels = dims(&skip)[1];
        upsample(&x, skip.to_contiguous().storage(), channels)
    }
}

impl KernelGrads for Flex {
    fn class_sums_dx(logits: FlexTensor, dy: FlexTensor, truth: ClassTruth) -> FlexTensor {
        let (logits, dy) = (logits.to_contiguous(), dy.to_contiguous());
        let shape = dims(&logits);
        let mut dx = unspecified(planes(shape).total());
        kernels::class_sums_backward(planes(shape), logits.storage(), borrowed(&truth), dy.storage(), &mut dx);
        tensor(dx, shape)
    }

    fn conv2d_dx(weight: FlexTensor, dy: FlexTensor, shape: ConvShape) -> FlexTensor {
        let mut dx = unspecified(shape.input_len());
        kernels::backward_data(&shape, weight.to_contiguous().storage(), dy.to_contiguous().storage(), &mut dx);
        tensor(dx, [shape.n, shape.cin, shape.h, shape.w])
    }

    fn conv2d_dw(x: FlexTensor, dy: FlexTensor, shape: ConvShape) -> FlexTensor {
        let mut dw = unspecified(shape.weight_len());
        kernels::backward_weights(&shape, x.to_contiguous().storage(), dy.to_contiguous().storage(), &mut dw);
        tensor(dw, [shape.cout, shape.cin / shape.groups, shape.kernel[0], shape.kernel[1]])
    }

    fn conv2d_db(dy: FlexTensor, shape: ConvShape) -> FlexTensor {
        tensor(kernels::backward_bias(&shape, dy.to_contiguous().storage()), [shape.cout])
    }

    fn conv_transpose_dx(weight: FlexTensor, dy: FlexTensor, shape: UpShape) -> FlexTensor {
        let (weight, dy) = (weight.to_contiguous(), dy.to_contiguous());
        let mut dx = unspecified(shape.input_len());
        kernels::conv_transpose2x2_backward_data(&shape, weight.storage(), dy.storage(), &mut dx);
        tensor(dx, [shape.n, shape.cin, shape.h, shape.w])
    }

    fn conv_transpose_dw(x: FlexTensor, dy: FlexTensor, shape: UpShape) -> FlexTensor {
        let (x, dy) = (x.to_contiguous(), dy.to_contiguous());
        let mut dw = unspecified(shape.weight_len());
        kernels::conv_transpose2x2_backward_weights(&shape, x.storage(), dy.storage(), &mut dw);
        tensor(dw, [shape.cin, shape.cout, 2, 2])
    }

    fn conv_transpose_db(dy: FlexTensor, shape: UpShape) -> FlexTensor {
        tensor(kernels::conv_transpose2x2_backward_bias(&shape, dy.to_contiguous().storage()), [shape.cout])
    }

    fn max_pool_dx(x: FlexTensor, dy: FlexTensor) -> FlexTensor {
        let (x, dy) = (x.to_contiguous(), dy.to_contiguous());
        let [n, c, h, w] = dims(&x);
        let mut dx = unspecified(n * c * h * w);
        kernels::max_pool2x2_backward([n * c, h, w], x.storage(), dy.storage(), &mut dx);
        tensor(dx, [n, c, h, w])
    }

    fn unpool_dx(reference: FlexTensor, dy: FlexTensor) -> FlexTensor {
        let (reference, dy) = (reference.to_contiguous(), dy.to_contiguous());
        let [n, c, h, w] = dims(&dy);
        let mut dx = unspecified(n * c * (h / 2) * (w / 2));
        kernels::pick2x2([n * c, h, w], reference.storage(), dy.storage(), &mut dx);
        tensor(dx, [n, c, h / 2, w / 2])
    }

    fn batch_norm_again(x: FlexTensor, [stats, gamma, beta]: [FlexTensor; 3], eps: f32, act: Activation) -> FlexTensor {
        let (x, stats) = (x.to_contiguous(), stats.to_contiguous());
        let (gamma, beta) = (gamma.to_contiguous(), beta.to_contiguous());
        let shape = dims(&x);
        let mut y = unspecified(planes(shape).total());
        let bn = BatchNorm { gamma: gamma.storage(), beta: beta.storage(), eps, act };
        kernels::batch_norm_again(planes(shape), x.storage(), stats.storage(), bn, &mut y);
        tensor(y, shape)
    }

    fn batch_norm_grads(
        x: FlexTensor,
        [stats, gamma, beta]: [FlexTensor; 3],
        dy: FlexTensor,
        eps: f32,
        act: Activation,
    ) -> ChannelGrads<Self> {
        let (x, dy) = (x.to_contiguous(), dy.to_contiguous());
        let (stats, gamma, beta) = (stats.to_contiguous(), gamma.to_contiguous(), beta.to_contiguous());
        let shape = dims(&x);
        let p = planes(shape);
        let mut dx = unspecified(p.total());
        let bn = BatchNorm { gamma: gamma.storage(), beta: beta.storage(), eps, act };
        let (dgamma, dbeta) =
            kernels::batch_norm_act_backward(p, x.storage(), stats.storage(), bn, dy.storage(), &mut dx);
        (tensor(dx, shape), tensor(dgamma, [p.c]), tensor(dbeta, [p.c]))
    }

    fn affine_grads(
        x: FlexTensor,
        [scale, shift]: [FlexTensor; 2],
        dy: FlexTensor,
        act: Activation,
    ) -> ChannelGrads<Self> {
        let (x, dy, scale, shift) =
            (x.to_contiguous(), dy.to_contiguous(), scale.to_contiguous(), shift.to_contiguous());
        let shape = dims(&x);
        let p = planes(shape);
        let mut dx = unspecified(p.total());
        let (dscale, dshift) =
            kernels::affine_act_backward(p, x.storage(), scale.storage(), shift.storage(), act, dy.storage(), &mut dx);
        (tensor(dx, shape), tensor(dscale, [p.c]), tensor(dshift, [p.c]))
    }

    fn upsample_bilinear_dx(dy: FlexTensor) -> FlexTensor {
        let dy = dy.to_contiguous();
        let [n, c, h, w] = dims(&dy);
        let mut dx = unspecified(n * c * (h / 2) * (w / 2));
        kernels::upsample_bilinear2x_backward([n * c, h / 2, w / 2], dy.storage(), &mut dx);
        tensor(dx, [n, c, h / 2, w / 2])
    }

    fn concat_grads(dy: FlexTensor, first: usize) -> (FlexTensor, FlexTensor) {
        let dy = dy.to_contiguous();
        let [n, c, h, w] = dims(&dy);
        let (mut dx, mut dz) = (unspecified(n * first * h * w), unspecified(n * (c - first) * h * w));
        kernels::split(n, dy.storage(), &mut dx, &mut dz);
        (tensor(dx, [n, first, h, w]), tensor(dz, [n, c - first, h, w]))
    }

    fn upsample_grads(dy: FlexTensor, skip: usize) -> (FlexTensor, FlexTensor) {
        let dy = dy.to_contiguous();
        let [n, all, h, w] = dims(&dy);
        let (c, half) = (all - skip, [h / 2, w / 2]);
        let (mut dx, mut dskip) = (unspecified(n * c * half[0] * half[1]), unspecified(n * skip * h * w));
        kernels::upsample2x_concat_backward([n, c, half[0], half[1]], skip, dy.storage(), &mut dx, &mut dskip);
        (tensor(dx, [n, c, half[0], half[1]]), tensor(dskip, [n, skip, h, w]))
    }
}
