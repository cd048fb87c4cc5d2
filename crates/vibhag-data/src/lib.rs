//! Decoders, dataset formats, fingerprint, splits, augmentation and the threaded batch loader.

pub mod annotated;
pub mod annotations;
pub mod appearance;
pub mod augment;
pub mod classes;
pub mod coding;
pub mod dataset;
pub mod decode;
pub mod encode;
pub mod fault;
pub mod fingerprint;
pub mod formats;
pub mod loader;
pub mod mask;
pub mod mask_pairs;
pub mod poses;
pub mod sampler;
pub mod split;
pub mod synthetic;
pub mod truth;

mod decide;
mod jpeg;
mod survey;

pub use augment::{AugmentConfig, Augmenter};
pub use coding::{CodingKind, MaskCoding};
pub use dataset::{Dataset, OpenOptions, Sample, open};
pub use fault::{Fault, FaultKind};
pub use fingerprint::Fingerprint;
pub use formats::{FORMATS, Format};
pub use loader::{Batch, BatchLoader, LoaderOptions, SampleSource};
pub use split::{Split, SplitOptions};
pub use survey::MaskRecord;
pub use truth::{People, PoseRules, SegmentRules, Truth};
