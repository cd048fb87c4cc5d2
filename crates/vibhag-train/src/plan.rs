//! The plan: every decision of a training run with the reason beside it. A run reproduces from
//! its plan and its data alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vibhag_core::error::ErrorKind;
use vibhag_core::{ClassTable, Error, Foreground, Geometry, Grouping, Head, Preprocessing, Result, Task};
use vibhag_data::augment::AugmentConfig;
use vibhag_data::sampler::Sampling;
use vibhag_nn::bundle::PostProcessing;
use vibhag_nn::losses::{LossConfig, ObjectLoss};
use vibhag_nn::{NetworkConfig, encoder_info};

use crate::poses::{self, PosePlan};
use crate::preset::Preset;
use crate::schedule::ScheduleConfig;

/// Version of the plan's layout.
pub const PLAN_VERSION: u32 = 1;

/// Where the data is and how it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataPlan {
    /// The folder.
    pub path: PathBuf,
    /// The format's registry name.
    pub format: String,
    /// How mask values become labels, as a sentence.
    pub coding: String,
    /// The mask values that are merged into the one foreground class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreground: Option<Foreground>,
    /// The mask value of void pixels beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<u16>,
    /// Hash over the samples' names and contents.
    pub hash: String,
}

/// How samples are divided when the data does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitPlan {
    /// Share of samples kept for validation.
    pub val_fraction: f32,
    /// Share of samples kept for the final test.
    pub test_fraction: f32,
}

/// The optimizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimizerConfig {
    /// `adamw` or `sgd` (Nesterov momentum).
    pub name: String,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Factor on the learning rate of a pretrained encoder.
    pub encoder_factor: f64,
    /// Decoupled weight decay; norms and biases are spared.
    pub weight_decay: f64,
    /// Momentum (SGD) or the first beta (AdamW).
    pub momentum: f64,
    /// The second beta (AdamW).
    pub beta2: f64,
    /// Largest global norm of the gradient; 0 switches clipping off.
    pub clip_norm: f64,
}

/// Batch, length and bookkeeping of the loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoopConfig {
    /// Samples per step.
    pub batch: usize,
    /// Side of the windows that are learnt from, at most that of `input.geometry`, which stays the one of validation and
    /// prediction; absent, they are the same. A batch of small windows shows more images for the same work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<usize>,
    /// Length in epochs; exclusive with `minutes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Length in minutes of wall clock; exclusive with `epochs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// Validations over the whole run; each one writes a checkpoint.
    pub validations: u64,
    /// Validations without improvement after which training stops; 0 switches it off.
    pub patience: u64,
    /// Decay of the exponential moving average of weights; 0 switches it off.
    pub ema_decay: f64,
    /// Decoded images are kept up to this many MiB.
    pub cache_mib: usize,
    /// Loader threads.
    pub threads: usize,
    /// How often an epoch takes an image.
    #[serde(default)]
    pub sampling: Sampling,
}

/// `on` or `off`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// In use.
    #[default]
    On,
    /// Not in use.
    Off,
}

impl Switch {
    /// Whether it is on.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// How the work is computed; none of it changes what is learnt beyond rounding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// Our own CPU kernels; off, burn's operations take their place, for comparison.
    pub kernels: Switch,
    /// Compute normalised maps again in the backward pass instead of keeping them: far less memory for a little time.
    pub recompute: Switch,
}

/// A complete plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Layout version, see [`PLAN_VERSION`].
    pub version: u32,
    /// What is to be found.
    pub task: Task,
    /// The preset whose choices these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Everything random follows from it.
    pub seed: u64,
    /// Where the data is.
    pub data: DataPlan,
    /// How it is divided.
    pub split: SplitPlan,
    /// The network's input.
    pub input: Preprocessing,
    /// The network.
    pub network: NetworkConfig,
    /// Pretrained weights of the encoder by name, or `none`.
    pub pretrained: String,
    /// The loss of the class logits.
    pub loss: LossConfig,
    /// The loss of the maps that tell objects apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<ObjectLoss>,
    /// What is learnt of people's keypoints; `loss` is of no effect then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pose: Option<PosePlan>,
    /// Augmentation of training samples.
    pub augment: AugmentConfig,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// The learning rate over time.
    pub schedule: ScheduleConfig,
    /// The loop.
    #[serde(rename = "loop")]
    pub training: LoopConfig,
    /// How the work is computed.
    #[serde(default)]
    pub engine: EngineConfig,
    /// How probabilities become masks.
    pub postprocessing: PostProcessing,
    /// The classes.
    pub classes: ClassTable,
    /// Why: dotted key -> reason.
    #[serde(default)]
    pub reasons: BTreeMap<String, String>,
}

impl Plan {
    /// The plan as TOML, with each reason as a comment beside its value.
    ///
    /// # Errors
    /// When a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        let bare = Self { reasons: BTreeMap::new(), ..self.clone() };
        let text = toml::to_string(&bare).map_err(|e| Error::config("cannot write the plan").because(e))?;
        let mut document: toml_edit::DocumentMut =
            text.parse().map_err(|e: toml_edit::TomlError| Error::config("cannot write the plan").because(e))?;
        let mut reasons = toml_edit::Table::new();
        for (key, reason) in &self.reasons {
            comment(&mut document, key, reason);
            reasons.insert(key, toml_edit::value(reason.as_str()));
        }
        document.remove("reasons");
        if !reasons.is_empty() {
            document.insert("reasons", toml_edit::Item::Table(reasons));
        }
        Ok(format!(
            "# Vibhag training plan. Edit any value and train with `vibhag train DATA --plan THIS_FILE`.\n{document}"
        ))
    }

    /// The plan as a TOML table, with the numbers that its text shows.
    ///
    /// # Errors
    /// When a value cannot be written as TOML.
    pub fn to_table(&self) -> Result<toml::Table> {
        // By way of the text: there a number in single precision has no more digits than it needs.
        let text = toml::to_string(self).map_err(|e| Error::config("cannot write the plan").because(e))?;
        text.parse().map_err(|e: toml::de::Error| Error::config("cannot write the plan").because(e))
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// When the file is missing, malformed, of a newer version, or its values do not fit together.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let plan: Self =
            toml::from_str(&text).map_err(|e| Error::config(e.to_string().trim().to_owned()).at_path(path))?;
        if plan.version > PLAN_VERSION {
            return Err(Error::config(format!("plan version {} is newer than {PLAN_VERSION}", plan.version))
                .at_path(path)
                .hint("update vibhag"));
        }
        plan.validate()?;
        Ok(plan)
    }

    /// The plan with `key=value` settings applied; keys are dotted as in `plan.toml`.
    ///
    /// # Errors
    /// When a key does not exist, a value has the wrong type, or the result does not validate.
    pub fn with_settings(&self, settings: &[String]) -> Result<Self> {
        // A head brings its loss and its post-processing, which other settings may change.
        let (heads, settings): (Vec<&String>, Vec<&String>) =
            settings.iter().partition(|setting| setting.split_once('=').is_some_and(|(key, _)| key.trim() == "head"));
        if let Some((_, name)) = heads.last().and_then(|setting| setting.split_once('=')) {
            let settings: Vec<String> = settings.into_iter().cloned().collect();
            return self.with_head(name.trim().trim_matches('"').parse()?)?.with_settings(&settings);
        }
        let mut root = toml::Value::try_from(self).map_err(|e| Error::config("cannot edit the plan").because(e))?;
        let mut reasons = self.reasons.clone();
        for setting in &settings {
            let (key, value) = setting.split_once('=').ok_or_else(|| {
                Error::config(format!("--set {setting:?} has no '='"))
                    .hint("write --set optimizer.learning_rate=0.0003")
            })?;
            set(&mut root, key.trim(), value.trim())?;
            reasons.insert(key.trim().to_owned(), "set by the user".to_owned());
        }
        let plan: Self = root.try_into().map_err(|e: toml::de::Error| {
            Error::config(e.message().to_owned()).at(format!(
                "--set {}",
                settings.iter().map(|setting| setting.as_str()).collect::<Vec<_>>().join(" --set ")
            ))
        })?;
        let plan = Self { reasons, ..plan };
        plan.validate()?;
        Ok(plan)
    }

    /// The geometry of the inputs that are learnt from.
    pub fn training_geometry(&self) -> Geometry {
        match (self.training.crop, self.input.geometry) {
            (Some(crop), Geometry::Window { height, width }) => {
                Geometry::Window { height: height.min(crop), width: width.min(crop) }
            }
            (_, geometry) => geometry,
        }
    }

    /// The plan with another head, its loss and its usual post-processing.
    ///
    /// # Errors
    /// When the head does not suit the task.
    pub fn with_head(&self, head: Head) -> Result<Self> {
        let mut plan = self.clone();
        plan.network.head = head;
        plan.objects = ObjectLoss::of(head);
        plan.postprocessing.grouping = (head != Head::Semantic).then(|| Grouping::of(head));
        plan.reasons.insert("network.head".to_owned(), "asked for".to_owned());
        plan.validate()?;
        Ok(plan)
    }

    /// Checks that the values fit together.
    ///
    /// # Errors
    /// A configuration error naming the key.
    pub fn validate(&self) -> Result<()> {
        self.classes.validate()?;
        self.validate_objects()?;
        let positive = [
            ("loop.batch", self.training.batch as f64),
            ("loop.validations", self.training.validations as f64),
            ("loop.threads", self.training.threads as f64),
            ("optimizer.learning_rate", self.optimizer.learning_rate),
            ("input.geometry.height", self.input.geometry.size().0 as f64),
            ("input.geometry.width", self.input.geometry.size().1 as f64),
        ];
        for (key, value) in positive {
            if value.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
                return Err(Error::config(format!("{key} must be above zero")).at(value.to_string()));
            }
        }
        if self.training.epochs.is_some() == self.training.minutes.is_some() {
            return Err(Error::config("exactly one of loop.epochs and loop.minutes must be given"));
        }
        if self.training.minutes.is_some_and(|minutes| minutes.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater)) {
            return Err(Error::config("loop.minutes must be above zero"));
        }
        if self.training.epochs == Some(0) {
            return Err(Error::config("loop.epochs must be above zero"));
        }
        if self.training.crop == Some(0) {
            return Err(Error::config("loop.crop must be above zero"));
        }
        if self.training.crop.is_some() && matches!(self.input.geometry, Geometry::Resize { .. }) {
            return Err(Error::config("loop.crop cuts windows, and whole images are resized")
                .hint("use input.geometry.kind = \"window\""));
        }
        let SplitPlan { val_fraction, test_fraction } = self.split;
        for (key, value) in [("split.val_fraction", val_fraction), ("split.test_fraction", test_fraction)] {
            if !(0.0..1.0).contains(&value) {
                return Err(Error::config(format!("{key} must lie from 0 to below 1")).at(value.to_string()));
            }
        }
        if val_fraction + test_fraction >= 1.0 {
            return Err(Error::config("split.val_fraction and split.test_fraction leave nothing to train on"));
        }
        if self.task != Task::Pose {
            self.input.check()?;
        }
        let channels = self.input.channels;
        if self.input.mean.len() != channels || self.input.std.len() != channels || self.network.in_channels != channels
        {
            return Err(Error::config(format!(
                "input.channels is {channels}, but mean has {}, std has {} values and the network takes {} channels",
                self.input.mean.len(),
                self.input.std.len(),
                self.network.in_channels
            )));
        }
        if self.task != Task::Pose && self.network.out_channels != self.classes.output_channels() {
            return Err(Error::config(format!(
                "network.out_channels is {}, but {} classes need {}",
                self.network.out_channels,
                self.classes.len(),
                self.classes.output_channels()
            )));
        }
        if !matches!(self.optimizer.name.as_str(), "adamw" | "sgd") {
            return Err(Error::config(format!("unknown optimizer {:?}", self.optimizer.name)).hint("use adamw or sgd"));
        }
        let shipped = self.network.encoder.as_deref().and_then(encoder_info).and_then(|info| info.pretrained);
        let shipped = shipped.map_or("none", |info| info.name);
        if !["none", shipped].contains(&self.pretrained.as_str()) {
            let hint = if shipped == "none" { "use none".to_owned() } else { format!("use {shipped} or none") };
            return Err(Error::config(format!("unknown weights {:?} for this encoder", self.pretrained)).hint(hint));
        }
        self.schedule.validate()?;
        if self.task == Task::Pose { Ok(()) } else { self.loss.validate(self.network.out_channels) }
    }
}

impl Plan {
    /// Checks that task, head, its loss and its post-processing belong together.
    fn validate_objects(&self) -> Result<()> {
        let head = self.network.head;
        if self.task == Task::Pose {
            return poses::validate(self);
        }
        if self.pose.is_some() || self.postprocessing.poses.is_some() || head == Head::Pose {
            return Err(Error::config(format!("head pose and what belongs to it do not go with task {}", self.task))
                .hint("plan with --task pose"));
        }
        if self.task.has_objects() == (head == Head::Semantic) {
            let fitting = if self.task.has_objects() { "center, star or flow" } else { "semantic" };
            return Err(Error::config(format!("task {} does not go with head {head}", self.task))
                .hint(format!("use --set head={fitting}")));
        }
        let loss = self.objects.map_or(Head::Semantic, |objects| objects.head());
        if loss != head || self.postprocessing.grouping.is_some() != self.task.has_objects() {
            return Err(Error::config(format!("the loss and post-processing are not those of head {head}"))
                .hint(format!("--set head={head} puts them in")));
        }
        if !self.task.has_objects() {
            return Ok(());
        }
        if self.classes.classes.iter().all(|class| !class.thing) {
            return Err(Error::config(format!("task {} needs a class with objects, and none is a thing", self.task))
                .hint("set thing = true on a class of the plan"));
        }
        if matches!(self.input.geometry, Geometry::Resize { .. }) {
            return Err(Error::new(ErrorKind::Unsupported, "objects are learnt at the images' own resolution")
                .hint("use input.geometry.kind = \"window\""));
        }
        if let Some(objects) = &self.objects {
            objects.validate()?;
        }
        self.postprocessing.grouping.map_or(Ok(()), |grouping| grouping.validate())
    }
}

fn comment(document: &mut toml_edit::DocumentMut, key: &str, reason: &str) {
    let mut item = document.as_item_mut();
    for part in key.split('.') {
        let Some(next) = item.as_table_like_mut().and_then(|table| table.get_mut(part)) else { return };
        item = next;
    }
    if let Some(value) = item.as_value_mut() {
        value.decor_mut().set_suffix(format!("  # {reason}"));
    } else if let Some(table) = item.as_table_mut() {
        table.decor_mut().set_prefix(format!("\n# {reason}\n"));
    }
}

fn set(root: &mut toml::Value, key: &str, text: &str) -> Result<()> {
    let value = format!("v = {text}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut table| table.remove("v"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()));
    let unknown = |known: Vec<String>| {
        Error::config(format!("the plan has no key {key:?}")).hint(format!("known here: {}", known.join(", ")))
    };
    let (parents, last) = key.rsplit_once('.').map_or(("", key), |(parents, last)| (parents, last));
    let mut node = root;
    for part in parents.split('.').filter(|part| !part.is_empty()) {
        let known = keys(node);
        node = node.get_mut(part).ok_or_else(|| unknown(known))?;
    }
    let known = keys(node);
    let table = node.as_table_mut().ok_or_else(|| unknown(known.clone()))?;
    // Options that are none do not appear in TOML, so these keys are named here.
    let optional =
        matches!(key, "loop.epochs" | "loop.minutes" | "network.encoder" | "classes.ignore" | "input.stretch");
    match table.get(last) {
        None if !optional => return Err(unknown(known)),
        Some(toml::Value::Float(_)) if value.is_integer() => {
            let number = value.as_integer().unwrap_or_default() as f64;
            table.insert(last.to_owned(), toml::Value::Float(number));
        }
        _ => {
            table.insert(last.to_owned(), value);
        }
    }
    match key {
        "loop.epochs" => drop(table.remove("minutes")),
        "loop.minutes" => drop(table.remove("epochs")),
        _ => {}
    }
    Ok(())
}

fn keys(node: &toml::Value) -> Vec<String> {
    node.as_table().map(|table| table.keys().cloned().collect()).unwrap_or_default()
}
