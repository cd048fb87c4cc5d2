//! Times of a forward pass on random data, the way that predictions take.

use std::time::Instant;

use burn::module::Module;
use vibhag_core::{Purpose, Result, Rng};
use vibhag_nn::NetworkConfig;
use vibhag_nn::bundle::Flips;
use vibhag_nn::device::DeviceChoice;

use crate::runner::{Probabilities, Runner};

/// Seconds of each of `steps` passes of a batch of `shape` [N, H, W] after one that warms up: normalised pixels in,
/// probabilities out.
///
/// # Errors
/// When the network cannot be built or the device fails.
pub fn forward_seconds(
    config: &NetworkConfig,
    [n, h, w]: [usize; 3],
    steps: usize,
    device: DeviceChoice,
) -> Result<Vec<f64>> {
    let device = device.open()?;
    let runner = Runner::new(config.init(&device, 0)?.valid(), device, Flips::None);
    let mut rng = Rng::new(0, 0, 0, Purpose::Synthesis);
    let batch: Vec<f32> = (0..n * config.in_channels * h * w).map(|_| rng.normal()).collect();
    let mut seconds = Vec::with_capacity(steps);
    for step in 0..=steps {
        let batch = batch.clone();
        let began = Instant::now();
        runner.run(batch, [n, config.in_channels, h, w])?;
        if step > 0 {
            seconds.push(began.elapsed().as_secs_f64());
        }
    }
    Ok(seconds)
}
