//! Times of reading people from the maps of a frame of 1920x1080 pixels at a stride of 8, and of drawing their targets:
//! `cargo bench -p vibhag-imaging --bench pose`.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark is no product code")]

#[path = "../tests/people/mod.rs"]
mod people;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use people::Crowd;
use vibhag_core::{AffinityDecoding, DisplacementDecoding, Purpose, Rng};
use vibhag_imaging::pose::{
    AffinityDecoder, AffinityTargets, DisplacementDecoder, Grid, POSENET_TREE, PoseDecoder, TrackParams, Tracker,
};

const FRAME: [usize; 2] = [1920, 1080];
const PEOPLE: [usize; 4] = [1, 10, 30, 60];

/// Maps as networks give them are never quite zero.
fn noisy(mut planes: Vec<f32>) -> Vec<f32> {
    let mut rng = Rng::new(1, 0, 0, Purpose::Synthesis);
    for value in &mut planes {
        *value += 0.01 * rng.normal();
    }
    planes
}

fn poses(c: &mut Criterion) {
    let mut group = c.benchmark_group("pose");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    let grid = Grid::covering(FRAME[0], FRAME[1], 8);
    for skeleton in ["coco-18", "body-25"] {
        for count in PEOPLE {
            let crowd = Crowd::rows(3, skeleton, FRAME, count);
            let decoder = AffinityDecoder::new(&crowd.skeleton, true, AffinityDecoding::default()).unwrap();
            let planes = noisy(crowd.affinity(&grid));
            let found = decoder.decode(&planes, &grid).unwrap().len();
            assert_eq!(found, count);
            group.bench_function(BenchmarkId::new(format!("affinity {skeleton}"), count), |b| {
                b.iter(|| decoder.decode(black_box(&planes), &grid).unwrap());
            });
        }
    }
    for count in PEOPLE {
        let crowd = Crowd::rows(3, "coco-17", FRAME, count);
        let parameters = DisplacementDecoding { max_people: 100, min_score: 0.1, ..DisplacementDecoding::default() };
        let decoder = DisplacementDecoder::posenet(parameters).unwrap();
        let planes = noisy(crowd.displacements(&grid, &POSENET_TREE));
        assert_eq!(decoder.decode(&planes, &grid).unwrap().len(), count);
        group.bench_function(BenchmarkId::new("displacement", count), |b| {
            b.iter(|| decoder.decode(black_box(&planes), &grid).unwrap());
        });
        let mut tracker = Tracker::new(&crowd.skeleton, TrackParams::default()).unwrap();
        group.bench_function(BenchmarkId::new("track", count), |b| {
            b.iter(|| tracker.update(black_box(&mut crowd.people.clone())));
        });
    }
    // A window of training.
    let crowd = Crowd::heap(3, "coco-18", [368, 368], 4);
    let (grid, targets) = (Grid::covering(368, 368, 8), AffinityTargets::default());
    let mut planes = vec![0.0; targets.planes(&crowd.skeleton) * grid.cells()];
    group.bench_function("targets of 368x368", |b| {
        b.iter(|| targets.write(&crowd.skeleton, black_box(&crowd.people), &grid, None, &mut planes).unwrap());
    });
    group.finish();
}

criterion_group!(benches, poses);
criterion_main!(benches);
