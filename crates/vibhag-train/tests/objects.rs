//! Objects are learnt end to end on drawn discs: every head tells touching ones apart.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

mod common;

use std::sync::Arc;

use vibhag_core::{
    ClassTable, Geometry, Grouping, Head, IdMap, Image, LabelMap, Panoptic, Purpose, Result, Rng, Segment, Task,
};
use vibhag_data::SampleSource;
use vibhag_nn::NetworkConfig;
use vibhag_nn::losses::ObjectLoss;
use vibhag_train::trainer::Roles;
use vibhag_train::{Plan, history, train};

const SIDE: usize = 64;

/// Bright discs that may touch, on a dark, noisy ground; everything follows from the index.
struct Discs;

impl SampleSource for Discs {
    fn len(&self) -> usize {
        24
    }

    fn load(&self, index: usize) -> Result<(Image, LabelMap)> {
        self.load_segments(index).map(|(image, map)| (image, map.class_map(0)))
    }

    fn load_segments(&self, index: usize) -> Result<(Image, Panoptic)> {
        let mut rng = Rng::new(1, 0, index as u64, Purpose::Synthesis);
        let mut ids = IdMap::empty(SIDE, SIDE);
        let mut pixels = vec![70.0f32; SIDE * SIDE];
        let mut segments = Vec::new();
        for _ in 0..12 {
            let (cx, cy, r) = (rng.uniform(6.0, 58.0), rng.uniform(6.0, 58.0), rng.uniform(5.0, 9.0));
            let inside = |i: usize| ((i % SIDE) as f32 - cx).hypot((i / SIDE) as f32 - cy);
            let own: Vec<usize> = (0..SIDE * SIDE).filter(|&i| inside(i) < r).collect();
            if own.iter().any(|&i| ids.ids()[i] != 0) {
                continue;
            }
            segments.push(Segment::truth(1));
            for i in own {
                ids.ids_mut()[i] = segments.len() as u32;
                // Dark rims tell touching discs apart.
                pixels[i] = 200.0 - 8.0 * inside(i);
            }
        }
        let pixels = pixels.into_iter().map(|p| (p + rng.uniform(-10.0, 10.0)) as u8).collect();
        Ok((Image::from_u8(SIDE, SIDE, 1, pixels)?, Panoptic::new(ids, segments)?))
    }

    fn name(&self, index: usize) -> String {
        format!("discs-{index}")
    }
}

fn plan(head: Head, epochs: u64) -> Plan {
    let mut plan = common::plan(epochs);
    plan.task = Task::Instance;
    plan.classes = ClassTable::binary("disc").with_things(|class| class == 1);
    plan.input.geometry = Geometry::Window { height: SIDE, width: SIDE };
    plan.network = NetworkConfig { widths: vec![8, 16, 32], ..plan.network.with_head(head) };
    plan.objects = ObjectLoss::of(head);
    plan.postprocessing.grouping = Some(Grouping::of(head));
    plan.augment.affine_probability = 0.0;
    plan.augment.elastic_probability = 0.0;
    plan.loss.ignore = u16::MAX;
    plan
}

fn score(head: Head, epochs: u64, threads: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(head, epochs);
    plan.training.threads = threads;
    let (train_set, val_set): (Vec<usize>, Vec<usize>) = ((0..20).collect(), (20..24).collect());
    let roles = Roles { train: &train_set, val: &val_set };
    train(&plan, Arc::new(Discs), roles, &common::options(folder.path(), &plan)).unwrap();
    let records = history::read(folder.path()).unwrap();
    records.iter().filter_map(|record| record.val_objects).fold(0.0, f64::max)
}

#[test]
fn every_head_learns_to_tell_objects_apart() {
    for (head, least) in [(Head::Flow, 0.5), (Head::Star, 0.4), (Head::Center, 0.4)] {
        let found = score(head, 24, 1);
        assert!(found >= least, "{head}: AP {found}");
    }
}

#[test]
fn objects_do_not_depend_on_loader_threads() {
    assert_eq!(score(Head::Star, 2, 1).to_bits(), score(Head::Star, 2, 3).to_bits());
}

#[test]
fn a_plan_whose_parts_do_not_belong_together_is_refused() {
    let good = plan(Head::Flow, 1);
    good.validate().unwrap();
    let star = good.with_settings(&["head=star".to_owned()]).unwrap();
    assert_eq!((star.network.head, star.objects), (Head::Star, ObjectLoss::of(Head::Star)));
    assert!(good.with_settings(&["head=semantic".to_owned()]).unwrap_err().to_string().contains("head"));
    let mut wrong = good.clone();
    wrong.objects = ObjectLoss::of(Head::Star);
    assert!(wrong.validate().unwrap_err().to_string().contains("--set head=flow"));
    let mut resized = good.clone();
    resized.input.geometry = Geometry::Resize { height: SIDE, width: SIDE };
    assert!(resized.validate().unwrap_err().to_string().contains("window"));
    let mut stuff = good;
    stuff.classes = ClassTable::binary("disc");
    assert!(stuff.validate().unwrap_err().to_string().contains("thing"));
}
