//! `vibhag convert`: annotations from one format into another, with what is lost said aloud and the result read back.

use std::path::{Path, PathBuf};

use serde::Serialize;
use vibhag_core::{Error, Result};
use vibhag_data::annotations::convert::{self, ConvertOptions};
use vibhag_data::annotations::{self, ANNOTATION_FORMATS, AnnotationFormat};

use crate::progress;

/// What `vibhag convert` was asked for.
#[derive(Debug, Clone)]
pub struct ConvertRequest {
    /// The annotations to read.
    pub input: PathBuf,
    /// The folder to write, new or empty.
    pub out: PathBuf,
    /// Name of the format to write.
    pub to: String,
    /// Name of the format to read; recognised when absent.
    pub from: Option<String>,
    /// Leave out what the target cannot hold, and list it.
    pub drop: bool,
    /// No progress.
    pub quiet: bool,
}

/// What `vibhag convert` did.
#[derive(Debug, Clone, Serialize)]
pub struct ConvertResult {
    /// The format that was read.
    pub from: String,
    /// The format that was written.
    pub to: String,
    /// Images written.
    pub images: usize,
    /// Annotations written.
    pub annotations: usize,
    /// Annotations that could not be read, with the reason.
    pub faults: Vec<String>,
    /// What the target could not hold.
    pub losses: Vec<String>,
    /// Images that failed, with the reason.
    pub failed: Vec<String>,
    /// How well the annotations came back.
    pub round_trip: RoundTripResult,
}

/// The written annotations, read back and compared with the originals.
#[derive(Debug, Clone, Serialize)]
pub struct RoundTripResult {
    /// Annotations that were compared.
    pub annotations: usize,
    /// Annotations that did not come back.
    pub missing: usize,
    /// Mean IoU of their masks.
    pub mean_iou: f64,
    /// Smallest IoU.
    pub min_iou: f64,
    /// Where the smallest was.
    pub worst: Option<String>,
}

/// Converts.
///
/// # Errors
/// When a format is unknown or does not fit, the folder is not empty, the target cannot hold what is there (unless it
/// may be dropped), or a file cannot be read or written.
pub fn convert(request: &ConvertRequest) -> Result<ConvertResult> {
    let to = annotations::named(&request.to)?;
    let from = source_format(&request.input, request.from.as_deref())?;
    let source = (from.open)(&request.input)?;
    let bar = progress::counter(3 * source.images().len(), "converting", request.quiet);
    let options = ConvertOptions { drop: request.drop };
    let done = convert::convert(source.as_ref(), from, to, &request.out, options, &|done, _| {
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let done = done?;
    Ok(ConvertResult {
        from: from.name.to_owned(),
        to: to.name.to_owned(),
        images: done.written.images,
        annotations: done.written.annotations,
        faults: source.faults().iter().map(ToString::to_string).collect(),
        losses: done.written.losses,
        failed: done.written.failed,
        round_trip: RoundTripResult {
            annotations: done.round_trip.annotations,
            missing: done.round_trip.missing,
            mean_iou: done.round_trip.mean_iou,
            min_iou: done.round_trip.min_iou,
            worst: done.round_trip.worst,
        },
    })
}

fn source_format(input: &Path, name: Option<&str>) -> Result<&'static AnnotationFormat> {
    if let Some(name) = name {
        return annotations::named(name);
    }
    if !input.exists() {
        return Err(Error::config("no such file or folder").at_path(input).hint("name the annotations to convert"));
    }
    annotations::recognise(input).ok_or_else(|| {
        let names: Vec<&str> = ANNOTATION_FORMATS.iter().map(|format| format.name).collect();
        Error::config("no format of annotations recognised here")
            .at_path(input)
            .hint(format!("name it with --from ({})", names.join(", ")))
    })
}
