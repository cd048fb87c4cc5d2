//! Faults of a data set: one per bad file, each with what to do about it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vibhag_core::Error;
use vibhag_core::error::ErrorKind;

/// What is wrong with a file or a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// An image without a mask.
    MissingMask,
    /// A mask without an image.
    MissingImage,
    /// A file that cannot be read or decoded.
    Unreadable,
    /// Image and mask have different sizes.
    SizeMismatch,
    /// The mask holds values that no class has.
    MaskValue,
    /// Two files claim the same name.
    Ambiguous,
}

/// One fault. A sample with a fault is left out of training, never guessed at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fault {
    /// The sample that cannot be used, when the fault belongs to one.
    pub sample: Option<String>,
    /// The file at fault.
    pub path: PathBuf,
    /// Its kind, for callers.
    pub kind: FaultKind,
    /// What is wrong, in one sentence without a final stop.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Fault {
    /// An image that annotations name is not at `path`.
    pub(crate) fn image_is_not_there(path: PathBuf) -> Self {
        Self {
            sample: None,
            path,
            kind: FaultKind::MissingImage,
            message: "annotated, but there is no such image".to_owned(),
            hint: "add the image or remove its annotations".to_owned(),
        }
    }

    /// The fault that `error` describes, for the file `path` of `sample`.
    pub fn from_error(sample: Option<&str>, path: impl Into<PathBuf>, error: &Error) -> Self {
        let kind = match error.kind {
            ErrorKind::SizeMismatch => FaultKind::SizeMismatch,
            ErrorKind::MaskValue => FaultKind::MaskValue,
            ErrorKind::MissingPair => FaultKind::MissingMask,
            _ => FaultKind::Unreadable,
        };
        let message = match &error.at.detail {
            Some(detail) => format!("{} ({detail})", error.what),
            None => error.what.clone(),
        };
        let hint = error.hint.clone().unwrap_or_else(|| "repair or delete the file".to_owned());
        Self { sample: sample.map(str::to_owned), path: path.into(), kind, message, hint }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path.display(), self.message, self.hint)
    }
}
