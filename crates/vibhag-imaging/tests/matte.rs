//! Against OpenCV, NumPy and pymatting, frozen by `bench/reference/matte.py`.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

use serde_json::Value;
use vibhag_core::Image;
use vibhag_imaging::matte::{GuidedFilter, estimate_foreground, guided_filter};

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/matte.json")).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u8).collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

#[test]
fn the_guided_filter_is_that_of_the_paper_up_to_the_borders_and_opencvs_within() {
    for case in reference()["filters"].as_array().unwrap() {
        let size = sizes(&case["size"]);
        let image = Image::from_u8(size[1], size[0], size[2], bytes(&case["image"])).unwrap();
        let radius = case["radius"].as_u64().unwrap() as usize;
        let options = GuidedFilter { radius, epsilon: case["epsilon"].as_f64().unwrap() as f32, step: 1 };
        let out = guided_filter(&image, &floats(&case["input"]), &options).unwrap();
        for (at, (value, exact)) in out.iter().zip(floats(&case["exact"])).enumerate() {
            assert!((value - exact).abs() < 2e-5, "{size:?} at {at}: {value} instead of {exact}");
        }
        // Where no window touches the border, of the second means either.
        let inner = |at: usize, side: usize| at >= 2 * radius && at + 2 * radius < side;
        let mut compared = 0;
        for (at, (value, opencv)) in out.iter().zip(floats(&case["opencv"])).enumerate() {
            if inner(at % size[1], size[1]) && inner(at / size[1], size[0]) {
                assert!((value - opencv).abs() < 2e-5, "{size:?} at {at}: {value}, OpenCV {opencv}");
                compared += 1;
            }
        }
        assert!(compared > 40 || radius > 10, "{compared} pixels compared");
    }
}

#[test]
fn colours_of_the_foreground_are_as_near_to_the_truth_as_pymattings() {
    let case = &reference()["foreground"];
    let size = sizes(&case["size"]);
    let image = Image::from_u8(size[1], size[0], 3, bytes(&case["image"])).unwrap();
    let (alpha, truth, peer) = (floats(&case["alpha"]), bytes(&case["truth"]), bytes(&case["pymatting"]));
    let found = estimate_foreground(&image, &alpha).unwrap();
    let soft: Vec<usize> = (0..alpha.len()).filter(|&i| alpha[i] > 0.02 && alpha[i] < 0.98).collect();
    // Weighted by alpha, since that much of the colour is seen.
    let error = |colors: &[u8]| {
        let of = |&i: &usize| {
            (0..3).map(|c| alpha[i] * f32::from(colors[3 * i + c].abs_diff(truth[3 * i + c]))).sum::<f32>()
        };
        soft.iter().map(of).sum::<f32>() / (3 * soft.len()) as f32
    };
    let (ours, theirs, before) = (error(&found), error(&peer), error(&image.to_rgb8()));
    assert!(ours < 1.05 * theirs && ours < 0.25 * before, "{ours}, pymatting {theirs}, the image itself {before}");
}
