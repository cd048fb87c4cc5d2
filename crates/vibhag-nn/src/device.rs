//! The device that a network runs on, chosen at run time.

use burn::tensor::Device;
use vibhag_core::{Error, Result, error::ErrorKind};

/// A device by the name that users type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The CPU, always there.
    #[default]
    Cpu,
    /// The first GPU that this build knows: CUDA, then wgpu (Vulkan, Metal, DirectX).
    Gpu,
    /// An NVIDIA GPU through CUDA.
    Cuda,
    /// Any GPU through Vulkan, Metal or DirectX.
    Wgpu,
}

impl std::str::FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            "cuda" => Ok(Self::Cuda),
            "wgpu" => Ok(Self::Wgpu),
            _ => Err(Error::config(format!("unknown device {name:?}")).hint("use cpu, gpu, cuda or wgpu")),
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
        })
    }
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// When this build has no support for it.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "cuda")]
            Self::Gpu | Self::Cuda => Ok(Device::cuda(0)),
            #[cfg(all(feature = "wgpu", not(feature = "cuda")))]
            Self::Gpu => Ok(wgpu_device()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(wgpu_device()),
            #[allow(unreachable_patterns, reason = "reachable only where a GPU feature is left out")]
            other => Err(Error::new(ErrorKind::Unsupported, format!("this build cannot use device {other}"))
                .hint("build with --features cuda or --features wgpu, or use --device cpu")),
        }
    }
}

/// The device with gradients. `recompute` keeps only what is costly to compute: normalised maps are computed again in
/// the backward pass, which takes a little time and saves nearly half of the activations.
pub fn for_training(device: Device, recompute: bool) -> Device {
    let device = device.autodiff();
    if recompute { device.gradient_checkpointing() } else { device }
}

#[cfg(feature = "wgpu")]
fn wgpu_device() -> Device {
    Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_unknown_ones_are_refused() {
        for name in ["cpu", "gpu", "cuda", "wgpu"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert!("tpu".parse::<DeviceChoice>().unwrap_err().to_string().contains("tpu"));
        assert!(DeviceChoice::Cpu.open().is_ok());
    }
}
