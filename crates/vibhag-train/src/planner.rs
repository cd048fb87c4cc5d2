//! The planner: looks at the fingerprint once and decides everything, each choice with its reason.

use std::collections::BTreeMap;

use vibhag_core::{Error, Geometry, Grouping, Head, Preprocessing, Result, Task};
use vibhag_data::augment::AugmentConfig;
use vibhag_data::dataset::Dataset;
use vibhag_data::fingerprint::{Fingerprint, SampleRecord};
use vibhag_data::sampler::Sampling;
use vibhag_nn::bundle::{Flips, PostProcessing};
use vibhag_nn::losses::{LossConfig, ObjectLoss};
use vibhag_nn::{NetworkConfig, encoder_info};

mod body;
mod objects;
mod poses;

use crate::plan::{DataPlan, EngineConfig, LoopConfig, OptimizerConfig, PLAN_VERSION, Plan, SplitPlan};
use crate::preset::Preset;
use crate::schedule::ScheduleConfig;

/// What the user asked for; everything left out is the planner's choice.
#[derive(Debug, Clone, Default)]
pub struct PlanRequest {
    /// What is to be found; a class for every pixel when absent.
    pub task: Option<Task>,
    /// A preset, which brings its task.
    pub preset: Option<Preset>,
    /// The head that tells objects apart.
    pub head: Option<Head>,
    /// An architecture of the registry.
    pub architecture: Option<String>,
    /// An encoder of the registry.
    pub encoder: Option<String>,
    /// Pretrained weights by name, or `none`.
    pub pretrained: Option<String>,
    /// Length in epochs.
    pub epochs: Option<u64>,
    /// Length in minutes.
    pub minutes: Option<f64>,
    /// The seed.
    pub seed: Option<u64>,
}

impl PlanRequest {
    /// What is to be found: the preset's task where there is one, else the task asked for.
    pub fn task(&self) -> Task {
        self.preset.map_or(self.task.unwrap_or_default(), |preset| preset.info().task)
    }
}

/// Pixels of one network input that two CPU cores can train on in reasonable time, by task.
const BINARY_PIXELS: f64 = 192.0 * 256.0;
const MULTICLASS_PIXELS: f64 = 256.0 * 352.0;
/// Pixels in one batch; the batch follows from it.
const BATCH_PIXELS: f64 = 400_000.0;
/// Share of the images that choose the best weights.
const VAL_FRACTION: f32 = 0.2;
/// Input sides are multiples of the deepest encoder's stride.
const STRIDE: usize = 32;

/// Plans a run on `dataset`.
///
/// # Errors
/// When the data or the request cannot be planned for.
pub fn plan(dataset: &Dataset, fingerprint: &Fingerprint, request: &PlanRequest) -> Result<Plan> {
    if request.task == Some(Task::Pose) && fingerprint.usable > 0 {
        return poses::plan(dataset, fingerprint, request);
    }
    let mut why = BTreeMap::new();
    let mut because = |key: &str, reason: String| drop(why.insert(key.to_owned(), reason));
    let classes = dataset.classes.clone();
    classes.validate()?;
    let binary = classes.is_binary();
    if fingerprint.usable == 0 {
        return Err(Error::config("there is no usable sample to plan for").at_path(&dataset.root));
    }
    let task = request.task();
    if let (Some(preset), Some(asked)) = (request.preset, request.task)
        && asked != task
    {
        return Err(Error::config(format!("the preset {preset} is a case of task {task}, not {asked}"))
            .hint("leave --task or --preset out"));
    }
    let is_body = request.preset == Some(Preset::Body);
    if is_body {
        body::check(&classes, &dataset.format)?;
    }
    let head = if task.has_objects() {
        if !dataset.has_objects() {
            return Err(Error::config(format!("{} does not tell objects apart, as {task} needs", dataset.format))
                .at_path(&dataset.root));
        }
        objects::choose_head(fingerprint, task, request.head, &mut because)
    } else {
        because("task", format!("{} classes, a label for every pixel", classes.len()));
        request.head.unwrap_or_default()
    };

    let scale = if task.has_objects() { objects::choose_scale(fingerprint, &mut because) } else { 1.0 };
    let geometry = if task.has_objects() {
        objects::choose_geometry(fingerprint, scale, &mut because)
    } else if is_body {
        body::choose_geometry(fingerprint, request.minutes, &mut because)
    } else {
        choose_geometry(fingerprint, binary, &mut because)
    };
    let crop = task.has_objects().then(|| objects::choose_crop(fingerprint, scale, &geometry, &mut because));
    let (height, width) = crop.map_or(geometry.size(), |crop| (crop, crop));
    // Every pixel of a window with objects teaches something, so half the batch and twice the steps learn faster.
    let pixels = if task.has_objects() { BATCH_PIXELS / 2.0 } else { BATCH_PIXELS };
    let least = if is_body { body::LEAST_BATCH } else { 2 };
    let batch = ((pixels / (height * width) as f64).round() as usize).clamp(least, 16).min(fingerprint.usable);
    because("loop.batch", format!("{batch} inputs of {width}x{height} fit the time and memory of a small machine"));

    let kinds = if task.has_objects() { classes.classes.iter().filter(|class| class.thing).count() } else { 0 };
    let (architecture, encoder) = choose_network(fingerprint, request, kinds, &mut because);
    let pretrained = choose_pretrained(encoder.as_deref(), request, &mut because);
    let channels = fingerprint.channels;
    let mut network =
        NetworkConfig::new(&architecture, encoder.as_deref(), channels, classes.output_channels())?.with_head(head);
    if task.has_objects() && encoder.as_deref().is_some_and(|name| name != "vgg16-bn") {
        network.detail = 16;
        because(
            "network.detail",
            "the encoder begins by halving the image; at full resolution touching objects stay apart".into(),
        );
    }
    let (mean, std) = if pretrained == "none" {
        because("input.mean", "mean and deviation of the training images".into());
        (to_f32(&fingerprint.mean, 0.0), to_f32(&fingerprint.std, 1.0))
    } else {
        because("input.mean", "the pretrained encoder's own normalisation".into());
        let info = encoder.as_deref().and_then(encoder_info).and_then(|info| info.pretrained);
        let (mean, std) = info.map_or((0.0, 255.0), |info| (info.mean, info.std));
        (vec![mean; channels], vec![std; channels])
    };

    let rarest = rarest_share(fingerprint);
    let mut loss = choose_loss(binary, rarest, &classes, &mut because);
    if task.has_objects() && !binary {
        objects::count_present_classes(&mut loss, &mut because);
    }
    if is_body {
        body::add_edges(&mut loss, &mut because);
    }
    let mut augment =
        if is_body { body::choose_augmentation(&mut because) } else { choose_augmentation(dataset, &mut because) };
    if task.has_objects() && !is_scene(dataset) {
        (augment.brightness, augment.gamma) = (0.4, 1.0);
        augment.grey_probability = 0.1;
        because("augment.gamma", "specimens of one kind differ in brightness by staining and exposure".into());
    }
    let finetune = pretrained != "none";
    let usual_rate = if finetune || architecture.ends_with("lite") { 1e-3 } else { 5e-4 };
    let learning_rate = if task.has_objects() { 2.0 * usual_rate } else { usual_rate };
    because("optimizer.name", "AdamW needs no tuning per data set".into());
    because(
        "optimizer.learning_rate",
        format!("the usual rate for {architecture}{}", if finetune { " over pretrained weights" } else { "" }),
    );
    because("optimizer.weight_decay", "norms and biases are spared".into());
    because("schedule.name", "cosine to zero with warm-up fits epochs and minutes alike".into());
    because("loop.ema_decay", "the average of weights is steadier than the last step".into());
    let (epochs, minutes) = choose_length(request, 20.0, &mut because)?;
    let val_fraction = if task.has_objects() {
        objects::choose_val_fraction(fingerprint, &mut because)
    } else if is_body {
        body::choose_val_fraction(fingerprint, &mut because)
    } else {
        VAL_FRACTION
    };
    let (tta, views) = if is_body || is_scene(dataset) {
        (Flips::Horizontal, "mirror images of a scene are scenes, upside-down ones are not")
    } else {
        (Flips::All, "every flip is a valid view")
    };
    because("postprocessing.tta", format!("averaging over flipped copies gives better masks; {views}"));

    if task.has_objects() {
        because(
            "loop.sampling",
            "large images and rare kinds of images (stains, exposures) are seen more often, so that neither is drowned"
                .into(),
        );
    }
    let overlap = if task.has_objects() {
        objects::choose_overlap(fingerprint, scale, &geometry, &mut because)
    } else {
        PostProcessing::default().overlap
    };

    let plan = Plan {
        version: PLAN_VERSION,
        task,
        preset: request.preset,
        seed: request.seed.unwrap_or(0),
        data: DataPlan {
            path: dataset.root.clone(),
            format: dataset.format.clone(),
            coding: dataset.coding.to_string(),
            foreground: dataset.coding.foreground.clone(),
            ignore: dataset.coding.foreground.as_ref().and(dataset.coding.merged_void()),
            hash: fingerprint.content_hash.clone(),
        },
        split: SplitPlan { val_fraction, test_fraction: 0.0 },
        input: Preprocessing { channels, mean, std, stretch: None, scale, geometry },
        network,
        pretrained,
        loss,
        objects: ObjectLoss::of(head),
        pose: None,
        augment,
        optimizer: OptimizerConfig {
            name: "adamw".into(),
            learning_rate,
            encoder_factor: 0.5,
            weight_decay: 1e-2,
            momentum: 0.9,
            beta2: 0.999,
            clip_norm: 5.0,
        },
        schedule: ScheduleConfig { name: "cosine".into(), warmup: 0.05, power: 0.9, floor: 0.0 },
        training: LoopConfig {
            batch,
            crop,
            epochs,
            minutes,
            validations: 16,
            patience: 0,
            ema_decay: 0.99,
            cache_mib: 1024,
            threads: 2,
            sampling: if task.has_objects() { Sampling::Balanced } else { Sampling::Uniform },
        },
        engine: EngineConfig::default(),
        postprocessing: PostProcessing {
            tta,
            overlap,
            grouping: (head != Head::Semantic).then(|| Grouping::of(head)),
            ..PostProcessing::default()
        },
        classes,
        reasons: why,
    };
    plan.validate()?;
    Ok(plan)
}

fn choose_geometry(fingerprint: &Fingerprint, binary: bool, because: &mut impl FnMut(&str, String)) -> Geometry {
    let (height, width) = (fingerprint.median_height.max(1), fingerprint.median_width.max(1));
    let pixels = (height * width) as f64;
    let budget = if binary { BINARY_PIXELS } else { MULTICLASS_PIXELS };
    let area = |sample: &SampleRecord| (sample.width * sample.height) as f64;
    let areas = || fingerprint.samples.iter().filter(|sample| sample.usable).map(area);
    let spread = areas().fold(0.0, f64::max) / areas().fold(f64::INFINITY, f64::min);
    if spread > 3.0 {
        because(
            "input.geometry",
            format!(
                "image areas differ {spread:.1}-fold, so objects keep their size only at the images' own resolution: sliding windows"
            ),
        );
        return Geometry::Window { height: 256, width: 256 };
    }
    let scale = (budget / pixels).sqrt().min(1.0);
    let side = |length: usize| (((length as f64 * scale) / STRIDE as f64).round() as usize).max(2) * STRIDE;
    let (h, w) = (side(height), side(width));
    because(
        "input.geometry",
        format!(
            "the median image is {width}x{height}; whole images at {w}x{h} keep the context and train fast on a CPU"
        ),
    );
    Geometry::Resize { height: h, width: w }
}

fn choose_network(
    fingerprint: &Fingerprint,
    request: &PlanRequest,
    kinds: usize,
    because: &mut impl FnMut(&str, String),
) -> (String, Option<String>) {
    let suitable = || {
        let (name, reason) = if kinds > 1 {
            ("fpn", format!("{kinds} kinds of objects: a feature pyramid learns soonest what a whole object is"))
        } else {
            ("unet", "U-Net keeps fine outlines through its skips".to_owned())
        };
        (name.to_owned(), reason)
    };
    match (&request.architecture, &request.encoder) {
        (Some(architecture), encoder) => {
            because("network.architecture", "asked for".into());
            (architecture.clone(), encoder.clone())
        }
        (None, Some(encoder)) => {
            let (architecture, reason) = suitable();
            because("network.architecture", format!("{reason}; it takes any encoder"));
            because("network.encoder", "asked for".into());
            (architecture, Some(encoder.clone()))
        }
        (None, None) => {
            let (architecture, reason) = suitable();
            because("network.architecture", reason);
            because(
                "network.encoder",
                format!(
                    "ImageNet features make {} images go far, and it is the fastest pretrained encoder on a CPU",
                    fingerprint.usable
                ),
            );
            (architecture, Some("efficientnet-lite0".into()))
        }
    }
}

/// Epochs and minutes of training as asked for, or `usual` minutes.
fn choose_length(
    request: &PlanRequest,
    usual: f64,
    because: &mut impl FnMut(&str, String),
) -> Result<(Option<u64>, Option<f64>)> {
    match (request.epochs, request.minutes) {
        (Some(_), Some(_)) => {
            Err(Error::config("both epochs and minutes were given").hint("give one of --epochs and --minutes"))
        }
        (None, None) => {
            because("loop.minutes", "default length; give --minutes or --epochs for another".into());
            Ok((None, Some(usual)))
        }
        asked => Ok(asked),
    }
}

fn choose_pretrained(encoder: Option<&str>, request: &PlanRequest, because: &mut impl FnMut(&str, String)) -> String {
    if let Some(name) = &request.pretrained {
        because("pretrained", "asked for".into());
        return name.clone();
    }
    if let Some(info) = encoder.and_then(encoder_info).and_then(|info| info.pretrained) {
        because("pretrained", format!("{} weights ship with Vibhag ({})", info.data, info.licence));
        info.name.into()
    } else {
        because("pretrained", "no weights ship for this network; it learns from scratch".into());
        "none".into()
    }
}

fn choose_loss(
    binary: bool,
    rarest: f64,
    classes: &vibhag_core::ClassTable,
    because: &mut impl FnMut(&str, String),
) -> LossConfig {
    if binary {
        because(
            "loss",
            "BCE calibrates pixels, Dice counts overlap: their sum is the standard for one foreground class".into(),
        );
    } else {
        because(
            "loss",
            format!(
                "cross-entropy plus Dice: the rarest class covers {:.2} % of pixels and Dice keeps it from being ignored",
                100.0 * rarest
            ),
        );
    }
    LossConfig { ignore: classes.ignore.unwrap_or(u16::MAX), ..LossConfig::for_channels(classes.output_channels()) }
}

/// Share of all valid pixels that the rarest class present covers.
fn rarest_share(fingerprint: &Fingerprint) -> f64 {
    let all: u64 = fingerprint.class_pixels.iter().sum();
    let rarest = fingerprint.class_pixels.iter().copied().filter(|&pixels| pixels > 0).min().unwrap_or(0);
    rarest as f64 / all.max(1) as f64
}

fn to_f32(values: &[f64], floor: f64) -> Vec<f32> {
    values.iter().map(|&value| value.max(floor) as f32).collect()
}

fn choose_augmentation(dataset: &Dataset, because: &mut impl FnMut(&str, String)) -> AugmentConfig {
    if is_scene(dataset) {
        because(
            "augment",
            "several classes or street scenes: up is up, so only horizontal flips and mild changes".into(),
        );
        AugmentConfig::street()
    } else {
        because("augment", "the subject has no up: all flips and rotations are valid views".into());
        AugmentConfig::medical()
    }
}

/// Formats of photographs of people and streets.
const SCENES: [&str; 4] = ["mads", "penn-fudan", "cityscapes", "voc"];

/// Scenes with gravity: several classes, or a format of scenes. Another single foreground class is taken for a specimen.
fn is_scene(dataset: &Dataset) -> bool {
    !dataset.classes.is_binary() || SCENES.contains(&dataset.format.as_str())
}
