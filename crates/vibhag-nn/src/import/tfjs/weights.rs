//! The weights' binary files: tensors one after the other, as the manifest lists them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use half::f16;
use serde::Deserialize;
use vibhag_core::{Error, ErrorKind, Result};

use crate::named::NamedTensor;

/// Tensors whose bytes are those of the files at `paths`, one after the other: a tensor may begin in one file and end in
/// the next.
#[derive(Deserialize)]
pub(super) struct Group {
    paths: Vec<String>,
    weights: Vec<Weight>,
}

#[derive(Deserialize)]
struct Weight {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<Quantization>,
}

/// How values were made smaller: a number `q` stands for `scale q + min`, in 16-bit floats for itself.
#[derive(Deserialize)]
struct Quantization {
    dtype: String,
    scale: Option<f64>,
    min: Option<f64>,
}

/// How values lie in a file.
enum Storage {
    Float32,
    Float16,
    Uint8(Line),
    Uint16(Line),
}

/// Leads from the numbers of a file to values.
struct Line {
    scale: f64,
    min: f64,
}

impl Line {
    fn at(&self, number: impl Into<f64>) -> f32 {
        (number.into() * self.scale + self.min) as f32
    }
}

impl Storage {
    fn bytes(&self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Float16 | Self::Uint16(_) => 2,
            Self::Uint8(_) => 1,
        }
    }
}

impl Weight {
    fn storage(&self) -> Result<Storage> {
        let unknown = |kind: &str| {
            Error::new(ErrorKind::Unsupported, format!("tensors of type {kind} are not read"))
                .at(self.name.clone())
                .hint("convert the model with 32-bit floats, with or without quantisation")
        };
        if self.dtype != "float32" {
            return Err(unknown(&self.dtype));
        }
        let Some(quantization) = &self.quantization else { return Ok(Storage::Float32) };
        if quantization.dtype == "float16" {
            return Ok(Storage::Float16);
        }
        let line = match (quantization.scale, quantization.min) {
            (Some(scale), Some(min)) if scale.is_finite() && min.is_finite() => Line { scale, min },
            _ => {
                return Err(Error::new(ErrorKind::Decode, "a quantised tensor without scale or least value")
                    .at(self.name.clone()));
            }
        };
        match quantization.dtype.as_str() {
            "uint8" => Ok(Storage::Uint8(line)),
            "uint16" => Ok(Storage::Uint16(line)),
            other => Err(unknown(&format!("float32 quantised as {other}"))),
        }
    }

    /// The number of its bytes.
    fn bytes(&self, storage: &Storage) -> Result<usize> {
        let count = self.shape.iter().try_fold(storage.bytes(), |count, &side| count.checked_mul(side));
        count.ok_or_else(|| {
            Error::new(ErrorKind::Decode, "a tensor of impossible size").at(format!("{} {:?}", self.name, self.shape))
        })
    }

    fn tensor(&self, storage: &Storage, bytes: &[u8]) -> Result<NamedTensor> {
        let pairs = || bytes.as_chunks::<2>().0.iter();
        let values: Vec<f32> = match storage {
            Storage::Float32 => bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            Storage::Float16 => pairs().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect(),
            Storage::Uint16(line) => pairs().map(|&bytes| line.at(u16::from_le_bytes(bytes))).collect(),
            Storage::Uint8(line) => bytes.iter().map(|&byte| line.at(byte)).collect(),
        };
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let place = format!("{}, value {index}: {}", self.name, values[index]);
            return Err(Error::new(ErrorKind::Decode, "a weight is not finite").at(place).hint("the file is damaged"));
        }
        Ok(NamedTensor { name: self.name.clone(), shape: self.shape.clone(), values })
    }
}

/// The tensors of every group by name. Files are looked for beside `model`.
pub(super) fn read(model: &Path, groups: &[Group]) -> Result<BTreeMap<String, NamedTensor>> {
    let mut tensors = BTreeMap::new();
    for group in groups {
        let bytes = concatenated(model, &group.paths)?;
        let at = |error: Error| error.at_path(model);
        let mut rest = bytes.as_slice();
        for weight in &group.weights {
            let storage = weight.storage().map_err(at)?;
            let wanted = weight.bytes(&storage).map_err(at)?;
            let Some((own, after)) = rest.split_at_checked(wanted) else {
                let missing = format!("{} takes {wanted} bytes, {} are left", weight.name, rest.len());
                return Err(at(Error::new(ErrorKind::Decode, "the weights end too early")
                    .at(format!("{}: {missing}", group.paths.join(", ")))
                    .hint("a file is incomplete")));
            };
            rest = after;
            if tensors.insert(weight.name.clone(), weight.tensor(&storage, own).map_err(at)?).is_some() {
                return Err(at(Error::new(ErrorKind::Decode, "two tensors of one name").at(weight.name.clone())));
            }
        }
        if !rest.is_empty() {
            let left = format!("{}: {} bytes", group.paths.join(", "), rest.len());
            return Err(at(Error::new(ErrorKind::Decode, "bytes that belong to no tensor").at(left)));
        }
    }
    Ok(tensors)
}

fn concatenated(model: &Path, names: &[String]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for name in names {
        // A manifest from anywhere must not lead to other folders.
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(Error::new(ErrorKind::Decode, "weights that do not lie beside the model")
                .at_path(model)
                .at(name.clone()));
        }
        let path = model.with_file_name(name);
        bytes.extend(fs::read(&path).map_err(|error| Error::io(&path, error))?);
    }
    Ok(bytes)
}
