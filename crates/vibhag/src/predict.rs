//! `vibhag predict`: images in, masks and pictures out. One bad image is a row, not an end.

mod objects;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vibhag_core::{ClassTable, Error, Image, LabelMap, Result, Task};
use vibhag_data::{decode, encode};
use vibhag_nn::bundle;
use vibhag_nn::device::DeviceChoice;
use vibhag_predict::{PredictOptions, Prediction, Predictor, outputs};

use crate::inputs;
use crate::progress::ItemBar;

/// A kind of output file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    /// `masks/NAME.png`: 0/255 for one foreground class, class indices otherwise; of objects their numbers, 16 bits
    /// (`.tif` of 32 bits from 65,536 objects on).
    Masks,
    /// `overlays/NAME.png`: the image with coloured areas and outlines.
    Overlays,
    /// `contours/NAME.json`: polygons per class; of objects each with class, score, box, area, mask and polygons.
    Contours,
    /// `probabilities/NAME_CLASS.png`: 16 bits, 65535 is certain.
    Probabilities,
    /// `objects.csv`: a row for every object, with its measures.
    Table,
    /// `coco/`: all objects as COCO instances with scores.
    Coco,
    /// `coco-panoptic/`: all segments in COCO's panoptic format.
    Panoptic,
}

impl Output {
    /// Whether only a model that tells objects apart has it.
    fn needs_objects(self) -> bool {
        matches!(self, Self::Table | Self::Coco | Self::Panoptic)
    }

    /// Whether it is one file for all images.
    fn is_collected(self) -> bool {
        matches!(self, Self::Table | Self::Coco | Self::Panoptic)
    }
}

/// Every kind of output with its name on the command line.
pub const OUTPUTS: &[(&str, Output)] = &[
    ("masks", Output::Masks),
    ("overlays", Output::Overlays),
    ("contours", Output::Contours),
    ("probabilities", Output::Probabilities),
    ("table", Output::Table),
    ("coco", Output::Coco),
    ("panoptic", Output::Panoptic),
];

/// What is written unless the request says otherwise.
fn usual_outputs(task: Task) -> BTreeSet<Output> {
    let outputs: &[Output] = match task {
        Task::Semantic => &[Output::Masks, Output::Overlays],
        Task::Instance => &[Output::Masks, Output::Overlays, Output::Table, Output::Coco],
        Task::Panoptic => &[Output::Masks, Output::Overlays, Output::Table, Output::Panoptic],
    };
    outputs.iter().copied().collect()
}

/// Longest side of an overlay in pixels; masks keep the image's size.
const OVERLAY_SIDE: usize = 2048;

/// What `vibhag predict` was asked for.
#[derive(Debug, Clone)]
pub struct PredictRequest {
    /// The bundle or run.
    pub model: PathBuf,
    /// Files, folders, globs.
    pub inputs: Vec<String>,
    /// Where the output goes.
    pub out: PathBuf,
    /// Kinds of output; empty means those that are usual for the model's task.
    pub outputs: BTreeSet<Output>,
    /// Write class indices even for one foreground class.
    pub indices: bool,
    /// Overrides of the bundle's post-processing.
    pub options: PredictOptions,
    /// The device.
    pub device: DeviceChoice,
    /// No progress.
    pub quiet: bool,
}

/// One image's result.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The image.
    pub image: PathBuf,
    /// Width and height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// Share of pixels by class.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<outputs::ClassSummary>,
    /// Number of objects, where they are told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<usize>,
    /// Files written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Seconds, decoding and writing included.
    pub seconds: f64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Predicts every image that the request names; failures are rows with an error.
///
/// # Errors
/// When the model cannot be loaded, no image is named, or the output folder cannot be written.
pub fn predict(request: &PredictRequest) -> Result<Vec<Row>> {
    let images = inputs::expand(&request.inputs)?;
    let task = bundle::read_manifest(&request.model)?.task;
    let wanted = if request.outputs.is_empty() { usual_outputs(task) } else { request.outputs.clone() };
    if let Some((name, _)) = OUTPUTS.iter().find(|(_, kind)| wanted.contains(kind) && kind.needs_objects())
        && !task.has_objects()
    {
        return Err(Error::config(format!("output {name:?} needs a model that tells objects apart"))
            .hint("train one with --task instance or --task panoptic"));
    }
    let options =
        PredictOptions { keep_probabilities: wanted.contains(&Output::Probabilities), ..request.options.clone() };
    let predictor = Predictor::load(&request.model, request.device, options)?;
    std::fs::create_dir_all(&request.out)
        .map_err(|e| Error::io(&request.out, e).hint("choose a writable folder with -o"))?;
    for (name, kind) in OUTPUTS {
        if wanted.contains(kind) && !kind.is_collected() {
            let folder = request.out.join(name);
            std::fs::create_dir_all(&folder)
                .map_err(|e| Error::io(&folder, e).hint("choose a writable folder with -o"))?;
        }
    }
    let names = unique_names(&images);
    let mut bar = ItemBar::new(images.len(), "predicting", request.quiet);
    let mut rows = Vec::with_capacity(images.len());
    let classes = predictor.manifest().classes.clone();
    let writer = Writer { out: &request.out, wanted: &wanted, classes: &classes, indices: request.indices };
    let mut found = objects::Found::new(&classes, &wanted);
    for (path, name) in images.iter().zip(&names) {
        let began = std::time::Instant::now();
        let mut row = Row {
            image: path.clone(),
            size: None,
            classes: Vec::new(),
            objects: None,
            files: Vec::new(),
            seconds: 0.0,
            error: None,
        };
        let done = decode::read_image(path).and_then(|image| {
            let prediction = predictor.predict_reporting(&image, &mut |share| bar.share(share))?;
            row.size = Some([image.width(), image.height()]);
            row.classes = outputs::class_summary(&prediction.labels, &classes);
            match &prediction.segments {
                None => writer.classes(name, &image, &prediction, &mut row.files),
                Some(segments) => {
                    row.objects = Some(segments.objects(&classes).count());
                    writer.objects(name, &image, segments, &mut row.files)?;
                    found.add(path, name, &image, segments)
                }
            }
        });
        row.error = done.err().map(|error| error.to_string());
        row.seconds = began.elapsed().as_secs_f64();
        rows.push(row);
        bar.next();
    }
    bar.finish();
    found.write(&request.out)?;
    let path = request.out.join("predictions.json");
    let json =
        serde_json::to_string_pretty(&rows).map_err(|e| Error::config("cannot write predictions.json").because(e))?;
    std::fs::write(&path, json).map_err(|e| Error::io(&path, e))?;
    Ok(rows)
}

/// Writes one image's files.
struct Writer<'a> {
    out: &'a Path,
    wanted: &'a BTreeSet<Output>,
    classes: &'a ClassTable,
    indices: bool,
}

impl Writer<'_> {
    fn classes(&self, name: &str, image: &Image, prediction: &Prediction, files: &mut Vec<PathBuf>) -> Result<()> {
        let classes = self.classes;
        for (folder, kind) in OUTPUTS.iter().filter(|(_, kind)| self.wanted.contains(kind)) {
            let stem = self.out.join(folder).join(name);
            match kind {
                Output::Masks => {
                    let path = with_suffix(&stem, ".png");
                    write_mask(&path, &prediction.labels, classes, self.indices)?;
                    files.push(path);
                }
                Output::Overlays => {
                    let path = with_suffix(&stem, ".png");
                    let picture = vibhag_report::overlay(image, &prediction.labels, classes, Some(OVERLAY_SIDE))?;
                    write_picture(path, &picture, files)?;
                }
                Output::Contours => {
                    let path = with_suffix(&stem, ".json");
                    write_json(path, &outputs::contours(&prediction.labels, classes), files)?;
                }
                Output::Probabilities => {
                    for (class, plane) in prediction.planes(classes) {
                        let path = with_suffix(&stem, &format!("_{class}.png"));
                        let values: Vec<u16> =
                            plane.iter().map(|p| (p.clamp(0.0, 1.0) * 65535.0).round() as u16).collect();
                        encode::write_gray16_png(&path, image.width(), image.height(), &values)?;
                        files.push(path);
                    }
                }
                Output::Table | Output::Coco | Output::Panoptic => {}
            }
        }
        Ok(())
    }
}

fn write_picture(path: PathBuf, picture: &vibhag_report::Picture, files: &mut Vec<PathBuf>) -> Result<()> {
    std::fs::write(&path, picture.to_png()?).map_err(|e| Error::io(&path, e))?;
    files.push(path);
    Ok(())
}

fn write_json(path: PathBuf, value: &impl Serialize, files: &mut Vec<PathBuf>) -> Result<()> {
    let json =
        serde_json::to_string(value).map_err(|e| Error::config("cannot write JSON").at_path(&path).because(e))?;
    std::fs::write(&path, json).map_err(|e| Error::io(&path, e))?;
    files.push(path);
    Ok(())
}

fn write_mask(path: &Path, labels: &LabelMap, classes: &ClassTable, indices: bool) -> Result<()> {
    if classes.is_binary() && !indices {
        encode::write_binary_png(path, labels, 1)
    } else {
        encode::write_mask_png(path, labels, classes)
    }
}

/// The file stems; where two inputs share one, the extension or a number tells them apart.
pub(crate) fn unique_names(images: &[PathBuf]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    images
        .iter()
        .map(|path| {
            let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
            let mut name = text(path.file_stem());
            if !taken.insert(name.clone()) {
                name = text(path.file_name()).replace('.', "_");
                let base = name.clone();
                let mut number = 2;
                while !taken.insert(name.clone()) {
                    name = format!("{base}_{number}");
                    number += 1;
                }
            }
            name
        })
        .collect()
}

fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stems_do_not_overwrite_each_other() {
        let paths = ["a/x.png", "b/x.jpg", "c/x.jpg", "c/y.v2.png"].map(PathBuf::from);
        assert_eq!(unique_names(&paths), ["x", "x_jpg", "x_jpg_2", "y.v2"]);
    }
}
