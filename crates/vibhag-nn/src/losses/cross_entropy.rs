//! Cross-entropy of the softmax (`torch.nn.CrossEntropyLoss`, also with weights and smoothing).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::Bce;
use super::inputs::{Inputs, ratio};

/// Cross-entropy averaged over valid pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropy {
    /// Factor in the sum of terms.
    pub weight: f64,
}

impl Default for CrossEntropy {
    fn default() -> Self {
        Self { weight: 1.0 }
    }
}

impl CrossEntropy {
    pub(super) fn forward(self, inputs: &mut Inputs) -> Tensor<1> {
        let channels = inputs.channels();
        if channels == 1 {
            return Bce { weight: self.weight }.forward(inputs);
        }
        if let Some(sums) = inputs.sums() {
            return ratio(sums.entropy, sums.weight);
        }
        // All that multiplies the log-probabilities is free of gradients: one tracked product is left.
        let smoothing = inputs.label_smoothing;
        let mut coefficients = inputs.one_hot();
        if smoothing > 0.0 {
            coefficients =
                coefficients.mul_scalar(1.0 - smoothing) + inputs.valid().mul_scalar(smoothing / channels as f64);
        }
        if let Some(weights) = &inputs.class_weights {
            coefficients = coefficients * weights.clone();
        }
        let total = inputs.pixel_weights().sum();
        ratio((inputs.log_probabilities() * coefficients).sum().neg(), total)
    }
}
