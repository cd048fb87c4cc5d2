//! What is written comes back, in every format.

use tempfile::TempDir;
use vibhag_core::{Annotation, Shape};
use vibhag_data::annotations::{AnnotationSource, ConvertOptions, convert, named, recognise};

use crate::fixtures::{
    FORMATS, block, entry, everything, masks, object, opened, polygon, rectangle, source_of, written,
};

/// What comes back beside the pixels, which all formats keep exactly: ids, splits, outlines as outlines.
const KEPT: [(&str, bool, bool, bool); 8] = [
    ("yolo", false, true, true),
    ("labelme", true, true, true),
    ("cvat", true, true, true),
    ("label-studio", true, true, true),
    ("instance-maps", true, true, false),
    ("dsb2018", true, true, false),
    ("penn-fudan", false, false, false),
    ("cellpose", true, true, false),
];

#[test]
fn all_pixels_come_back_from_every_format() {
    for (name, ids, splits, outlines) in KEPT {
        let folder = TempDir::new().unwrap();
        let format = named(name).unwrap();
        let source = everything(folder.path(), format.holds);
        let out = folder.path().join("out");
        let conversion = convert(&source, format, format, &out, ConvertOptions::default(), &|_, _| {}).unwrap();
        assert_eq!(conversion.written.failed, Vec::<String>::new(), "{name}");
        let trip = &conversion.round_trip;
        assert_eq!((trip.min_iou, trip.missing), (1.0, 0), "{name}: {conversion:#?}");
        let expected: usize = (0..4).map(|index| source.read(index).unwrap().annotations.len()).sum();
        assert_eq!((trip.annotations, conversion.written.annotations), (expected, expected), "{name}");
        let back = opened(name, &out);
        assert_eq!(back.faults(), [], "{name}");
        compare(name, &source, &*back, ids, splits);
        let polygons = |source: &dyn AnnotationSource| {
            let all = (0..4).flat_map(|index| source.read(index).unwrap().annotations);
            all.filter(|annotation| matches!(annotation.shape, Shape::Polygons(_))).count()
        };
        assert_eq!(polygons(&*back) > 0, outlines, "{name}");
    }
}

fn compare(name: &str, source: &dyn AnnotationSource, back: &dyn AnnotationSource, ids: bool, splits: bool) {
    let holds = named(name).unwrap().holds;
    let mut names: Vec<&str> = back.images().iter().map(|entry| entry.name.as_str()).collect();
    assert!(names.is_sorted(), "{name}: {names:?}");
    names.sort_unstable();
    assert_eq!(names, ["a.png", "c.png", "d.png", "deep er/a.png"], "{name}");
    if holds.categories {
        let of = |source: &dyn AnnotationSource| source.categories().iter().map(|c| c.name.clone()).collect::<Vec<_>>();
        assert_eq!(of(back), of(source), "{name}");
    }
    for (index, entry) in source.images().iter().enumerate() {
        let place = back.images().iter().position(|other| other.name == entry.name).unwrap();
        let other = &back.images()[place];
        assert_eq!(other.split.is_some(), splits, "{name}");
        assert!(!splits || other.split == entry.split, "{name}: {other:?}");
        assert!(other.path.as_ref().unwrap().is_file(), "{name}: {other:?}");
        let row =
            |annotation: &Annotation| (annotation.id, annotation.crowd, annotation.score.map(|score| score * 8.0));
        let (own, theirs) = (source.read(index).unwrap(), back.read(place).unwrap());
        let rows = |of: &[Annotation]| {
            let mut rows: Vec<_> = of.iter().map(row).collect();
            rows.sort_by_key(|row| row.0);
            rows
        };
        if ids {
            assert_eq!(rows(&theirs.annotations), rows(&own.annotations), "{name}");
        }
        let category = |source: &dyn AnnotationSource, of: &Annotation| source.categories()[of.category].name.clone();
        if holds.categories && ids {
            for annotation in &own.annotations {
                let found = theirs.annotations.iter().find(|other| other.id == annotation.id).unwrap();
                assert_eq!(category(back, found), category(source, annotation), "{name}");
            }
        }
    }
}

#[test]
fn what_is_written_is_recognised() {
    for name in FORMATS {
        let folder = TempDir::new().unwrap();
        let objects = |count: u64| {
            let at = |n: u64| block(3 * n as usize, 0, 3 * n as usize + 2, 5);
            (0..count).map(|n| object(n + 1, 0, Shape::Mask(at(n)))).collect::<Vec<_>>()
        };
        let source = source_of(folder.path(), &["cell"], vec![objects(12), objects(7)]);
        let (_folder, out, _) = written(&source, name);
        assert_eq!(recognise(&out).map(|format| format.name), Some(name));
        let empty = TempDir::new().unwrap();
        assert!(!(named(name).unwrap().detect)(empty.path()), "{name}");
        assert!((named(name).unwrap().open)(empty.path()).is_err(), "{name}");
    }
}

#[test]
fn overlap_in_label_maps_is_counted_for_each_object() {
    for name in ["instance-maps", "penn-fudan", "cellpose"] {
        let folder = TempDir::new().unwrap();
        let big = object(5, 0, Shape::Polygons(vec![polygon(rectangle(0.0, 0.0, 10.0, 10.0), vec![])]));
        let small = object(6, 0, Shape::Mask(block(5, 5, 15, 11)));
        let source = source_of(folder.path(), &["cell"], vec![vec![small, big]]);
        let (_folder, out, losses) = written(&source, name);
        assert!(
            losses.iter().any(|line| line == "a.png: object 5: 25 of 100 pixels lie under other objects"),
            "{losses:?}"
        );
        assert!(losses.iter().any(|line| line.contains("an outline is held as the pixels inside it (1 in all)")));
        let areas: Vec<(u64, u64)> =
            masks(&*opened(name, &out), "a.png").iter().map(|(id, mask)| (*id, mask.area())).collect();
        assert_eq!(areas, [(5, 75), (6, 60)], "{name}");
    }
}

#[test]
fn crowds_scores_and_names_that_do_not_fit_are_said() {
    let folder = TempDir::new().unwrap();
    let crowd = Annotation { crowd: true, score: Some(0.5), ..object(4, 1, Shape::Mask(block(0, 0, 5, 5))) };
    let scored = Annotation { score: Some(0.5), ..object(5, 0, Shape::Mask(block(10, 0, 15, 5))) };
    let source = source_of(folder.path(), &["cat", "dog"], vec![vec![crowd, scored]]);
    for (name, crowds, scores, names) in [
        ("yolo", false, false, true),
        ("labelme", true, false, true),
        ("label-studio", false, true, true),
        ("dsb2018", false, false, false),
    ] {
        let (_folder, _, losses) = written(&source, name);
        let said = |part: &str| losses.iter().any(|line| line.contains(part));
        assert_eq!(said("object 4: it is a crowd, so it is left out"), !crowds, "{name}: {losses:?}");
        assert_eq!(said("a score is not held"), !scores, "{name}: {losses:?}");
        assert_eq!(said("names of categories are not held: cat, dog"), !names, "{name}: {losses:?}");
    }
}

#[test]
fn images_that_would_share_a_file_fail_alone() {
    for name in FORMATS {
        let folder = TempDir::new().unwrap();
        let mut images = vec![entry(folder.path(), "a.png", None), entry(folder.path(), "b.png", None)];
        images.push(vibhag_data::annotations::ImageEntry { split: None, ..entry(folder.path(), "a.png", Some("val")) });
        images.push(vibhag_data::annotations::ImageEntry { name: "../../c.png".into(), ..images[1].clone() });
        let annotations = vibhag_core::ImageAnnotations {
            width: 40,
            height: 30,
            annotations: vec![object(1, 0, Shape::Mask(block(0, 0, 9, 9)))],
        };
        let categories = vec![vibhag_data::annotations::Category::thing(1, "cell")];
        let source = vibhag_data::annotations::memory::Memory::new(categories, images, vec![annotations; 4]);
        let out = folder.path().join("out");
        let written = (named(name).unwrap().write)(&source, &out).unwrap();
        assert_eq!((written.images, written.failed.len()), (2, 2), "{name}: {written:?}");
        assert!(written.failed[0].contains("a.png") && written.failed[1].contains(".."), "{name}: {written:?}");
        assert_eq!(opened(name, &out).images().len(), 2, "{name}");
        let full = (named(name).unwrap().write)(&source, &out).unwrap_err().to_string();
        assert!(full.contains("not empty"), "{full}");
    }
}
