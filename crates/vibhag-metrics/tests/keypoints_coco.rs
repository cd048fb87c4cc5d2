//! From COCO's annotations to maps, to people, to scores: what the maps of a perfect network are worth.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use vibhag_core::skeleton::Conversion;
use vibhag_core::{AffinityDecoding, Person, Pose, Skeleton};
use vibhag_imaging::pose::{AffinityDecoder, AffinityTargets, Grid, PoseDecoder};
use vibhag_metrics::{KeypointEvaluation, KeypointEvaluationBuilder, PckReference};

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    width: usize,
    height: usize,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    keypoints: Vec<f64>,
    num_keypoints: usize,
    area: f64,
    bbox: [f64; 4],
    iscrowd: u8,
}

#[derive(Deserialize)]
struct Category {
    keypoints: Vec<String>,
    skeleton: Vec<[usize; 2]>,
}

fn file() -> Option<File> {
    let path = "../../../shared/data/coco_mini/annotations/person_keypoints_train2017.json";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// Scores of the people read back from maps with a heat of deviation `sigma`, a cell every `stride` pixels.
fn score(file: &File, coco: &Skeleton, stride: usize, sigma: f64) -> KeypointEvaluation {
    let open = Skeleton::named("coco-18").unwrap();
    let (there, back) = (Conversion::new(coco, &open).unwrap(), Conversion::new(&open, coco).unwrap());
    let decoder = AffinityDecoder::new(&open, true, AffinityDecoding::default()).unwrap();
    let targets = AffinityTargets { sigma, limb_width: stride as f64, background: true };
    let mut builder = KeypointEvaluationBuilder::new(coco, PckReference::Torso).unwrap();
    for image in &file.images {
        let truth: Vec<Person> = file
            .annotations
            .iter()
            .filter(|annotation| annotation.image_id == image.id)
            .map(|annotation| {
                let pose = Pose::from_coco(coco, &annotation.keypoints).unwrap();
                assert_eq!(pose.present(), annotation.num_keypoints);
                Person { pose, area: annotation.area, bounds: annotation.bbox, crowd: annotation.iscrowd == 1 }
            })
            .collect();
        let people: Vec<Pose> = truth.iter().map(|person| there.apply(&person.pose).unwrap()).collect();
        let grid = Grid::covering(image.width, image.height, stride);
        let mut planes = vec![0.0; targets.planes(&open) * grid.cells()];
        targets.write(&open, &people, &grid, None, &mut planes).unwrap();
        planes.truncate(decoder.planes() * grid.cells());
        let found: Vec<Pose> =
            decoder.decode(&planes, &grid).unwrap().iter().map(|pose| back.apply(pose).unwrap()).collect();
        builder.add_image(&format!("{:012}", image.id), &BTreeMap::new(), &truth, &found).unwrap();
    }
    builder.finish()
}

#[test]
fn perfect_maps_of_real_people_find_most_of_them() {
    let Some(file) = file() else { return };
    let category = &file.categories[0];
    let coco = Skeleton::from_coco("coco-17", &category.keypoints, &category.skeleton).unwrap();
    assert_eq!(coco, Skeleton::named("coco-17").unwrap());
    for (stride, sigma, least) in [(8, 7.0, 0.0), (4, 3.5, 0.0), (2, 1.75, 0.0)] {
        let e = score(&file, &coco, stride, sigma);
        println!(
            "stride {stride}: AP {:?} AP50 {:?} AP_large {:?} AR {:?} pck {:?}",
            e.ap, e.ap50, e.ap_large, e.ar, e.pck
        );
        assert!(e.ap.unwrap() >= least, "stride {stride}: {:?}", e.ap);
    }
}
