//! What the terms of one loss share, each computed at most once.

use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorData, activation};

use super::LossConfig;
use crate::backend;

/// Logits and target in the forms that the terms need.
pub(super) struct Inputs {
    /// `[N, C, H, W]`
    pub(super) logits: Tensor<4>,
    /// `[1, C, 1, 1]` for several channels.
    pub(super) class_weights: Option<Tensor<4>>,
    /// Background's and foreground's weight, for one channel.
    pub(super) binary_weights: [f32; 2],
    pub(super) label_smoothing: f64,
    target: Tensor<4, Int>,
    ignore: u16,
    one_hot: Option<Tensor<4>>,
    valid: Option<Tensor<4>>,
    log_probabilities: Option<Tensor<4>>,
    probabilities: Option<Tensor<4>>,
    sums: Option<Sums>,
}

/// Sums over valid pixels by class, which the CPU kernel computes in one pass. With one channel: of the foreground.
#[derive(Clone)]
pub(super) struct Sums {
    /// Cross-entropy before its division, \[1\].
    pub(super) entropy: Tensor<1>,
    /// What the cross-entropy is divided by, \[1\].
    pub(super) weight: Tensor<1>,
    /// Sum of p * y, `[N, C]`.
    pub(super) intersection: Tensor<2>,
    /// Sum of p, `[N, C]`.
    pub(super) predicted: Tensor<2>,
    /// Sum of y, `[N, C]`.
    pub(super) truth: Tensor<2>,
}

impl Inputs {
    pub(super) fn new(logits: Tensor<4>, target: Tensor<3, Int>, config: &LossConfig) -> Self {
        let [_, channels, _, _] = logits.dims();
        let device = logits.device();
        let weights = &config.class_weights;
        let class_weights = (channels > 1 && !weights.is_empty())
            .then(|| Tensor::<1>::from_floats(weights.as_slice(), &device).reshape([1, channels, 1, 1]));
        let binary_weights = match weights.as_slice() {
            &[background, foreground] => [background, foreground],
            _ => [1.0, 1.0],
        };
        let sums = class_sums(&logits, &target, config);
        Self {
            logits,
            class_weights,
            binary_weights,
            label_smoothing: config.label_smoothing,
            target: target.unsqueeze_dim(1),
            ignore: config.ignore,
            one_hot: None,
            valid: None,
            log_probabilities: None,
            probabilities: None,
            sums,
        }
    }

    pub(super) fn channels(&self) -> usize {
        self.logits.dims()[1]
    }

    /// The label of every pixel, row-major image by image, none where it is void; `None` when the device does not give it
    /// back. Binary: 0 or 1.
    pub(super) fn labels(&self) -> Option<Vec<Option<u16>>> {
        let labels = self.target.clone().into_data().convert::<i32>().try_to_vec::<i32>().ok()?;
        let (binary, ignore) = (self.channels() == 1, i32::from(self.ignore));
        let label = |label: i32| match label {
            label if label == ignore => None,
            label if binary => Some(u16::from(label == 1)),
            label => u16::try_from(label).ok(),
        };
        Some(labels.into_iter().map(label).collect())
    }

    /// The sums of one pass, where the kernels run.
    pub(super) fn sums(&self) -> Option<Sums> {
        self.sums.clone()
    }

    /// `[N, 1, H, W]`: 1 at valid pixels, 0 at void ones.
    pub(super) fn valid(&mut self) -> Tensor<4> {
        let ignore = i32::from(self.ignore);
        self.valid.get_or_insert_with(|| self.target.clone().not_equal_scalar(ignore).float()).clone()
    }

    /// `[N, C, H, W]`: 1 at the pixel's class, 0 elsewhere and at void pixels. Binary: the foreground.
    pub(super) fn one_hot(&mut self) -> Tensor<4> {
        let channels = self.channels();
        let target = &self.target;
        let one_hot = || {
            if channels == 1 {
                return target.clone().equal_scalar(1).float();
            }
            let classes = Tensor::<1, Int>::arange(0..channels as i64, &target.device());
            target.clone().equal(classes.reshape([1, channels, 1, 1])).float()
        };
        self.one_hot.get_or_insert_with(one_hot).clone()
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
    pub(super) fn pixel_weights(&mut self) -> Tensor<4> {
        if self.channels() == 1 {
            let [background, foreground] = self.binary_weights;
            let even = self.valid().mul_scalar(background);
            if background == foreground {
                return even;
            }
            return even + self.one_hot().mul_scalar(foreground - background);
        }
        match self.class_weights.clone() {
            Some(weights) => (self.one_hot() * weights).sum_dim(1),
            None => self.valid(),
        }
    }
}

fn class_sums(logits: &Tensor<4>, target: &Tensor<3, Int>, config: &LossConfig) -> Option<Sums> {
    let [n, channels, h, w] = logits.dims();
    if !backend::computes(logits) {
        return None;
    }
    let binary = channels == 1;
    let classes = if binary { 2 } else { channels };
    let labels = target.clone().into_data().convert::<i32>().try_to_vec::<i32>().ok()?;
    let label = |label: i32| {
        if binary && label != i32::from(config.ignore) {
            return u16::from(label == 1);
        }
        // A label beyond 16 bits is none of the classes and not the ignored one either.
        u16::try_from(label).unwrap_or(u16::MAX - 1)
    };
    let labels: Arc<[u16]> = labels.into_iter().map(label).collect();
    let even = config.class_weights.len() != classes;
    let weights: Arc<[f32]> = if even { vec![1.0; classes].into() } else { config.class_weights.clone().into() };
    let mut counts = vec![0.0f32; n * classes];
    let mut total = 0.0f64;
    for (image, labels) in labels.chunks_exact((h * w).max(1)).enumerate() {
        let mut pixels = vec![0u32; classes];
        let mut others = 0u32;
        for &label in labels {
            match pixels.get_mut(usize::from(label)) {
                Some(count) => *count += 1,
                None => others += u32::from(label != config.ignore),
            }
        }
        for (class, &count) in pixels.iter().enumerate() {
            counts[image * classes + class] = count as f32;
            total += f64::from(count) * f64::from(weights[class]);
        }
        if even {
            total += f64::from(others);
        }
    }
    // The binary cross-entropy of a logit x is the two-class one of the logits (0, x).
    let pair = binary.then(|| backend::concat(Tensor::zeros([n, 1, h, w], &logits.device()), logits.clone()));
    let all = pair.unwrap_or_else(|| logits.clone());
    let sums = backend::class_sums(all, labels, config.ignore, weights, config.label_smoothing as f32)?;
    let device = logits.device();
    let kept = |values: Tensor<2>| if binary { values.narrow(1, 1, 1) } else { values };
    Some(Sums {
        entropy: sums.entropy,
        weight: Tensor::from_floats([total as f32], &device),
        intersection: kept(sums.intersection),
        predicted: kept(sums.predicted),
        truth: kept(Tensor::from_data(TensorData::new(counts, [n, classes]), &device)),
    })
}

/// `numerator / denominator`, and 0 where both are 0 because no pixel is valid.
pub(super) fn ratio(numerator: Tensor<1>, denominator: Tensor<1>) -> Tensor<1> {
    numerator / denominator.clamp_min(f32::MIN_POSITIVE)
}
