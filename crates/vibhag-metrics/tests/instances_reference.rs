//! Scores of objects equal those of pycocotools, faster-coco-eval and stardist, frozen by
//! bench/reference/instance_scores.py.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

mod scenes;

use std::collections::BTreeMap;

use scenes::{Scene, close, table};
use serde::Deserialize;
use vibhag_metrics::{InstanceEvaluation, InstanceEvaluationBuilder, boundary_iou, match_objects};

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    things: Vec<usize>,
    max_detections: usize,
    images: Vec<Scene>,
    coco: serde_json::Map<String, serde_json::Value>,
    bowl: Option<Bowl>,
    boundary_ious: Vec<Vec<(u32, u32, f64)>>,
}

#[derive(Deserialize)]
struct Bowl {
    ap_dsb: BTreeMap<String, f64>,
    ap_dsb_by_image: f64,
    tp: u64,
    fp: u64,
    #[serde(rename = "fn")]
    fn_: u64,
    mean_matched_iou: Option<f64>,
    /// By image: threshold, TP, FP, FN, sum of the matched IoUs.
    matchings: Vec<Vec<[f64; 5]>>,
}

const F64: f64 = 1e-9;
/// stardist computes its IoUs in f32.
const F32: f64 = 1e-6;

fn cases() -> Vec<Case> {
    serde_json::from_str::<Reference>(include_str!("reference/instances.json")).unwrap().cases
}

fn evaluate(case: &Case) -> InstanceEvaluation {
    let mut builder =
        InstanceEvaluationBuilder::new(table(case.classes, &case.things)).with_max_detections(case.max_detections);
    for (index, image) in case.images.iter().enumerate() {
        builder.add_image(&format!("{index:03}"), &BTreeMap::new(), &image.truth(), &image.prediction()).unwrap();
    }
    builder.finish()
}

#[test]
fn average_precision_equals_that_of_coco() {
    let cases = cases();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let ours = serde_json::to_value(evaluate(&case)).unwrap();
        for (key, reference) in case.coco {
            let what = format!("{}, {key}", case.name);
            if key == "classes" {
                for (ours, reference) in ours[&key].as_array().unwrap().iter().zip(reference.as_array().unwrap()) {
                    for key in ["AP", "AP50"] {
                        same(&ours[key], &reference[key], &what);
                    }
                }
            } else {
                same(&ours[&key], &reference, &what);
            }
        }
    }
}

#[track_caller]
fn same(ours: &serde_json::Value, reference: &serde_json::Value, what: &str) {
    match (ours.as_f64(), reference.as_f64()) {
        (Some(ours), Some(reference)) => close(ours, reference, F64, what),
        _ => assert!(ours.is_null() && reference.is_null(), "{what}: {ours} against {reference}"),
    }
}

#[test]
fn accuracies_equal_those_of_stardist() {
    for case in cases() {
        let (Some(bowl), name) = (&case.bowl, &case.name) else { continue };
        let ours = evaluate(&case);
        assert_eq!(ours.ap_dsb.len(), 10, "{name}");
        for (threshold, reference) in &bowl.ap_dsb {
            close(ours.ap_dsb[threshold], *reference, F64, &format!("{name} at {threshold}"));
        }
        close(ours.ap_dsb_by_image, bowl.ap_dsb_by_image, F64, name);
        let sum = |of: fn(&vibhag_metrics::InstanceClassScore) -> u64| ours.classes.iter().map(of).sum::<u64>();
        assert_eq!([sum(|c| c.tp), sum(|c| c.fp), sum(|c| c.fn_)], [bowl.tp, bowl.fp, bowl.fn_], "{name}");
        assert_eq!((ours.objects_truth, ours.objects_predicted), (bowl.tp + bowl.fn_, bowl.tp + bowl.fp), "{name}");
        match (ours.mean_matched_iou, bowl.mean_matched_iou) {
            (Some(ours), Some(reference)) => close(ours, reference, F32, name),
            (ours, reference) => assert_eq!(ours, reference, "{name}"),
        }
    }
}

#[test]
fn matchings_equal_those_of_stardist_at_every_threshold() {
    for case in cases() {
        let classes = table(case.classes, &case.things);
        for (index, (image, rows)) in case.images.iter().zip(case.bowl.iter().flat_map(|b| &b.matchings)).enumerate() {
            for &[threshold, tp, fp, fn_, sum] in rows {
                let what = format!("{}, image {index} at {threshold}", case.name);
                let ours = match_objects(&image.truth(), &image.prediction(), &classes, threshold).unwrap();
                let counts = [ours.pairs.len(), ours.false_objects.len(), ours.missed.len()].map(|n| n as f64);
                assert_eq!(counts, [tp, fp, fn_], "{what}");
                close(ours.pairs.iter().map(|pair| pair.2).sum(), sum, F32 * (1.0 + tp), &what);
            }
        }
    }
}

#[test]
fn boundary_iou_equals_erosion_by_scipy() {
    let mut compared = 0;
    for case in cases() {
        for (index, (image, rows)) in case.images.iter().zip(&case.boundary_ious).enumerate() {
            let (truth, prediction) = (image.truth(), image.prediction());
            let mask = |map: &vibhag_core::Panoptic, wanted: u32| {
                let pixels = map.ids.ids().iter().map(|&id| id == wanted).collect();
                vibhag_core::BinaryMask::new(map.ids.width(), map.ids.height(), pixels).unwrap()
            };
            for &(t, p, reference) in rows {
                let ours = boundary_iou(&mask(&truth, t), &mask(&prediction, p)).unwrap();
                close(ours, reference, F64, &format!("{}, image {index}, {t} and {p}", case.name));
                compared += 1;
            }
        }
    }
    assert!(compared > 400, "{compared}");
}
