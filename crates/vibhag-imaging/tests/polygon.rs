//! Polygons against masks frozen from pycocotools by `bench/reference/coco_masks.py`.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

use serde_json::Value;
use vibhag_core::{Polygon, Rle};
use vibhag_imaging::{outlines, rasterize};

fn polygon(part: &Value) -> Polygon {
    let numbers: Vec<f64> = part.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    Polygon { exterior: numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect(), holes: Vec::new() }
}

#[test]
fn masks_of_polygons_equal_those_of_pycocotools() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("reference/coco_masks.json")).unwrap();
    assert!(cases.len() > 80);
    for case in &cases {
        let side = |name: &str| case[name].as_u64().unwrap() as usize;
        let (width, height) = (side("width"), side("height"));
        let polygons: Vec<Polygon> = case["parts"].as_array().unwrap().iter().map(polygon).collect();
        let ours = rasterize(&polygons, width, height);
        let theirs = Rle::from_text(width, height, case["counts"].as_str().unwrap()).unwrap();
        assert_eq!(ours.runs().collect::<Vec<_>>(), theirs.runs().collect::<Vec<_>>(), "{case}");
        assert_eq!(ours.area(), case["area"].as_u64().unwrap());
        assert_eq!(rasterize(&outlines(&ours), width, height), ours, "{case}");
    }
}
