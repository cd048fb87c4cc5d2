//! The training loop: batches in, weights out, interruptible after any validation.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Geometry, Preprocessing, Result, Task};
use vibhag_data::augment::AugmentConfig;
use vibhag_data::loader::{Batch, BatchLoader, LoaderOptions, SampleSource};
use vibhag_data::truth::SegmentRules;
use vibhag_nn::Network;
use vibhag_nn::bundle::{self, Manifest};
use vibhag_nn::device::{DeviceChoice, for_training};
use vibhag_nn::weights;

use crate::checkpoint::{self, Checkpoint, Position};
use crate::ema::Ema;
use crate::history::{self, Record};
use crate::objective::{Objective, objective};
use crate::optimizer::Optimizer;
use crate::plan::Plan;
use crate::poses::PosePlan;
use crate::validation::{self, Validation};

/// What a run needs beside its plan and data.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// The run folder.
    pub run: PathBuf,
    /// Continue from the run's checkpoint.
    pub resume: bool,
    /// The device.
    pub device: DeviceChoice,
    /// No progress bar.
    pub quiet: bool,
    /// Leave samples out that cannot be loaded, instead of stopping.
    pub skip_bad: bool,
    /// The manifest that goes into the bundle; scores and weights' hash are filled in.
    pub manifest: Manifest,
    /// Stop after this many steps in this process, as a kill after a checkpoint would.
    pub stop_after: Option<u64>,
}

/// What came out of a run.
#[derive(Debug, Clone)]
pub struct TrainOutcome {
    /// The bundle with the best weights.
    pub model: PathBuf,
    /// Optimizer steps over all resumes.
    pub steps: u64,
    /// Seconds of training over all resumes.
    pub seconds: f64,
    /// Best validation score (IoU) and its step.
    pub best: f64,
    /// Step of the best score.
    pub best_step: u64,
    /// Why training ended.
    pub reason: &'static str,
}

/// Indices of the samples in each role.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a> {
    /// Samples to learn from.
    pub train: &'a [usize],
    /// Samples that choose the best weights.
    pub val: &'a [usize],
}

/// Trains as `plan` says.
///
/// # Errors
/// Unreadable samples (unless skipped), a non-finite loss, I/O errors in the run folder.
pub fn train(
    plan: &Plan,
    source: Arc<dyn SampleSource>,
    roles: Roles<'_>,
    options: &TrainOptions,
) -> Result<TrainOutcome> {
    plan.validate()?;
    if roles.train.is_empty() || roles.val.is_empty() {
        return Err(Error::config(format!(
            "{} training and {} validation samples",
            roles.train.len(),
            roles.val.len()
        ))
        .hint("both need at least one; change split.val_fraction or add images"));
    }
    std::fs::create_dir_all(&options.run).map_err(|e| Error::io(&options.run, e))?;
    let mut run = Run::start(plan, source, options)?;
    let outcome = run.go(roles);
    run.bar.finish_and_clear();
    outcome
}

struct Run<'a> {
    plan: &'a Plan,
    options: &'a TrainOptions,
    plain: Device,
    device: Device,
    train_loader: BatchLoader,
    val_loader: BatchLoader,
    source: Arc<dyn SampleSource>,
    network: Option<Network>,
    optimizer: Optimizer,
    ema: Option<Ema>,
    position: Position,
    bar: ProgressBar,
    started: Instant,
    window: Window,
    validation_seconds: f64,
}

/// What happened since the last validation.
#[derive(Default)]
struct Window {
    loss: f64,
    steps: u32,
    waited: Duration,
    durations: Vec<f64>,
    began: Option<Instant>,
    rate: f64,
}

impl<'a> Run<'a> {
    fn start(plan: &'a Plan, source: Arc<dyn SampleSource>, options: &'a TrainOptions) -> Result<Self> {
        let plain = options.device.open()?;
        vibhag_nn::backend::set_kernels_enabled(plan.engine.kernels.is_on());
        let device = for_training(plain.clone(), plan.engine.recompute.is_on());
        let mut network = plan.network.init(&device, plan.seed)?;
        if plan.pretrained != "none" {
            network = weights::load_pretrained_encoder(&network)?;
        }
        let loader = |augment: AugmentConfig, shuffle: bool, geometry: Geometry| {
            let pixels = |geometry: Geometry| geometry.size().0 * geometry.size().1;
            // As many pixels as a batch that is learnt from.
            let batch = plan.training.batch * pixels(plan.training_geometry()) / pixels(geometry);
            BatchLoader::new(
                Arc::clone(&source),
                LoaderOptions {
                    batch: batch.max(1),
                    seed: plan.seed,
                    preprocessing: Preprocessing { geometry, ..plan.input.clone() },
                    augment,
                    threads: plan.training.threads,
                    queue: 2,
                    cache_bytes: plan.training.cache_mib << 20,
                    ignore: plan.classes.ignore,
                    shuffle,
                    full_batches: shuffle,
                    skip_bad: options.skip_bad,
                    objects: plan.objects.map(|objects| (objects.head(), SegmentRules::new(plan.classes.clone()))),
                    poses: plan.pose.as_ref().map(PosePlan::rules),
                },
            )
        };
        let train_loader = loader(plan.augment.clone(), true, plan.training_geometry())?;
        let val_loader = loader(AugmentConfig::none(), false, plan.input.geometry)?;
        let mut optimizer = Optimizer::new(plan.optimizer.clone(), plan.pretrained != "none");
        let mut position = Position { step: 0, epoch: 0, batch: 0, seconds: 0.0, best: None, best_step: 0, stale: 0 };
        let mut ema = None;
        if options.resume {
            let found = checkpoint::load(&options.run)?.ok_or_else(|| {
                Error::new(ErrorKind::Model, "no checkpoint to resume")
                    .at_path(&options.run)
                    .hint("train without --resume")
            })?;
            position = found.position;
            network = network.with_tensors(found.weights)?;
            optimizer.restore(position.step, found.optimizer, &plain);
            if plan.training.ema_decay > 0.0 {
                // The network names its tensors in its own order; the average follows it.
                let ordered = network.clone().with_tensors(found.average)?.named_tensors()?;
                ema = Some(Ema::new(plan.training.ema_decay, ordered));
            }
            history::truncate_after(&options.run, position.step)?;
        } else if plan.training.ema_decay > 0.0 {
            ema = Some(Ema::new(plan.training.ema_decay, network.named_tensors()?));
        }
        let bar = if options.quiet { ProgressBar::hidden() } else { ProgressBar::new(1000) };
        if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} [{wide_bar}] {percent}% ETA {eta} {msg}") {
            bar.set_style(style);
        }
        Ok(Self {
            plan,
            options,
            plain,
            device,
            train_loader,
            val_loader,
            source,
            network: Some(network.train()),
            optimizer,
            ema,
            position,
            bar,
            started: Instant::now(),
            window: Window::default(),
            validation_seconds: 0.0,
        })
    }

    fn go(&mut self, roles: Roles<'_>) -> Result<TrainOutcome> {
        let per_epoch = self.train_loader.batches(roles.train.len()) as u64;
        let earlier = self.position.seconds;
        let mut in_process = 0u64;
        let mut validated = (self.progress(per_epoch) * self.plan.training.validations as f64) as u64;
        let reason = 'training: loop {
            self.window.began.get_or_insert_with(Instant::now);
            let skip = self.position.batch as usize;
            let mut batches = self.train_loader.epoch_from(self.position.epoch, roles.train, skip);
            loop {
                if self.progress(per_epoch) >= 1.0 {
                    break 'training "the plan's length is reached";
                }
                let waiting = Instant::now();
                let Some(batch) = batches.next() else { break };
                self.window.waited += waiting.elapsed();
                self.step(&batch?, per_epoch)?;
                in_process += 1;
                self.position.batch += 1;
                if self.position.batch >= per_epoch {
                    self.position.batch = 0;
                    self.position.epoch += 1;
                }
                self.position.seconds = earlier + self.started.elapsed().as_secs_f64();
                let due = (self.progress(per_epoch) * self.plan.training.validations as f64) as u64;
                if due > validated && self.worth_validating() {
                    validated = due;
                    self.validate(roles.val, per_epoch)?;
                    let patience = self.plan.training.patience;
                    if patience > 0 && self.position.stale >= patience {
                        break 'training "validation stopped improving";
                    }
                }
                if self.options.stop_after.is_some_and(|limit| in_process >= limit) {
                    break 'training "stopped on request";
                }
                if self.position.batch == 0 {
                    break;
                }
            }
        };
        if self.window.steps > 0 && self.options.stop_after.is_none() || self.position.best.is_none() {
            self.validate(roles.val, per_epoch)?;
        }
        Ok(TrainOutcome {
            model: self.options.run.join("model"),
            steps: self.position.step,
            seconds: self.position.seconds,
            best: self.position.best.unwrap_or(0.0),
            best_step: self.position.best_step,
            reason,
        })
    }

    /// By the clock, validation must not eat the training time: it waits until training has taken
    /// many times as long as the last validation did. Runs by epochs validate on schedule, so that
    /// their results do not depend on the clock.
    fn worth_validating(&self) -> bool {
        const TRAINING_PER_VALIDATION: f64 = 12.0;
        let trained = self.window.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        self.plan.training.minutes.is_none() || trained >= TRAINING_PER_VALIDATION * self.validation_seconds
    }

    /// Share of the run that is done, by steps or by the clock.
    fn progress(&self, per_epoch: u64) -> f64 {
        match (self.plan.training.minutes, self.plan.training.epochs) {
            (Some(minutes), _) => self.position.seconds / (60.0 * minutes),
            (None, Some(epochs)) => self.position.step as f64 / (epochs * per_epoch).max(1) as f64,
            (None, None) => 1.0,
        }
    }

    fn step(&mut self, batch: &Batch, per_epoch: u64) -> Result<()> {
        let began = Instant::now();
        let Some(network) = self.network.take() else {
            return Err(Error::new(ErrorKind::Training, "training cannot go on after a failed step"));
        };
        let (images, labels) = validation::tensors(batch, &self.device);
        let Objective { tensor: loss, value } = objective(self.plan, network.forward(images), labels, batch)?;
        let progress = self.progress(per_epoch);
        if !value.is_finite() {
            return Err(self.not_finite(&format!("the loss is {value}"), batch));
        }
        let grads = GradientsParams::from_grads(loss.backward(), &network);
        let factor = self.plan.schedule.factor(progress);
        let (network, _) =
            self.optimizer.step(network, grads, factor).map_err(|error| self.not_finite(&error.what, batch))?;
        self.position.step += 1;
        if let Some(ema) = &mut self.ema {
            ema.update(self.position.step, &network.named_tensors()?);
        }
        self.network = Some(network);
        self.window.loss += value;
        self.window.steps += 1;
        self.window.rate = self.plan.optimizer.learning_rate * factor;
        self.window.durations.push(began.elapsed().as_secs_f64());
        self.bar.set_position((progress * 1000.0) as u64);
        let name = self.score_name();
        let best = self.position.best.map_or_else(String::new, |best| format!(", best val {name} {best:.4}"));
        self.bar.set_message(format!(
            "step {}, loss {:.4}{best}",
            self.position.step,
            self.window.loss / f64::from(self.window.steps)
        ));
        Ok(())
    }

    fn not_finite(&self, what: &str, batch: &Batch) -> Error {
        let names: Vec<String> = batch.samples.iter().map(|&index| self.source.name(index)).collect();
        Error::new(ErrorKind::Training, what)
            .at(format!("epoch {}, batch {}, samples {}", self.position.epoch, self.position.batch, names.join(", ")))
            .hint("look at these samples with `vibhag doctor`, or lower optimizer.learning_rate; the last checkpoint is intact")
    }

    fn validate(&mut self, indices: &[usize], per_epoch: u64) -> Result<()> {
        let Some(network) = self.network.clone() else {
            return Err(Error::new(ErrorKind::Training, "training cannot go on after a failed step"));
        };
        let evaluated = match &self.ema {
            Some(ema) => network.valid().with_tensors(ema.tensors().to_vec())?,
            None => network.valid(),
        };
        let began = Instant::now();
        let found = validation::validate(&evaluated, &self.val_loader, indices, self.plan, &self.plain)?;
        self.validation_seconds = began.elapsed().as_secs_f64();
        self.record(found, per_epoch)?;
        if self.position.best.is_none_or(|best| found.score() > best) {
            self.position.best = Some(found.score());
            self.position.best_step = self.position.step;
            self.position.stale = 0;
            self.save_bundle(&evaluated, found)?;
        } else {
            self.position.stale += 1;
        }
        let checkpoint = Checkpoint {
            position: self.position.clone(),
            weights: network.named_tensors()?,
            average: self.ema.as_ref().map(|ema| ema.tensors().to_vec()).unwrap_or_default(),
            optimizer: self.optimizer.state()?,
        };
        checkpoint::save(&self.options.run, &checkpoint)
    }

    fn record(&mut self, found: Validation, per_epoch: u64) -> Result<()> {
        let window = std::mem::take(&mut self.window);
        let span = window.began.map_or(1.0, |began| began.elapsed().as_secs_f64());
        let record = Record {
            step: self.position.step,
            epoch: self.position.step as f64 / per_epoch as f64,
            minutes: self.position.seconds / 60.0,
            learning_rate: window.rate,
            train_loss: window.loss / f64::from(window.steps.max(1)),
            val_loss: found.loss,
            val_dice: found.dice,
            val_iou: found.iou,
            val_objects: found.objects,
            data_wait: window.waited.as_secs_f64() / span.max(1e-9),
            step_seconds: median(window.durations),
        };
        self.window.began = Some(Instant::now());
        if !self.options.quiet {
            let objects =
                found.objects.map_or_else(String::new, |score| format!("  val {} {score:.4}", self.score_name()));
            let classes = match self.plan.task {
                Task::Pose => String::new(),
                _ => format!("  val Dice {:.4}  val IoU {:.4}", record.val_dice, record.val_iou),
            };
            let line = format!(
                "step {:>5}  epoch {:>6.2}  {:>5.1} min  train loss {:.4}  val loss {:.4}{classes}{objects}",
                record.step, record.epoch, record.minutes, record.train_loss, record.val_loss,
            );
            if self.bar.is_hidden() { eprintln!("{line}") } else { self.bar.println(line) }
        }
        history::append(&self.options.run, &record)
    }

    /// What [`Validation::score`] is called.
    fn score_name(&self) -> &'static str {
        match self.plan.task {
            Task::Semantic => "IoU",
            Task::Instance => "AP",
            Task::Panoptic => "PQ",
            Task::Pose => "OKS",
        }
    }

    fn save_bundle(&self, network: &Network, found: Validation) -> Result<()> {
        let mut manifest = self.options.manifest.clone();
        if self.plan.task != Task::Pose {
            manifest.metrics.insert("val_dice".into(), found.dice);
            manifest.metrics.insert("val_iou".into(), found.iou);
        }
        if let Some(score) = found.objects {
            manifest.metrics.insert(format!("val_{}", self.score_name().to_lowercase()), score);
        }
        bundle::save(&self.options.run.join("model"), &manifest, network, &self.plan.to_toml()?)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// The plan of the run in `run`.
///
/// # Errors
/// As [`Plan::read`].
pub fn plan_of(run: &Path) -> Result<Plan> {
    Plan::read(&run.join("plan.toml"))
}
