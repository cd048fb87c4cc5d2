//! `vibhag plan` and `vibhag train`: data in, run folder out.
//!
//! A run folder holds `plan.toml`, `splits.csv`, `history.jsonl`, `checkpoint/`, `model/` (the
//! bundle), `evaluation.json` and `report.html`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vibhag_core::{Error, ErrorKind, Foreground, Result, Task};
use vibhag_data::appearance;
use vibhag_data::dataset::{Dataset, OpenOptions, Sample};
use vibhag_data::fault::Fault;
use vibhag_data::fingerprint::{self, Fingerprint, SampleRecord};
use vibhag_data::loader::SampleSource;
use vibhag_data::poses::PoseSet;
use vibhag_data::sampler::{self, Sampling};
use vibhag_data::split::{self, Split, SplitOptions};
use vibhag_nn::bundle::{DataOrigin, FORMAT_VERSION, Manifest};
use vibhag_nn::device::DeviceChoice;
use vibhag_nn::encoder_info;
use vibhag_train::trainer::{self, Roles};
use vibhag_train::{Plan, PlanRequest, Preset, TrainOptions, TrainOutcome};

use crate::evaluate;
use crate::progress;
use crate::report;
use crate::scores::Scores;
use crate::tune;

/// What `vibhag train` was asked for.
#[derive(Debug, Clone, Default)]
pub struct TrainRequest {
    /// The data; taken from the run's plan when resuming.
    pub data: Option<PathBuf>,
    /// Format by name instead of recognition.
    pub format: Option<String>,
    /// Mask values to merge into one foreground class.
    pub foreground: Option<Foreground>,
    /// The run folder.
    pub run: PathBuf,
    /// A plan to follow instead of planning.
    pub plan: Option<PathBuf>,
    /// Wishes for the planner.
    pub wishes: PlanRequest,
    /// `key=value` settings on top of the plan.
    pub settings: Vec<String>,
    /// Continue the run.
    pub resume: bool,
    /// The device.
    pub device: DeviceChoice,
    /// No progress.
    pub quiet: bool,
    /// Leave unusable samples out instead of stopping.
    pub skip_bad: bool,
}

/// What `vibhag train` leaves behind.
#[derive(Debug)]
pub struct TrainResult {
    /// The run's outcome.
    pub outcome: TrainOutcome,
    /// Scores of the held-out samples at their original size.
    pub scores: Scores,
    /// `test`, or `validation` where no samples were kept for a test.
    pub judged_on: &'static str,
    /// The report.
    pub report: PathBuf,
    /// Samples that were left out.
    pub skipped: Vec<Fault>,
}

/// A dataset that was looked at once.
#[derive(Debug)]
pub struct Examined {
    /// The dataset.
    pub dataset: Dataset,
    /// What looking found.
    pub fingerprint: Fingerprint,
    /// Every fault, of structure and of files.
    pub faults: Vec<Fault>,
}

impl Examined {
    /// Indices of the samples that can be used for training and evaluation.
    pub fn usable(&self) -> Vec<usize> {
        let usable = |(index, record): (usize, &SampleRecord)| record.usable.then_some(index);
        self.fingerprint.samples.iter().enumerate().filter_map(usable).collect()
    }
}

/// Opens the data and looks at every file once.
///
/// # Errors
/// When the folder cannot be read or no format recognises it.
pub fn examine(data: &Path, format: Option<&str>, task: Task, quiet: bool) -> Result<Examined> {
    examine_with(data, &OpenOptions { format: format.map(str::to_owned), task, ..OpenOptions::default() }, quiet)
}

/// How data is read for a task and a preset: a preset names its one class, and merges the values of masks where
/// `foreground` does not.
pub fn open_options(
    format: Option<&str>,
    task: Task,
    preset: Option<Preset>,
    foreground: Option<Foreground>,
) -> OpenOptions {
    OpenOptions {
        format: format.map(str::to_owned),
        task,
        foreground,
        subject: preset.map(|preset| preset.info().subject.to_owned()),
        merge: preset.is_some(),
        ..OpenOptions::default()
    }
}

/// As [`examine`], with every choice about the reading.
///
/// # Errors
/// As [`examine`].
pub fn examine_with(data: &Path, options: &OpenOptions, quiet: bool) -> Result<Examined> {
    let dataset = vibhag_data::open(data, options)?;
    let bar = progress::counter(dataset.samples.len(), "reading", quiet);
    let fingerprint = fingerprint::scan(&dataset, &|_, _| bar.inc(1));
    bar.finish_and_clear();
    let faults = fingerprint.faults.clone();
    Ok(Examined { dataset, fingerprint, faults })
}

/// Plans without training.
///
/// # Errors
/// When the data has no usable sample or the wishes contradict each other.
pub fn plan(examined: &Examined, wishes: &PlanRequest, settings: &[String]) -> Result<Plan> {
    vibhag_train::plan(&examined.dataset, &examined.fingerprint, wishes)?.with_settings(settings)
}

/// Trains, evaluates the held-out samples and writes the report.
///
/// # Errors
/// Faults in the data (unless skipped), a failed run, I/O errors.
pub fn train(request: &TrainRequest) -> Result<TrainResult> {
    let stored = if request.resume { Some(trainer::plan_of(&request.run)?) } else { None };
    let data = match (&request.data, &stored) {
        (Some(data), _) => data.clone(),
        (None, Some(plan)) => plan.data.path.clone(),
        (None, None) => return Err(Error::config("no data was named").hint("vibhag train DATA")),
    };
    if !request.resume && request.run.join("plan.toml").exists() {
        return Err(Error::config("the run folder already holds a run")
            .at_path(&request.run)
            .hint("continue it with --resume, or choose another folder with -o"));
    }
    let format = request.format.as_deref().or(stored.as_ref().map(|plan| plan.data.format.as_str()));
    let chosen = request.plan.as_deref().map(Plan::read).transpose()?;
    let reading = match stored.as_ref().or(chosen.as_ref()) {
        Some(plan) => OpenOptions {
            ignore: plan.data.ignore,
            ..open_options(format, plan.task, plan.preset, plan.data.foreground.clone().or(request.foreground.clone()))
        },
        None => open_options(format, request.wishes.task(), request.wishes.preset, request.foreground.clone()),
    };
    let examined = examine_with(&data, &reading, request.quiet)?;
    refuse_faults(&examined.faults, request.skip_bad)?;
    let mut plan = match (stored, chosen) {
        (Some(plan), _) | (None, Some(plan)) => plan.with_settings(&request.settings)?,
        (None, None) => plan(&examined, &request.wishes, &request.settings)?,
    };
    if plan.classes != examined.dataset.classes {
        return Err(Error::config("the plan's classes are not the data's").at(format!(
            "plan {:?}, data {:?}",
            plan.classes.names(),
            examined.dataset.classes.names()
        )));
    }
    let skeleton = plan.pose.as_ref().map(|pose| &pose.skeleton);
    if skeleton != examined.dataset.poses().map(PoseSet::skeleton) {
        return Err(Error::config("the plan's skeleton is not the data's")
            .at_path(&data)
            .hint("let `vibhag plan DATA --task pose` write a plan for this data"));
    }
    if request.resume && plan.data.hash != examined.fingerprint.content_hash {
        return Err(Error::config("the data changed since the run began").at_path(&data).hint("train a new run"));
    }
    // A run can be continued from any folder.
    plan.data.path = std::path::absolute(&data).map_err(|e| Error::io(&data, e))?;
    std::fs::create_dir_all(&request.run).map_err(|e| Error::io(&request.run, e))?;
    write(&request.run.join("plan.toml"), &plan.to_toml()?)?;

    let splits = split::assign(
        &examined.dataset,
        &examined.fingerprint,
        SplitOptions {
            seed: plan.seed,
            val_fraction: plan.split.val_fraction,
            test_fraction: plan.split.test_fraction,
        },
    );
    write_splits(&request.run, &examined.dataset, &splits)?;
    let usable = examined.usable();
    let role = |wanted: Split| -> Vec<usize> { usable.iter().copied().filter(|&i| splits[i] == wanted).collect() };
    let (train, val) = (role(Split::Train), role(Split::Val));
    let learnt_from = if plan.training.sampling == Sampling::Balanced {
        let (height, width) = plan.training_geometry().size();
        let pixels = |i: usize| examined.fingerprint.samples[i].width * examined.fingerprint.samples[i].height;
        let kinds = appearance::kinds(&examined.fingerprint);
        let shown = (height * width) as f32 / plan.input.scale.powi(2);
        sampler::balanced(&train, shown as usize, pixels, |i| kinds[i])
    } else {
        train.clone()
    };
    let options = TrainOptions {
        run: request.run.clone(),
        resume: request.resume,
        device: request.device,
        quiet: request.quiet,
        skip_bad: request.skip_bad,
        manifest: manifest(&plan, train.len(), val.len()),
        stop_after: None,
    };
    let dataset = Arc::new(examined.dataset);
    let source: Arc<dyn SampleSource> = dataset.clone();
    let outcome =
        trainer::train(&plan, source, Roles { train: &learnt_from, val: &val }, &options).inspect_err(|_| {
            if !request.resume {
                forget_unstarted(&request.run);
            }
        })?;

    let tuned = tune::tune(&outcome.model, &dataset, &val, request.device, request.quiet)?;
    let tuned_poses = tune::tune_poses(&outcome.model, &dataset, &val, request.device, request.quiet)?;
    let test = role(Split::Test);
    let (held_out, held_out_name) = if test.is_empty() { (val, "validation") } else { (test, "test") };
    let judged = evaluate::model_on(&outcome.model, &dataset, &held_out, request.device, None, request.quiet)?;
    let json = serde_json::to_string_pretty(&judged.scores)
        .map_err(|e| Error::new(ErrorKind::Io, "cannot write the evaluation").because(e))?;
    write(&request.run.join("evaluation.json"), &json)?;
    if let Some(table) = &judged.table {
        write(&request.run.join("objects.csv"), table)?;
    }
    let report = request.run.join("report.html");
    report::write_run_report(
        &report,
        &report::RunReport {
            plan: &plan,
            dataset: &dataset,
            fingerprint: &examined.fingerprint,
            splits: &splits,
            faults: &examined.faults,
            outcome: &outcome,
            tuned,
            tuned_poses,
            judged: &judged,
            judged_on: held_out_name,
            run: &request.run,
        },
    )?;
    let skipped = examined.faults;
    Ok(TrainResult { outcome, scores: judged.scores, judged_on: held_out_name, report, skipped })
}

/// Takes the plan and the splits of a run that never began away again, so that the corrected command can use the folder.
fn forget_unstarted(run: &Path) {
    if !run.join("checkpoint").exists() {
        for name in ["plan.toml", "splits.csv"] {
            // The error that ended the run is the one to report.
            let _ = std::fs::remove_file(run.join(name));
        }
    }
}

fn refuse_faults(faults: &[Fault], skip_bad: bool) -> Result<()> {
    if faults.is_empty() || skip_bad {
        return Ok(());
    }
    let shown: Vec<String> = faults.iter().take(5).map(ToString::to_string).collect();
    let more = faults.len().saturating_sub(shown.len());
    let tail = if more > 0 { format!("\n  and {more} more (see `vibhag doctor`)") } else { String::new() };
    Err(Error::new(
        ErrorKind::Decode,
        format!("{} faults in the data:\n  {}{tail}\n", faults.len(), shown.join("\n  ")),
    )
    .hint("mend them, or leave these samples out with --skip-bad"))
}

fn manifest(plan: &Plan, train_images: usize, val_images: usize) -> Manifest {
    let encoder = plan.network.encoder.as_deref().and_then(encoder_info).and_then(|info| info.pretrained);
    let licence = match (plan.pretrained.as_str(), encoder) {
        ("none", _) | (_, None) => "trained from random weights; yours, within the terms of your data".to_owned(),
        (_, Some(info)) => {
            format!(
                "fine-tuned from {} weights ({}, {}); yours, within these terms and those of your data",
                info.data, info.licence, info.source
            )
        }
    };
    Manifest {
        format_version: FORMAT_VERSION,
        vibhag_version: env!("CARGO_PKG_VERSION").into(),
        task: plan.task,
        weights_sha256: String::new(),
        weights_licence: licence,
        metrics: std::collections::BTreeMap::new(),
        network: plan.network.clone(),
        preprocessing: plan.input.clone(),
        postprocessing: plan.postprocessing,
        data: DataOrigin {
            format: plan.data.format.clone(),
            coding: plan.data.coding.clone(),
            foreground: plan.data.foreground.clone(),
            ignore: plan.data.ignore,
            hash: plan.data.hash.clone(),
            train_images,
            val_images,
        },
        classes: plan.classes.clone(),
        skeleton: plan.pose.as_ref().map(|pose| pose.skeleton.clone()),
    }
}

fn write_splits(run: &Path, dataset: &Dataset, splits: &[Split]) -> Result<()> {
    let row = |(sample, split): (&Sample, &Split)| format!("\"{}\",{split}\n", sample.id.replace('"', "\"\""));
    let rows: Vec<String> = dataset.samples.iter().zip(splits).map(row).collect();
    write(&run.join("splits.csv"), &format!("sample,split\n{}", rows.concat()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|e| Error::io(path, e))
}
