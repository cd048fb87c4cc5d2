//! Properties of the evaluation of objects, and its promised keys.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

mod scenes;

use std::collections::BTreeMap;

use proptest::prelude::*;
use scenes::{random_images, renumbered, table};
use vibhag_core::{IdMap, Panoptic, Purpose, Rng, Segment};
use vibhag_metrics::{
    INSTANCE_METRICS, InstanceEvaluation, InstanceEvaluationBuilder, Overlaps, boundary_distance, match_objects,
};

type Images = [(Panoptic, Panoptic)];

fn builder(images: &Images, numbers: impl IntoIterator<Item = usize>) -> InstanceEvaluationBuilder {
    let mut builder = InstanceEvaluationBuilder::new(table(3, &[1, 2]));
    for number in numbers {
        let tags = BTreeMap::from([("group".to_owned(), format!("{}", number % 2))]);
        let (truth, prediction) = &images[number];
        builder.add_image(&format!("image {number}"), &tags, truth, prediction).unwrap();
    }
    builder
}

fn evaluate(images: &Images) -> InstanceEvaluation {
    builder(images, 0..images.len()).finish()
}

fn row(width: usize, ids: &[u32], segments: &[Segment]) -> Panoptic {
    Panoptic::new(IdMap::new(width, ids.len() / width, ids.to_vec()).unwrap(), segments.to_vec()).unwrap()
}

fn scored(class: u16, score: f32) -> Segment {
    Segment { score, ..Segment::truth(class) }
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
        prop_assert!(e.ap_dsb.values().all(|&ap| ap == 1.0) && e.ap_dsb_mean == 1.0 && e.ap_dsb_by_image == 1.0);
        let objects = images.iter().any(|(truth, _)| !truth.segments.is_empty());
        let expected = objects.then_some(1.0);
        for figure in [e.ap, e.ap50, e.ap75, e.ar, e.ap_bbox, e.ap50_bbox, e.ap_boundary, e.mean_matched_iou] {
            prop_assert!(figure.map(|f| (f * 1e12).round() / 1e12) == expected, "{:?}", e);
        }
        prop_assert_eq!((e.count_mae, e.count_bias, e.precision50, e.recall50, e.f1_50), (0.0, 0.0, 1.0, 1.0, 1.0));
        prop_assert!(e.sizes.iter().all(|pair| pair.truth == pair.predicted));
        prop_assert_eq!(&e.size_histogram.truth, &e.size_histogram.predicted);
    }

    #[test]
    fn the_numbers_of_the_segments_do_not_matter(seed in 0_u64..1000) {
        let images = random_images(seed, 3);
        let mut rng = Rng::new(seed, 1, 0, Purpose::Synthesis);
        let turned: Vec<_> =
            images.iter().map(|(truth, prediction)| (renumbered(&mut rng, truth), renumbered(&mut rng, prediction))).collect();
        let mut ours = (evaluate(&images), evaluate(&turned));
        // A sum of floats in another order.
        for e in [&mut ours.0, &mut ours.1] {
            e.mean_matched_iou = e.mean_matched_iou.map(|iou| (iou * 1e12).round());
        }
        prop_assert_eq!(ours.0, ours.1);
    }

    #[test]
    fn truth_and_prediction_change_places(seed in 0_u64..1000, threshold in 0.05_f64..1.0) {
        let classes = table(3, &[1, 2]);
        for (truth, prediction) in random_images(seed, 3) {
            let there = match_objects(&truth, &prediction, &classes, threshold).unwrap();
            let back = match_objects(&prediction, &truth, &classes, threshold).unwrap();
            prop_assert_eq!(there.pairs.len(), back.pairs.len());
            // Below one half several matchings can be best; above, there is one.
            if threshold > 0.5 {
                let mut turned: Vec<_> = back.pairs.iter().map(|&(a, b, iou)| (b, a, iou)).collect();
                turned.sort_by_key(|pair| pair.0);
                prop_assert_eq!(there.pairs, turned);
                prop_assert_eq!((there.missed, there.false_objects), (back.false_objects, back.missed));
            }
        }
    }

    #[test]
    fn a_matching_is_one_to_one_of_one_class_and_complete(seed in 0_u64..1000, threshold in 0.05_f64..1.0) {
        let classes = table(3, &[1, 2]);
        for (truth, prediction) in random_images(seed, 3) {
            let matching = match_objects(&truth, &prediction, &classes, threshold).unwrap();
            let overlaps = Overlaps::new(&truth, &prediction).unwrap();
            for &(t, p, iou) in &matching.pairs {
                prop_assert!(iou >= threshold && iou == overlaps.iou(t, p));
                prop_assert_eq!(truth.segments[t as usize - 1].class, prediction.segments[p as usize - 1].class);
            }
            let mut truths: Vec<u32> = matching.pairs.iter().map(|pair| pair.0).chain(matching.missed).collect();
            let mut predictions: Vec<u32> =
                matching.pairs.iter().map(|pair| pair.1).chain(matching.false_objects).collect();
            truths.sort_unstable();
            predictions.sort_unstable();
            prop_assert_eq!(truths, (1..=truth.segments.len() as u32).collect::<Vec<_>>());
            prop_assert_eq!(predictions, (1..=prediction.segments.len() as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn figures_are_bounded_and_consistent(seed in 0_u64..1000) {
        let images = random_images(seed, 4);
        let e = evaluate(&images);
        for metric in INSTANCE_METRICS.iter().filter(|metric| !metric.name.starts_with("count_")) {
            let value = (metric.value)(&e).unwrap_or(0.0);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "{} is {}", metric.name, value);
        }
        let rising: Vec<f64> = e.ap_dsb.values().rev().copied().collect();
        prop_assert!(rising.is_sorted() && e.ap50 >= e.ap75 && e.ap_boundary <= e.ap.map(|ap| ap + 1e-12));
        prop_assert!(e.per_image.is_sorted_by(|a, b| a.ap_mean <= b.ap_mean));
        prop_assert_eq!(e.per_image.iter().map(|row| row.tp + row.fn_).sum::<u64>(), e.objects_truth);
        prop_assert_eq!(e.classes.iter().map(|class| class.tp + class.fp).sum::<u64>(), e.objects_predicted);
        prop_assert_eq!(e.size_histogram.predicted.iter().sum::<u64>(), e.objects_predicted);
    }
}

#[test]
fn the_json_object_has_the_promised_keys_and_reads_back() {
    let e = evaluate(&random_images(1, 4));
    let json = serde_json::to_value(&e).unwrap();
    for key in [
        "images",
        "objects_truth",
        "objects_predicted",
        "ap_dsb",
        "ap_dsb_mean",
        "ap_dsb_by_image",
        "ap_dsb_50_ci95",
        "AP",
        "AP50",
        "AP75",
        "AP_small",
        "AP_medium",
        "AP_large",
        "AR",
        "AP_bbox",
        "AP50_bbox",
        "AP_boundary",
        "count_mae",
        "count_error",
        "count_bias",
        "precision50",
        "recall50",
        "f1_50",
        "mean_matched_iou",
        "classes",
        "counts",
        "sizes",
        "size_histogram",
        "per_image",
        "conventions",
    ] {
        assert!(json.get(key).is_some(), "{key} is missing");
    }
    let thresholds: Vec<&String> = json["ap_dsb"].as_object().unwrap().keys().collect();
    assert_eq!((thresholds.len(), thresholds[0].as_str(), thresholds[9].as_str()), (10, "0.50", "0.95"));
    for key in ["image", "objects_truth", "objects_predicted", "tp", "fp", "fn", "ap50", "ap_mean", "tags"] {
        assert!(json["per_image"][0].get(key).is_some(), "per_image.{key} is missing");
    }
    for key in ["name", "AP", "AP50", "objects_truth", "objects_predicted", "tp", "fp", "fn"] {
        assert!(json["classes"][0].get(key).is_some(), "classes.{key} is missing");
    }
    for metric in INSTANCE_METRICS {
        assert_eq!(json[metric.name].as_f64(), (metric.value)(&e), "{}", metric.name);
    }
    assert_eq!(serde_json::from_value::<InstanceEvaluation>(json).unwrap(), e);
    assert!(e.conventions.iter().any(|line| line.contains("StarDist")));
}

#[test]
fn no_image_gives_zero_and_an_image_of_nothing_is_perfect() {
    let none = evaluate(&[]);
    assert_eq!(
        (none.ap_dsb_mean, none.ap_dsb_by_image, none.precision50, none.ap, none.ap_dsb_50_ci95),
        (0.0, 0.0, 0.0, None, None)
    );
    assert!(none.notes.is_empty() && none.size_histogram.edges.is_empty());
    let nothing = row(2, &[0; 4], &[]);
    let e = evaluate(&[(nothing.clone(), nothing)]);
    assert_eq!((e.ap_dsb_mean, e.ap_dsb_by_image, e.f1_50, e.ap, e.count_error), (1.0, 1.0, 1.0, None, None));
    assert!(e.notes[0].contains("no object in any image"), "{:?}", e.notes);
}

#[test]
fn an_object_of_two_halves_is_found_once() {
    let classes = table(3, &[1, 2]);
    let truth = row(8, &[1, 1, 1, 1, 0, 0, 0, 0], &[Segment::truth(1)]);
    let halves = row(8, &[1, 1, 2, 2, 0, 0, 0, 0], &[scored(1, 0.5), scored(1, 0.5)]);
    let matching = match_objects(&truth, &halves, &classes, 0.5).unwrap();
    assert_eq!((matching.pairs, matching.false_objects), (vec![(1, 1, 0.5)], vec![2]));
    let matching = match_objects(&halves, &truth, &classes, 0.5).unwrap();
    assert_eq!((matching.pairs, matching.missed), (vec![(1, 1, 0.5)], vec![2]));
}

#[test]
fn below_one_half_more_matches_come_before_larger_overlaps() {
    // Truth 1 overlaps prediction 1 most, but is the only partner of prediction 2.
    let truth = row(12, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2], &[Segment::truth(1), Segment::truth(1)]);
    let prediction = row(12, &[2, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0], &[scored(1, 0.5), scored(1, 0.5)]);
    let matching = match_objects(&truth, &prediction, &table(2, &[1]), 0.2).unwrap();
    assert_eq!(matching.pairs.iter().map(|pair| (pair.0, pair.1)).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
}

#[test]
fn only_objects_of_one_class_match_and_stuff_is_no_object() {
    let truth = row(4, &[1, 1, 2, 2], &[Segment::truth(1), Segment::truth(0)]);
    let prediction = row(4, &[1, 1, 2, 2], &[scored(2, 0.9), scored(0, 0.9)]);
    let matching = match_objects(&truth, &prediction, &table(3, &[1, 2]), 0.5).unwrap();
    assert_eq!((matching.pairs.len(), matching.missed, matching.false_objects), (0, vec![1], vec![1]));
}

#[test]
fn predictions_in_a_crowd_count_as_nothing() {
    let crowd = Segment { crowd: true, ..Segment::truth(1) };
    let truth = row(8, &[1, 1, 2, 2, 2, 2, 2, 0], &[Segment::truth(1), crowd]);
    let prediction = row(8, &[1, 1, 2, 2, 3, 3, 4, 4], &[1, 1, 2, 1].map(|class| scored(class, 0.5)));
    let matching = match_objects(&truth, &prediction, &table(3, &[1, 2]), 0.5).unwrap();
    assert_eq!((matching.pairs.len(), matching.ignored, matching.false_objects), (1, vec![2, 4], vec![3]));
    let e = evaluate(&[(truth, prediction)]);
    assert_eq!((e.objects_truth, e.objects_predicted, e.count_mae, e.classes[0].fp), (1, 2, 1.0, 0));
    assert!(e.notes.iter().any(|note| note.contains("2 predictions lie in crowds")), "{:?}", e.notes);
}

#[test]
fn segments_without_pixels_are_no_objects() {
    let truth = row(4, &[1, 1, 0, 0], &[Segment::truth(1), Segment::truth(1)]);
    let e = evaluate(&[(truth.clone(), truth)]);
    assert_eq!((e.objects_truth, e.objects_predicted, e.ap_dsb_mean), (1, 1, 1.0));
}

#[test]
fn the_notes_say_what_makes_the_figures_doubtful() {
    let width = 150;
    let ids: Vec<u32> = (0..width as u32 * 2).map(|i| if i < width as u32 { i + 1 } else { 0 }).collect();
    let map = row(width, &ids, &vec![Segment::truth(1); width]);
    let e = evaluate(&[(map.clone(), map)]);
    assert!(e.notes[0].contains("1 images have more than 100 predictions of one class: the 50"), "{:?}", e.notes);
    assert!(e.notes[1].contains("the same score"), "{:?}", e.notes);
    assert!((e.ap.unwrap() - 67.0 / 101.0).abs() < 1e-12 && e.ap_dsb_mean == 1.0);
}

#[test]
fn faults_name_the_image_and_count_nothing() {
    let mut builder = InstanceEvaluationBuilder::new(table(3, &[1, 2]));
    let map = row(2, &[1, 0, 0, 0], &[Segment::truth(1)]);
    let mut add = |prediction: &Panoptic| {
        let error = builder.add_image("x7", &BTreeMap::new(), &map, prediction).unwrap_err().to_string();
        assert_eq!(builder.images(), 0);
        error
    };
    assert!(add(&row(4, &[0; 4], &[])).contains("x7: 2x2 against 4x1"));
    assert!(add(&row(2, &[1, 0, 0, 0], &[scored(9, 0.5)])).contains("x7: class 9 in a table of 3 classes (segment 1"));
    assert!(add(&row(2, &[1, 0, 0, 0], &[scored(1, f32::NAN)])).contains("the score is not a number"));
    let torn = Panoptic { ids: IdMap::new(2, 2, vec![5, 0, 0, 0]).unwrap(), segments: Vec::new() };
    assert!(add(&torn).contains("holds id 5"));
    let no_things = table(3, &[]);
    assert!(match_objects(&map, &map, &no_things, 0.5).unwrap_err().to_string().contains("no class of the table"));
    assert!(match_objects(&map, &map, &table(3, &[1]), 0.0).is_err());
    let other = InstanceEvaluationBuilder::new(table(3, &[1]));
    assert!(builder.merge(other).is_err());
}

#[test]
fn the_work_follows_the_pixels_and_not_the_pairs_of_objects() {
    // 2,500 objects against as many: all pairs of masks would take minutes.
    let (width, height, side) = (1000, 1000, 20);
    let ids = |shift: usize| -> Vec<u32> {
        (0..width * height)
            .map(|i| ((((i / width) + shift) % height / side) * (width / side) + (i % width) / side) as u32 + 1)
            .collect()
    };
    let mut rng = Rng::new(0, 0, 0, Purpose::Synthesis);
    let segments: Vec<Segment> = (0..2500).map(|_| scored(1, rng.unit())).collect();
    let map = |shift| Panoptic::new(IdMap::new(width, height, ids(shift)).unwrap(), segments.clone()).unwrap();
    let start = std::time::Instant::now();
    let e = evaluate(&[(map(0), map(3))]);
    assert_eq!((e.ap_dsb["0.50"], e.ap_dsb["0.75"], boundary_distance(width, height)), (1.0, 0.0, 28));
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
fn an_outline_that_is_a_pixel_off_costs_boundary_precision_first() {
    let square = |left: usize| {
        let ids =
            (0..120 * 100).map(|i| u32::from((left..left + 60).contains(&(i % 120)) && (20..80).contains(&(i / 120))));
        row(120, &ids.collect::<Vec<_>>(), &[scored(1, 0.5)])
    };
    let e = evaluate(&[(square(20), square(21))]);
    // 59 / 61 of the mask, but of the 3 pixels of boundary on either side two in four are shared.
    assert_eq!(e.ap, Some(1.0));
    assert!(e.ap_boundary > Some(0.4) && e.ap_boundary < Some(0.7), "{:?}", e.ap_boundary);
}
