//! Vibhag: image segmentation from two folders of images and masks to a trusted predictor.
//!
//! Every function here is what a verb of the command line calls; the binary only parses,
//! resolves defaults, calls and prints.

pub mod bench;
pub mod convert;
pub mod cutout;
pub mod demo;
pub mod doctor;
pub mod evaluate;
mod files;
pub mod inputs;
mod media;
pub mod models;
pub mod people;
pub mod pose;
pub mod predict;
pub mod progress;
pub mod report;
pub mod run;
pub mod scores;
pub mod synth;
pub mod system;
pub mod table;
pub mod tune;

pub use vibhag_core as core;
pub use vibhag_data as data;
pub use vibhag_metrics as metrics;
pub use vibhag_nn as nn;
pub use vibhag_predict as prediction;
pub use vibhag_report as reporting;
pub use vibhag_train as training;
pub use vibhag_video as video;

pub use vibhag_core::{Error, Result};
