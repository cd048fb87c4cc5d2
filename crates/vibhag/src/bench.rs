//! `vibhag bench`: the time of a training step or a prediction on random data, for comparisons.

use serde::Serialize;
use vibhag_core::Result;
use vibhag_nn::NetworkConfig;
use vibhag_nn::device::DeviceChoice;
use vibhag_train::timing::Work;

use crate::system;

/// What to time.
#[derive(Debug, Clone)]
pub struct BenchRequest {
    /// `true`: forward, loss, backward and optimizer step; `false`: forward alone.
    pub train: bool,
    /// Architecture by name.
    pub architecture: String,
    /// Encoder by name.
    pub encoder: Option<String>,
    /// Samples per step.
    pub batch: usize,
    /// Rows and columns of the input.
    pub size: (usize, usize),
    /// Compute normalised maps again in the backward pass (training only).
    pub recompute: bool,
    /// Steps that count; one more warms up.
    pub steps: usize,
    /// The device.
    pub device: DeviceChoice,
}

/// What came out.
#[derive(Debug, Clone, Serialize)]
pub struct BenchResult {
    /// `train` or `predict`.
    pub mode: &'static str,
    /// Architecture and encoder.
    pub network: String,
    /// Samples per step.
    pub batch: usize,
    /// Rows and columns.
    pub size: [usize; 2],
    /// Median seconds per step.
    pub median_s: f64,
    /// Fastest step in seconds.
    pub min_s: f64,
    /// Peak resident memory of the process, where the system tells.
    pub peak_rss_mib: Option<u64>,
    /// Threads.
    pub threads: usize,
    /// Device.
    pub device: String,
}

/// Times the request.
///
/// # Errors
/// When the network cannot be built or the device fails.
pub fn bench(request: &BenchRequest) -> Result<BenchResult> {
    let config = NetworkConfig::new(&request.architecture, request.encoder.as_deref(), 3, 1)?;
    let BenchRequest { batch, size, recompute, steps, .. } = *request;
    let mut seconds = if request.train {
        vibhag_train::timing::train(&config, &Work { batch, size, recompute, steps }, request.device)?
    } else {
        vibhag_predict::timing::forward_seconds(&config, [batch, size.0, size.1], steps, request.device)?
    };
    seconds.sort_by(f64::total_cmp);
    let network = match &request.encoder {
        Some(encoder) => format!("{}+{encoder}", request.architecture),
        None => request.architecture.clone(),
    };
    Ok(BenchResult {
        mode: if request.train { "train" } else { "predict" },
        network,
        batch: request.batch,
        size: [request.size.0, request.size.1],
        median_s: seconds.get(seconds.len() / 2).copied().unwrap_or_default(),
        min_s: seconds.first().copied().unwrap_or_default(),
        peak_rss_mib: system::peak_rss_mib(),
        threads: system::threads(),
        device: request.device.to_string(),
    })
}
