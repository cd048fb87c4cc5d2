//! Ways to double the resolution.

use serde::{Deserialize, Serialize};

/// How a decoder doubles height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upsampling {
    /// A learned 2x2 transposed convolution of stride 2.
    Transposed,
    /// Bilinear interpolation.
    Bilinear,
    /// Repetition.
    Nearest,
    /// Max-unpooling: each value goes back to where the encoder's maximum was.
    Unpooling,
}
