//! Scores equal those of torchmetrics and numpy, frozen by bench/reference/metrics.py.

use std::collections::BTreeMap;

use serde::Deserialize;
use vibhag_core::{ClassTable, LabelMap};
use vibhag_metrics::EvaluationBuilder;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    ignore: Option<u16>,
    width: usize,
    height: usize,
    images: Vec<ReferenceImage>,
    confusion: Vec<Vec<u64>>,
    class_iou: Vec<f64>,
    class_dice: Vec<f64>,
    class_precision: Vec<f64>,
    class_recall: Vec<f64>,
    mean_iou: f64,
    pixel_accuracy: f64,
    dice_per_image: f64,
    iou_per_image: f64,
    dice_pooled: f64,
    iou_pooled: f64,
    threshold_jaccard: f64,
}

#[derive(Deserialize)]
struct ReferenceImage {
    truth: Vec<u16>,
    prediction: Vec<u16>,
    scores: BTreeMap<String, f64>,
}

/// torchmetrics computes in f32; the numpy figures are f64.
const F32: f64 = 1e-6;
const F64: f64 = 1e-12;

#[track_caller]
fn close(ours: f64, reference: f64, tolerance: f64, what: &str) {
    assert!((ours - reference).abs() <= tolerance, "{what}: {ours} against {reference}");
}

#[test]
fn scores_equal_the_frozen_reference() {
    let reference: Reference = serde_json::from_str(include_str!("reference/metrics.json")).unwrap();
    assert_eq!(reference.cases.len(), 3);
    for case in reference.cases {
        let name = &case.name;
        let table =
            ClassTable::from_names((0..case.classes).map(|class| format!("class {class}"))).with_ignore(case.ignore);
        let mut builder = EvaluationBuilder::new(table);
        for (index, image) in case.images.iter().enumerate() {
            let truth = LabelMap::new(case.width, case.height, image.truth.clone()).unwrap();
            let prediction = LabelMap::new(case.width, case.height, image.prediction.clone()).unwrap();
            let row = builder.add_image(&index.to_string(), &BTreeMap::new(), &truth, &prediction).unwrap();
            for (key, ours) in
                [("dice", row.dice), ("iou", row.iou), ("precision", row.precision), ("recall", row.recall)]
            {
                close(ours, image.scores[key], F64, &format!("{name}, image {index}, {key}"));
            }
        }
        let evaluation = builder.finish();
        assert_eq!(evaluation.confusion.counts, case.confusion, "{name}");
        for (class, score) in evaluation.classes.iter().enumerate() {
            close(score.iou, case.class_iou[class], F32, name);
            close(score.dice, case.class_dice[class], F32, name);
            close(score.precision, case.class_precision[class], F32, name);
            close(score.recall, case.class_recall[class], F32, name);
        }
        close(evaluation.mean_iou, case.mean_iou, F32, name);
        close(evaluation.pixel_accuracy, case.pixel_accuracy, F32, name);
        close(evaluation.dice_per_image, case.dice_per_image, F64, name);
        close(evaluation.iou_per_image, case.iou_per_image, F64, name);
        close(evaluation.dice_pooled, case.dice_pooled, F64, name);
        close(evaluation.iou_pooled, case.iou_pooled, F64, name);
        close(evaluation.threshold_jaccard, case.threshold_jaccard, F64, name);
    }
}
