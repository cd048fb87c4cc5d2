//! Against SciPy's `distance_transform_edt`, frozen by `bench/reference/distance.py`.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

use serde_json::Value;
use vibhag_imaging::distance::{label_distance, nearest, squared_distance};

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/distance.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

fn squares(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|square| square as f32).collect()
}

#[test]
fn squared_distances_equal_scipy() {
    for case in reference()["masks"].as_array().unwrap() {
        let size = numbers(&case["size"]);
        let (height, width) = (size[0] as usize, size[1] as usize);
        let mask: Vec<bool> = numbers(&case["mask"]).into_iter().map(|v| v == 1).collect();
        assert_eq!(squared_distance(&mask, width, height, false), squares(&case["squares"]), "{size:?}");
        assert_eq!(squared_distance(&mask, width, height, true), squares(&case["bordered"]), "{size:?}");
        let background: Vec<bool> = mask.iter().map(|inside| !inside).collect();
        let to_nearest = nearest(&background, width, height).into_iter().enumerate().map(|(index, site)| {
            let site = site as usize;
            let (dx, dy) = ((index % width).abs_diff(site % width), (index / width).abs_diff(site / width));
            (dx * dx + dy * dy) as f32
        });
        assert_eq!(to_nearest.collect::<Vec<f32>>(), squares(&case["squares"]), "{size:?}");
    }
}

#[test]
fn distances_within_labels_equal_scipy_on_each_label() {
    for case in reference()["labels"].as_array().unwrap() {
        let size = numbers(&case["size"]);
        let expected: Vec<f32> = squares(&case["squares"]).into_iter().map(f32::sqrt).collect();
        assert_eq!(label_distance(&numbers(&case["ids"]), size[1] as usize, size[0] as usize), expected, "{size:?}");
    }
}
