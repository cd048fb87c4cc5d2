//! Weights from files of other frameworks.

pub mod tfjs;
pub mod tflite;
