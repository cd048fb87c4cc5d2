//! Scores of poses equal those of pycocotools, frozen by bench/reference/keypoints.py.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

use std::collections::BTreeMap;

use serde::Deserialize;
use vibhag_core::{Keypoint, Person, Pose, Skeleton};
use vibhag_imaging::pose::oks;
use vibhag_metrics::{KeypointEvaluation, KeypointEvaluationBuilder, PckReference};

const F64: f64 = 1e-9;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    skeleton: String,
    images: Vec<Scene>,
    coco: BTreeMap<String, Option<f64>>,
    /// By image: true person, prediction, similarity.
    oks: Vec<Vec<(usize, usize, f64)>>,
    pck: Option<BTreeMap<String, f64>>,
}

#[derive(Deserialize)]
struct Scene {
    truth: Vec<Annotation>,
    predicted: Vec<Found>,
}

#[derive(Deserialize)]
struct Annotation {
    keypoints: Vec<f64>,
    area: f64,
    bbox: [f64; 4],
    iscrowd: u8,
}

#[derive(Deserialize)]
struct Found {
    keypoints: Vec<f64>,
    score: f32,
}

impl Scene {
    fn truth(&self, skeleton: &Skeleton) -> Vec<Person> {
        let person = |a: &Annotation| Person {
            pose: Pose::from_coco(skeleton, &a.keypoints).unwrap(),
            area: a.area,
            bounds: a.bbox,
            crowd: a.iscrowd == 1,
        };
        self.truth.iter().map(person).collect()
    }

    fn predicted(&self) -> Vec<Pose> {
        let keypoint = |triple: &[f64]| match triple[2] {
            0.0 => Keypoint::ABSENT,
            score => Keypoint::found(triple[0], triple[1], score as f32),
        };
        let pose = |found: &Found| Pose {
            keypoints: found.keypoints.chunks_exact(3).map(keypoint).collect(),
            score: found.score,
            id: None,
        };
        self.predicted.iter().map(pose).collect()
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str::<Reference>(include_str!("reference/keypoints.json")).unwrap().cases
}

fn evaluate(case: &Case) -> KeypointEvaluation {
    let skeleton = Skeleton::named(&case.skeleton).unwrap();
    let mut builder = KeypointEvaluationBuilder::new(&skeleton, PckReference::Torso).unwrap();
    for (index, image) in case.images.iter().enumerate() {
        let id = format!("{index:03}");
        builder.add_image(&id, &BTreeMap::new(), &image.truth(&skeleton), &image.predicted()).unwrap();
    }
    builder.finish()
}

#[test]
fn average_precision_and_recall_equal_those_of_coco() {
    let cases = cases();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let ours = serde_json::to_value(evaluate(&case)).unwrap();
        assert_eq!(case.coco.len(), 10);
        for (key, reference) in &case.coco {
            match (ours[key].as_f64(), *reference) {
                (Some(ours), Some(reference)) => {
                    assert!((ours - reference).abs() <= F64, "{}, {key}: {ours} against {reference}", case.name);
                }
                (ours, reference) => assert_eq!(ours, reference, "{}, {key}", case.name),
            }
        }
    }
}

#[test]
fn similarities_equal_those_of_coco() {
    let mut compared = 0;
    for case in cases() {
        let skeleton = Skeleton::named(&case.skeleton).unwrap();
        for (index, (image, rows)) in case.images.iter().zip(&case.oks).enumerate() {
            let (truth, predicted) = (image.truth(&skeleton), image.predicted());
            for &(t, p, reference) in rows {
                let ours = oks(&truth[t], &predicted[p].keypoints, &skeleton.sigmas);
                let what = format!("{}, image {index}, {t} and {p}", case.name);
                assert!((ours - reference).abs() <= F64, "{what}: {ours} against {reference}");
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn shares_of_correct_keypoints_equal_those_of_numpy() {
    let with_pck: Vec<Case> = cases().into_iter().filter(|case| case.pck.is_some()).collect();
    assert_eq!(with_pck.len(), 1);
    for case in with_pck {
        let ours = evaluate(&case);
        for (alpha, reference) in case.pck.clone().unwrap() {
            assert!((ours.pck_by_alpha[&alpha] - reference).abs() <= F64, "{alpha}: {ours:?} against {reference}");
        }
        assert_eq!(ours.pck, Some(ours.pck_by_alpha["0.20"]));
    }
}
