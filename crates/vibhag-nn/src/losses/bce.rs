//! Binary cross-entropy with logits (`torch.nn.BCEWithLogitsLoss`): the two-class cross-entropy of
//! the logits (0, x).

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

use super::CrossEntropy;
use super::inputs::{Inputs, ratio};

/// Binary cross-entropy averaged over valid pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bce {
    /// Factor in the sum of terms.
    pub weight: f64,
}

impl Default for Bce {
    fn default() -> Self {
        Self { weight: 1.0 }
    }
}

impl Bce {
    pub(super) fn forward(self, inputs: &mut Inputs) -> Tensor<1> {
        if inputs.channels() > 1 {
            return CrossEntropy { weight: self.weight }.forward(inputs);
        }
        if let Some(sums) = inputs.sums() {
            return ratio(sums.entropy, sums.weight);
        }
        let [background, foreground] = inputs.binary_weights.map(f64::from);
        let half = inputs.label_smoothing / 2.0;
        let truth = inputs.one_hot();
        let other = inputs.valid() - truth.clone();
        let positive = (truth.clone().mul_scalar(1.0 - half) + other.clone().mul_scalar(half)).mul_scalar(foreground);
        let negative = (other.mul_scalar(1.0 - half) + truth.mul_scalar(half)).mul_scalar(background);
        let total = inputs.pixel_weights().sum();
        // log sigmoid(-x) = log sigmoid(x) - x: one logarithm serves both classes.
        let logits = inputs.logits.clone();
        let weighted = activation::log_sigmoid(logits.clone()) * (positive + negative.clone());
        ratio((logits * negative - weighted).sum(), total)
    }
}
