//! TensorFlow.js graph models: a JSON file with the graph and the list of its weights, and the weights in binary files
//! beside it. Only what has a meaning here is read; anything else is an error.

mod graph;
mod weights;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vibhag_core::{Error, ErrorKind, Result};

use crate::named::NamedTensor;

pub use graph::Convolution;
use graph::Node;

/// A graph with its constants, kernels as TensorFlow lays them out.
#[derive(Debug, Clone)]
pub struct GraphModel {
    path: PathBuf,
    nodes: BTreeMap<String, Node>,
    constants: BTreeMap<String, NamedTensor>,
}

/// The JSON file. `generatedBy` and the like are for people.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModelFile {
    format: String,
    model_topology: Topology,
    weights_manifest: Vec<weights::Group>,
}

#[derive(Deserialize)]
struct Topology {
    node: Vec<Node>,
}

impl GraphModel {
    /// Reads the model whose JSON file is `path`.
    ///
    /// # Errors
    /// When a file cannot be read, is no such model, or holds other than 32-bit floats; when the binary files are not as
    /// long as their tensors, a value is not finite, or a constant of the graph has no tensor of its shape. The error names
    /// file, tensor and value.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        let file: ModelFile = serde_json::from_str(&text).map_err(|error| {
            Error::new(ErrorKind::Decode, format!("not a TensorFlow.js graph model: {error}"))
                .at_path(path)
                .hint("name the JSON file of a graph model")
                .because(error)
        })?;
        if file.format != "graph-model" {
            return Err(Error::new(ErrorKind::Unsupported, "a TensorFlow.js model of another format")
                .at_path(path)
                .at(file.format)
                .hint("convert it to a graph model"));
        }
        let constants = weights::read(path, &file.weights_manifest)?;
        let mut nodes = BTreeMap::new();
        for node in file.model_topology.node {
            node.check_constant(&constants).map_err(|error| error.at_path(path))?;
            let name = node.name.clone();
            if nodes.insert(name.clone(), node).is_some() {
                return Err(Error::new(ErrorKind::Decode, "two nodes of one name").at_path(path).at(name));
            }
        }
        Ok(Self { path: path.to_owned(), nodes, constants })
    }

    /// The nodes that compute something, by name: neither inputs nor constants.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.nodes.values().filter(|node| node.computes()).map(|node| node.name.as_str())
    }

    /// The fused convolution called `name`, its kernels as [`Conv2d`](crate::blocks::Conv2d) has them.
    ///
    /// # Errors
    /// When there is no such node, or it is anything but a convolution with a bias, TensorFlow's "same" padding and equal
    /// strides, without dilation.
    pub fn convolution(&self, name: &str) -> Result<Convolution> {
        let Some(node) = self.nodes.get(name) else {
            return Err(Error::new(ErrorKind::Model, "the graph has no such node").at_path(&self.path).at(name));
        };
        node.convolution(&self.constants).map_err(|error| error.at_path(&self.path))
    }
}

#[cfg(test)]
mod tests;
