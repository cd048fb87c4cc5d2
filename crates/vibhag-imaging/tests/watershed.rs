//! Against scikit-image's `watershed`, frozen by `bench/reference/watershed.py`.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

use serde_json::Value;
use vibhag_imaging::Connectivity;
use vibhag_imaging::watershed::watershed;

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

#[test]
fn floods_equal_those_of_scikit_image() {
    let reference: Value = serde_json::from_str(include_str!("reference/watershed.json")).unwrap();
    for case in reference["cases"].as_array().unwrap() {
        let size = numbers(&case["size"]);
        let landscape: Vec<f32> =
            case["landscape"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        let mask: Vec<bool> = numbers(&case["mask"]).into_iter().map(|v| v == 1).collect();
        let seeds = numbers(&case["seeds"]);
        for (key, connectivity) in [("four", Connectivity::Four), ("eight", Connectivity::Eight)] {
            let size = (size[1] as usize, size[0] as usize);
            let labels = watershed(&landscape, &seeds, Some(&mask), size, connectivity);
            assert_eq!(labels, numbers(&case[key]), "{size:?}, {key}");
            if !mask.contains(&false) {
                assert_eq!(watershed(&landscape, &seeds, None, size, connectivity), labels);
            }
        }
    }
}
