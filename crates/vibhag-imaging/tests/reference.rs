//! Against values frozen from PyTorch and SciPy by `bench/reference/imaging.py`.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

use serde_json::Value;
use vibhag_core::{BinaryMask, Image, Samples};
use vibhag_imaging::{Connectivity, gaussian_blur, label_components, resize_image, resize_plane_bilinear};

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/imaging.json")).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn planes_resize_as_torch_interpolate() {
    for case in reference()["planes"].as_array().unwrap() {
        let (from, to) = (sizes(&case["from"]), sizes(&case["to"]));
        let out = resize_plane_bilinear(&floats(&case["src"]), (from[0], from[1]), (to[0], to[1]));
        let difference = worst(&out, &floats(&case["out"]));
        assert!(difference < 1e-6, "{from:?} to {to:?}: {difference}");
    }
}

#[test]
fn images_resize_as_torch_antialiased_interpolate() {
    for case in reference()["images"].as_array().unwrap() {
        let (from, to) = (sizes(&case["from"]), sizes(&case["to"]));
        let values = floats(&case["src"]);
        let eight = values.iter().map(|&v| v as u8).collect();
        let sixteen = values.iter().map(|&v| v as u16 * 257).collect();
        // Half a step of each depth.
        for (samples, tolerance) in [(Samples::U8(eight), 0.501), (Samples::U16(sixteen), 0.003)] {
            let image = Image::new(from[1], from[0], from[2], samples).unwrap();
            let out = resize_image(&image, to[1], to[0]).unwrap().to_f32();
            let difference = worst(&out, &floats(&case["out"]));
            assert!(difference < tolerance, "{from:?} to {to:?}: {difference}");
        }
    }
}

#[test]
fn components_are_numbered_as_scipy_label() {
    for case in reference()["components"].as_array().unwrap() {
        let size = sizes(&case["size"]);
        let pixels = sizes(&case["mask"]).into_iter().map(|v| v == 1).collect();
        let mask = BinaryMask::new(size[1], size[0], pixels).unwrap();
        for (key, connectivity) in [("four", Connectivity::Four), ("eight", Connectivity::Eight)] {
            let labels: Vec<usize> =
                label_components(&mask, connectivity).labels.into_iter().map(|label| label as usize).collect();
            assert_eq!(labels, sizes(&case[key]), "{key}");
        }
    }
}

#[test]
fn blur_equals_scipy_gaussian_filter() {
    let blur = &reference()["blur"];
    let width = sizes(&blur["size"])[1];
    for case in blur["cases"].as_array().unwrap() {
        let mut pixels = floats(&blur["src"]);
        gaussian_blur(&mut pixels, width, 1, case["sigma"].as_f64().unwrap() as f32);
        let difference = worst(&pixels, &floats(&case["out"]));
        assert!(difference < 1e-3, "sigma {}: {difference}", case["sigma"]);
    }
}
