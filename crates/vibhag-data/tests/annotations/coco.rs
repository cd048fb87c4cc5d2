//! COCO instances.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vibhag_core::{Rle, Shape};
use vibhag_data::annotations::coco::write_results;
use vibhag_data::annotations::{AnnotationSource, mask_of, named, recognise};

use crate::source::{block, comes_back, converted, masks, memory, object, shared};

fn open(path: &Path) -> Box<dyn AnnotationSource> {
    (named("coco").unwrap().open)(path).unwrap()
}

#[test]
fn parts_holes_crowds_overlap_and_scores_come_back_with_their_ids() {
    let folder = TempDir::new().unwrap();
    let source = memory(folder.path(), named("coco").unwrap().holds);
    let (out, conversion) = comes_back(&source, "coco", true);
    assert_eq!(conversion.written.losses, Vec::<String>::new());
    assert_eq!(recognise(&out.path().join("out")).unwrap().name, "coco");
    let back = open(&out.path().join("out"));
    assert_eq!(back.images().iter().map(|image| image.id.unwrap()).collect::<Vec<_>>(), [10, 11, 12]);
    assert_eq!(back.categories(), source.categories());
    let image = back.read(0).unwrap();
    // Outlines stay outlines; what has a hole becomes a mask.
    assert_eq!(image.annotations[0].shape, source.annotations[0].annotations[0].shape);
    assert!(matches!(image.annotations[1].shape, Shape::Mask(_)));
    assert_eq!((image.annotations[0].score, image.annotations[1].score), (Some(0.625), None));
    assert_eq!(image.annotations[1].area, Some(84.0));
    assert_eq!(image.annotations[1].bounds, Some([16.0, 1.0, 10.0, 10.0]));
    // What was written is a fixed point.
    let (_again, _, twice) = converted(&*back, "coco", false).unwrap();
    assert_eq!(twice.read(0).unwrap(), image);
}

#[test]
fn taken_ids_are_replaced_and_said() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("coco").unwrap().holds);
    source.annotations[2].annotations =
        vec![object(0, 0, Shape::Mask(block(0, 0, 3, 3))), object(8, 1, Shape::Mask(block(5, 5, 9, 9)))];
    source.images[2].id = Some(10);
    let (_folder, conversion, back) = converted(&source, "coco", false).unwrap();
    let losses = &conversion.written.losses;
    assert!(losses.iter().any(|line| line.contains("2 annotations have new ids")), "{losses:?}");
    assert!(losses.iter().any(|line| line.contains("1 images have new ids")), "{losses:?}");
    let ids: Vec<u64> = masks(&*back, 2).into_iter().map(|row| row.1).collect();
    assert_eq!((ids, conversion.round_trip.mean_iou), (vec![1, 2], 1.0));
}

#[test]
fn an_image_without_file_is_written_without_it_and_a_name_cannot_lead_out() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("coco").unwrap().holds);
    source.images[0].path = None;
    source.images[1].name = "../../b.png".into();
    let (out, conversion, back) = converted(&source, "coco", false).unwrap();
    let losses = &conversion.written.losses;
    assert!(losses.iter().any(|line| line.contains("a.png: its image file is not there")), "{losses:?}");
    assert!(losses.iter().any(|line| line.contains("../../b.png: the name leads out")), "{losses:?}");
    assert!(out.path().join("out/val/b.png").is_file() && back.images()[0].path.is_none());
    assert_eq!(conversion.round_trip.mean_iou, 1.0);
}

#[test]
fn masks_of_real_annotations_equal_those_of_pycocotools() {
    let Some(root) = shared("coco_mini") else { return };
    assert_eq!(recognise(&root).unwrap().name, "coco");
    let source = open(&root);
    assert_eq!((source.images().len(), source.categories().len()), (80, 80));
    assert_eq!(source.faults(), []);
    assert!(source.images().iter().all(|image| image.path.is_some() && image.split.as_deref() == Some("train")));
    let frozen: Vec<(u64, u64, [usize; 4], String)> =
        serde_json::from_str(include_str!("reference/coco_mini_masks.json")).unwrap();
    let mut ours = BTreeMap::new();
    let mut crowds = 0;
    for index in 0..source.images().len() {
        let image = source.read(index).unwrap();
        for annotation in &image.annotations {
            let mask = mask_of(annotation, image.width, image.height).unwrap();
            let mut pixels = vec![0u8; image.width * image.height];
            mask.for_each(|x, y| pixels[x * image.height + y] = 1);
            let digest = Sha256::digest(&pixels);
            let digest = format!("{:016x}", u64::from_be_bytes(digest[..8].try_into().unwrap()));
            ours.insert(annotation.id, (mask.area(), mask.bounds().unwrap(), digest));
            crowds += usize::from(annotation.crowd);
        }
    }
    assert_eq!((ours.len(), frozen.len(), crowds), (739, 739, 8));
    for (id, area, bounds, digest) in frozen {
        assert_eq!(ours[&id], (area, bounds, digest), "annotation {id}");
    }
}

#[test]
fn real_annotations_come_back_exactly() {
    let Some(root) = shared("coco_mini") else { return };
    let source = open(&root);
    let (_folder, conversion) = comes_back(&*source, "coco", true);
    assert_eq!((conversion.round_trip.annotations, conversion.written.images), (739, 80));
    assert_eq!(conversion.written.losses, Vec::<String>::new());
}

#[test]
fn a_list_of_results_has_score_and_run_lengths() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("coco").unwrap().holds);
    source.annotations[0].annotations.truncate(1);
    let path = folder.path().join("results.json");
    let written = write_results(&source, &path).unwrap();
    // The object on the second image has no score.
    assert_eq!((written.images, written.annotations, written.failed.len()), (2, 1, 1));
    assert!(written.failed[0].contains("b.png") && written.failed[0].contains("score"), "{:?}", written.failed);
    let rows: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let row = &rows[0];
    assert_eq!(
        (row["image_id"].as_u64(), row["category_id"].as_u64(), row["score"].as_f64()),
        (Some(10), Some(1), Some(0.625))
    );
    assert_eq!(row["segmentation"]["size"], serde_json::json!([30, 40]));
    let mask = Rle::from_text(40, 30, row["segmentation"]["counts"].as_str().unwrap()).unwrap();
    assert_eq!(mask, masks(&source, 0)[0].3);
    let error = (named("coco").unwrap().open)(&path).unwrap_err().to_string();
    assert!(error.contains("results.json") && error.contains("list"), "{error}");
    source.images[0].id = None;
    assert!(write_results(&source, &path).unwrap_err().to_string().contains("has no id"));
}

#[test]
fn files_beside_images_and_single_files_are_recognised() {
    let folder = TempDir::new().unwrap();
    let source = memory(folder.path(), named("coco").unwrap().holds);
    let (out, _) = comes_back(&source, "coco", true);
    let out = out.path().join("out");
    // As Roboflow exports: one file among the images of each split, ids from 0 on in each.
    let roboflow = folder.path().join("roboflow");
    for (split, name) in [("train", "train"), ("val", "valid")] {
        std::fs::create_dir_all(roboflow.join(name)).unwrap();
        let json = std::fs::read_to_string(out.join(format!("annotations/instances_{split}.json"))).unwrap();
        std::fs::write(roboflow.join(name).join("_annotations.coco.json"), json).unwrap();
        for image in std::fs::read_dir(out.join(split)).unwrap() {
            let image = image.unwrap().path();
            std::fs::copy(&image, roboflow.join(name).join(image.file_name().unwrap())).unwrap();
        }
    }
    let single = folder.path().join("single");
    std::fs::create_dir_all(single.join("images")).unwrap();
    std::fs::copy(out.join("annotations/instances_train.json"), single.join("result.json")).unwrap();
    std::fs::copy(out.join("train/a.png"), single.join("images/a.png")).unwrap();
    for (path, images) in [(roboflow, 3), (single.clone(), 2), (single.join("result.json"), 2)] {
        assert_eq!(recognise(&path).unwrap().name, "coco", "{}", path.display());
        let back = open(&path);
        assert_eq!((back.images().len(), back.images()[0].path.is_some()), (images, true));
        assert_eq!(masks(&*back, 0), masks(&source, 0));
    }
    std::fs::copy(single.join("result.json"), single.join("other.json")).unwrap();
    let error = (named("coco").unwrap().open)(&single).unwrap_err().to_string();
    assert!(error.contains("other.json, result.json"), "{error}");
}
