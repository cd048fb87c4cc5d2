//! Conversions: what is refused, what is listed, what fails.

use std::sync::Mutex;

use tempfile::TempDir;
use vibhag_core::{Error, ImageAnnotations, Result, Shape};
use vibhag_data::annotations::{AnnotationSource, Category, ConvertOptions, ImageEntry, convert, named};

use crate::source::{Memory, block, converted, memory, object, shared};

#[test]
fn a_folder_with_anything_in_it_is_refused() {
    let folder = TempDir::new().unwrap();
    let format = named("coco").unwrap();
    let source = memory(folder.path(), format.holds);
    let error = convert(&source, format, format, folder.path(), ConvertOptions::default(), &|_, _| {});
    assert!(error.unwrap_err().to_string().contains("not empty"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn stuff_and_crowds_are_refused_or_listed_one_by_one() {
    let folder = TempDir::new().unwrap();
    let source = memory(folder.path(), named("coco-panoptic").unwrap().holds);
    let error = converted(&source, "voc", false).unwrap_err().to_string();
    assert!(error.contains("stuff (1, the first is object 11 of a.png)"), "{error}");
    assert!(error.contains("crowds (1, the first is object 900 of a.png)") && error.contains("--drop"), "{error}");
    let (_folder, conversion, back) = converted(&source, "voc", true).unwrap();
    let losses = &conversion.written.losses;
    for part in ["a.png: object 11: it is stuff", "a.png: object 900: it is a crowd"] {
        assert!(losses.iter().any(|line| line.contains(part)), "{part}: {losses:?}");
    }
    // Listed once, by the writer.
    assert_eq!(losses.iter().filter(|line| line.contains("object 900")).count(), 1, "{losses:?}");
    assert_eq!((conversion.round_trip.missing, conversion.round_trip.mean_iou), (2, 1.0));
    assert!(back.categories().iter().all(|category| category.thing));
    let error = converted(&source, "coco", false).unwrap_err().to_string();
    assert!(error.contains("coco cannot hold") && error.contains("stuff"), "{error}");
}

#[test]
fn scores_are_refused_where_there_is_no_place_for_them() {
    let folder = TempDir::new().unwrap();
    let source = memory(folder.path(), named("coco").unwrap().holds);
    let error = converted(&source, "coco-panoptic", false).unwrap_err().to_string();
    assert!(error.contains("scores (1, the first is object 70001 of a.png)"), "{error}");
}

#[test]
fn overlap_is_listed_with_its_pixels() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("coco-panoptic").unwrap().holds);
    source.annotations[1].annotations.push(object(2, 0, Shape::Mask(block(0, 0, 10, 10))));
    source.annotations[1].annotations.push(object(3, 0, Shape::Mask(block(0, 0, 10, 10))));
    for to in ["coco-panoptic", "coco-panoptic-2ch", "cityscapes"] {
        let (_folder, conversion, _) = converted(&source, to, false).unwrap();
        let losses = &conversion.written.losses;
        for part in ["b.png: object 1: 100 of 1200 pixels", "b.png: object 2: all 100 pixels"] {
            assert!(losses.iter().any(|line| line.contains(part)), "{to}: {part}: {losses:?}");
        }
        let round_trip = conversion.round_trip;
        assert_eq!(round_trip.missing, 1);
        assert!((round_trip.min_iou - 1100.0 / 1200.0).abs() < 1e-12, "{round_trip:?}");
        assert!(round_trip.worst.unwrap().starts_with("b.png: object 1 (IoU 0.9167"), "{to}");
    }
}

/// A source of which one image cannot be read.
#[derive(Debug)]
struct Torn(Memory);

impl AnnotationSource for Torn {
    fn categories(&self) -> &[Category] {
        self.0.categories()
    }

    fn images(&self) -> &[ImageEntry] {
        self.0.images()
    }

    fn read(&self, index: usize) -> Result<ImageAnnotations> {
        if index == 1 { Err(Error::config("torn")) } else { self.0.read(index) }
    }
}

#[test]
fn one_bad_image_is_a_row_and_progress_reaches_its_end() {
    let folder = TempDir::new().unwrap();
    for to in ["coco", "coco-panoptic", "coco-panoptic-2ch", "cityscapes", "voc"] {
        let format = named(to).unwrap();
        let source = Torn(memory(folder.path(), format.holds));
        let steps = Mutex::new(Vec::new());
        let out = folder.path().join(format!("out-{to}"));
        let conversion = convert(&source, format, format, &out, ConvertOptions::default(), &|done, total| {
            steps.lock().unwrap().push((done, total));
        });
        let conversion = conversion.unwrap();
        assert_eq!(conversion.written.failed, ["b.png: torn"], "{to}");
        assert_eq!((conversion.written.images, conversion.round_trip.mean_iou), (2, 1.0), "{to}");
        let steps = steps.into_inner().unwrap();
        assert!(steps.contains(&(9, 9)) && steps.iter().all(|(done, total)| done <= total), "{to}: {steps:?}");
    }
}

#[test]
fn an_empty_source_becomes_an_empty_data_set() {
    let source = Memory { categories: vec![Category::thing(1, "car")], images: vec![], annotations: vec![] };
    for to in ["coco", "coco-panoptic"] {
        let (_folder, conversion, back) = converted(&source, to, false).unwrap();
        assert_eq!((back.images().len(), back.categories().len(), conversion.round_trip.mean_iou), (0, 1, 1.0));
    }
}

#[test]
fn real_annotations_lose_only_what_overlaps() {
    let Some(root) = shared("coco_mini") else { return };
    let source = (named("coco").unwrap().open)(&root).unwrap();
    let (_folder, conversion, _) = converted(&*source, "coco-panoptic", false).unwrap();
    assert_eq!(conversion.written.failed, Vec::<String>::new());
    let (losses, round_trip) = (&conversion.written.losses, &conversion.round_trip);
    assert_eq!(round_trip.annotations + round_trip.missing, 739);
    // Whatever is not exact is in a line of its own.
    assert!(losses.iter().filter(|line| line.contains(": object ")).count() >= round_trip.missing);
    assert!(round_trip.mean_iou > 0.9 && round_trip.mean_iou < 1.0, "{round_trip:?}");
}
