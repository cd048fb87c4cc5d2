//! Soft Dice loss (Milletari, Navab and Ahmadi, "V-Net", 3DV 2016) with unsquared denominators.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Result};

use super::inputs::Inputs;
use super::overlap::{Overlap, Pooling, mean_loss};

/// `1 - (2 sum(p y) + smooth) / (sum(p) + sum(y) + smooth)`, averaged over classes (and images).
///
/// Binary tasks: of the foreground. Several channels: all classes count, background included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dice {
    /// Factor in the sum of terms.
    pub weight: f64,
    /// Over what the ratio is taken.
    pub over: Pooling,
    /// Added above and below, in pixels; keeps empty masks defined.
    pub smooth: f64,
    /// Leaves out the ratios of classes that the truth does not hold. Counted, each costs nearly 1 as soon as a few pixels
    /// are given to it, which drowns the rare classes that are there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub present_only: bool,
}

impl Default for Dice {
    fn default() -> Self {
        Self { weight: 1.0, over: Pooling::Image, smooth: 1.0, present_only: false }
    }
}

impl Dice {
    pub(super) fn validate(&self) -> Result<()> {
        if self.smooth > 0.0 && self.smooth.is_finite() {
            return Ok(());
        }
        Err(Error::config(format!("dice smooth {} is not a positive number", self.smooth))
            .hint("empty masks are undefined without it"))
    }

    pub(super) fn forward(self, inputs: &mut Inputs) -> Tensor<1> {
        let Overlap { intersection, predicted, truth } = Overlap::new(inputs, self.over);
        let above = intersection.mul_scalar(2.0).add_scalar(self.smooth);
        let below = (predicted + truth.clone()).add_scalar(self.smooth);
        let present = self.present_only.then(|| truth.greater_elem(0.0).float());
        mean_loss(above / below, present, inputs)
    }
}
