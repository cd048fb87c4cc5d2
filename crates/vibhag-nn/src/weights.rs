//! Weights in safetensors files under PyTorch's names, and the weights that come with encoders.

use std::borrow::Cow;
use std::fs;
use std::io::Write;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, View, serialize};
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, ErrorKind, Result};

use crate::encoders::{PretrainedInfo, encoder_info};
use crate::named::{LoadReport, NamedTensor};
use crate::network::Network;

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Two bytes a value, 11 bits of precision.
    F16,
    /// Four bytes a value, exact.
    F32,
}

/// Writes the network's tensors to `path`. The file appears complete or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn save(network: &Network, path: &Path, precision: Precision) -> Result<()> {
    write_tensors(&network.named_tensors()?, path, precision)
}

/// The network with the tensors of a file; every tensor must fit and none may be missing.
///
/// # Errors
/// When the file cannot be read, is damaged, or belongs to another network.
pub fn load(network: &Network, path: &Path) -> Result<Network> {
    network.with_tensors(read_tensors(path)?).map_err(|error| error.at_path(path))
}

/// Writes tensors to `path` as safetensors. The file appears complete or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write_tensors(tensors: &[NamedTensor], path: &Path, precision: Precision) -> Result<()> {
    let bytes = to_bytes(tensors, precision)?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let written = fs::File::create(partial).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(partial, path)).map_err(|error| {
        // Best effort: the error that matters is the one above.
        let _ = fs::remove_file(partial);
        Error::io(path, error).hint("check that the folder exists, is writable and has space")
    })
}

/// Reads the tensors of a safetensors file as f32.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub fn read_tensors(path: &Path) -> Result<Vec<NamedTensor>> {
    let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
    from_bytes(&bytes).map_err(|error| error.at_path(path))
}

/// Tensors as the content of a safetensors file.
///
/// # Errors
/// When a tensor's shape and values disagree.
pub fn to_bytes(tensors: &[NamedTensor], precision: Precision) -> Result<Vec<u8>> {
    let views: Vec<(&str, Stored<'_>)> =
        tensors.iter().map(|tensor| (tensor.name.as_str(), Stored { tensor, precision })).collect();
    serialize(views, None).map_err(|error| Error::new(ErrorKind::Model, "cannot serialise the weights").because(error))
}

/// Tensors of the content of a safetensors file (f16, bf16 or f32). Integer tensors, such as
/// PyTorch's batch counters, are left out.
///
/// # Errors
/// When the content is damaged or of another type.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<NamedTensor>> {
    let damaged = |error| {
        Error::new(ErrorKind::Model, "not a valid safetensors file")
            .hint("the file is damaged or incomplete")
            .because(error)
    };
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => data.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            Dtype::F16 => data.as_chunks::<2>().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect(),
            Dtype::BF16 => data.as_chunks::<2>().0.iter().map(|&bytes| bf16::from_le_bytes(bytes).to_f32()).collect(),
            Dtype::I64 | Dtype::I32 | Dtype::U8 | Dtype::BOOL => continue,
            other => {
                return Err(
                    Error::new(ErrorKind::Model, format!("tensors of type {other:?} are not supported")).at(name)
                );
            }
        };
        tensors.push(NamedTensor { name: name.to_owned(), shape: view.shape().to_vec(), values });
    }
    Ok(tensors)
}

/// The network with the weights that come with its encoder; decoder and head stay as they are.
/// A first convolution for another number of channels takes the published one's values: their sum
/// for one channel, otherwise repeated in turn and scaled by 3 / channels, so that a grey image
/// excites it as before.
///
/// # Errors
/// When the encoder comes without weights.
pub fn load_pretrained_encoder(network: &Network) -> Result<Network> {
    let config = network.config();
    let encoder = config.encoder.as_deref().unwrap_or_default();
    let pretrained = encoder_info(encoder).and_then(|info| info.pretrained).ok_or_else(|| {
        let own =
            format!("{} has no pretrained weights", if encoder.is_empty() { &config.architecture } else { encoder });
        Error::config(own).hint("choose efficientnet-lite0 or mobilenet-v1, or train from random weights")
    })?;
    let (network, report) = with_encoder_tensors(network, pretrained_tensors(&pretrained, config.in_channels)?);
    report.require_exact()?;
    Ok(network)
}

/// The network with the fitting tensors of an encoder's checkpoint, whose names lack the prefix
/// that the network gives to its encoder. The report concerns the encoder alone.
pub fn with_encoder_tensors(network: &Network, mut tensors: Vec<NamedTensor>) -> (Network, LoadReport) {
    let prefix = network.config().prefixes().encoder;
    for tensor in &mut tensors {
        tensor.name.insert_str(0, prefix);
    }
    let (network, mut report) = network.with_fitting_tensors(tensors);
    report.missing.retain(|name| name.starts_with(prefix));
    (network, report)
}

fn pretrained_tensors(pretrained: &PretrainedInfo, channels: usize) -> Result<Vec<NamedTensor>> {
    let mut tensors = from_bytes(pretrained.bytes)?;
    tensors.retain_mut(|tensor| {
        if tensor.name == pretrained.stem {
            adapt_stem(tensor, channels);
        }
        (pretrained.own_name)(&tensor.name).is_some_and(|name| {
            tensor.name = name;
            true
        })
    });
    Ok(tensors)
}

/// Turns kernels [O, C, K, K] into kernels for `channels` inputs.
fn adapt_stem(stem: &mut NamedTensor, channels: usize) {
    let &[outputs, given, height, width] = &stem.shape[..] else { return };
    if given == channels || given == 0 || channels == 0 {
        return;
    }
    let plane = height * width;
    let mut values = vec![0.0; outputs * channels * plane];
    for (adapted, published) in values.chunks_exact_mut(channels * plane).zip(stem.values.chunks_exact(given * plane)) {
        if channels == 1 {
            for kernel in published.chunks_exact(plane) {
                adapted.iter_mut().zip(kernel).for_each(|(sum, value)| *sum += value);
            }
            continue;
        }
        let scale = given as f32 / channels as f32;
        for (kernel, source) in adapted.chunks_exact_mut(plane).zip(published.chunks_exact(plane).cycle()) {
            kernel.iter_mut().zip(source).for_each(|(slot, value)| *slot = value * scale);
        }
    }
    stem.values = values;
    stem.shape = vec![outputs, channels, height, width];
}

/// A tensor in the form that safetensors writes.
struct Stored<'a> {
    tensor: &'a NamedTensor,
    precision: Precision,
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        match self.precision {
            Precision::F16 => Dtype::F16,
            Precision::F32 => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.tensor.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.tensor.values.iter();
        Cow::Owned(match self.precision {
            Precision::F16 => values.flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect(),
            Precision::F32 => values.flat_map(|&value| value.to_le_bytes()).collect(),
        })
    }

    fn data_len(&self) -> usize {
        let bytes = if self.precision == Precision::F16 { 2 } else { 4 };
        self.tensor.values.len() * bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stem() -> NamedTensor {
        NamedTensor { name: "stem".into(), shape: vec![2, 3, 1, 1], values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] }
    }

    #[test]
    fn one_channel_takes_the_sum_of_the_published_channels() {
        let mut one = stem();
        adapt_stem(&mut one, 1);
        assert_eq!((one.shape, one.values), (vec![2, 1, 1, 1], vec![6.0, 15.0]));
    }

    #[test]
    fn more_channels_repeat_in_turn_and_keep_the_total() {
        let mut four = stem();
        adapt_stem(&mut four, 4);
        assert_eq!(four.shape, [2, 4, 1, 1]);
        assert_eq!(four.values, [0.75, 1.5, 2.25, 0.75, 3.0, 3.75, 4.5, 3.0]);
    }

    #[test]
    fn half_precision_is_read_back_within_its_resolution() {
        let tensors = vec![NamedTensor { name: "a".into(), shape: vec![3], values: vec![0.1, -3.25, 1e-3] }];
        let half = from_bytes(&to_bytes(&tensors, Precision::F16).unwrap()).unwrap();
        for (value, original) in half[0].values.iter().zip(&tensors[0].values) {
            assert!((value - original).abs() <= original.abs() / 1024.0);
        }
        assert_eq!(from_bytes(&to_bytes(&tensors, Precision::F32).unwrap()).unwrap(), tensors);
    }

    #[test]
    fn a_cut_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.safetensors");
        let tensors = vec![NamedTensor { name: "a".into(), shape: vec![3], values: vec![0.0; 3] }];
        let bytes = to_bytes(&tensors, Precision::F32).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 2]).unwrap();
        let error = read_tensors(&path).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Model);
        assert!(error.to_string().contains("cut.safetensors"), "{error}");
    }
}
