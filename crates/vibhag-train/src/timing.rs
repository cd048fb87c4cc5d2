//! Times of a training step on random data.

use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use vibhag_core::{Purpose, Result, Rng};
use vibhag_nn::NetworkConfig;
use vibhag_nn::device::{DeviceChoice, for_training};
use vibhag_nn::losses::LossConfig;

use crate::optimizer::Optimizer;
use crate::plan::OptimizerConfig;
use crate::validation::scalar;

/// Shape and number of steps.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Samples per step.
    pub batch: usize,
    /// Rows and columns.
    pub size: (usize, usize),
    /// Compute normalised maps again in the backward pass.
    pub recompute: bool,
    /// Steps to time after one that warms up.
    pub steps: usize,
}

/// Seconds of each training step: forward, BCE, backward, AdamW.
///
/// # Errors
/// When the network cannot be built or the device fails.
pub fn train(config: &NetworkConfig, work: &Work, device: DeviceChoice) -> Result<Vec<f64>> {
    let device = for_training(device.open()?, work.recompute);
    let (images, labels) = random(config, work, &device);
    let mut network = config.init(&device, 0)?.train();
    let loss = LossConfig::parse("bce")?;
    let mut optimizer = Optimizer::new(
        OptimizerConfig {
            name: "adamw".into(),
            learning_rate: 1e-3,
            encoder_factor: 1.0,
            weight_decay: 0.0,
            momentum: 0.9,
            beta2: 0.999,
            clip_norm: 0.0,
        },
        false,
    );
    let mut seconds = Vec::with_capacity(work.steps);
    for step in 0..=work.steps {
        let began = Instant::now();
        let value = loss.forward(network.forward(images.clone()), labels.clone());
        let grads = GradientsParams::from_grads(value.backward(), &network);
        (network, _) = optimizer.step(network, grads, 1.0)?;
        scalar(value.inner())?;
        if step > 0 {
            seconds.push(began.elapsed().as_secs_f64());
        }
    }
    Ok(seconds)
}

fn random(config: &NetworkConfig, work: &Work, device: &Device) -> (Tensor<4>, Tensor<3, Int>) {
    let mut rng = Rng::new(0, 0, 0, Purpose::Synthesis);
    let (h, w) = work.size;
    let pixels = work.batch * h * w;
    let images: Vec<f32> = (0..pixels * config.in_channels).map(|_| rng.normal()).collect();
    let labels: Vec<i32> = (0..pixels).map(|_| rng.below(2) as i32).collect();
    (
        Tensor::from_data(TensorData::new(images, [work.batch, config.in_channels, h, w]), device),
        Tensor::from_data(TensorData::new(labels, [work.batch, h, w]), device),
    )
}
