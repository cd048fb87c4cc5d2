//! Panoptic quality equals that of its authors' code, frozen by bench/reference/panoptic.py.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

mod scenes;

use std::collections::BTreeMap;

use scenes::{Scene, close, table};
use serde::Deserialize;
use vibhag_metrics::{PanopticEvaluationBuilder, PanopticMean};

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    things: Vec<usize>,
    images: Vec<Scene>,
    all: PanopticMean,
    things_mean: PanopticMean,
    stuff_mean: PanopticMean,
    mean_iou: f64,
    per_image: Vec<Image>,
    per_class: Vec<Class>,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "PQ")]
    pq: f64,
    tp: u64,
    fp: u64,
    #[serde(rename = "fn")]
    fn_: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Class {
    pq: f64,
    sq: f64,
    rq: f64,
    tp: u64,
    fp: u64,
    #[serde(rename = "FN")]
    fn_: u64,
}

const F64: f64 = 1e-9;

#[track_caller]
fn same(ours: PanopticMean, reference: PanopticMean, what: &str) {
    close(ours.pq, reference.pq, F64, what);
    close(ours.sq, reference.sq, F64, what);
    close(ours.rq, reference.rq, F64, what);
    assert_eq!(ours.n, reference.n, "{what}");
}

#[test]
fn panoptic_quality_equals_that_of_its_authors_code() {
    let reference: Reference = serde_json::from_str(include_str!("reference/panoptic.json")).unwrap();
    assert_eq!(reference.cases.len(), 6);
    for case in reference.cases {
        let name = &case.name;
        let mut builder = PanopticEvaluationBuilder::new(table(case.classes, &case.things));
        for (index, (image, wanted)) in case.images.iter().zip(&case.per_image).enumerate() {
            let what = format!("{name}, image {index}");
            let row =
                builder.add_image(&format!("{index}"), &BTreeMap::new(), &image.truth(), &image.prediction()).unwrap();
            assert_eq!([row.tp, row.fp, row.fn_], [wanted.tp, wanted.fp, wanted.fn_], "{what}");
            // Their code cannot average over no class; here nothing to find and nothing found is perfect.
            let nothing = wanted.tp + wanted.fp + wanted.fn_ == 0;
            close(row.pq, if nothing { 1.0 } else { wanted.pq }, F64, &what);
        }
        let ours = builder.finish();
        for (class, wanted) in ours.classes.iter().zip(&case.per_class) {
            let what = format!("{name}, {}", class.name);
            assert_eq!([class.tp, class.fp, class.fn_], [wanted.tp, wanted.fp, wanted.fn_], "{what}");
            close(class.pq, wanted.pq, F64, &what);
            close(class.sq, wanted.sq, F64, &what);
            close(class.rq, wanted.rq, F64, &what);
        }
        same(PanopticMean { pq: ours.pq, sq: ours.sq, rq: ours.rq, n: case.all.n }, case.all, name);
        same(ours.things, case.things_mean, name);
        same(ours.stuff, case.stuff_mean, name);
        if case.all.n > 0 {
            close(ours.mean_iou, case.mean_iou, F64, name);
        } else {
            assert!(ours.notes[0].contains("nothing to score"), "{:?}", ours.notes);
        }
    }
}
