//! Training end to end on drawn discs: it learns, resumes exactly, does not depend on threads,
//! and stops with names when the loss is not finite.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

mod common;

use std::sync::Arc;

use common::{SIDE, options, plan};
use vibhag_core::{Image, LabelMap, Purpose, Result, Rng};
use vibhag_data::loader::SampleSource;
use vibhag_nn::device::DeviceChoice;
use vibhag_train::plan::{OptimizerConfig, Plan, SplitPlan, Switch};
use vibhag_train::trainer::Roles;
use vibhag_train::{TrainOptions, TrainOutcome, checkpoint, history, train};

/// A bright disc on a dark, noisy ground; everything follows from the index.
struct Discs;

impl SampleSource for Discs {
    fn len(&self) -> usize {
        20
    }

    fn load(&self, index: usize) -> Result<(Image, LabelMap)> {
        let mut rng = Rng::new(1, 0, index as u64, Purpose::Synthesis);
        let (cx, cy, r) = (rng.uniform(10.0, 22.0), rng.uniform(10.0, 22.0), rng.uniform(4.0, 9.0));
        let mut pixels = Vec::new();
        let mut labels = Vec::new();
        for y in 0..SIDE {
            for x in 0..SIDE {
                let inside = (x as f32 - cx).hypot(y as f32 - cy) < r;
                labels.push(u16::from(inside));
                pixels.push((if inside { 170.0 } else { 80.0 } + rng.uniform(-30.0, 30.0)) as u8);
            }
        }
        Ok((Image::from_u8(SIDE, SIDE, 1, pixels)?, LabelMap::new(SIDE, SIDE, labels)?))
    }

    fn name(&self, index: usize) -> String {
        format!("disc-{index}")
    }
}

fn run(plan: &Plan, options: &TrainOptions) -> Result<TrainOutcome> {
    let train_set: Vec<usize> = (0..16).collect();
    let val_set: Vec<usize> = (16..20).collect();
    train(plan, Arc::new(Discs), Roles { train: &train_set, val: &val_set }, options)
}

#[test]
fn learns_the_discs_and_writes_a_bundle_and_history() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(24);
    let outcome = run(&plan, &options(dir.path(), &plan)).unwrap();
    assert_eq!(outcome.steps, 96);
    assert!(outcome.best > 0.8, "validation IoU {}", outcome.best);
    let records = history::read(dir.path()).unwrap();
    assert_eq!(records.len(), 24);
    assert!(records[23].train_loss < 0.6 * records[0].train_loss);
    let device = DeviceChoice::Cpu.open().unwrap();
    let (manifest, _) = vibhag_nn::bundle::load(dir.path(), &device).unwrap();
    assert!((manifest.metrics["val_iou"] - outcome.best).abs() < 1e-12);
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let (straight, killed) = (dir.path().join("straight"), dir.path().join("killed"));
    // Two validations in three epochs of four steps: the checkpoint at step 6 is amid an epoch.
    let mut plan = plan(3);
    plan.training.validations = 2;
    run(&plan, &options(&straight, &plan)).unwrap();
    let stop = TrainOptions { stop_after: Some(7), ..options(&killed, &plan) };
    run(&plan, &stop).unwrap();
    assert_eq!(checkpoint::load(&killed).unwrap().unwrap().position.step, 6);
    let resume = TrainOptions { resume: true, ..options(&killed, &plan) };
    assert_eq!(run(&plan, &resume).unwrap().steps, 12);
    let (a, b) = (checkpoint::load(&straight).unwrap().unwrap(), checkpoint::load(&killed).unwrap().unwrap());
    assert!(a.weights == b.weights, "weights differ");
    assert!(a.average == b.average, "average differ");
    assert!(a.optimizer == b.optimizer, "optimizer differ");
}

#[test]
fn loader_threads_do_not_change_the_result() {
    let dir = tempfile::tempdir().unwrap();
    let weights = |threads: usize| {
        let run_folder = dir.path().join(threads.to_string());
        let mut plan = plan(1);
        plan.training.threads = threads;
        run(&plan, &options(&run_folder, &plan)).unwrap();
        checkpoint::load(&run_folder).unwrap().unwrap().weights
    };
    assert!(weights(1) == weights(3), "the weights depend on the number of threads");
}

#[test]
fn computing_threads_do_not_change_the_result() {
    let dir = tempfile::tempdir().unwrap();
    let weights = |threads: usize| {
        let run_folder = dir.path().join(threads.to_string());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let plan = plan(1);
            run(&plan, &options(&run_folder, &plan)).unwrap();
        });
        checkpoint::load(&run_folder).unwrap().unwrap().weights
    };
    let one = weights(1);
    assert!(one == weights(2) && one == weights(4), "the weights depend on the number of threads");
}

#[test]
fn maps_computed_again_have_the_bits_of_maps_that_were_kept() {
    let dir = tempfile::tempdir().unwrap();
    let weights = |recompute: Switch, name: &str| {
        let mut plan = plan(1);
        plan.engine.recompute = recompute;
        run(&plan, &options(&dir.path().join(name), &plan)).unwrap();
        checkpoint::load(&dir.path().join(name)).unwrap().unwrap().weights
    };
    assert!(weights(Switch::On, "again") == weights(Switch::Off, "kept"), "recomputing changed the weights");
}

#[test]
fn a_loss_that_is_not_finite_names_the_batch_and_its_samples() {
    let dir = tempfile::tempdir().unwrap();
    let mut plan = plan(5);
    plan.optimizer.learning_rate = 1e30;
    let error = run(&plan, &options(dir.path(), &plan)).unwrap_err().to_string();
    assert!(error.contains("disc-") && error.contains("batch"), "{error}");
}

#[test]
fn sgd_learns_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut plan = plan(8);
    plan.optimizer = OptimizerConfig { name: "sgd".into(), learning_rate: 0.05, ..plan.optimizer };
    let outcome = run(&plan, &options(dir.path(), &plan)).unwrap();
    assert!(outcome.best > 0.6, "validation IoU {}", outcome.best);
}

#[test]
fn a_plan_survives_toml_and_settings_are_checked() {
    let mut plan = plan(5);
    plan.reasons.insert("loop.batch".into(), "because of the memory".into());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plan.toml");
    let text = plan.to_toml().unwrap();
    assert!(text.contains("batch = 4  # because of the memory"), "{text}");
    std::fs::write(&path, text).unwrap();
    assert_eq!(Plan::read(&path).unwrap(), plan);
    let split = Plan { split: SplitPlan { val_fraction: 0.2, test_fraction: 0.1 }, ..plan.clone() }.to_table().unwrap();
    assert_eq!(split["split"]["val_fraction"].as_float(), Some(0.2));

    let set = |settings: &[&str]| plan.with_settings(&settings.iter().map(ToString::to_string).collect::<Vec<_>>());
    let changed = set(&["optimizer.learning_rate=1", "loop.minutes=2.5", "schedule.name=poly"]).unwrap();
    assert_eq!(changed.optimizer.learning_rate, 1.0);
    assert_eq!((changed.training.minutes, changed.training.epochs), (Some(2.5), None));
    for (bad, names) in [
        ("optimizer.rate=1", "optimizer.rate"),
        ("schedule.name=steps", "steps"),
        ("loop.batch=0", "loop.batch"),
        ("loop.batch=many", "loop.batch"),
        ("task=panoptic", "panoptic"),
        ("nonsense", "nonsense"),
    ] {
        let error = set(&[bad]).unwrap_err().to_string();
        assert!(error.contains(names), "{bad}: {error}");
    }
}
