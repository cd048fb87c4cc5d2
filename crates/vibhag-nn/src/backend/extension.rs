//! The operations that the kernels add to burn's backends.

use std::sync::Arc;

use burn::backend::{Backend, backend_extension, tensor::FloatTensor};
use vibhag_kernels::{Activation, ConvShape, UpShape};

/// What logits are compared with, see [`vibhag_kernels::Truth`].
#[derive(Debug, Clone)]
pub(super) struct ClassTruth {
    pub(super) labels: Arc<[u16]>,
    pub(super) ignore: u16,
    pub(super) weights: Arc<[f32]>,
    pub(super) smoothing: f32,
}

/// Differentiable operations, dispatched to plain CPU tensors or to their autodiff wrapper.
#[backend_extension(Flex, Autodiff)]
pub(super) trait KernelOps: Backend {
    /// Convolution without bias.
    fn kernel_conv2d(x: FloatTensor<Self>, weight: FloatTensor<Self>, shape: ConvShape) -> FloatTensor<Self>;

    /// Convolution with bias.
    fn kernel_conv2d_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: ConvShape,
    ) -> FloatTensor<Self>;

    /// Batch normalisation and activation; also returns means and biased variances, [2, C].
    fn kernel_batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        eps: f32,
        act: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Scale and shift per channel, then the activation.
    fn kernel_affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        act: Activation,
    ) -> FloatTensor<Self>;

    /// Transposed 2x2 convolution of stride 2.
    fn kernel_conv_transpose(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: UpShape,
    ) -> FloatTensor<Self>;

    /// 2x2 max pooling of stride 2.
    fn kernel_max_pool(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Values to where 2x2 max pooling found the largest values of `reference`, zeros elsewhere.
    fn kernel_unpool(x: FloatTensor<Self>, reference: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Sums of the softmax by image and class, and the cross-entropy.
    fn kernel_class_sums(logits: FloatTensor<Self>, truth: ClassTruth) -> FloatTensor<Self>;

    /// The channels of both maps, one after the other.
    fn kernel_concat(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Nearest 2x upsampling.
    fn kernel_upsample(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Bilinear 2x upsampling.
    fn kernel_upsample_bilinear(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Nearest 2x upsampling joined with a skip connection.
    fn kernel_upsample_concat(x: FloatTensor<Self>, skip: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Gradients of a channel-wise operation: of the input, of the first and of the second parameter.
pub(super) type ChannelGrads<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// The backward passes, on plain tensors.
pub(super) trait KernelGrads: KernelOps {
    /// Gradient of the logits of [`KernelOps::kernel_class_sums`].
    fn class_sums_dx(logits: FloatTensor<Self>, dy: FloatTensor<Self>, truth: ClassTruth) -> FloatTensor<Self>;

    /// Gradient of a convolution's input.
    fn conv2d_dx(weight: FloatTensor<Self>, dy: FloatTensor<Self>, shape: ConvShape) -> FloatTensor<Self>;

    /// Gradient of a convolution's weights.
    fn conv2d_dw(x: FloatTensor<Self>, dy: FloatTensor<Self>, shape: ConvShape) -> FloatTensor<Self>;

    /// Gradient of a convolution's bias.
    fn conv2d_db(dy: FloatTensor<Self>, shape: ConvShape) -> FloatTensor<Self>;

    /// Gradient of a transposed convolution's input.
    fn conv_transpose_dx(weight: FloatTensor<Self>, dy: FloatTensor<Self>, shape: UpShape) -> FloatTensor<Self>;

    /// Gradient of a transposed convolution's weights.
    fn conv_transpose_dw(x: FloatTensor<Self>, dy: FloatTensor<Self>, shape: UpShape) -> FloatTensor<Self>;

    /// Gradient of a transposed convolution's bias.
    fn conv_transpose_db(dy: FloatTensor<Self>, shape: UpShape) -> FloatTensor<Self>;

    /// Gradient of 2x2 max pooling, from its input.
    fn max_pool_dx(x: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The output of the batch normalisation again, from its statistics, scale and shift: the same bits.
    fn batch_norm_again(
        x: FloatTensor<Self>,
        parameters: [FloatTensor<Self>; 3],
        eps: f32,
        act: Activation,
    ) -> FloatTensor<Self>;

    /// Gradient of unpooling.
    fn unpool_dx(reference: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradients of the batch normalisation, from its statistics, scale and shift.
    fn batch_norm_grads(
        x: FloatTensor<Self>,
        parameters: [FloatTensor<Self>; 3],
        dy: FloatTensor<Self>,
        eps: f32,
        act: Activation,
    ) -> ChannelGrads<Self>;

    /// Gradients of scale and shift.
    fn affine_grads(
        x: FloatTensor<Self>,
        parameters: [FloatTensor<Self>; 2],
        dy: FloatTensor<Self>,
        act: Activation,
    ) -> ChannelGrads<Self>;

    /// Gradient of bilinear upsampling.
    fn upsample_bilinear_dx(dy: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradients of both parts of a concatenation, the first of `first` channels.
    fn concat_grads(dy: FloatTensor<Self>, first: usize) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Gradients of the upsampled map and of the skip connection's `skip` channels.
    fn upsample_grads(dy: FloatTensor<Self>, skip: usize) -> (FloatTensor<Self>, FloatTensor<Self>);
}
