//! Convolutions whose weights do not change any more: transformed once, with bias, residual and activation applied
//! before the result leaves the cache.

use crate::activation::Activation;
use crate::conv::{Algorithm, cheapest};
use crate::epilogue::Epilogue;
use crate::product::Packed;
use crate::shape::ConvShape;
use crate::transposed::{self, UpShape};
use crate::winograd::KeptKernels;
use crate::{depthwise, general, pointwise, winograd};

/// A convolution ready to run many times: `y = activation(x * weight + bias + residual)`.
pub struct PreparedConv {
    shape: ConvShape,
    weights: Weights,
    bias: Vec<f32>,
    act: Activation,
}

enum Weights {
    Transformed(KeptKernels),
    Packed(Packed),
    Plain(Algorithm, Vec<f32>),
}

impl PreparedConv {
    /// Takes `weight` as `[cout, cin / groups, kh, kw]` and one bias per output channel; `None` when the kernels do not
    /// compute the shape.
    ///
    /// # Panics
    /// When a slice has another length than the shape says.
    pub fn new(shape: ConvShape, weight: &[f32], bias: Vec<f32>, act: Activation) -> Option<Self> {
        let algorithm = cheapest(&shape, true)?;
        assert!(weight.len() == shape.weight_len() && bias.len() == shape.cout, "weights do not have the shape");
        let weights = match algorithm {
            Algorithm::Winograd(tile) => Weights::Transformed(winograd::prepare(&shape, tile, weight)),
            Algorithm::Pointwise => Weights::Packed(pointwise::pack(&shape, weight)),
            other => Weights::Plain(other, weight.to_vec()),
        };
        Some(Self { shape, weights, bias, act })
    }

    /// The geometry.
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// Convolves `x` [n, cin, h, w] into `y` [n, cout, ho, wo], to which the residual is as long.
    ///
    /// # Panics
    /// When a slice has another length than the shape says.
    pub fn run(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        let s = &self.shape;
        assert!(x.len() == s.input_len() && y.len() == s.output_len(), "a slice does not have the shape's length");
        assert!(residual.is_none_or(|residual| residual.len() == y.len()), "the residual has another length");
        let epilogue = Epilogue::new(Some(&self.bias), residual, self.act);
        match &self.weights {
            Weights::Transformed(kernels) => winograd::forward_prepared(s, x, kernels, &epilogue, y),
            Weights::Packed(weight) => pointwise::forward(s, x, weight, &epilogue, y),
            Weights::Plain(Algorithm::Depthwise, weight) => depthwise::forward(s, x, weight, &epilogue, y),
            Weights::Plain(_, weight) => general::forward(s, x, weight, &epilogue, y),
        }
    }
}

/// A transposed 2x2 convolution of stride 2, ready to run many times.
pub struct PreparedUp {
    shape: UpShape,
    weight: Packed,
    bias: Vec<f32>,
}

impl PreparedUp {
    /// Takes `weight` as `[cin, cout, 2, 2]`, for one image of `h x w`.
    ///
    /// # Panics
    /// When a slice has another length than the shape says.
    pub fn new([cin, cout]: [usize; 2], [h, w]: [usize; 2], weight: &[f32], bias: Vec<f32>) -> Self {
        assert!(weight.len() == 4 * cin * cout && bias.len() == cout, "weights do not have the shape");
        let shape = UpShape { n: 1, cin, cout, h, w };
        Self { shape, weight: transposed::pack(&shape, weight), bias }
    }

    /// Writes `y` [cout, 2h, 2w] from `x` [cin, h, w].
    ///
    /// # Panics
    /// When a slice has another length than the shape says.
    pub fn run(&self, x: &[f32], y: &mut [f32]) {
        transposed::forward(&self.shape, x, &self.weight, Some(&self.bias), y);
    }
}
