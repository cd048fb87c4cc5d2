//! Focal loss (Lin et al., ICCV 2017, equations 4 and 5).

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Result};

use super::inputs::{Inputs, ratio};

/// `-(1 - p_t)^gamma log p_t`, averaged over valid pixels; `p_t` is the true class's probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Focal {
    /// Factor in the sum of terms.
    pub weight: f64,
    /// How fast pixels that are right already fade; 0 gives cross-entropy.
    pub gamma: f64,
    /// Binary tasks: weight of the foreground, `1 - alpha` being the background's, in a plain mean over
    /// pixels (torchvision's convention). Negative: none; use `class_weights` for a weighted mean.
    pub alpha: f64,
}

impl Default for Focal {
    fn default() -> Self {
        Self { weight: 1.0, gamma: 2.0, alpha: -1.0 }
    }
}

impl Focal {
    pub(super) fn validate(&self, channels: usize) -> Result<()> {
        if !(self.gamma.is_finite() && self.gamma >= 0.0) {
            return Err(Error::config(format!("focal gamma {} is not a number of at least 0", self.gamma)));
        }
        if self.alpha.is_nan() || self.alpha > 1.0 {
            return Err(Error::config(format!("focal alpha {} is above 1", self.alpha)).hint("-1 switches it off"));
        }
        if self.alpha >= 0.0 && channels > 1 {
            return Err(Error::config(format!("focal alpha is for one output channel, there are {channels}"))
                .hint("use class_weights"));
        }
        Ok(())
    }

    pub(super) fn forward(self, inputs: &mut Inputs) -> Tensor<1> {
        let (loss, total) = if inputs.channels() == 1 { self.binary(inputs) } else { self.multi_class(inputs) };
        ratio(loss.sum().neg(), total)
    }

    fn binary(self, inputs: &mut Inputs) -> (Tensor<4>, Tensor<1>) {
        // z is the logit of p_t, so log(1 - p_t) = log p_t - z: no power of a difference near 0.
        let sign = inputs.one_hot().mul_scalar(2.0).sub_scalar(1.0);
        let z = inputs.logits.clone() * sign;
        let log_p = activation::log_sigmoid(z.clone());
        let fade = (log_p.clone() - z).mul_scalar(self.gamma).exp();
        let mut weights = inputs.pixel_weights();
        let total = weights.clone().sum();
        if self.alpha >= 0.0 {
            let alpha = inputs.one_hot().mul_scalar(2.0 * self.alpha - 1.0).add_scalar(1.0 - self.alpha);
            weights = weights * alpha;
        }
        (log_p * fade * weights, total)
    }

    fn multi_class(self, inputs: &mut Inputs) -> (Tensor<4>, Tensor<1>) {
        // Void pixels have no class, hence log p_t = 0 and no loss.
        let log_p = (inputs.log_probabilities() * inputs.one_hot()).sum_dim(1);
        // The floor keeps the power's derivative finite for gamma below 1.
        let fade = log_p.clone().exp().neg().add_scalar(1.0).clamp_min(1e-7).powf_scalar(self.gamma);
        let weights = inputs.pixel_weights();
        let total = weights.clone().sum();
        (log_p * fade * weights, total)
    }
}
