//! Tversky loss (Salehi, Erdogmus and Gholipour, MLMI 2017).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Result};

use super::inputs::Inputs;
use super::overlap::{Overlap, Pooling, mean_loss};

/// `1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth)` on soft counts, averaged as in
/// [`Dice`](super::Dice). With `alpha = beta = 0.5` it is Dice with twice the smooth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tversky {
    /// Factor in the sum of terms.
    pub weight: f64,
    /// Price of a false alarm.
    pub alpha: f64,
    /// Price of a miss.
    pub beta: f64,
    /// Over what the ratio is taken.
    pub over: Pooling,
    /// Added above and below, in pixels; keeps empty masks defined.
    pub smooth: f64,
}

impl Default for Tversky {
    fn default() -> Self {
        Self { weight: 1.0, alpha: 0.3, beta: 0.7, over: Pooling::Image, smooth: 1.0 }
    }
}

impl Tversky {
    pub(super) fn validate(&self) -> Result<()> {
        for (name, value) in [("alpha", self.alpha), ("beta", self.beta)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::config(format!("tversky {name} {value} is not a number of at least 0")));
            }
        }
        if self.smooth > 0.0 && self.smooth.is_finite() {
            return Ok(());
        }
        Err(Error::config(format!("tversky smooth {} is not a positive number", self.smooth))
            .hint("empty masks are undefined without it"))
    }

    pub(super) fn forward(self, inputs: &mut Inputs) -> Tensor<1> {
        let Overlap { intersection, predicted, truth } = Overlap::new(inputs, self.over);
        let false_alarms = (predicted - intersection.clone()).mul_scalar(self.alpha);
        let misses = (truth - intersection.clone()).mul_scalar(self.beta);
        let below = (intersection.clone() + false_alarms + misses).add_scalar(self.smooth);
        mean_loss(intersection.add_scalar(self.smooth) / below, None, inputs)
    }
}
