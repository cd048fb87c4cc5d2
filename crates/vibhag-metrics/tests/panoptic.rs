//! Properties of the panoptic evaluation, and its promised keys.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

mod scenes;

use std::collections::BTreeMap;

use proptest::prelude::*;
use scenes::{random_images, renumbered, table};
use vibhag_core::{ClassTable, IdMap, Panoptic, Purpose, Rng, Segment};
use vibhag_metrics::{PanopticEvaluation, PanopticEvaluationBuilder, match_segments};

type Images = [(Panoptic, Panoptic)];

/// Class 1 is a thing, class 2 is stuff.
fn classes() -> ClassTable {
    table(3, &[1])
}

fn builder(images: &Images, numbers: impl IntoIterator<Item = usize>) -> PanopticEvaluationBuilder {
    let mut builder = PanopticEvaluationBuilder::new(classes());
    for number in numbers {
        let (truth, prediction) = &images[number];
        builder.add_image(&format!("image {number}"), &BTreeMap::new(), truth, prediction).unwrap();
    }
    builder
}

fn evaluate(images: &Images) -> PanopticEvaluation {
    builder(images, 0..images.len()).finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merged_parts_equal_the_whole_in_any_order(seed in 0_u64..1000, count in 0_usize..7, cut in 0_usize..7) {
        let images = random_images(seed, count);
        let whole = evaluate(&images);
        let cut = cut.min(count);
        let mut merged = builder(&images, cut..count);
        merged.merge(builder(&images, 0..cut)).unwrap();
        prop_assert_eq!(&whole, &merged.finish());
        prop_assert_eq!(&whole, &builder(&images, (0..count).rev()).finish());
    }

    #[test]
    fn a_perfect_prediction_scores_one(seed in 0_u64..1000) {
        let images: Vec<_> = random_images(seed, 3).into_iter().map(|(truth, _)| (truth.clone(), truth)).collect();
        let e = evaluate(&images);
        let expected = if images.iter().all(|(truth, _)| truth.segments.is_empty()) { 0.0 } else { 1.0 };
        prop_assert_eq!((e.pq, e.sq, e.rq), (expected, expected, expected));
        prop_assert!(e.per_image.iter().all(|row| row.pq == 1.0 && row.fp + row.fn_ == 0));
        prop_assert_eq!(e.mean_iou, 1.0);
    }

    #[test]
    fn the_numbers_of_the_segments_do_not_matter(seed in 0_u64..1000) {
        let images = random_images(seed, 3);
        let mut rng = Rng::new(seed, 1, 0, Purpose::Synthesis);
        let turned: Vec<_> =
            images.iter().map(|(truth, prediction)| (renumbered(&mut rng, truth), renumbered(&mut rng, prediction))).collect();
        let (a, b) = (evaluate(&images), evaluate(&turned));
        prop_assert!((a.pq - b.pq).abs() < 1e-12 && a.mean_iou == b.mean_iou);
        let counts = |e: &PanopticEvaluation| e.classes.iter().map(|c| (c.tp, c.fp, c.fn_)).collect::<Vec<_>>();
        prop_assert_eq!(counts(&a), counts(&b));
    }

    #[test]
    fn without_void_truth_and_prediction_change_places(seed in 0_u64..1000) {
        for (truth, prediction) in random_images(seed, 3) {
            // What belongs to no segment becomes one of a class of its own.
            let whole = |map: &Panoptic| {
                let mut map = map.clone();
                map.segments.push(Segment::truth(0));
                let last = map.segments.len() as u32;
                map.ids.ids_mut().iter_mut().filter(|id| **id == 0).for_each(|id| *id = last);
                map
            };
            let (truth, prediction) = (whole(&truth), whole(&prediction));
            let there = match_segments(&truth, &prediction, &classes()).unwrap();
            let back = match_segments(&prediction, &truth, &classes()).unwrap();
            let mut turned: Vec<_> = back.pairs.iter().map(|&(a, b, iou)| (b, a, iou)).collect();
            turned.sort_by_key(|pair| pair.0);
            prop_assert_eq!(there.pairs, turned);
            prop_assert_eq!((there.missed, there.false_objects), (back.false_objects, back.missed));
        }
    }

    #[test]
    fn quality_is_bounded_and_the_counts_are_complete(seed in 0_u64..1000) {
        let images = random_images(seed, 4);
        let e = evaluate(&images);
        for class in &e.classes {
            prop_assert!((class.pq - class.sq * class.rq).abs() < 1e-12 && (0.0..=1.0).contains(&class.pq));
        }
        prop_assert!(e.per_image.is_sorted_by(|a, b| a.pq <= b.pq));
        let segments: usize = images.iter().map(|(truth, _)| truth.segments.len()).sum();
        prop_assert_eq!(e.classes.iter().map(|class| class.tp + class.fn_).sum::<u64>(), segments as u64);
        if let Some(interval) = e.pq_ci95 {
            prop_assert!(interval.low <= interval.high);
        }
    }
}

#[test]
fn the_json_object_has_the_promised_keys_and_reads_back() {
    let e = evaluate(&random_images(2, 4));
    let json = serde_json::to_value(&e).unwrap();
    for key in
        ["images", "PQ", "SQ", "RQ", "PQ_ci95", "things", "stuff", "classes", "per_image", "mean_iou", "conventions"]
    {
        assert!(json.get(key).is_some(), "{key} is missing");
    }
    for key in ["PQ", "SQ", "RQ", "n"] {
        assert!(json["things"].get(key).is_some(), "things.{key} is missing");
    }
    for key in ["name", "thing", "PQ", "SQ", "RQ", "TP", "FP", "FN"] {
        assert!(json["classes"][0].get(key).is_some(), "classes.{key} is missing");
    }
    for key in ["image", "PQ", "tp", "fp", "fn"] {
        assert!(json["per_image"][0].get(key).is_some(), "per_image.{key} is missing");
    }
    assert_eq!(serde_json::from_value::<PanopticEvaluation>(json).unwrap(), e);
}

#[test]
fn no_image_gives_zero() {
    let e = evaluate(&[]);
    assert_eq!((e.images, e.pq, e.mean_iou, e.things.n, e.pq_ci95), (0, 0.0, 0.0, 0, None));
    assert!(e.notes.is_empty());
}

#[test]
fn faults_name_the_image_and_count_nothing() {
    let mut builder = PanopticEvaluationBuilder::new(classes());
    let map = |width, class| {
        let ids = IdMap::new(width, 4 / width, vec![1; 4]).unwrap();
        Panoptic::new(ids, vec![Segment::truth(class)]).unwrap()
    };
    let error = builder.add_image("x7", &BTreeMap::new(), &map(2, 1), &map(4, 1)).unwrap_err().to_string();
    assert!(error.contains("x7: 2x2 against 4x1"), "{error}");
    let error = builder.add_image("x8", &BTreeMap::new(), &map(2, 1), &map(2, 7)).unwrap_err().to_string();
    assert!(error.contains("x8: class 7 in a table of 3 classes (segment 1 of the prediction)"), "{error}");
    assert_eq!(builder.images(), 0);
    assert!(builder.merge(PanopticEvaluationBuilder::new(table(3, &[2]))).is_err());
}
