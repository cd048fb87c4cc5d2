//! `vibhag synth`: a generated panoptic set, to try things on without any data.

use std::path::PathBuf;

use serde::Serialize;
use vibhag_core::{Error, Result};
use vibhag_data::annotations;
use vibhag_data::synthetic::{SyntheticConfig, SyntheticSource, write_images};

/// What `vibhag synth` was asked for.
#[derive(Debug, Clone)]
pub struct SynthRequest {
    /// The folder to write, new or empty.
    pub out: PathBuf,
    /// Scenes.
    pub images: u64,
    /// Number of the first scene: sets of one seed and disjoint numbers share no scene.
    pub first: u64,
    /// Height and width.
    pub size: (usize, usize),
    /// Objects down to half the usual size, hidden down to a tenth.
    pub hard: bool,
    /// Everything random follows from it.
    pub seed: u64,
    /// Name of the annotation format.
    pub format: String,
}

/// What `vibhag synth` wrote.
#[derive(Debug, Clone, Serialize)]
pub struct SynthResult {
    /// The folder.
    pub folder: PathBuf,
    /// Scenes.
    pub images: usize,
    /// Objects and stuff segments.
    pub annotations: usize,
    /// What the format could not hold.
    pub losses: Vec<String>,
}

/// Writes generated scenes with their annotations.
///
/// # Errors
/// When a value is out of range, the folder is not empty, or a file cannot be written.
pub fn synth(request: &SynthRequest) -> Result<SynthResult> {
    let format = annotations::named(&request.format)?;
    if request.out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::config("the folder is not empty")
            .at_path(&request.out)
            .hint("name a folder that does not exist"));
    }
    if request.images == 0 {
        return Err(Error::config("no image was asked for").hint("--images takes a number from 1 on"));
    }
    let (height, width) = request.size;
    let usual = SyntheticConfig::new(width, height, request.seed);
    let config = if request.hard { usual.hard() } else { usual };
    let range = request.first..request.first.saturating_add(request.images);
    // The writers of formats put copies of image files where their format wants them.
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(request.out.file_name().unwrap_or_default());
    hidden.push(format!(".{}.partial", std::process::id()));
    let staging = request.out.with_file_name(hidden);
    std::fs::create_dir_all(&staging).map_err(|e| Error::io(&staging, e))?;
    let written = write_images(&config, range.clone(), &staging).and_then(|_| {
        let source = SyntheticSource::new(config, range)?.with_images_in(&staging);
        (format.write)(&source, &request.out)
    });
    std::fs::remove_dir_all(&staging).map_err(|e| Error::io(&staging, e))?;
    let written = written?;
    if let Some(failure) = written.failed.first() {
        return Err(Error::config(format!("{} scenes could not be written: {failure}", written.failed.len())));
    }
    Ok(SynthResult {
        folder: request.out.clone(),
        images: written.images,
        annotations: written.annotations,
        losses: written.losses,
    })
}
