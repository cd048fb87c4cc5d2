//! What the terms of one loss share, each computed at most once.

use burn::tensor::{Int, Tensor, activation};

use super::LossConfig;

/// Logits and target in the forms that the terms need.
pub(super) struct Inputs {
    /// `[N, C, H, W]`
    pub(super) logits: Tensor<4>,
    /// `[N, C, H, W]`: 1 at the pixel's class, 0 elsewhere and at void pixels. Binary: the foreground.
    pub(super) one_hot: Tensor<4>,
    /// `[N, 1, H, W]`: 1 at valid pixels, 0 at void ones.
    pub(super) valid: Tensor<4>,
    /// `[1, C, 1, 1]` for several channels.
    pub(super) class_weights: Option<Tensor<4>>,
    /// Background's and foreground's weight, for one channel.
    pub(super) binary_weights: [f32; 2],
    pub(super) label_smoothing: f64,
    log_probabilities: Option<Tensor<4>>,
    probabilities: Option<Tensor<4>>,
}

impl Inputs {
    pub(super) fn new(logits: Tensor<4>, target: Tensor<3, Int>, config: &LossConfig) -> Self {
        let [_, channels, _, _] = logits.dims();
        let device = logits.device();
        let target: Tensor<4, Int> = target.unsqueeze_dim(1);
        let valid = target.clone().not_equal_scalar(i32::from(config.ignore)).float();
        let one_hot = if channels == 1 {
            target.equal_scalar(1).float()
        } else {
            let classes = Tensor::<1, Int>::arange(0..channels as i64, &device).reshape([1, channels, 1, 1]);
            target.equal(classes).float()
        };
        let weights = &config.class_weights;
        let class_weights = (channels > 1 && !weights.is_empty())
            .then(|| Tensor::<1>::from_floats(weights.as_slice(), &device).reshape([1, channels, 1, 1]));
        let binary_weights = match weights.as_slice() {
            &[background, foreground] => [background, foreground],
            _ => [1.0, 1.0],
        };
        let label_smoothing = config.label_smoothing;
        Self {
            logits,
            one_hot,
            valid,
            class_weights,
            binary_weights,
            label_smoothing,
            log_probabilities: None,
            probabilities: None,
        }
    }

    pub(super) fn channels(&self) -> usize {
        self.logits.dims()[1]
    }

    /// Logarithm of the softmax over the channels.
    pub(super) fn log_probabilities(&mut self) -> Tensor<4> {
        self.log_probabilities.get_or_insert_with(|| activation::log_softmax(self.logits.clone(), 1)).clone()
    }

    /// Softmax over the channels, or the sigmoid of the only one.
    pub(super) fn probabilities(&mut self) -> Tensor<4> {
        if let Some(probabilities) = &self.probabilities {
            return probabilities.clone();
        }
        let probabilities = if self.channels() == 1 {
            activation::sigmoid(self.logits.clone())
        } else {
            self.log_probabilities().exp()
        };
        self.probabilities.insert(probabilities).clone()
    }

    /// The weight of each pixel by its class, `[N, 1, H, W]`; 0 at void pixels.
    pub(super) fn pixel_weights(&self) -> Tensor<4> {
        if self.channels() == 1 {
            let [background, foreground] = self.binary_weights;
            if background == foreground {
                return self.valid.clone().mul_scalar(background);
            }
            return self.valid.clone().mul_scalar(background)
                + self.one_hot.clone().mul_scalar(foreground - background);
        }
        match &self.class_weights {
            Some(weights) => (self.one_hot.clone() * weights.clone()).sum_dim(1),
            None => self.valid.clone(),
        }
    }
}

/// `numerator / denominator`, and 0 where both are 0 because no pixel is valid.
pub(super) fn ratio(numerator: Tensor<1>, denominator: Tensor<1>) -> Tensor<1> {
    numerator / denominator.clamp_min(f32::MIN_POSITIVE)
}
