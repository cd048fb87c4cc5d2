//! `vibhag demo`: the whole story on nuclei images that the binary carries (Data Science Bowl
//! 2018, CC0): doctor, train, evaluate, predict, report.

use std::path::{Path, PathBuf};

use rust_embed::Embed;
use vibhag_core::{Error, Result, Task};
use vibhag_nn::device::DeviceChoice;
use vibhag_train::PlanRequest;

use crate::doctor::{self, Diagnosis};
use crate::predict::{self, Output, PredictRequest, Row};
use crate::run::{self, TrainRequest, TrainResult};

#[derive(Embed)]
#[folder = "assets/sample"]
struct SampleFiles;

/// What the demo did.
#[derive(Debug)]
pub struct DemoResult {
    /// What the doctor said.
    pub diagnosis: Diagnosis,
    /// The trained model with its scores.
    pub trained: TrainResult,
    /// Predictions of some sample images.
    pub predictions: Vec<Row>,
    /// The folder with everything.
    pub folder: PathBuf,
}

/// Minutes after which a model of `task` shows what it can do on the sample: flows take longer to learn than classes.
pub fn usual_minutes(task: Task) -> f64 {
    if task.has_objects() { 4.0 } else { 1.5 }
}

/// Writes the sample below `folder`, then runs the whole story there for `minutes` of training.
///
/// # Errors
/// When the folder cannot be written or already holds a demo.
pub fn demo(
    folder: &Path,
    task: Task,
    minutes: f64,
    device: DeviceChoice,
    quiet: bool,
    say: &dyn Fn(&str),
) -> Result<DemoResult> {
    let data = folder.join("data");
    let run = folder.join("run");
    if run.exists() {
        std::fs::remove_dir_all(&run).map_err(|e| Error::io(&run, e))?;
    }
    write_sample(&data)?;
    say(&format!("wrote the sample data to {}", data.display()));
    let diagnosis = doctor::doctor(&data, None, task, quiet)?;
    say(&format!(
        "doctor: {} images, format {}, {}; {} faults",
        diagnosis.samples,
        diagnosis.format,
        diagnosis.masks,
        diagnosis.faults.len()
    ));
    say(&format!("training for {minutes} minutes"));
    let trained = run::train(&TrainRequest {
        data: Some(data.clone()),
        run: run.clone(),
        wishes: PlanRequest { task: Some(task), minutes: Some(minutes), ..PlanRequest::default() },
        device,
        quiet,
        ..TrainRequest::default()
    })?;
    let predictions = predict::predict(&PredictRequest {
        model: run.clone(),
        inputs: vec![data.join("images").display().to_string()],
        out: folder.join("predictions"),
        outputs: [Output::Masks, Output::Overlays].into(),
        indices: false,
        options: vibhag_predict::PredictOptions {
            tta: Some(vibhag_nn::bundle::Flips::None),
            ..vibhag_predict::PredictOptions::default()
        },
        device,
        quiet,
    })?;
    Ok(DemoResult { diagnosis, trained, predictions, folder: folder.to_owned() })
}

/// Writes the embedded sample into `folder`.
///
/// # Errors
/// I/O errors.
pub fn write_sample(folder: &Path) -> Result<()> {
    for name in SampleFiles::iter() {
        let path = folder.join(name.as_ref());
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
        if let Some(file) = SampleFiles::get(&name) {
            std::fs::write(&path, file.data).map_err(|e| Error::io(&path, e))?;
        }
    }
    Ok(())
}
