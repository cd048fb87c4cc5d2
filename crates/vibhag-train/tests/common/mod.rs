//! A small plan and its options, for tests that train.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use vibhag_core::{ClassTable, Geometry, Preprocessing, Task};
use vibhag_data::augment::AugmentConfig;
use vibhag_data::sampler::Sampling;
use vibhag_nn::NetworkConfig;
use vibhag_nn::bundle::{DataOrigin, FORMAT_VERSION, Manifest, PostProcessing};
use vibhag_nn::device::DeviceChoice;
use vibhag_nn::losses::LossConfig;
use vibhag_train::TrainOptions;
use vibhag_train::plan::{DataPlan, EngineConfig, LoopConfig, OptimizerConfig, PLAN_VERSION, Plan, SplitPlan};
use vibhag_train::schedule::ScheduleConfig;

/// Side of the input.
pub(crate) const SIDE: usize = 32;

/// A semantic plan over grey images of [`SIDE`], of `epochs` epochs with as many validations.
pub(crate) fn plan(epochs: u64) -> Plan {
    let geometry = Geometry::Resize { height: SIDE, width: SIDE };
    Plan {
        version: PLAN_VERSION,
        task: Task::Semantic,
        preset: None,
        seed: 3,
        data: DataPlan {
            path: "discs".into(),
            format: "drawn".into(),
            coding: "drawn".into(),
            hash: "0".into(),
            foreground: None,
            ignore: None,
        },
        split: SplitPlan { val_fraction: 0.2, test_fraction: 0.0 },
        input: Preprocessing { stretch: None, scale: 1.0, channels: 1, mean: vec![100.0], std: vec![50.0], geometry },
        network: NetworkConfig { widths: vec![4, 8, 16], ..NetworkConfig::new("unet-lite", None, 1, 1).unwrap() },
        pretrained: "none".into(),
        loss: LossConfig::for_channels(1),
        objects: None,
        pose: None,
        augment: AugmentConfig::medical(),
        optimizer: OptimizerConfig {
            name: "adamw".into(),
            learning_rate: 1e-2,
            encoder_factor: 1.0,
            weight_decay: 1e-3,
            momentum: 0.9,
            beta2: 0.999,
            clip_norm: 5.0,
        },
        schedule: ScheduleConfig { name: "cosine".into(), warmup: 0.1, power: 0.9, floor: 0.0 },
        training: LoopConfig {
            batch: 4,
            crop: None,
            epochs: Some(epochs),
            minutes: None,
            validations: epochs,
            patience: 0,
            ema_decay: 0.9,
            cache_mib: 16,
            threads: 1,
            sampling: Sampling::Uniform,
        },
        engine: EngineConfig::default(),
        postprocessing: PostProcessing::default(),
        classes: ClassTable::binary("disc"),
        reasons: BTreeMap::new(),
    }
}

/// The options of a run in `run`.
pub(crate) fn options(run: &Path, plan: &Plan) -> TrainOptions {
    TrainOptions {
        run: run.to_owned(),
        resume: false,
        device: DeviceChoice::Cpu,
        quiet: true,
        skip_bad: false,
        manifest: Manifest {
            format_version: FORMAT_VERSION,
            vibhag_version: "test".into(),
            task: plan.task,
            weights_sha256: String::new(),
            weights_licence: "none".into(),
            metrics: BTreeMap::new(),
            network: plan.network.clone(),
            preprocessing: plan.input.clone(),
            postprocessing: plan.postprocessing,
            data: DataOrigin::default(),
            classes: plan.classes.clone(),
            skeleton: plan.pose.as_ref().map(|pose| pose.skeleton.clone()),
        },
        stop_after: None,
    }
}
