//! Element-wise activations: bounds, and curves, which are constants of the vector code.

use crate::simd::exp;

/// What follows a sum or a normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(z, 0)`.
    Relu,
    /// `min(max(z, 0), 6)`.
    Relu6,
    /// `z * sigmoid(z)` (Hendrycks and Gimpel 2016; Ramachandran, Zoph and Le 2017).
    Silu,
    /// `z * min(max(z + 3, 0), 6) / 6` (Howard et al. 2019, "Searching for MobileNetV3").
    HardSwish,
    /// `1 / (1 + exp(-z))`.
    Sigmoid,
}

/// Bounds alone.
pub(crate) const BOUNDS: u8 = 0;
pub(crate) const SILU: u8 = 1;
pub(crate) const HARD_SWISH: u8 = 2;
pub(crate) const SIGMOID: u8 = 3;

impl Activation {
    /// The bounds of an activation that is nothing else.
    pub(crate) fn bounds(self) -> (f32, f32) {
        match self {
            Self::None | Self::Silu | Self::HardSwish | Self::Sigmoid => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        }
    }

    /// What it is beyond bounds, for code that is generic over it.
    pub(crate) fn curve(self) -> u8 {
        match self {
            Self::None | Self::Relu | Self::Relu6 => BOUNDS,
            Self::Silu => SILU,
            Self::HardSwish => HARD_SWISH,
            Self::Sigmoid => SIGMOID,
        }
    }
}

/// The value of a curve; bounds leave `z` as it is.
#[inline(always)]
pub(crate) fn curved<const CURVE: u8>(z: f32) -> f32 {
    match CURVE {
        SILU => z * sigmoid(z),
        HARD_SWISH => z * (z + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0),
        SIGMOID => sigmoid(z),
        _ => z,
    }
}

/// The derivative of a curve; that of bounds is 1.
#[inline(always)]
pub(crate) fn slope<const CURVE: u8>(z: f32) -> f32 {
    match CURVE {
        SILU => {
            let s = sigmoid(z);
            s * (1.0 + z * (1.0 - s))
        }
        HARD_SWISH => {
            let inside = (2.0 * z + 3.0) * (1.0 / 6.0);
            let left = if z > -3.0 { inside } else { 0.0 };
            if z < 3.0 { left } else { 1.0 }
        }
        SIGMOID => {
            let s = sigmoid(z);
            s * (1.0 - s)
        }
        _ => 1.0,
    }
}

/// Bends a line of finished sums.
#[inline(always)]
pub(crate) fn bend(curve: u8, line: &mut [f32]) {
    #[inline(always)]
    fn all<const CURVE: u8>(line: &mut [f32]) {
        for v in line {
            *v = curved::<CURVE>(*v);
        }
    }
    match curve {
        SILU => all::<SILU>(line),
        HARD_SWISH => all::<HARD_SWISH>(line),
        SIGMOID => all::<SIGMOID>(line),
        _ => {}
    }
}

#[inline(always)]
fn sigmoid(z: f32) -> f32 {
    let e = exp(-z.abs());
    (if z >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}
