//! Which kernel computes which convolution.

use rayon::prelude::*;

use crate::activation::Activation;
use crate::epilogue::Epilogue;
use crate::shape::ConvShape;
use crate::winograd::Tile;
use crate::{depthwise, general, pointwise, winograd};

/// How a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// 1x1, stride 1: one matrix product per image.
    Pointwise,
    /// One kernel per channel, direct.
    Depthwise,
    /// 3x3, stride 1: Winograd's minimal filtering, with the tile that a cost model chooses.
    Winograd(Tile),
    /// Anything else with one group: im2col of a few rows and a matrix product.
    General,
}

/// The algorithms that compute a shape; none for an impossible shape and for groups that are neither one nor depthwise
/// 3x3 or 5x5.
pub fn algorithms(s: &ConvShape) -> Vec<Algorithm> {
    if s.output().is_none() {
        return Vec::new();
    }
    if s.groups > 1 {
        return if depthwise::supported(s) { vec![Algorithm::Depthwise] } else { Vec::new() };
    }
    let mut all = vec![Algorithm::General];
    if s.kernel == [1, 1] && s.stride == [1, 1] && s.padding == [0; 4] {
        all.push(Algorithm::Pointwise);
    }
    if winograd::supported(s) {
        all.extend([Tile::Two, Tile::Four].map(Algorithm::Winograd));
    }
    all
}

/// The fastest algorithm for a shape by a model of their costs, `None` when no one computes it.
pub fn algorithm(s: &ConvShape) -> Option<Algorithm> {
    cheapest(s, false)
}

/// As [`algorithm`], or for weights that are prepared once and used many times.
pub(crate) fn cheapest(s: &ConvShape, prepared: bool) -> Option<Algorithm> {
    let cost = |algorithm: &Algorithm| algorithm.cost(s, prepared);
    algorithms(s).into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

fn chosen(s: &ConvShape) -> Algorithm {
    let algorithm = algorithm(s);
    assert!(algorithm.is_some(), "these kernels do not compute {s:?}");
    algorithm.unwrap_or(Algorithm::General)
}

/// `y = x * weight + bias`, with `x` as `[n, cin, h, w]`, `weight` as `[cout, cin / groups, kh, kw]`, `y` as
/// `[n, cout, ho, wo]`.
///
/// # Panics
/// When a slice has another length than the shape says, or [`algorithm`] is `None`.
pub fn forward(s: &ConvShape, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    chosen(s).forward(s, x, weight, bias, y);
}

/// Gradient of the input, from the weights and the output's gradient.
///
/// # Panics
/// When a slice has another length than the shape says, or [`algorithm`] is `None`.
pub fn backward_data(s: &ConvShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    chosen(s).backward_data(s, weight, dy, dx);
}

/// Gradient of the weights, from the input and the output's gradient.
///
/// # Panics
/// When a slice has another length than the shape says, or [`algorithm`] is `None`.
pub fn backward_weights(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    chosen(s).backward_weights(s, x, dy, dw);
}

impl Algorithm {
    fn check(self, s: &ConvShape, lengths: [(usize, usize); 3]) {
        assert!(lengths.iter().all(|(given, wanted)| given == wanted), "a slice does not have the shape's length");
        assert!(algorithms(s).contains(&self), "{self:?} does not compute {s:?}");
    }

    /// As [`forward`] by this algorithm.
    ///
    /// # Panics
    /// When a slice has another length than the shape says, or the algorithm is not one of [`algorithms`].
    pub fn forward(self, s: &ConvShape, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        self.check(s, [(x.len(), s.input_len()), (weight.len(), s.weight_len()), (y.len(), s.output_len())]);
        assert!(bias.is_none_or(|bias| bias.len() == s.cout), "bias needs one value per output channel");
        let epilogue = Epilogue::new(bias, None, Activation::None);
        match self {
            Self::Pointwise => pointwise::forward(s, x, &pointwise::pack(s, weight), &epilogue, y),
            Self::Depthwise => depthwise::forward(s, x, weight, &epilogue, y),
            Self::Winograd(tile) => winograd::forward(s, tile, x, weight, &epilogue, y),
            Self::General => general::forward(s, x, weight, &epilogue, y),
        }
    }

    /// As [`backward_data`] by this algorithm.
    ///
    /// # Panics
    /// As [`Algorithm::forward`].
    pub fn backward_data(self, s: &ConvShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
        self.check(s, [(dx.len(), s.input_len()), (weight.len(), s.weight_len()), (dy.len(), s.output_len())]);
        match self {
            Self::Pointwise => pointwise::backward_data(s, weight, dy, dx),
            Self::Depthwise => depthwise::backward_data(s, weight, dy, dx),
            Self::Winograd(tile) => winograd::backward_data(s, tile, weight, dy, dx),
            Self::General => general::backward_data(s, weight, dy, dx),
        }
    }

    /// As [`backward_weights`] by this algorithm.
    ///
    /// # Panics
    /// As [`Algorithm::forward`].
    pub fn backward_weights(self, s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        self.check(s, [(x.len(), s.input_len()), (dw.len(), s.weight_len()), (dy.len(), s.output_len())]);
        match self {
            Self::Pointwise => pointwise::backward_weights(s, x, dy, dw),
            Self::Depthwise => depthwise::backward_weights(s, x, dy, dw),
            Self::Winograd(tile) => winograd::backward_weights(s, tile, x, dy, dw),
            Self::General => general::backward_weights(s, x, dy, dw),
        }
    }
}

/// Gradient of the bias: the output's gradient summed per channel.
///
/// # Panics
/// When `dy` has another length than the shape says.
pub fn backward_bias(s: &ConvShape, dy: &[f32]) -> Vec<f32> {
    assert!(dy.len() == s.output_len(), "a slice does not have the shape's length");
    let (ho, wo) = s.out();
    let sums: Vec<f64> = dy.par_chunks((ho * wo).max(1)).map(|p| p.iter().map(|v| f64::from(*v)).sum()).collect();
    (0..s.cout).map(|c| sums.iter().skip(c).step_by(s.cout).sum::<f64>() as f32).collect()
}
