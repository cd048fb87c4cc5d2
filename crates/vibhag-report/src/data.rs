//! What a report is made of. Everything but the title may be absent; the report then leaves the
//! section out.

use serde::{Deserialize, Serialize};
use vibhag_core::ClassTable;
use vibhag_metrics::{Evaluation, InstanceEvaluation, KeypointEvaluation, PanopticEvaluation};

use crate::example::Example;
use crate::object_example::ObjectExample;

/// Everything that a report shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportData {
    /// Title of the page.
    pub title: String,
    /// The model in a few words, such as `unet over efficientnet-lite0, 256x256`.
    pub model: Option<String>,
    /// The split that `evaluation` is about, such as `validation`.
    pub split: Option<String>,
    /// The classes with their colours.
    pub classes: Option<ClassTable>,
    /// Scores of the model, pixel by pixel.
    pub evaluation: Option<Evaluation>,
    /// Scores of its objects. Their notes are shown with `notes`.
    pub instances: Option<InstanceEvaluation>,
    /// Scores of its panoptic segments. Their notes are shown with `notes`.
    pub panoptic: Option<PanopticEvaluation>,
    /// Scores of people's keypoints. Their notes are shown with `notes`.
    pub keypoints: Option<KeypointEvaluation>,
    /// The course of training.
    pub history: Vec<HistoryPoint>,
    /// Pictures of the worst, median and best images.
    pub examples: Vec<Example>,
    /// The same for objects, for panoptic segments and for people.
    pub object_examples: Vec<ObjectExample>,
    /// What the data is.
    pub data: Option<DataSummary>,
    /// Every decision with its reason.
    pub plan: Vec<PlanEntry>,
    /// How to reproduce the result.
    pub commands: Vec<Command>,
    /// Where and how it ran.
    pub environment: Option<Environment>,
    /// Remarks that the reader should not miss; shown at the top.
    pub notes: Vec<String>,
}

/// One validation during training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryPoint {
    /// Optimizer steps so far.
    pub step: u64,
    /// Epochs so far, with fraction.
    pub epoch: f64,
    /// Mean training loss since the last point.
    pub train_loss: Option<f64>,
    /// Validation loss.
    pub val_loss: Option<f64>,
    /// Validation Dice.
    pub val_dice: Option<f64>,
    /// Validation IoU.
    pub val_iou: Option<f64>,
    /// Average precision of objects, panoptic quality, or similarity of keypoints, on validation windows.
    pub val_objects: Option<f64>,
    /// Learning rate.
    pub learning_rate: Option<f64>,
}

/// The data set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataSummary {
    /// Where it lies.
    pub root: Option<String>,
    /// The recognised format.
    pub format: Option<String>,
    /// How mask values became labels, as a sentence.
    pub interpretation: Option<String>,
    /// Hash over names and contents.
    pub hash: Option<String>,
    /// Images per split.
    pub splits: Vec<SplitCount>,
    /// Image sizes, most frequent first.
    pub sizes: Vec<SizeCount>,
    /// Pixels per class.
    pub classes: Vec<ClassPixels>,
    /// Files with faults.
    pub faults: Vec<FaultEntry>,
    /// Samples that were left out, by name.
    pub skipped: Vec<String>,
    /// Further findings, such as duplicates.
    pub notes: Vec<String>,
}

/// How many images a split has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitCount {
    /// The split.
    pub name: String,
    /// Its images.
    pub images: usize,
}

/// How many images have a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeCount {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Images of this size.
    pub images: usize,
}

/// How much of the data a class covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassPixels {
    /// The class.
    pub name: String,
    /// Its pixels in all masks.
    pub pixels: u64,
    /// Images that contain it.
    pub images: usize,
}

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultEntry {
    /// The file.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// One decision of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// The dotted key in `plan.toml`.
    pub key: String,
    /// The value.
    pub value: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A command line and what it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What it does, in words.
    pub purpose: String,
    /// The command line.
    pub line: String,
}

/// Where and how the run took place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// Version of Vibhag.
    pub version: Option<String>,
    /// The device that computed.
    pub device: Option<String>,
    /// Threads.
    pub threads: Option<usize>,
    /// Minutes of training.
    pub minutes: Option<f64>,
    /// Peak resident memory in MiB.
    pub peak_rss_mib: Option<f64>,
    /// Anything else, as name and value.
    pub extra: Vec<(String, String)>,
}
