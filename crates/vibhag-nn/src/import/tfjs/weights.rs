//! The weights' binary files: tensors one after the other, as the manifest lists them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use serde::Deserialize;
use vibhag_core::{Error, ErrorKind, Result};

use crate::named::NamedTensor;

/// Bytes of a 32-bit float.
const BYTES: usize = 4;

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
    quantization: Option<serde_json::Value>,
}

impl Weight {
    /// The number of its bytes.
    fn bytes(&self) -> Result<usize> {
        if self.dtype != "float32" || self.quantization.is_some() {
            let kind = if self.quantization.is_some() { "quantised" } else { self.dtype.as_str() };
            return Err(Error::new(ErrorKind::Unsupported, format!("tensors of type {kind} are not read"))
                .at(self.name.clone())
                .hint("convert the model without quantisation"));
        }
        let count = self.shape.iter().try_fold(BYTES, |count, &side| count.checked_mul(side));
        count.ok_or_else(|| {
            Error::new(ErrorKind::Decode, "a tensor of impossible size").at(format!("{} {:?}", self.name, self.shape))
        })
    }

    fn tensor(&self, bytes: &[u8]) -> Result<NamedTensor> {
        let values: Vec<f32> = bytes.as_chunks::<BYTES>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
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
            let wanted = weight.bytes().map_err(at)?;
            let Some((own, after)) = rest.split_at_checked(wanted) else {
                let missing = format!("{} takes {wanted} bytes, {} are left", weight.name, rest.len());
                return Err(at(Error::new(ErrorKind::Decode, "the weights end too early")
                    .at(format!("{}: {missing}", group.paths.join(", ")))
                    .hint("a file is incomplete")));
            };
            rest = after;
            if tensors.insert(weight.name.clone(), weight.tensor(own).map_err(at)?).is_some() {
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
