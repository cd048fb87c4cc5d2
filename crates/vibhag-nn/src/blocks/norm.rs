//! Batch normalisation (Ioffe and Szegedy, 2015) with PyTorch's parameter names and statistics.

use burn::module::{Flag, Module, Param};
use burn::tensor::{Device, Tensor};
use vibhag_core::Result;

use super::{Buffer, Conv2d};
use crate::ops::{self, Activation};

/// Batch normalisation over [N, C, H, W].
///
/// A tensor on an autodiff device is normalised with the statistics of the batch, and the running
/// statistics move (PyTorch's rule: the running variance takes the unbiased estimate); any other
/// tensor is normalised with the running statistics. [`Module::freeze`] switches the first case
/// off, so that a frozen encoder keeps its statistics.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale \[C\].
    pub weight: Param<Tensor<1>>,
    /// Shift \[C\].
    pub bias: Param<Tensor<1>>,
    /// Running mean \[C\].
    pub running_mean: Buffer,
    /// Running variance \[C\].
    pub running_var: Buffer,
    training: Param<Flag>,
    momentum: f64,
    epsilon: f64,
}

impl BatchNorm {
    /// PyTorch's defaults: epsilon 1e-5, momentum 0.1.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self::with_epsilon(channels, 1e-5, device)
    }

    /// With another epsilon.
    pub fn with_epsilon(channels: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::ones([channels], device)),
            bias: Param::from_tensor(Tensor::zeros([channels], device)),
            running_mean: Buffer::new(Tensor::zeros([channels], device)),
            running_var: Buffer::new(Tensor::ones([channels], device)),
            training: Param::from_bool(true),
            momentum: 0.1,
            epsilon,
        }
    }

    /// Normalises [N, C, H, W], then applies the activation.
    pub fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        if self.uses_batch_statistics(&x) {
            return self.forward_train(x, activation);
        }
        let (scale, shift) = self.affine();
        ops::affine_act(x, scale, shift, activation)
    }

    /// The running statistics as one multiplication and one addition per channel: scale and shift,
    /// \[C\] each.
    ///
    /// # Errors
    /// When the device does not give the values out.
    pub fn scale_and_shift(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        let (scale, shift) = self.affine();
        Ok((ops::values(scale)?, ops::values(shift)?))
    }

    fn uses_batch_statistics(&self, x: &Tensor<4>) -> bool {
        x.is_autodiff() && self.training.is_enabled()
    }

    fn forward_train(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let [n, _, h, w] = x.dims();
        let count = (n * h * w) as f64;
        let (gamma, beta) = (self.weight.val(), self.bias.val());
        let (output, mean, variance) = ops::batch_norm_act(x, gamma, beta, self.epsilon, activation);
        let unbiased = variance.mul_scalar(count / (count - 1.0).max(1.0));
        self.blend(&self.running_mean, mean);
        self.blend(&self.running_var, unbiased);
        output
    }

    fn blend(&self, running: &Buffer, batch: Tensor<1>) {
        running.set(running.value().mul_scalar(1.0 - self.momentum) + batch.mul_scalar(self.momentum));
    }

    /// The running statistics as one multiplication and one addition per channel.
    fn affine(&self) -> (Tensor<1>, Tensor<1>) {
        let scale = self.weight.val() / self.running_var.value().add_scalar(self.epsilon).sqrt();
        let shift = self.bias.val() - self.running_mean.value() * scale.clone();
        (scale, shift)
    }
}

/// Convolution, normalisation, activation. With running statistics the normalisation is folded
/// into the kernels, which saves two passes over the output.
pub fn conv_norm(conv: &Conv2d, norm: &BatchNorm, activation: Activation, x: Tensor<4>) -> Tensor<4> {
    if norm.uses_batch_statistics(&x) {
        return norm.forward(conv.forward(x), activation);
    }
    let (scale, shift) = norm.affine();
    let weight = conv.weight.val();
    let outputs = weight.dims()[0];
    let bias = match &conv.bias {
        Some(bias) => bias.val() * scale.clone() + shift,
        None => shift,
    };
    ops::activate(conv.apply(x, weight * scale.reshape([outputs, 1, 1, 1]), Some(bias)), activation)
}
