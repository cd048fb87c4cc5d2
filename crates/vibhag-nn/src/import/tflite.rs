//! TensorFlow Lite models of floats: a graph of operators over numbered tensors, with their weights, in one FlatBuffers
//! file. Only what has a meaning here is read; anything else is an error.

mod flatbuffer;
mod follow;
mod operator;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use half::f16;
use vibhag_core::{Error, ErrorKind, Result};

use crate::named::NamedTensor;
use flatbuffer::Table;

pub use follow::{Follower, Layer, weights_of};
pub use operator::{Operation, Operator};

/// A graph with one input and one output.
#[derive(Debug, Clone)]
pub struct Model {
    path: PathBuf,
    operators: Vec<Operator>,
    input: usize,
    output: usize,
}

impl Model {
    /// Reads the model at `path`.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or holds what is not understood: several graphs, inputs or outputs,
    /// weights that are not floats of 32 or 16 bits, an operator or an option of one that has no meaning here.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
        Self::from_bytes(&bytes)
            .map(|model| Self { path: path.to_owned(), ..model })
            .map_err(|error| error.at_path(path))
    }

    /// Reads the content of a model's file.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let root = Table::root(bytes, *b"TFL3")?;
        let [graph] = root.tables(2)?[..] else {
            return Err(Error::new(ErrorKind::Unsupported, "a model of other than one graph"));
        };
        let buffers: Vec<&[u8]> = root.tables(4)?.iter().map(|buffer| buffer.bytes(0)).collect::<Result<_>>()?;
        let tensors = graph.tables(0)?.iter().map(|tensor| Tensor::read(tensor, &buffers)).collect::<Result<_>>()?;
        let codes = root.tables(1)?.iter().map(operator::Code::read).collect::<Result<Vec<_>>>()?;
        let mut graph_tensors = Tensors { tensors, unpacked: BTreeMap::new() };
        let mut operators = Vec::new();
        for table in graph.tables(3)? {
            operators.extend(operator::read(&table, &codes, &mut graph_tensors)?);
        }
        let (inputs, outputs) = (indices(&graph, 1)?, indices(&graph, 2)?);
        let (&[input], &[output]) = (inputs.as_slice(), outputs.as_slice()) else {
            return Err(Error::new(ErrorKind::Unsupported, "a model of other than one input and one output")
                .at(format!("{} and {}", inputs.len(), outputs.len())));
        };
        Ok(Self { path: PathBuf::new(), operators, input, output })
    }

    /// Every operator, in the order in which they run.
    pub fn operators(&self) -> &[Operator] {
        &self.operators
    }

    /// The number of the tensor that goes in.
    pub fn input(&self) -> usize {
        self.input
    }

    /// The number of the tensor that comes out.
    pub fn output(&self) -> usize {
        self.output
    }

    fn error(&self, what: &str, detail: String) -> Error {
        let error = Error::new(ErrorKind::Model, what).at(detail);
        if self.path.as_os_str().is_empty() { error } else { error.at_path(&self.path) }
    }
}

/// A tensor as the file lists it.
struct Tensor<'a> {
    name: String,
    shape: Vec<usize>,
    kind: u8,
    /// Empty where the tensor is computed.
    data: &'a [u8],
}

impl<'a> Tensor<'a> {
    fn read(table: &Table<'a>, buffers: &[&'a [u8]]) -> Result<Self> {
        let name = table.text(3)?;
        let buffer = table.integer(2, 0)?;
        let data = usize::try_from(buffer).ok().and_then(|buffer| buffers.get(buffer).copied());
        let data = data.ok_or_else(|| fault("a tensor without its buffer", format!("{name}: buffer {buffer}")))?;
        Ok(Self { shape: indices(table, 0)?, kind: table.byte(1)?, data, name })
    }

    /// The values of a constant of floats.
    fn values(&self) -> Result<NamedTensor> {
        let values: Vec<f32> = match self.kind {
            0 => self.data.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            1 => self.data.as_chunks::<2>().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect(),
            other => {
                return Err(Error::new(ErrorKind::Unsupported, "weights that are not floats")
                    .at(format!("{}: type {other}", self.name))
                    .hint("use the model without quantisation"));
            }
        };
        let count = self.shape.iter().try_fold(1usize, |count, &side| count.checked_mul(side));
        if count != Some(values.len()) || values.is_empty() {
            let found = format!("{}: {} values for {:?}", self.name, values.len(), self.shape);
            return Err(fault("a constant whose values do not fill its shape", found));
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let place = format!("{}, value {index}: {}", self.name, values[index]);
            return Err(fault("a weight is not finite", place));
        }
        Ok(NamedTensor { name: self.name.clone(), shape: self.shape.clone(), values })
    }
}

/// The tensors of a graph; constants may be stored with 16 bits and unpacked by an operator.
struct Tensors<'a> {
    tensors: Vec<Tensor<'a>>,
    /// For an unpacked tensor the constant that it holds.
    unpacked: BTreeMap<usize, usize>,
}

impl<'a> Tensors<'a> {
    fn get(&self, index: usize) -> Result<&Tensor<'a>> {
        let own = self.unpacked.get(&index).copied().unwrap_or(index);
        self.tensors.get(own).ok_or_else(|| fault("a tensor that is not listed", own.to_string()))
    }

    /// Says that `output` holds the constant `input`.
    fn unpack(&mut self, input: usize, output: usize) -> Result<()> {
        let tensor = self.get(input)?;
        if tensor.data.is_empty() {
            return Err(fault("a computed tensor that is unpacked", tensor.name.clone()));
        }
        self.unpacked.insert(output, input);
        Ok(())
    }
}

/// Numbers that cannot be negative.
fn indices(table: &Table<'_>, field: usize) -> Result<Vec<usize>> {
    let index = |value: i32| usize::try_from(value).map_err(|_| fault("a negative size or number", value.to_string()));
    table.integers(field)?.into_iter().map(index).collect()
}

fn fault(what: &str, detail: String) -> Error {
    Error::new(ErrorKind::Decode, what).at(detail).hint("the file is damaged")
}

#[cfg(test)]
mod tests;
