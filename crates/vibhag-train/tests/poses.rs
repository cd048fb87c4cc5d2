//! Training on drawn stick figures: keypoints are found, a resumed run is the same, and plans that do not fit are refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

mod common;

use std::sync::Arc;

use vibhag_core::{
    AffinityDecoding, ClassTable, Error, Geometry, Head, Image, Keypoint, LabelMap, Person, Pose, PoseReading, Purpose,
    Result, Rng, Skeleton, Task, Visibility,
};
use vibhag_data::augment::AugmentConfig;
use vibhag_data::{People, SampleSource};
use vibhag_nn::NetworkConfig;
use vibhag_nn::bundle::{Flips, pose_maps};
use vibhag_nn::losses::PoseLoss;
use vibhag_train::trainer::Roles;
use vibhag_train::{Plan, PosePlan, TrainOptions, checkpoint, history, train};

const SIDE: usize = 64;
const LIMBS: [[usize; 2]; 5] = [[0, 1], [1, 2], [1, 3], [0, 4], [0, 5]];
/// A colour for each kind of limb: body, arms, legs. Sides look alike, as in mirrored pictures.
const COLORS: [[f32; 3]; 5] =
    [[230.0, 60.0, 60.0], [60.0, 220.0, 60.0], [60.0, 220.0, 60.0], [70.0, 90.0, 240.0], [70.0, 90.0, 240.0]];

fn skeleton() -> Skeleton {
    let names = ["pelvis", "neck", "left_wrist", "right_wrist", "left_ankle", "right_ankle"];
    Skeleton::custom("figure", &names, &LIMBS).unwrap()
}

/// A figure that leans and spreads its limbs as it likes; its left is on the right of the picture.
fn figure(rng: &mut Rng, middle: [f32; 2], size: f32) -> Vec<[f64; 2]> {
    let lean = rng.uniform(-0.4, 0.4);
    let mut place = |from: [f32; 2], angle: f32, length: f32| {
        let angle = angle + lean + rng.uniform(-0.35, 0.35);
        [from[0] + size * length * angle.sin(), from[1] - size * length * angle.cos()]
    };
    let pelvis = middle;
    let neck = place(pelvis, 0.0, 1.0);
    let hands = [place(neck, 1.9, 0.9), place(neck, -1.9, 0.9)];
    let feet = [place(pelvis, 2.6, 1.0), place(pelvis, -2.6, 1.0)];
    [pelvis, neck, hands[0], hands[1], feet[0], feet[1]].map(|[x, y]| [f64::from(x), f64::from(y)]).to_vec()
}

fn draw(pixels: &mut [f32], width: usize, points: &[[f64; 2]]) {
    for (&[a, b], color) in LIMBS.iter().zip(COLORS) {
        let ([ax, ay], [bx, by]) = (points[a], points[b]);
        let (dx, dy) = (bx - ax, by - ay);
        for (index, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let (x, y) = ((index % width) as f64 - ax, (index / width) as f64 - ay);
            let along = ((x * dx + y * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            if (x - along * dx).hypot(y - along * dy) <= 1.8 {
                pixel.copy_from_slice(&color);
            }
        }
    }
}

/// One or two figures on a noisy ground; everything follows from the index.
struct Figures;

impl SampleSource for Figures {
    fn len(&self) -> usize {
        40
    }

    fn load(&self, index: usize) -> Result<(Image, LabelMap)> {
        Err(Error::config("figures have no masks").at(index.to_string()))
    }

    fn load_people(&self, index: usize) -> Result<(Image, People)> {
        let mut rng = Rng::new(1, 0, index as u64, Purpose::Synthesis);
        let (width, height) = (96, SIDE);
        let mut pixels = vec![120.0f32; width * height * 3];
        let middles = if index.is_multiple_of(2) { vec![24.0, 72.0] } else { vec![48.0] };
        let mut people = Vec::new();
        for x in middles {
            let middle = [x + rng.uniform(-4.0, 4.0), 33.0 + rng.uniform(-4.0, 4.0)];
            let size = rng.uniform(13.0, 18.0);
            let points = figure(&mut rng, middle, size);
            draw(&mut pixels, width, &points);
            let keypoints =
                points.iter().map(|&[x, y]| Keypoint { x, y, score: 1.0, visibility: Visibility::Visible }).collect();
            let pose = Pose { keypoints, score: 1.0, id: None };
            let bounds = pose.bounds().unwrap();
            people.push(Person { area: bounds[2] * bounds[3], pose, bounds, crowd: false });
        }
        let pixels = pixels.into_iter().map(|p| (p + rng.uniform(-15.0, 15.0)).clamp(0.0, 255.0) as u8).collect();
        Ok((Image::from_u8(width, height, 3, pixels)?, People { width, height, people }))
    }

    fn name(&self, index: usize) -> String {
        format!("figure-{index}")
    }
}

fn plan(epochs: u64) -> Plan {
    let mut plan = common::plan(epochs);
    let maps = pose_maps(&skeleton());
    plan.task = Task::Pose;
    plan.classes = ClassTable::binary("person").with_things(|class| class == 1);
    plan.input.channels = 3;
    (plan.input.mean, plan.input.std) = (vec![120.0; 3], vec![50.0; 3]);
    plan.input.geometry = Geometry::Window { height: SIDE, width: 96 };
    plan.network = NetworkConfig::new("fpn", None, 3, maps).unwrap().with_head(Head::Pose);
    (plan.network.widths, plan.network.decoder_channels) = (vec![8, 16, 24, 32], vec![32, 32, 32]);
    (plan.network.stages, plan.network.head_width) = (2, 24);
    plan.training.crop = Some(SIDE);
    plan.augment = AugmentConfig {
        flip_horizontal: 0.5,
        affine_probability: 0.5,
        rotate_degrees: 15.0,
        scale: [0.9, 1.1],
        foreground_probability: 0.8,
        ..AugmentConfig::none()
    };
    plan.pose = Some(PosePlan {
        sigma: 4.0,
        limb_width: 4.0,
        upright: false,
        fallen: 0.0,
        loss: PoseLoss::default(),
        skeleton: skeleton(),
    });
    plan.postprocessing.tta = Flips::Horizontal;
    plan.postprocessing.poses = Some(PoseReading { affinity: AffinityDecoding::eager(), ..PoseReading::default() });
    plan.validate().unwrap();
    plan
}

fn run(plan: &Plan, options: &TrainOptions) -> f64 {
    let (train_set, val_set): (Vec<usize>, Vec<usize>) = ((0..32).collect(), (32..40).collect());
    train(plan, Arc::new(Figures), Roles { train: &train_set, val: &val_set }, options).unwrap().best
}

#[test]
fn the_keypoints_of_several_figures_are_learnt() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(30);
    plan.training.validations = 6;
    let best = run(&plan, &common::options(folder.path(), &plan));
    let records = history::read(folder.path()).unwrap();
    assert!(records[5].val_loss < 0.5 * records[0].val_loss, "{records:?}");
    // A similarity of 0.6 is a distance of about a twelfth of a figure.
    assert!(best > 0.6, "mean OKS {best}: {records:?}");
}

#[test]
fn a_killed_run_resumes_to_the_same_bits_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (straight, killed) = (folder.path().join("straight"), folder.path().join("killed"));
    // Two validations in three epochs of eight steps: the checkpoint at step 12 is amid an epoch.
    let mut plan = plan(3);
    plan.training.validations = 2;
    run(&plan, &common::options(&straight, &plan));
    plan.training.threads = 3;
    run(&plan, &TrainOptions { stop_after: Some(14), ..common::options(&killed, &plan) });
    assert_eq!(checkpoint::load(&killed).unwrap().unwrap().position.step, 12);
    run(&plan, &TrainOptions { resume: true, ..common::options(&killed, &plan) });
    let (a, b) = (checkpoint::load(&straight).unwrap().unwrap(), checkpoint::load(&killed).unwrap().unwrap());
    assert!(a.weights == b.weights && a.average == b.average, "weights differ");
}

#[test]
fn a_plan_whose_parts_do_not_belong_together_is_refused() {
    let good = plan(1);
    let text = good.to_toml().unwrap();
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("plan.toml");
    std::fs::write(&path, text).unwrap();
    assert_eq!(Plan::read(&path).unwrap(), good);
    let changed = good.with_settings(&["pose.sigma=5".into(), "postprocessing.poses.single=true".into()]).unwrap();
    assert!(changed.pose.unwrap().sigma == 5.0 && changed.postprocessing.poses.unwrap().single);
    let refused = |change: fn(&mut Plan)| {
        let mut wrong = good.clone();
        change(&mut wrong);
        wrong.validate().unwrap_err().to_string()
    };
    assert!(refused(|plan| plan.pose = None).contains("--task pose"));
    assert!(refused(|plan| plan.network.head = Head::Flow).contains("head flow"));
    assert!(refused(|plan| plan.network.out_channels = 15).contains("need 16"));
    assert!(refused(|plan| plan.augment.elastic_probability = 0.1).contains("elastic"));
    assert!(refused(|plan| plan.postprocessing.tta = Flips::All).contains("tta"));
    assert!(refused(|plan| plan.task = Task::Semantic).contains("task semantic"));
    assert!(refused(|plan| plan.input.geometry = Geometry::Resize { height: 64, width: 64 }).contains("window"));
    assert!(refused(|plan| plan.pose.as_mut().unwrap().skeleton.limbs.clear()).contains("limb"));
    let mut one_sided = good.clone();
    let pose = one_sided.pose.as_mut().unwrap();
    pose.skeleton.limbs.pop();
    one_sided.network.out_channels -= 2;
    assert!(one_sided.validate().unwrap_err().to_string().contains("tta"));
    one_sided.postprocessing.tta = Flips::None;
    one_sided.validate().unwrap();
}
