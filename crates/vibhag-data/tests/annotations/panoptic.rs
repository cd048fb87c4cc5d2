//! COCO panoptic in both variants.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::TempDir;
use vibhag_core::Shape;
use vibhag_data::FaultKind;
use vibhag_data::annotations::{named, recognise};

use crate::source::{block, comes_back, converted, masks, memory, object, shared};

#[test]
fn segments_come_back_with_their_ids() {
    let folder = TempDir::new().unwrap();
    let source = memory(folder.path(), named("coco-panoptic").unwrap().holds);
    let (out, conversion) = comes_back(&source, "coco-panoptic", true);
    let outlines = "an outline is held as the pixels inside it (2 in all)";
    assert_eq!(conversion.written.losses, [outlines]);
    let out = out.path().join("out");
    assert_eq!(recognise(&out).unwrap().name, "coco-panoptic");
    let back = (named("coco-panoptic").unwrap().open)(&out).unwrap();
    assert_eq!(back.categories(), source.categories);
    assert_eq!(back.images()[0].id, Some(10));
}

#[test]
fn two_channels_hold_the_same() {
    let folder = TempDir::new().unwrap();
    let source = memory(folder.path(), named("coco-panoptic-2ch").unwrap().holds);
    let (out, _) = comes_back(&source, "coco-panoptic-2ch", false);
    assert_eq!(recognise(&out.path().join("out")).unwrap().name, "coco-panoptic-2ch");
    let mut source = source;
    source.categories[0].id = 300;
    let (_out, conversion) = comes_back(&source, "coco-panoptic-2ch", false);
    assert!(conversion.written.losses.iter().any(|line| line.contains("categories have new ids")));
    let many = (0..256).map(|id| {
        object(
            id + 1,
            0,
            Shape::Mask(block(id as usize % 40, id as usize / 40, id as usize % 40 + 1, id as usize / 40 + 1)),
        )
    });
    source.annotations[0].annotations = many.collect();
    let (_out, conversion, _) = converted(&source, "coco-panoptic-2ch", false).unwrap();
    assert!(conversion.written.failed[0].contains("more than 255 objects"), "{:?}", conversion.written.failed);
}

#[test]
fn a_stuff_class_has_one_segment() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("coco-panoptic").unwrap().holds);
    source.annotations[1].annotations =
        vec![object(4, 2, Shape::Mask(block(0, 0, 5, 5))), object(5, 2, Shape::Mask(block(9, 9, 12, 12)))];
    for to in ["coco-panoptic", "coco-panoptic-2ch", "cityscapes"] {
        let (_folder, conversion, back) = converted(&source, to, false).unwrap();
        let losses = &conversion.written.losses;
        assert!(
            losses.iter().any(|line| line.contains("b.png: object 5: it is one segment with object 4")),
            "{losses:?}"
        );
        assert_eq!(masks(&*back, 1).iter().map(|row| row.3.area()).collect::<Vec<_>>(), [34], "{to}");
        assert_eq!((conversion.round_trip.missing, conversion.round_trip.min_iou), (1, 25.0 / 34.0));
    }
}

#[test]
fn ids_beyond_16_bits_stay_and_those_beyond_24_are_replaced() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("coco-panoptic").unwrap().holds);
    source.annotations[1].annotations = vec![object((1 << 24) - 1, 0, Shape::Mask(block(0, 0, 5, 5)))];
    comes_back(&source, "coco-panoptic", true);
    source.annotations[1].annotations[0].id = 1 << 24;
    let (_folder, conversion) = comes_back(&source, "coco-panoptic", false);
    assert!(conversion.written.losses.iter().any(|line| line.contains("numbered anew")));
}

#[test]
fn the_real_sample_agrees_with_its_detection_format_and_its_two_channels() {
    let Some(root) = shared("panopticapi_sample") else { return };
    assert_eq!(recognise(&root).unwrap().name, "coco-panoptic");
    let panoptic = (named("coco-panoptic").unwrap().open)(&root).unwrap();
    assert_eq!((panoptic.images().len(), panoptic.categories().len()), (2, 133));
    assert_eq!(panoptic.faults(), []);
    assert!(panoptic.images().iter().all(|image| image.path.is_some()));
    let detection = (named("coco").unwrap().open)(&root.join("panoptic_coco_detection_format.json")).unwrap();
    let channels = (named("coco-panoptic-2ch").unwrap().open)(&root.join("panoptic_examples_2ch_format")).unwrap();
    assert_eq!(channels.images()[0].name, "000000142238.jpg");
    for index in 0..2 {
        let by_mask = |rows: Vec<(String, u64, bool, vibhag_core::Rle)>| -> BTreeMap<Vec<u32>, (String, bool)> {
            rows.into_iter().map(|(name, _, crowd, mask)| (mask.counts().to_vec(), (name, crowd))).collect()
        };
        let ours = masks(&*panoptic, index);
        assert_eq!(ours.len(), [18, 32][index]);
        let image = panoptic.read(index).unwrap();
        for (annotation, row) in image.annotations.iter().zip(&ours) {
            assert_eq!(annotation.area, Some(row.3.area() as f64));
            assert_eq!(annotation.bounds, row.3.bounds().map(|bounds| bounds.map(|value| value as f64)));
        }
        let ours = by_mask(ours);
        assert_eq!(by_mask(masks(&*channels, index)), ours);
        assert_eq!(by_mask(masks(&*detection, index)), ours);
    }
    comes_back(&*panoptic, "coco-panoptic", true);
    comes_back(&*panoptic, "coco-panoptic-2ch", false);
}

/// A written data set whose JSON file of the training images was changed.
fn changed(
    change: impl Fn(&mut Value),
) -> (TempDir, vibhag_core::Result<Box<dyn vibhag_data::annotations::AnnotationSource>>) {
    let folder = TempDir::new().unwrap();
    let source = memory(folder.path(), named("coco-panoptic").unwrap().holds);
    let (out, _) = comes_back(&source, "coco-panoptic", true);
    let json = out.path().join("out/annotations/panoptic_train.json");
    let mut value: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(&json, value.to_string()).unwrap();
    let opened = (named("coco-panoptic").unwrap().open)(&json);
    (out, opened)
}

#[test]
fn faults_of_segments_cost_the_segment() {
    let (_folder, source) = changed(|value| {
        value["annotations"][0]["segments_info"][0]["category_id"] = json!(77);
        let doubled = value["annotations"][0]["segments_info"][1].clone();
        value["annotations"][0]["segments_info"].as_array_mut().unwrap().push(doubled);
    });
    let source = source.unwrap();
    let kinds: Vec<FaultKind> = source.faults().iter().map(|fault| fault.kind).collect();
    assert_eq!(kinds, [FaultKind::MaskValue, FaultKind::Ambiguous]);
    assert!(source.faults()[0].message.contains("segment 70001"), "{:?}", source.faults());
    assert_eq!(source.read(0).unwrap().annotations.len(), 4);
}

#[test]
fn a_segment_that_nothing_describes_is_an_error_of_its_image() {
    let (_folder, source) = changed(|value| {
        value["annotations"][0]["segments_info"].as_array_mut().unwrap().remove(0);
    });
    let source = source.unwrap();
    let error = source.read(0).unwrap_err().to_string();
    assert!(error.contains("segment 70001") && error.contains("a.png") && source.read(1).is_ok(), "{error}");
}

#[test]
fn images_and_annotations_that_miss_each_other_are_named() {
    let (_folder, source) = changed(|value| {
        value["annotations"][1]["image_id"] = json!(99);
    });
    let source = source.unwrap();
    let kinds: Vec<FaultKind> = source.faults().iter().map(|fault| fault.kind).collect();
    assert_eq!((source.images().len(), kinds), (1, vec![FaultKind::MissingImage, FaultKind::MissingMask]));
    let (folder, _) = changed(|_| {});
    let json = folder.path().join("out/annotations/panoptic_train.json");
    let text = std::fs::read_to_string(&json).unwrap();
    std::fs::write(&json, &text[..100]).unwrap();
    let error = (named("coco-panoptic").unwrap().open)(&json).unwrap_err().to_string();
    assert!(error.contains("ends in the middle"), "{error}");
    std::fs::remove_dir_all(folder.path().join("out/annotations/panoptic_train")).unwrap();
    let error = (named("coco-panoptic").unwrap().open)(&json).unwrap_err().to_string();
    assert!(error.contains("folder of PNGs is missing"), "{error}");
}
