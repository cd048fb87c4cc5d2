//! Fills the report with what a run knows.

mod objects;

use std::collections::BTreeMap;
use std::path::Path;

use vibhag_core::{Grouping, Head, PoseReading, Result, Task};
use vibhag_data::Truth;
use vibhag_data::dataset::Dataset;
use vibhag_data::fault::Fault;
use vibhag_data::fingerprint::Fingerprint;
use vibhag_data::split::Split;
use vibhag_metrics::Evaluation;
use vibhag_report::data::{
    ClassPixels, Command, DataSummary, Environment, FaultEntry, HistoryPoint, PlanEntry, ReportData, SizeCount,
    SplitCount,
};
use vibhag_report::{Example, select_examples};
use vibhag_train::{Plan, TrainOutcome, history};

use crate::evaluate::Judged;
use crate::scores::Scores;
use crate::system;

/// Images shown: the worst, around the median, the best.
const SHOWN: (usize, usize, usize) = (8, 4, 4);

/// What a run hands to its report.
#[derive(Debug)]
pub struct RunReport<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The data.
    pub dataset: &'a Dataset,
    /// What looking at the data found.
    pub fingerprint: &'a Fingerprint,
    /// Split of every sample.
    pub splits: &'a [Split],
    /// Faults; their samples were left out.
    pub faults: &'a [Fault],
    /// How training went.
    pub outcome: &'a TrainOutcome,
    /// How objects are read from the maps, as tuned on the validation images.
    pub tuned: Option<Grouping>,
    /// How people are read from the maps, likewise.
    pub tuned_poses: Option<PoseReading>,
    /// Scores and predictions of the held-out samples.
    pub judged: &'a Judged,
    /// Name of the split that was judged.
    pub judged_on: &'a str,
    /// The run folder.
    pub run: &'a Path,
}

/// The images that the report shows, by name.
pub fn shown(scores: &Scores) -> Vec<&str> {
    let (worst, median, best) = SHOWN;
    select_examples(&scores.worst_first(), worst, median, best).into_iter().map(|(_, image)| *image).collect()
}

/// Writes the report of a run to `path`.
///
/// # Errors
/// When the history cannot be read or the file cannot be written.
pub fn write_run_report(path: &Path, run: &RunReport<'_>) -> Result<()> {
    vibhag_report::write(path, &report_data(run)?)
}

fn report_data(run: &RunReport<'_>) -> Result<ReportData> {
    let plan = run.plan;
    let encoder = plan.network.encoder.as_ref().map_or_else(String::new, |name| format!(" over {name}"));
    let head = if plan.task.has_objects() { format!(", {} head", plan.network.head) } else { String::new() };
    let (height, width) = plan.input.geometry.size();
    let mut notes: Vec<String> =
        run.judged.failed.iter().map(|(name, why)| format!("{name} could not be evaluated: {why}")).collect();
    notes.extend(run.judged.scores.notes().iter().cloned());
    if run.judged_on == "validation" {
        notes.push(
            "The validation images also chose the best weights, so expect slightly lower scores on images that \
             played no part; hold some out with --set split.test_fraction=0.2."
                .to_owned(),
        );
    }
    Ok(ReportData {
        title: format!("Vibhag: {}", run.dataset.root.file_name().unwrap_or_default().to_string_lossy()),
        model: Some(format!("{}{encoder}{head}, {width}x{height} input", plan.network.architecture)),
        split: Some(run.judged_on.to_owned()),
        classes: Some(plan.classes.clone()),
        evaluation: semantic(run).cloned(),
        history: history::read(run.run)?
            .into_iter()
            .map(|record| HistoryPoint {
                step: record.step,
                epoch: record.epoch,
                train_loss: Some(record.train_loss),
                val_loss: Some(record.val_loss),
                val_dice: (plan.task != Task::Pose).then_some(record.val_dice),
                val_iou: (plan.task != Task::Pose).then_some(record.val_iou),
                val_objects: record.val_objects,
                learning_rate: Some(record.learning_rate),
            })
            .collect(),
        instances: match &run.judged.scores {
            Scores::Instances(found) => Some(found.as_ref().clone()),
            _ => None,
        },
        panoptic: match &run.judged.scores {
            Scores::Panoptic(found) => Some(found.as_ref().clone()),
            _ => None,
        },
        keypoints: match &run.judged.scores {
            Scores::Keypoints(found) => Some(found.as_ref().clone()),
            _ => None,
        },
        examples: examples(run),
        object_examples: objects::examples(run),
        data: Some(data_summary(run)),
        plan: plan_entries(plan)?,
        commands: commands(run),
        environment: Some(Environment {
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            device: None,
            threads: Some(system::threads()),
            minutes: Some(run.outcome.seconds / 60.0),
            peak_rss_mib: system::peak_rss_mib().map(|mib| mib as f64),
            extra: extra(run),
        }),
        notes,
    })
}

fn extra(run: &RunReport<'_>) -> Vec<(String, String)> {
    let outcome = run.outcome;
    let mut rows = vec![
        ("steps".to_owned(), outcome.steps.to_string()),
        ("best weights at step".to_owned(), outcome.best_step.to_string()),
        ("ended because".to_owned(), outcome.reason.to_owned()),
    ];
    if let Some(Grouping { objectness, foreground, overlap, flow_error, peak_window, .. }) = run.tuned {
        let values = match run.plan.network.head {
            Head::Star => format!("objectness {objectness}, overlap {overlap}"),
            Head::Flow => format!("foreground {foreground}, flow_error {flow_error}"),
            Head::Center | Head::Semantic | Head::Pose => {
                format!("objectness {objectness}, foreground {foreground}, peak_window {peak_window}")
            }
        };
        rows.push(("grouping, tuned on the validation images".to_owned(), values));
    }
    if let Some(PoseReading { single, fill, affinity, .. }) = run.tuned_poses {
        let values = if single {
            format!("one person an image, fill {fill}")
        } else {
            format!(
                "fill {fill}, nms_threshold {}, inter_min_above {}, min_keypoints {}, min_score {}",
                affinity.nms_threshold, affinity.inter_min_above, affinity.min_keypoints, affinity.min_score
            )
        };
        rows.push(("reading of people, tuned on the validation images".to_owned(), values));
    }
    rows
}

fn semantic<'a>(run: &'a RunReport<'_>) -> Option<&'a Evaluation> {
    match &run.judged.scores {
        Scores::Semantic(evaluation) => Some(evaluation),
        _ => None,
    }
}

/// Pictures that cannot be made are left out: the report must not fail over one image.
fn examples(run: &RunReport<'_>) -> Vec<Example> {
    let (worst, median, best) = SHOWN;
    let Some(evaluation) = semantic(run) else { return Vec::new() };
    select_examples(&evaluation.per_image, worst, median, best)
        .into_iter()
        .filter_map(|(rank, score)| {
            let index = *run.judged.index.get(&score.image)?;
            let Truth::Labels(prediction) = run.judged.kept.get(&index)? else { return None };
            let drawn = run
                .dataset
                .load(index)
                .and_then(|(image, truth)| Example::new(score, rank, &image, &truth, prediction, &run.plan.classes));
            drawn.map_err(|error| tracing::warn!("no picture of {}: {error}", score.image)).ok()
        })
        .collect()
}

fn data_summary(run: &RunReport<'_>) -> DataSummary {
    let fingerprint = run.fingerprint;
    let mut splits: BTreeMap<Split, usize> = BTreeMap::new();
    let mut sizes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (sample, split) in fingerprint.samples.iter().zip(run.splits).filter(|(sample, _)| sample.usable) {
        *splits.entry(*split).or_default() += 1;
        *sizes.entry((sample.width, sample.height)).or_default() += 1;
    }
    let mut sizes: Vec<SizeCount> =
        sizes.into_iter().map(|((width, height), images)| SizeCount { width, height, images }).collect();
    sizes.sort_by_key(|size| std::cmp::Reverse(size.images));
    let classes = run.plan.classes.classes.iter().zip(&fingerprint.class_pixels).zip(&fingerprint.images_with_class);
    let mut notes = run.dataset.notes.clone();
    notes.extend(fingerprint.duplicates.iter().map(|group| format!("identical images: {}", group.join(", "))));
    DataSummary {
        root: Some(run.dataset.root.display().to_string()),
        format: Some(run.dataset.format.clone()),
        interpretation: Some(run.dataset.coding.to_string()),
        hash: Some(fingerprint.content_hash.clone()),
        splits: splits.into_iter().map(|(split, images)| SplitCount { name: split.to_string(), images }).collect(),
        sizes,
        classes: classes
            .map(|((class, &pixels), &images)| ClassPixels { name: class.name.clone(), pixels, images })
            .collect(),
        faults: run
            .faults
            .iter()
            .map(|fault| FaultEntry {
                path: fault.path.display().to_string(),
                message: fault.message.clone(),
                hint: Some(fault.hint.clone()),
            })
            .collect(),
        skipped: run.faults.iter().filter_map(|fault| fault.sample.clone()).collect(),
        notes,
    }
}

/// Every value of the plan by its dotted key; values with a reason come first.
fn plan_entries(plan: &Plan) -> Result<Vec<PlanEntry>> {
    let mut flat = BTreeMap::new();
    flatten("", &plan.to_table()?, &mut flat);
    let reason_of = |key: &str| plan.reasons.get(key).cloned();
    let mut entries: Vec<PlanEntry> = plan
        .reasons
        .iter()
        .map(|(key, reason)| {
            let within: Vec<String> = flat
                .iter()
                .filter_map(|(name, value)| Some(format!("{} {value}", name.strip_prefix(key)?.strip_prefix('.')?)))
                .collect();
            let value = flat.get(key).cloned().unwrap_or_else(|| within.join(", "));
            PlanEntry { key: key.clone(), value, reason: Some(reason.clone()) }
        })
        .collect();
    entries.extend(
        flat.into_iter()
            .filter(|(key, _)| reason_of(key).is_none() && !key.starts_with("reasons") && !key.starts_with("classes"))
            .map(|(key, value)| PlanEntry { key, value, reason: None }),
    );
    Ok(entries)
}

fn flatten(prefix: &str, table: &toml::Table, out: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, out),
            toml::Value::String(text) => drop(out.insert(key, text.clone())),
            other => drop(out.insert(key, other.to_string())),
        }
    }
}

fn commands(run: &RunReport<'_>) -> Vec<Command> {
    let folder = run.run.display();
    let data = run.dataset.root.display();
    [
        ("train again, exactly as here", format!("vibhag train {data} --plan {folder}/plan.toml -o again")),
        ("score this model on other data", format!("vibhag evaluate {folder} OTHER_DATA --json")),
        ("predict masks and overlays", format!("vibhag predict {folder} IMAGES -o predictions")),
    ]
    .into_iter()
    .filter(|(purpose, _)| run.plan.task != Task::Pose || !purpose.starts_with("predict"))
    .map(|(purpose, line)| Command { purpose: purpose.to_owned(), line })
    .collect()
}
