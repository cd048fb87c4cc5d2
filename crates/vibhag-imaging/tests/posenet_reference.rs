//! People read from maps by displacements are those that PoseNet's own decoder reads, frozen by
//! bench/reference/posenet_decode.cjs.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

use serde_json::Value;
use vibhag_core::DisplacementDecoding;
use vibhag_imaging::pose::{DisplacementDecoder, Grid, PoseDecoder};

const KEYPOINTS: u32 = 17;
const EDGES: u32 = 16;

/// A number in [0, 1) of 24 bits, as the script has it.
fn noise(seed: u32, plane: u32, cell: u32) -> f32 {
    let mut x = (seed * 7919 + plane * 104_729 + cell + 1).wrapping_mul(2_654_435_761);
    x ^= x >> 15;
    x = x.wrapping_mul(2_246_822_519);
    x ^= x >> 13;
    (x >> 8) as f32 / 16_777_216.0
}

fn maps(seed: u32, cells: u32, reach: f32) -> Vec<f32> {
    let value = |plane: u32, cell: u32| {
        let noise = noise(seed, plane, cell);
        if plane < KEYPOINTS {
            noise
        } else if plane < 3 * KEYPOINTS {
            (noise - 0.5) * 24.0
        } else {
            (noise - 0.5) * reach
        }
    };
    (0..3 * KEYPOINTS + 4 * EDGES).flat_map(|plane| (0..cells).map(move |cell| value(plane, cell))).collect()
}

#[test]
fn people_are_those_of_posenet() {
    let reference: Value = serde_json::from_str(include_str!("reference/posenet.json")).unwrap();
    let mut compared = 0;
    for case in reference["cases"].as_array().unwrap() {
        let number = |key: &str| case[key].as_f64().unwrap();
        let grid = Grid {
            width: number("width") as usize,
            height: number("height") as usize,
            stride: number("stride"),
            origin: 0.0,
        };
        let parameters = DisplacementDecoding {
            max_people: number("max") as usize,
            score_threshold: number("threshold") as f32,
            nms_radius: number("radius") as f32,
            ..DisplacementDecoding::default()
        };
        let decoder = DisplacementDecoder::posenet(parameters).unwrap();
        let planes = maps(number("seed") as u32, grid.cells() as u32, number("reach") as f32);
        let found = decoder.decode(&planes, &grid).unwrap();
        let expected = case["poses"].as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for (ours, theirs) in found.iter().zip(expected) {
            assert!(
                (f64::from(ours.score) - theirs["score"].as_f64().unwrap()).abs() < 1e-5,
                "{} {theirs}",
                ours.score
            );
            for (ours, theirs) in ours.keypoints.iter().zip(theirs["keypoints"].as_array().unwrap()) {
                let [x, y, score] = [0, 1, 2].map(|index| theirs[index].as_f64().unwrap());
                let near = (ours.x - x).abs() < 1e-3 && (ours.y - y).abs() < 1e-3;
                assert!(near && (f64::from(ours.score) - score).abs() < 1e-6, "{ours:?} against {theirs}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 65 * 17);
}
