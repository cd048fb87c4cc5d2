//! Which kernel computes which convolution.

use rayon::prelude::*;

use crate::epilogue::Epilogue;
use crate::norm::Activation;
use crate::shape::ConvShape;
use crate::{depthwise, general, pointwise, winograd};

/// How a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// 1x1, stride 1: one matrix product per image.
    Pointwise,
    /// One kernel per channel, direct.
    Depthwise,
    /// 3x3, stride 1: Winograd F(4x4, 3x3).
    Winograd,
    /// Anything else with one group: im2col of a few rows and a matrix product.
    General,
}

/// The algorithm for a shape, `None` when these kernels do not compute it (an impossible shape, or grouped but not
/// depthwise 3x3 or 5x5).
pub fn algorithm(s: &ConvShape) -> Option<Algorithm> {
    s.output()?;
    if s.groups > 1 {
        return depthwise::supported(s).then_some(Algorithm::Depthwise);
    }
    if s.kernel == [1, 1] && s.stride == [1, 1] && s.padding == [0; 4] {
        return Some(Algorithm::Pointwise);
    }
    Some(if winograd::supported(s) { Algorithm::Winograd } else { Algorithm::General })
}

fn check(s: &ConvShape, lengths: [(usize, usize); 3]) -> Algorithm {
    assert!(lengths.iter().all(|(given, wanted)| given == wanted), "a slice does not have the shape's length");
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
    let lengths = [(x.len(), s.input_len()), (weight.len(), s.weight_len()), (y.len(), s.output_len())];
    assert!(bias.is_none_or(|bias| bias.len() == s.cout), "bias needs one value per output channel");
    let epilogue = Epilogue::new(bias, None, Activation::None);
    match check(s, lengths) {
        Algorithm::Pointwise => pointwise::forward(s, x, weight, &epilogue, y),
        Algorithm::Depthwise => depthwise::forward(s, x, weight, &epilogue, y),
        Algorithm::Winograd => winograd::forward(s, x, weight, &epilogue, y),
        Algorithm::General => general::forward(s, x, weight, &epilogue, y),
    }
}

/// Gradient of the input, from the weights and the output's gradient.
///
/// # Panics
/// When a slice has another length than the shape says, or [`algorithm`] is `None`.
pub fn backward_data(s: &ConvShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    let lengths = [(dx.len(), s.input_len()), (weight.len(), s.weight_len()), (dy.len(), s.output_len())];
    match check(s, lengths) {
        Algorithm::Pointwise => pointwise::backward_data(s, weight, dy, dx),
        Algorithm::Depthwise => depthwise::backward_data(s, weight, dy, dx),
        Algorithm::Winograd => winograd::backward_data(s, weight, dy, dx),
        Algorithm::General => general::backward_data(s, weight, dy, dx),
    }
}

/// Gradient of the weights, from the input and the output's gradient.
///
/// # Panics
/// When a slice has another length than the shape says, or [`algorithm`] is `None`.
pub fn backward_weights(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let lengths = [(x.len(), s.input_len()), (dw.len(), s.weight_len()), (dy.len(), s.output_len())];
    match check(s, lengths) {
        Algorithm::Pointwise => pointwise::backward_weights(s, x, dy, dw),
        Algorithm::Depthwise => depthwise::backward_weights(s, x, dy, dw),
        Algorithm::Winograd => winograd::backward_weights(s, x, dy, dw),
        Algorithm::General => general::backward_weights(s, x, dy, dw),
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
