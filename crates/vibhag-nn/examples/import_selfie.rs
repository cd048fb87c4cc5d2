//! Turns MediaPipe's selfie segmentation from its TensorFlow Lite file into the weights that come with this crate.
//!
//! ```sh
//! cargo run --example import_selfie -- selfie_segmentation.tflite crates/vibhag-nn/weights/selfie.safetensors
//! ```

use std::path::Path;

use vibhag_core::{Error, Result};
use vibhag_nn::import::tflite::Model;
use vibhag_nn::selfie::from_tflite;
use vibhag_nn::weights::{Precision, write_tensors};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, out] = arguments.as_slice() else {
        return Err(Error::config("two arguments wanted").hint("name the .tflite file and the file to write"));
    };
    let tensors = from_tflite(&Model::read(Path::new(model))?)?;
    // The published values have 16 bits themselves, so that none is rounded.
    write_tensors(&tensors, Path::new(out), Precision::F16)
}
