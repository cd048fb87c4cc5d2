//! Turns PoseNet's TensorFlow.js graph model into the weights that come with this crate.
//!
//! ```sh
//! cargo run --example import_posenet -- posenet.json crates/vibhag-nn/weights/posenet.safetensors
//! ```

use std::path::Path;

use vibhag_core::{Error, Result};
use vibhag_nn::import::tfjs::GraphModel;
use vibhag_nn::posenet::from_tfjs;
use vibhag_nn::weights::{Precision, write_tensors};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [graph, out] = arguments.as_slice() else {
        return Err(Error::config("two arguments wanted").hint("name the graph's JSON file and the file to write"));
    };
    let tensors = from_tfjs(&GraphModel::read(Path::new(graph))?)?;
    // With float16 the displacements would be off by more than a pixel.
    write_tensors(&tensors, Path::new(out), Precision::F32)
}
