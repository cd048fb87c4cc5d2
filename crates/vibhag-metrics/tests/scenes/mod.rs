//! Images of segments, true and predicted: as bench/reference/scenes.py writes them, and random ones.

#![allow(dead_code, clippy::unwrap_used)] // Each test uses its part; helpers of tests are tests.

use serde::Deserialize;
use vibhag_core::{ClassTable, IdMap, Panoptic, Purpose, Rng, Segment};

#[derive(Deserialize)]
pub(crate) struct Scene {
    width: usize,
    height: usize,
    truth: Vec<u32>,
    truth_segments: Vec<Segment>,
    prediction: Vec<u32>,
    prediction_segments: Vec<Segment>,
}

impl Scene {
    pub(crate) fn truth(&self) -> Panoptic {
        self.map(&self.truth, &self.truth_segments)
    }

    pub(crate) fn prediction(&self) -> Panoptic {
        self.map(&self.prediction, &self.prediction_segments)
    }

    fn map(&self, runs: &[u32], segments: &[Segment]) -> Panoptic {
        let ids = runs.chunks(2).flat_map(|run| std::iter::repeat_n(run[0], run[1] as usize)).collect();
        Panoptic::new(IdMap::new(self.width, self.height, ids).unwrap(), segments.to_vec()).unwrap()
    }
}

pub(crate) fn table(classes: usize, things: &[usize]) -> ClassTable {
    ClassTable::from_names((0..classes).map(|class| format!("class {class}"))).with_things(|c| things.contains(&c))
}

#[track_caller]
pub(crate) fn close(ours: f64, reference: f64, tolerance: f64, what: &str) {
    assert!((ours - reference).abs() <= tolerance, "{what}: {ours} against {reference}");
}

/// A map of up to `most` boxes over one another, of classes 1 and 2, each with its own score.
pub(crate) fn random_map(rng: &mut Rng, width: usize, height: usize, most: usize) -> Panoptic {
    let mut ids = IdMap::empty(width, height);
    let count = rng.below(most + 1);
    for id in 1..=count as u32 {
        let (left, top) = (rng.below(width), rng.below(height));
        let (w, h) = (1 + rng.below(width / 2), 1 + rng.below(height / 2));
        for y in top..(top + h).min(height) {
            ids.ids_mut()[y * width + left..y * width + (left + w).min(width)].fill(id);
        }
    }
    let kept = ids.make_dense();
    let segments = kept.iter().map(|_| Segment { score: rng.unit(), ..Segment::truth(1 + rng.below(2) as u16) });
    Panoptic::new(ids, segments.collect()).unwrap()
}

/// `map` with a few pixels given to other segments or none.
pub(crate) fn disturbed(rng: &mut Rng, map: &Panoptic, changes: usize) -> Panoptic {
    let mut ids = map.ids.clone();
    let (width, height) = (ids.width(), ids.height());
    for _ in 0..changes {
        let id = rng.below(map.segments.len() + 1) as u32;
        let (x, y) = (rng.below(width), rng.below(height));
        ids.ids_mut()[y * width + x..y * width + (x + 3).min(width)].fill(id);
    }
    let kept = ids.make_dense();
    let segments = kept.iter().map(|&old| Segment { score: rng.unit(), ..map.segments[old as usize - 1].clone() });
    Panoptic::new(ids, segments.collect()).unwrap()
}

/// `map` with its segments numbered in another order.
pub(crate) fn renumbered(rng: &mut Rng, map: &Panoptic) -> Panoptic {
    let mut order: Vec<usize> = (0..map.segments.len()).collect();
    rng.shuffle(&mut order);
    let mut ids = map.ids.clone();
    for id in ids.ids_mut().iter_mut().filter(|id| **id > 0) {
        *id = order[*id as usize - 1] as u32 + 1;
    }
    let mut segments = map.segments.clone();
    for (old, &new) in order.iter().enumerate() {
        segments[new] = map.segments[old].clone();
    }
    Panoptic::new(ids, segments).unwrap()
}

/// A set of images: true map, predicted map.
pub(crate) fn random_images(seed: u64, images: usize) -> Vec<(Panoptic, Panoptic)> {
    (0..images as u64)
        .map(|image| {
            let mut rng = Rng::new(seed, 0, image, Purpose::Synthesis);
            let truth = random_map(&mut rng, 24, 18, 9);
            let changes = rng.below(25);
            let prediction = disturbed(&mut rng, &truth, changes);
            (truth, prediction)
        })
        .collect()
}
