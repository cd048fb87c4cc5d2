//! Everybody is read back from perfect maps: many people, hidden keypoints, crossing limbs, any order and orientation.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

mod people;

use people::{Crowd, compare, mirror, skeleton};
use proptest::prelude::*;
use vibhag_core::{AffinityDecoding, DisplacementDecoding, Pose, Purpose, Rng, SKELETONS, Skeleton};
use vibhag_imaging::pose::{AffinityDecoder, DisplacementDecoder, Grid, POSENET_TREE, PoseDecoder};

const HD: [usize; 2] = [1920, 1080];
/// In pixels, at a stride of 8: the maps are perfect but for the precision of f32.
const TOLERANCE: f64 = 0.02;

fn affinity(skeleton: &Skeleton) -> AffinityDecoder {
    AffinityDecoder::new(skeleton, true, AffinityDecoding::default()).unwrap()
}

fn displacement(people: usize) -> DisplacementDecoder {
    let parameters = DisplacementDecoding {
        max_people: people,
        min_score: 0.05,
        min_keypoint_score: 0.5,
        ..DisplacementDecoding::default()
    };
    DisplacementDecoder::posenet(parameters).unwrap()
}

fn read_back(crowd: &Crowd) -> Vec<Pose> {
    let grid = Grid::covering(crowd.width, crowd.height, 8);
    affinity(&crowd.skeleton).decode(&crowd.affinity(&grid), &grid).unwrap()
}

fn check(truth: &[Pose], found: &[Pose], tolerance: f64) -> Result<(), TestCaseError> {
    compare(truth, found, tolerance).map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn everybody_is_found_by_affinity(seed in any::<u64>(), count in 1usize..=60, which in 0..SKELETONS.len()) {
        let crowd = Crowd::rows(seed, SKELETONS[which].name, HD, count);
        check(&crowd.people, &read_back(&crowd), TOLERANCE)?;
    }

    #[test]
    fn everybody_is_found_where_limbs_cross(seed in any::<u64>(), count in 2usize..9) {
        let crowd = Crowd::heap(seed, "coco-18", [640, 480], count);
        prop_assume!(crowd.people.len() > 1);
        check(&crowd.people, &read_back(&crowd), TOLERANCE)?;
    }

    #[test]
    fn hidden_keypoints_stay_absent_and_the_others_are_found(seed in any::<u64>(), count in 1usize..40) {
        let mut crowd = Crowd::rows(seed, "coco-18", HD, count);
        let limbs = crowd.skeleton.limbs.clone();
        crowd.hide(seed, 0.4, &limbs, 4);
        check(&crowd.people, &read_back(&crowd), TOLERANCE)?;
    }

    #[test]
    fn noise_moves_keypoints_a_little_and_loses_nobody(seed in any::<u64>(), count in 1usize..30) {
        let crowd = Crowd::rows(seed, "coco-18", HD, count);
        let grid = Grid::covering(HD[0], HD[1], 8);
        let mut planes = crowd.affinity(&grid);
        let mut rng = Rng::new(seed, 0, 3, Purpose::Synthesis);
        for value in &mut planes {
            *value += 0.008 * rng.normal();
        }
        let found = affinity(&crowd.skeleton).decode(&planes, &grid).unwrap();
        check(&crowd.people, &found, 1.5)?;
    }

    #[test]
    fn mirrored_maps_give_mirrored_people(seed in any::<u64>(), count in 1usize..30, which in 0..SKELETONS.len()) {
        let mut crowd = Crowd::rows(seed, SKELETONS[which].name, HD, count);
        let limbs = crowd.skeleton.limbs.clone();
        crowd.hide(seed, 0.2, &limbs, 12);
        let grid = Grid::covering(HD[0], HD[1], 8);
        let (decoder, planes) = (affinity(&crowd.skeleton), crowd.affinity(&grid));
        let mirrored = mirror(&decoder, &planes, &grid);
        let drawn = crowd.mirrored().affinity(&grid);
        prop_assert!(mirrored.iter().zip(&drawn).all(|(a, b)| (a - b).abs() < 1e-4), "targets are not mirrored");
        let found = decoder.decode(&planes, &grid).unwrap();
        let back: Vec<Pose> = decoder
            .decode(&mirrored, &grid)
            .unwrap()
            .iter()
            .map(|pose| pose.mirrored(&crowd.skeleton, crowd.width).unwrap())
            .collect();
        check(&found, &back, 1e-3)?;
        prop_assert_eq!(mirror(&decoder, &mirrored, &grid), planes);
    }

    #[test]
    fn the_order_of_people_changes_nothing(seed in any::<u64>(), count in 2usize..9) {
        let mut crowd = Crowd::heap(seed, "coco-18", [640, 480], count);
        let found = read_back(&crowd);
        let mut rng = Rng::new(seed, 0, 4, Purpose::Synthesis);
        rng.shuffle(&mut crowd.people);
        check(&found, &read_back(&crowd), 1e-3)?;
    }

    #[test]
    fn everybody_is_found_by_displacement(
        seed in any::<u64>(), count in 1usize..=60, hidden in any::<bool>(), corners in any::<bool>()
    ) {
        let mut crowd = Crowd::rows(seed, "coco-17", HD, count);
        if hidden {
            crowd.hide(seed, 0.3, &POSENET_TREE, 8);
        }
        let grid = if corners { Grid::at_corners(HD[0], HD[1], 8) } else { Grid::covering(HD[0], HD[1], 8) };
        let planes = crowd.displacements(&grid, &POSENET_TREE);
        let found = displacement(60).decode(&planes, &grid).unwrap();
        check(&crowd.people, &found, TOLERANCE)?;
    }

    #[test]
    fn mirrored_displacements_give_mirrored_people(seed in any::<u64>(), count in 1usize..20) {
        let crowd = Crowd::rows(seed, "coco-17", HD, count);
        let grid = Grid::covering(HD[0], HD[1], 8);
        let (decoder, planes) = (displacement(60), crowd.displacements(&grid, &POSENET_TREE));
        let mirrored = mirror(&decoder, &planes, &grid);
        prop_assert_eq!(mirror(&decoder, &mirrored, &grid), planes);
        let found = decoder.decode(&mirrored, &grid).unwrap();
        check(&crowd.mirrored().people, &found, TOLERANCE)?;
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_map_makes_a_decoder_panic(
        seed in any::<u64>(), width in 1usize..9, height in 1usize..7, odd in any::<bool>()
    ) {
        let mut rng = Rng::new(seed, 0, 5, Purpose::Synthesis);
        let grid = Grid::covering(8 * width, 8 * height, 8);
        let decoders: [&dyn PoseDecoder; 2] = [&affinity(&skeleton("lsp-14")), &displacement(5)];
        for decoder in decoders {
            let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38, -1e38, 0.0];
            let planes: Vec<f32> = (0..decoder.planes() * grid.cells())
                .map(|_| if odd && rng.chance(0.2) { values[rng.below(6)] } else { 3.0 * rng.normal() })
                .collect();
            for pose in decoder.decode(&planes, &grid).unwrap() {
                prop_assert!(pose.score.is_finite());
                prop_assert!(pose.keypoints.iter().all(|k| k.x.is_finite() && k.y.is_finite()));
            }
        }
    }
}

#[test]
fn nobody_is_found_in_nothing_and_wrong_sizes_are_errors() {
    let grid = Grid::covering(64, 48, 8);
    let decoders: [&dyn PoseDecoder; 2] = [&affinity(&skeleton("coco-18")), &displacement(5)];
    for decoder in decoders {
        let mut planes = vec![0.0; decoder.planes() * grid.cells()];
        assert!(decoder.decode(&planes, &grid).unwrap().is_empty());
        planes.fill(f32::NAN);
        assert!(decoder.decode(&planes, &grid).unwrap().is_empty());
        planes.pop();
        assert!(decoder.decode(&planes, &grid).unwrap_err().to_string().contains("planes of 8x6"));
        let empty = Grid::covering(0, 48, 8);
        assert!(decoder.decode(&[], &empty).unwrap_err().to_string().contains("0x6"));
    }
}

#[test]
fn threads_change_nothing() {
    let crowd = Crowd::rows(7, "body-25", HD, 60);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| read_back(&crowd)), read_back(&crowd));
}

#[test]
fn a_skeleton_without_limbs_cannot_be_put_together() {
    let loose = Skeleton::custom("loose", &["a", "b"], &[]).unwrap();
    let error = AffinityDecoder::new(&loose, false, AffinityDecoding::default()).unwrap_err();
    assert!(error.to_string().contains("no limb"));
}
