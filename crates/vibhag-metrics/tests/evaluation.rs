//! Properties of the evaluation: merging equals scoring jointly, order does not matter, and the JSON
//! object has the promised keys.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vibhag_core::{ClassTable, LabelMap};
use vibhag_metrics::{ConfusionMatrix, Evaluation, EvaluationBuilder};

const WIDTH: usize = 5;
const HEIGHT: usize = 4;
const VOID: u16 = 255;

type Pair = (Vec<u16>, Vec<u16>);

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    let truth = prop_oneof![0_u16..3, 0_u16..3, 0_u16..3, Just(VOID)];
    let plane = (prop::collection::vec(truth.clone(), WIDTH * HEIGHT), prop::collection::vec(truth, WIDTH * HEIGHT));
    prop::collection::vec(plane, 0..8)
}

fn builder(pairs: &[(usize, &Pair)]) -> EvaluationBuilder {
    let mut builder = EvaluationBuilder::new(ClassTable::from_names(["a", "b", "c"]).with_ignore(Some(VOID)));
    for (index, (truth, prediction)) in pairs {
        let tags = BTreeMap::from([("diagnosis".to_owned(), format!("d{}", index % 2))]);
        let truth = LabelMap::new(WIDTH, HEIGHT, truth.clone()).unwrap();
        let prediction = LabelMap::new(WIDTH, HEIGHT, prediction.clone()).unwrap();
        builder.add_image(&format!("image {index}"), &tags, &truth, &prediction).unwrap();
    }
    builder
}

proptest! {
    #[test]
    fn merged_parts_equal_the_whole_in_any_order(pairs in pairs(), cut in 0_usize..8) {
        let numbered: Vec<(usize, &Pair)> = pairs.iter().enumerate().collect();
        let whole = builder(&numbered).finish();
        let cut = cut.min(numbered.len());
        let mut merged = builder(&numbered[cut..]);
        merged.merge(builder(&numbered[..cut])).unwrap();
        prop_assert_eq!(&whole, &merged.finish());
        let reversed: Vec<_> = numbered.into_iter().rev().collect();
        prop_assert_eq!(&whole, &builder(&reversed).finish());
    }

    #[test]
    fn scores_are_bounded_and_consistent(pairs in pairs()) {
        let evaluation = builder(&pairs.iter().enumerate().collect::<Vec<_>>()).finish();
        let figures = [
            evaluation.mean_iou, evaluation.dice_per_image, evaluation.iou_per_image, evaluation.dice_pooled,
            evaluation.iou_pooled, evaluation.threshold_jaccard, evaluation.pixel_accuracy,
        ];
        prop_assert!(figures.iter().all(|f| (0.0..=1.0).contains(f)), "{:?}", figures);
        prop_assert!(evaluation.threshold_jaccard <= evaluation.iou_per_image);
        prop_assert!(evaluation.per_image.is_sorted_by(|a, b| a.dice <= b.dice));
        prop_assert_eq!(evaluation.by_diagnosis.values().map(|g| g.images).sum::<usize>(), evaluation.images);
        for class in &evaluation.classes {
            prop_assert!((class.dice - 2.0 * class.iou / (1.0 + class.iou)).abs() < 1e-12);
        }
        for row in &evaluation.per_image {
            prop_assert!(row.iou <= row.dice + 1e-12);
        }
    }

    #[test]
    fn pixel_order_does_not_change_the_matrix((truth, prediction) in (prop::collection::vec(0_u16..3, 30), prop::collection::vec(0_u16..3, 30)), turn in 0_usize..30) {
        let mut straight = ConfusionMatrix::new(3);
        straight.add(&truth, &prediction, None).unwrap();
        let (mut truth, mut prediction) = (truth, prediction);
        truth.rotate_left(turn);
        prediction.rotate_left(turn);
        let mut rotated = ConfusionMatrix::new(3);
        rotated.add(&truth, &prediction, None).unwrap();
        prop_assert_eq!(straight, rotated);
    }

    #[test]
    fn a_relabelling_permutes_the_classes(truth in prop::collection::vec(0_u16..3, 30), prediction in prop::collection::vec(0_u16..3, 30)) {
        let shift = |labels: &[u16]| labels.iter().map(|label| (label + 1) % 3).collect::<Vec<_>>();
        let (mut plain, mut shifted) = (ConfusionMatrix::new(3), ConfusionMatrix::new(3));
        plain.add(&truth, &prediction, None).unwrap();
        shifted.add(&shift(&truth), &shift(&prediction), None).unwrap();
        for class in 0..3 {
            prop_assert_eq!(plain.counts(class), shifted.counts((class + 1) % 3));
        }
        prop_assert!((plain.mean_iou() - shifted.mean_iou()).abs() < 1e-12);
    }
}

fn binary_example() -> Evaluation {
    let mut builder = EvaluationBuilder::new(ClassTable::binary("naevus"));
    let map = |labels: [u16; 4]| LabelMap::new(2, 2, labels.to_vec()).unwrap();
    let tags = |diagnosis: &str| BTreeMap::from([("diagnosis".to_owned(), diagnosis.to_owned())]);
    builder.add_image("good", &tags("common"), &map([0, 1, 1, 0]), &map([0, 1, 1, 0])).unwrap();
    builder.add_image("half", &tags("atypical"), &map([0, 1, 1, 0]), &map([0, 1, 0, 0])).unwrap();
    builder.add_image("none", &BTreeMap::new(), &map([0; 4]), &map([0; 4])).unwrap();
    builder.finish()
}

#[test]
fn binary_scores_are_of_the_foreground() {
    let evaluation = binary_example();
    assert_eq!(evaluation.per_image[0].image, "half");
    assert_eq!(evaluation.per_image[0].iou, 0.5);
    assert_eq!(evaluation.iou_pooled, 0.75);
    assert_eq!(evaluation.iou_per_image, 2.5 / 3.0);
    assert_eq!(evaluation.threshold_jaccard, 2.0 / 3.0);
    assert_eq!(evaluation.by_diagnosis["atypical"].dice_per_image, 2.0 / 3.0);
    assert_eq!(evaluation.by_diagnosis.len(), 2);
    let interval = evaluation.dice_per_image_ci95.unwrap();
    assert!(interval.low <= evaluation.dice_per_image && evaluation.dice_per_image <= interval.high);
}

#[test]
fn a_model_that_sees_one_class_everywhere_is_named() {
    let notes = |prediction: [u16; 4]| {
        let mut builder = EvaluationBuilder::new(ClassTable::binary("naevus"));
        let map = |labels: [u16; 4]| LabelMap::new(2, 2, labels.to_vec()).unwrap();
        builder.add_image("a", &BTreeMap::new(), &map([0, 1, 1, 0]), &map(prediction)).unwrap();
        builder.finish().notes
    };
    assert!(notes([0, 1, 1, 1]).is_empty());
    assert!(notes([1; 4])[0].contains("\"naevus\" (50 % in truth)"), "{:?}", notes([1; 4]));
    assert!(notes([0; 4])[0].contains("background"));
}

#[test]
fn the_json_object_has_the_promised_keys_and_reads_back() {
    let evaluation = binary_example();
    let json = serde_json::to_value(&evaluation).unwrap();
    for key in [
        "images",
        "classes",
        "mean_iou",
        "dice_per_image",
        "iou_per_image",
        "boundary_iou",
        "dice_pooled",
        "iou_pooled",
        "threshold_jaccard",
        "pixel_accuracy",
        "per_image",
        "by_diagnosis",
        "confusion",
        "conventions",
    ] {
        assert!(json.get(key).is_some(), "{key} is missing");
    }
    for key in ["name", "iou", "dice", "precision", "recall"] {
        assert!(json["classes"][1].get(key).is_some(), "classes.{key} is missing");
    }
    for key in ["image", "dice", "iou", "boundary_iou"] {
        assert!(json["per_image"][0].get(key).is_some(), "per_image.{key} is missing");
    }
    assert!(json["conventions"].to_string().contains("absent from both truth and prediction scores 1"));
    assert_eq!(serde_json::from_value::<Evaluation>(json).unwrap(), evaluation);
}

#[test]
fn no_image_and_no_valid_pixel_give_finite_figures() {
    let empty = EvaluationBuilder::new(ClassTable::binary("cell")).finish();
    assert_eq!((empty.images, empty.dice_pooled, empty.pixel_accuracy, empty.dice_per_image_ci95), (0, 0.0, 0.0, None));
    let mut builder = EvaluationBuilder::new(ClassTable::binary("cell").with_ignore(Some(VOID)));
    builder.add_image("void", &BTreeMap::new(), &LabelMap::filled(2, 2, VOID), &LabelMap::filled(2, 2, 1)).unwrap();
    assert_eq!(builder.finish().dice_per_image, 1.0);
}

#[test]
fn faults_name_the_image_and_count_nothing() {
    let mut builder = EvaluationBuilder::new(ClassTable::binary("cell"));
    let error =
        builder.add_image("x7", &BTreeMap::new(), &LabelMap::filled(2, 2, 0), &LabelMap::filled(2, 3, 0)).unwrap_err();
    assert!(error.to_string().contains("x7: 2x2 against 2x3"), "{error}");
    let error =
        builder.add_image("x8", &BTreeMap::new(), &LabelMap::filled(2, 2, 3), &LabelMap::filled(2, 2, 0)).unwrap_err();
    assert!(error.to_string().contains("x8: the truth holds label 3"), "{error}");
    assert_eq!(builder.images(), 0);
}
