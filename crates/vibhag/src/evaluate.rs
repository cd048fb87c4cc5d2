//! `vibhag evaluate`: a model on data, or anybody's masks against the truth, always at the
//! images' original size.

pub mod folders;
pub(crate) mod people;

use std::collections::BTreeMap;
use std::path::Path;

use vibhag_core::{Error, ErrorKind, Foreground, Image, Result, Task};
use vibhag_data::Truth;
use vibhag_data::dataset::{Dataset, OpenOptions};
use vibhag_data::mask_pairs;
use vibhag_data::split::Split;
use vibhag_metrics::{Evaluation, EvaluationBuilder};
use vibhag_nn::bundle::{self, Flips};
use vibhag_nn::device::DeviceChoice;
use vibhag_predict::{PredictOptions, Predictor};

use crate::progress::ItemBar;
use crate::run;
use crate::scores::{Scores, ScoresBuilder};
use crate::table::ObjectTable;

/// An evaluation with a way back to the samples.
#[derive(Debug)]
pub struct Judged {
    /// The scores.
    pub scores: Scores,
    /// Sample index by image identifier.
    pub index: BTreeMap<String, usize>,
    /// Predictions of the worst, median and best images, by sample index.
    pub kept: BTreeMap<usize, Truth>,
    /// The predicted objects as comma-separated values, where they are told apart.
    pub table: Option<String>,
    /// Samples that could not be evaluated, with the reason.
    pub failed: Vec<(String, String)>,
}

/// Which samples of a data set to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Every sample that has a mask.
    All,
    /// One split that the data itself declares.
    Split(Split),
}

/// Evaluates the bundle in `model` on `data`. Mask values are merged as `foreground` says, or as they were in training.
///
/// # Errors
/// When model or data cannot be opened, or their classes differ.
#[allow(clippy::too_many_arguments, reason = "one for each option of the verb")]
pub fn model(
    model: &Path,
    data: &Path,
    format: Option<&str>,
    foreground: Option<Foreground>,
    selection: Selection,
    device: DeviceChoice,
    tta: Option<Flips>,
    quiet: bool,
) -> Result<Judged> {
    let manifest = bundle::read_manifest(model)?;
    let ignore = if foreground.is_some() { None } else { manifest.data.ignore };
    let options = OpenOptions {
        format: format.map(str::to_owned),
        task: manifest.task,
        foreground: foreground.or(manifest.data.foreground),
        ignore,
        subject: manifest.classes.is_binary().then(|| manifest.classes.classes[1].name.clone()),
        ..OpenOptions::default()
    };
    let examined = run::examine_with(data, &options, quiet)?;
    let usable = examined.usable();
    let chosen: Vec<usize> = usable
        .into_iter()
        .filter(|&i| match selection {
            Selection::All => true,
            Selection::Split(split) => examined.dataset.samples[i].split == Some(split),
        })
        .collect();
    if chosen.is_empty() {
        let hint = match selection {
            Selection::All => "see `vibhag doctor`",
            Selection::Split(_) => {
                "--split takes the splits that the data declares (`vibhag doctor` lists them), not a run's splits.csv"
            }
        };
        return Err(Error::config("no sample to evaluate").at_path(data).hint(hint));
    }
    let mut judged = model_on(model, &examined.dataset, &chosen, device, tta, quiet)?;
    if let Some(note) = seen_in_training(model, &examined, selection)? {
        judged.scores.note(note);
    }
    judged.failed.extend(examined.faults.iter().map(|fault| (fault.path.display().to_string(), fault.message.clone())));
    Ok(judged)
}

/// Says so when the images are those that the model learned from.
fn seen_in_training(model: &Path, examined: &run::Examined, selection: Selection) -> Result<Option<String>> {
    let origin = bundle::read_manifest(model)?.data;
    if origin.hash != examined.fingerprint.content_hash || selection != Selection::All {
        return Ok(None);
    }
    let declared = examined.dataset.samples.iter().any(|sample| sample.split.is_some());
    let instead = if declared { "use --split val or --split test" } else { "evaluate on images it has not seen" };
    Ok(Some(format!(
        "the model was trained on {} of these images, which flatters its scores; {instead}",
        origin.train_images
    )))
}

/// Evaluates the bundle in `model` on some samples of an open data set.
///
/// # Errors
/// When the model cannot be loaded or its classes are not the data's. A sample that fails is
/// reported in [`Judged::failed`].
pub fn model_on(
    model: &Path,
    dataset: &Dataset,
    indices: &[usize],
    device: DeviceChoice,
    tta: Option<Flips>,
    quiet: bool,
) -> Result<Judged> {
    if bundle::read_manifest(model)?.task == Task::Pose {
        return people::model_on(model, dataset, indices, device, tta, quiet);
    }
    let predictor = Predictor::load(model, device, PredictOptions { tta, ..PredictOptions::default() })?;
    let classes = &predictor.manifest().classes;
    if classes.len() != dataset.classes.len() {
        return Err(Error::config(format!(
            "the model knows {} classes, the data has {}",
            classes.len(),
            dataset.classes.len()
        ))
        .at(format!("{:?} against {:?}", classes.names(), dataset.classes.names()))
        .hint(if classes.is_binary() {
            "merge the values of label masks into one class with --foreground, such as --foreground 1..58"
        } else {
            "name the classes in classes.txt as they were in training"
        }));
    }
    let mut bar = ItemBar::new(indices.len(), "evaluating", quiet);
    let task = predictor.manifest().task;
    let mut builder = ScoresBuilder::new(task, &dataset.classes, None)?;
    let mut predictions = BTreeMap::new();
    let mut failed = Vec::new();
    let mut index = BTreeMap::new();
    let mut table = ObjectTable::default();
    for &i in indices {
        let sample = &dataset.samples[i];
        let judged = load(dataset, i, task).and_then(|(image, truth)| {
            let prediction = predictor.predict_reporting(&image, &mut |share| bar.share(share))?;
            let found = prediction.segments.map_or_else(|| Truth::from(prediction.labels), Truth::from);
            builder.add(&sample.id, &sample.tags, &truth, &found)?;
            if let Truth::Segments(map) = &found {
                table.add(&sample.id, &image, map)?;
            }
            Ok(found)
        });
        match judged {
            Ok(found) => {
                index.insert(sample.id.clone(), i);
                predictions.insert(i, found);
                trim(&mut predictions);
            }
            Err(error) => failed.push((sample.id.clone(), error.to_string())),
        }
        bar.next();
    }
    bar.finish();
    let mut scores = builder.finish();
    if classes.names() != dataset.classes.names() {
        let (ours, theirs) = (classes.names().join(", "), dataset.classes.names().join(", "));
        scores.note(format!("the model's classes ({ours}) are compared with the data's ({theirs}) one by one"));
    }
    let wanted = crate::report::shown(&scores);
    predictions.retain(|i, _| wanted.iter().any(|name| index.get(*name) == Some(i)));
    let table = if task.has_objects() { Some(table.csv(&dataset.classes)?) } else { None };
    Ok(Judged { scores, index, kept: predictions, table, failed })
}

/// Image and truth of sample `index`, of the task's kind.
pub(crate) fn load(dataset: &Dataset, index: usize, task: Task) -> Result<(Image, Truth)> {
    if task.has_objects() {
        dataset.load_segments(index).map(|(image, map)| (image, map.into()))
    } else {
        dataset.load(index).map(|(image, labels)| (image, labels.into()))
    }
}

/// Pixels of predictions that are kept for the report's pictures before some are dropped.
const KEPT_PIXELS: usize = 400_000_000;

/// Ten thousand predictions must not fill the memory: past a budget the oldest are dropped, and
/// the report shows what is left.
fn trim(predictions: &mut BTreeMap<usize, Truth>) {
    let mut pixels: usize = predictions.values().map(|map| map.width() * map.height()).sum();
    while pixels > KEPT_PIXELS && predictions.len() > 1 {
        if let Some((_, map)) = predictions.pop_first() {
            pixels -= map.width() * map.height();
        }
    }
}

/// Scores the masks in `pred` against those of equal name in `truth`, whose values of `foreground` are merged where it is
/// given.
///
/// # Errors
/// When nothing pairs, or classes cannot be told from the masks.
pub fn folders(
    truth: &Path,
    pred: &Path,
    foreground: Option<&Foreground>,
) -> Result<(Evaluation, Vec<(String, String)>)> {
    let pairs = mask_pairs::open(truth, pred, foreground)?;
    let mut failed = pairs.unpaired.clone();
    let mut builder = EvaluationBuilder::new(pairs.classes.clone());
    for (index, (name, ..)) in pairs.pairs.iter().enumerate() {
        let scored = pairs.load(index).and_then(|(t, p)| builder.add_image(name, &BTreeMap::new(), &t, &p));
        if let Err(error) = scored {
            failed.push((name.clone(), error.to_string()));
        }
    }
    if builder.images() == 0 {
        let first = failed.first().map_or_else(String::new, |(name, why)| format!("{name}: {why}"));
        return Err(Error::new(ErrorKind::MissingPair, "no pair of masks could be scored").at_path(pred).hint(first));
    }
    Ok((builder.finish(), failed))
}
