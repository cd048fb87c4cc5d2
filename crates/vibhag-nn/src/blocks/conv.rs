//! Convolutions with PyTorch's parameter names.

use burn::module::{Module, Param};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use vibhag_core::Result;

use crate::ops::{self, Activation};

/// How the border is filled with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// The same number of rows and columns on each side.
    Symmetric(usize),
    /// TensorFlow's "same": output sides are `ceil(side / stride)`, and an odd remainder goes to
    /// the bottom and right.
    Same,
}

/// What a convolution looks like.
#[derive(Debug, Clone, Copy)]
pub struct ConvSpec {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step in both directions.
    pub stride: usize,
    /// Border.
    pub padding: Padding,
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl ConvSpec {
    /// A convolution of stride 1 that keeps the size and has no bias.
    pub fn new(inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self { inputs, outputs, kernel, stride: 1, padding: Padding::Symmetric(kernel / 2), groups: 1, bias: false }
    }

    /// With a stride.
    #[must_use]
    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// With TensorFlow's padding.
    #[must_use]
    pub fn same(self) -> Self {
        Self { padding: Padding::Same, ..self }
    }

    /// One filter per channel.
    #[must_use]
    pub fn depthwise(self) -> Self {
        Self { groups: self.inputs, ..self }
    }

    /// With a bias.
    #[must_use]
    pub fn bias(self) -> Self {
        Self { bias: true, ..self }
    }

    /// The layer, filled with zeros.
    pub fn init(self, device: &Device) -> Conv2d {
        let shape = [self.outputs, self.inputs / self.groups, self.kernel, self.kernel];
        Conv2d {
            weight: Param::from_tensor(Tensor::zeros(shape, device)),
            bias: self.bias.then(|| Param::from_tensor(Tensor::zeros([self.outputs], device))),
            stride: self.stride,
            padding: self.padding,
            groups: self.groups,
        }
    }
}

/// A 2-D convolution.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// Kernels [O, C / groups, K, K].
    pub weight: Param<Tensor<4>>,
    /// Bias \[O\].
    pub bias: Option<Param<Tensor<1>>>,
    stride: usize,
    #[module(skip)]
    padding: Padding,
    groups: usize,
}

impl Conv2d {
    /// Convolves [N, C, H, W] into [N, O, H', W'].
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.apply(x, self.weight.val(), self.bias.as_ref().map(Param::val))
    }

    /// Convolves, then applies the activation: bias and activation in one pass over the memory, forward and backward.
    pub fn forward_activated(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let Some(bias) = self.bias.as_ref().filter(|_| activation != Activation::Identity) else {
            return ops::activate(self.forward(x), activation);
        };
        let (x, bias) = (self.apply(x, self.weight.val(), None), bias.val());
        let ones = Tensor::ones(bias.dims(), &x.device());
        ops::affine_act(x, ones, bias, activation)
    }

    /// Convolves with other numbers in place of the layer's own, for folded normalisation.
    pub(crate) fn apply(&self, x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let [top, left, bottom, right] = self.padding_for([height, width]);
        let padding = [(top, bottom), (left, right)];
        let options = ConvOptions::new_with_padding([self.stride; 2], padding, [1; 2], self.groups);
        ops::conv2d(x, weight, bias, options)
    }

    /// Step in both directions.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Groups of channels that do not see each other.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Rows and columns of zeros around an input of `size` (height, width): top, left, bottom,
    /// right.
    pub fn padding_for(&self, size: [usize; 2]) -> [usize; 4] {
        let kernel = self.weight.dims()[2];
        let [(top, bottom), (left, right)] = match self.padding {
            Padding::Symmetric(padding) => [(padding, padding); 2],
            Padding::Same => size.map(|side| same_padding(side, kernel, self.stride)),
        };
        [top, left, bottom, right]
    }

    /// The kernels [O, C / groups, K, K] and the bias \[O\], zeros where there is none.
    ///
    /// # Errors
    /// When the device does not give the values out.
    pub fn values(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        let bias = match &self.bias {
            Some(bias) => ops::values(bias.val())?,
            None => vec![0.0; self.weight.dims()[0]],
        };
        Ok((ops::values(self.weight.val())?, bias))
    }
}

fn same_padding(side: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let covered = (side.div_ceil(stride).max(1) - 1) * stride + kernel;
    let total = covered.saturating_sub(side);
    (total / 2, total - total / 2)
}

/// A transposed 2-D convolution without padding.
#[derive(Module, Debug)]
pub struct ConvTranspose2d {
    /// Kernels [C, O, K, K].
    pub weight: Param<Tensor<4>>,
    /// Bias \[O\].
    pub bias: Param<Tensor<1>>,
    stride: usize,
}

impl ConvTranspose2d {
    /// The layer that doubles height and width (kernel 2, stride 2), filled with zeros.
    pub fn doubling(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::zeros([inputs, outputs, 2, 2], device)),
            bias: Param::from_tensor(Tensor::zeros([outputs], device)),
            stride: 2,
        }
    }

    /// [N, C, H, W] -> [N, O, 2H, 2W].
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv_transpose2d(x, self.weight.val(), Some(self.bias.val()), self.stride)
    }

    /// Step in both directions.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The kernels [C, O, K, K] and the bias \[O\].
    ///
    /// # Errors
    /// When the device does not give the values out.
    pub fn values(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        Ok((ops::values(self.weight.val())?, ops::values(self.bias.val())?))
    }
}

#[cfg(test)]
mod tests {
    use super::same_padding;

    #[test]
    fn same_padding_is_tensorflows() {
        assert_eq!(same_padding(224, 3, 2), (0, 1));
        assert_eq!(same_padding(225, 3, 2), (1, 1));
        assert_eq!(same_padding(56, 5, 2), (1, 2));
        assert_eq!(same_padding(7, 5, 1), (2, 2));
    }
}
