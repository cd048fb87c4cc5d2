//! Properties of the evaluation of keypoints, and its promised keys.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vibhag_core::{Keypoint, Person, Pose, Purpose, Rng, Skeleton};
use vibhag_metrics::{KEYPOINT_METRICS, KeypointEvaluation, KeypointEvaluationBuilder, PckReference};

type Images = [(Vec<Person>, Vec<Pose>)];

fn skeleton() -> Skeleton {
    Skeleton::named("lsp-14").unwrap()
}

fn pose(rng: &mut Rng, [left, top]: [f32; 2], side: f32) -> Pose {
    let keypoint = |_| {
        let place = Keypoint::found(f64::from(left + side * rng.unit()), f64::from(top + side * rng.unit()), 1.0);
        if rng.chance(0.1) { Keypoint::ABSENT } else { place }
    };
    Pose { keypoints: (0..14).map(keypoint).collect(), score: 1.0, id: None }
}

fn person(pose: Pose) -> Person {
    let bounds = pose.bounds().unwrap_or_default();
    Person { area: (bounds[2] * bounds[3]).max(1.0), bounds, crowd: false, pose }
}

fn near(rng: &mut Rng, pose: &Pose, noise: f32) -> Pose {
    let mut pose = pose.clone();
    for keypoint in &mut pose.keypoints {
        keypoint.x += f64::from(noise * rng.normal());
        keypoint.y += f64::from(noise * rng.normal());
        if rng.chance(0.1) {
            *keypoint = Keypoint::ABSENT;
        }
    }
    Pose { score: rng.unit(), ..pose }
}

fn random_images(seed: u64, count: usize) -> Vec<(Vec<Person>, Vec<Pose>)> {
    (0..count as u64)
        .map(|image| {
            let mut rng = Rng::new(seed, 0, image, Purpose::Synthesis);
            let people = rng.below(4);
            let truth: Vec<Person> = (0..people)
                .map(|_| {
                    let corner = [rng.uniform(0.0, 300.0), rng.uniform(0.0, 300.0)];
                    person(pose(&mut rng, corner, 100.0))
                })
                .collect();
            let mut predicted: Vec<Pose> = truth.iter().map(|person| near(&mut rng, &person.pose, 8.0)).collect();
            if rng.chance(0.5) {
                predicted.push(pose(&mut rng, [500.0, 500.0], 80.0));
            }
            (truth, predicted)
        })
        .collect()
}

fn builder(images: &Images, numbers: impl IntoIterator<Item = usize>) -> KeypointEvaluationBuilder {
    let mut builder = KeypointEvaluationBuilder::new(&skeleton(), PckReference::Torso).unwrap();
    for number in numbers {
        let (truth, predicted) = &images[number];
        builder.add_image(&format!("image {number}"), &BTreeMap::new(), truth, predicted).unwrap();
    }
    builder
}

fn evaluate(images: &Images) -> KeypointEvaluation {
    builder(images, 0..images.len()).finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

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
        let images: Vec<_> = random_images(seed, 3)
            .into_iter()
            .map(|(truth, _)| {
                let poses = truth.iter().map(|person| person.pose.clone()).collect();
                (truth, poses)
            })
            .collect();
        let e = evaluate(&images);
        let people = e.people_truth > 0;
        for metric in KEYPOINT_METRICS.iter().filter(|metric| !metric.name.ends_with("large")) {
            let value = (metric.value)(&e);
            prop_assert!(value.is_none() || (value.unwrap() - 1.0).abs() < 1e-9, "{}: {:?}", metric.name, value);
        }
        prop_assert_eq!(e.ap.is_some(), people);
        prop_assert!(e.per_image.iter().all(|image| image.oks > 1.0 - 1e-9 && image.fp == 0 && image.fn_ == 0));
    }

    #[test]
    fn figures_lie_between_zero_and_one_and_counts_add_up(seed in 0_u64..1000) {
        let images = random_images(seed, 4);
        let e = evaluate(&images);
        for metric in KEYPOINT_METRICS {
            prop_assert!((metric.value)(&e).is_none_or(|value| (0.0..=1.0 + 1e-12).contains(&value)), "{}", metric.name);
        }
        for image in &e.per_image {
            prop_assert_eq!(image.tp + image.fn_, image.people_truth);
            prop_assert_eq!(image.tp + image.fp, image.people_predicted);
        }
        let joints: u64 = e.joints.iter().map(|joint| joint.labelled).sum();
        let known: f64 = e.joints.iter().filter_map(|j| Some(j.pck? * j.labelled as f64)).sum();
        prop_assert!(joints == 0 || (known / joints as f64 - e.pck.unwrap()).abs() < 1e-12);
        prop_assert!(e.pck_by_alpha.values().zip(e.pck_by_alpha.values().skip(1)).all(|(low, high)| low <= high));
    }
}

#[test]
fn crowds_and_people_without_labels_are_no_people() {
    let mut rng = Rng::new(1, 0, 0, Purpose::Synthesis);
    let found = pose(&mut rng, [20.0, 20.0], 100.0);
    let mut crowd = person(found.clone());
    crowd.crowd = true;
    let mut nobody = person(found.clone());
    nobody.pose.keypoints.fill(Keypoint::ABSENT);
    for truth in [crowd, nobody] {
        let e = evaluate(&[(vec![truth], vec![found.clone()])]);
        assert_eq!((e.people_truth, e.people_predicted, e.ap, e.pck, e.mean_oks), (0, 0, None, None, None));
        assert_eq!(e.notes.len(), 2, "{:?}", e.notes);
    }
    let empty = evaluate(&[]);
    assert_eq!((empty.ap, empty.pck, empty.images), (None, None, 0));
}

#[test]
fn one_prediction_is_taken_for_one_person() {
    let mut rng = Rng::new(2, 0, 0, Purpose::Synthesis);
    let mut one = pose(&mut rng, [20.0, 20.0], 100.0);
    for keypoint in &mut one.keypoints {
        keypoint.visibility = vibhag_core::Visibility::Visible;
    }
    let truth = vec![person(one.clone()), person(one.clone())];
    let e = evaluate(&[(truth, vec![one])]);
    assert_eq!((e.pck, e.mean_oks, e.per_image[0].fn_), (Some(0.5), Some(0.5), 1));
    assert!(e.joints.iter().all(|joint| (joint.labelled, joint.found) == (2, 1)));
}

#[test]
fn faults_are_named_and_the_image_is_not_counted() {
    let mut rng = Rng::new(3, 0, 0, Purpose::Synthesis);
    let good = pose(&mut rng, [20.0, 20.0], 100.0);
    let mut builder = builder(&[], []);
    let mut error = |truth: &[Person], predicted: &[Pose]| {
        let error = builder.add_image("photo", &BTreeMap::new(), truth, predicted).unwrap_err().to_string();
        assert!(error.contains("photo") && builder.images() == 0, "{error}");
        error
    };
    let mut wrong = good.clone();
    wrong.keypoints.pop();
    assert!(error(&[], &[good.clone(), wrong.clone()]).contains("13 keypoints"));
    assert!(error(&[person(wrong)], &[]).contains("of the truth"));
    assert!(error(&[], &[Pose { score: f32::NAN, ..good.clone() }]).contains("person 0 of the prediction"));
    let mut broken = good.clone();
    broken.keypoints[2] = Keypoint::found(f64::NAN, 1.0, 1.0);
    assert!(error(&[], &[broken]).contains("not a number"));
    assert!(error(&[Person { area: -1.0, ..person(good) }], &[]).contains("negative"));
    assert!(KeypointEvaluationBuilder::new(&Skeleton::named("coco-17").unwrap(), PckReference::Head).is_err());
}

#[test]
fn builders_of_different_kinds_do_not_merge() {
    let torso = KeypointEvaluationBuilder::new(&skeleton(), PckReference::Torso).unwrap();
    let head = KeypointEvaluationBuilder::new(&skeleton(), PckReference::Head).unwrap();
    assert!(torso.clone().merge(head).is_err());
    assert!(torso.clone().merge(torso.clone().with_max_people(60)).is_err());
    assert!(torso.clone().merge(torso).is_ok());
}

#[test]
fn the_keys_that_scripts_read_are_there() {
    let value = serde_json::to_value(evaluate(&random_images(5, 3))).unwrap();
    for metric in KEYPOINT_METRICS {
        assert!(value.get(metric.name).is_some(), "{}", metric.name);
    }
    for key in ["images", "people_truth", "people_predicted", "pck_by_alpha", "pck_reference", "joints", "per_image"] {
        assert!(value.get(key).is_some(), "{key}");
    }
    let back: KeypointEvaluation = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(back).unwrap(), value);
}

#[test]
fn people_are_taken_one_to_one_and_crowds_by_nobody() {
    let at = |x: f64| {
        let keypoints = (0..14).map(|k| Keypoint::found(x + 7.0 * f64::from(k), 5.0 * f64::from(k), 1.0)).collect();
        Pose { keypoints, score: 0.5, id: None }
    };
    let nobody = Person { pose: Pose { keypoints: vec![Keypoint::ABSENT; 14], ..at(0.0) }, ..person(at(300.0)) };
    let crowd = Person { crowd: true, ..person(at(0.0)) };
    let truth = [person(at(0.0)), person(at(30.0)), nobody, crowd, person(at(900.0))];
    // Two are nearest to the second person, of whom the better one gets it and the other one the first person.
    let found = [at(20.0), at(29.0)];
    let partners = vibhag_metrics::match_people(&skeleton(), &truth, &found).unwrap();
    let places: Vec<_> = partners.iter().map(|partner| partner.map(|(place, _)| place)).collect();
    assert_eq!(places, [Some(0), Some(1), None, None, None]);
    assert!(partners[0].unwrap().1 < partners[1].unwrap().1);
    assert!(vibhag_metrics::match_people(&skeleton(), &truth, &[Pose::default()]).is_err());
}
