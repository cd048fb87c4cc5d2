//! The operations that the kernels add to burn's backends.

use burn::backend::{Backend, backend_extension, tensor::FloatTensor};
use vibhag_kernels::{Activation, ConvShape};

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

    /// Nearest 2x upsampling.
    fn kernel_upsample(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Nearest 2x upsampling joined with a skip connection.
    fn kernel_upsample_concat(x: FloatTensor<Self>, skip: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Gradients of a channel-wise operation: of the input, of the first and of the second parameter.
pub(super) type ChannelGrads<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// The backward passes, on plain tensors.
pub(super) trait KernelGrads: KernelOps {
    /// Gradient of a convolution's input.
    fn conv2d_dx(weight: FloatTensor<Self>, dy: FloatTensor<Self>, shape: ConvShape) -> FloatTensor<Self>;

    /// Gradient of a convolution's weights.
    fn conv2d_dw(x: FloatTensor<Self>, dy: FloatTensor<Self>, shape: ConvShape) -> FloatTensor<Self>;

    /// Gradient of a convolution's bias.
    fn conv2d_db(dy: FloatTensor<Self>, shape: ConvShape) -> FloatTensor<Self>;

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

    /// Gradients of the upsampled map and of the skip connection's `skip` channels.
    fn upsample_grads(dy: FloatTensor<Self>, skip: usize) -> (FloatTensor<Self>, FloatTensor<Self>);
}
