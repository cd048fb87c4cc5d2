//! YOLO's folders, its data.yaml and its lines.

use std::path::Path;

use tempfile::TempDir;
use vibhag_core::Shape;
use vibhag_data::annotations::{AnnotationSource, named, recognise};

use crate::fixtures::{
    block, entry, image_file, masks, object, open_error, opened, polygon, put, rectangle, source_of, written,
};

const SQUARE: &str = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n";

fn labels(lines: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    image_file(&folder.path().join("images/train/a.png"));
    put(&folder.path().join("labels/train/a.txt"), lines);
    put(&folder.path().join("data.yaml"), "path: .\ntrain: images/train\nnames: [cat, dog]\n");
    folder
}

fn names(source: &dyn AnnotationSource) -> Vec<(&str, Option<&str>)> {
    source.images().iter().map(|entry| (entry.name.as_str(), entry.split.as_deref())).collect()
}

#[test]
fn bad_lines_are_faults_with_their_number() {
    let lines = [
        SQUARE.trim(),
        "7 0.1 0.1 0.5 0.1 0.5 0.5",
        "cat 0.1 0.1 0.5 0.1 0.5 0.5",
        "",
        "0 0.5 0.5 0.2 0.2",
        "0 0.1 0.1 0.5 0.1 0.5",
        "0 0.1 0.1 0.5 0.1 0.5 0.5 0.9",
        "0 nan 0.1 0.5 0.1 0.5 0.5",
        "0 0.1 x 0.5 0.1 0.5 0.5",
        "0 10 10 300 10 300 200",
        "0 0.1 0.1 0.5 0.5 0.9 0.9",
        "0 0.1 0.1 0.1 0.1 0.1 0.1",
        "1",
        "1.0 0 0 1 0 1 1 0 1",
        "0 0.1 0.1 0.9 0.9 0.9 0.1 0.1 0.9",
    ];
    let folder = labels(&lines.join("\r\n"));
    let faults = [
        "line 2: unknown class 7",
        "line 3: unknown class cat",
        "line 5: a box, not an outline",
        "line 6: an odd number of coordinates (5)",
        "line 7: an odd number of coordinates (7)",
        "line 8: nan is no coordinate",
        "line 9: x is no coordinate",
        "line 10: coordinate 10 is not between 0 and 1",
        "line 11: the outline encloses no pixel",
        "line 12: the outline encloses no pixel",
        "line 13: an outline of 0 points",
    ];
    let source = opened("yolo", folder.path());
    let lines: Vec<String> = source.faults().iter().map(ToString::to_string).collect();
    for part in faults {
        assert!(lines.iter().any(|line| line.contains(part) && line.contains("a.txt")), "{part}: {lines:#?}");
    }
    assert_eq!(lines.len(), faults.len(), "{lines:#?}");
    let found = masks(&*source, "a.png");
    assert_eq!(found.len(), 3);
    assert_eq!((found[0].0, found[0].1.area()), (1, 16 * 12));
    // One fills the image, one crosses itself.
    assert_eq!((found[1].1.area(), found[2].1.area() > 100), (1200, true));
}

#[test]
fn a_label_file_that_is_no_text_is_an_error_of_its_image() {
    let folder = labels(SQUARE);
    image_file(&folder.path().join("images/train/b.png"));
    std::fs::write(folder.path().join("labels/train/b.txt"), [0xff, 0xfe, 0x00]).unwrap();
    image_file(&folder.path().join("images/train/c.png"));
    let source = opened("yolo", folder.path());
    assert!(source.read(1).unwrap_err().to_string().contains("b.txt"));
    assert_eq!((masks(&*source, "a.png").len(), masks(&*source, "c.png").len()), (1, 0));
    put(&folder.path().join("labels/train/z.txt"), SQUARE);
    expect_faults_in(folder.path(), "z.txt", "no image");
    std::fs::write(folder.path().join("images/train/a.png"), b"no image").unwrap();
    assert!(opened("yolo", folder.path()).read(0).unwrap_err().to_string().contains("a.png"));
}

fn expect_faults_in(root: &Path, file: &str, what: &str) {
    let lines: Vec<String> = opened("yolo", root).faults().iter().map(ToString::to_string).collect();
    assert!(lines.iter().any(|line| line.contains(file) && line.contains(what)), "{lines:?}");
}

#[test]
fn all_usual_orders_of_folders_are_understood() {
    for (image, label, yaml, name, split) in [
        (
            "images/train/a.png",
            "labels/train/a.txt",
            "path: .\ntrain: images/train\nval:\nnames:\n  0: cat\n",
            "a.png",
            Some("train"),
        ),
        ("images/a.png", "labels/a.txt", "train: images\nval: images\nnames: ['cat']\n", "a.png", None),
        // Roboflow.
        (
            "valid/images/a.png",
            "valid/labels/a.txt",
            "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['cat']\n",
            "a.png",
            Some("val"),
        ),
        // Of another machine, with a script.
        (
            "images/test/x/a.png",
            "labels/test/x/a.txt",
            "path: /home/me/data\ntest: [images/test]\nnames: {0: cat}\ndownload: |\n  import os\n  x = {1: 2}\n",
            "x/a.png",
            Some("test"),
        ),
        ("images/train/a.png", "labels/train/a.txt", "", "a.png", Some("train")),
        ("train/images/a.png", "train/labels/a.txt", "", "a.png", Some("train")),
        ("images/a.png", "labels/a.txt", "", "a.png", None),
    ] {
        let folder = TempDir::new().unwrap();
        image_file(&folder.path().join(image));
        put(&folder.path().join(label), SQUARE);
        if !yaml.is_empty() {
            put(&folder.path().join("data.yaml"), yaml);
        }
        assert_eq!(recognise(folder.path()).map(|format| format.name), Some("yolo"), "{image}: {yaml}");
        let source = opened("yolo", folder.path());
        assert_eq!(names(&*source), [(name, split)], "{image}: {yaml}");
        let category = if yaml.is_empty() { "class 0" } else { "cat" };
        assert_eq!(source.categories()[0].name, category, "{image}: {yaml}");
        assert_eq!(masks(&*source, name).len(), 1);
    }
}

#[test]
fn lists_of_images_and_class_files_are_read() {
    let folder = TempDir::new().unwrap();
    for name in ["a", "b"] {
        image_file(&folder.path().join(format!("images/{name}.png")));
        put(&folder.path().join(format!("labels/{name}.txt")), SQUARE);
    }
    put(&folder.path().join("train.txt"), "./images/a.png\n./images/gone.png\n");
    put(&folder.path().join("val.txt"), "images/b.png\n");
    put(&folder.path().join("data.yaml"), "train: train.txt\nval: val.txt\ntest: nowhere\nnames: [cat]\n");
    let source = opened("yolo", &folder.path().join("data.yaml"));
    assert_eq!(names(&*source), [("a.png", Some("train")), ("b.png", Some("val"))]);
    let lines: Vec<String> = source.faults().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("train.txt") && line.contains("line 2") && line.contains("gone.png"))
    );
    assert!(lines.iter().any(|line| line.contains("there is no nowhere (line 3)")), "{lines:?}");
    std::fs::remove_file(folder.path().join("data.yaml")).unwrap();
    put(&folder.path().join("classes.txt"), "Katze\nHund\n");
    assert_eq!(opened("yolo", folder.path()).categories()[1].name, "Hund");
}

#[test]
fn what_is_wrong_in_data_yaml_is_said_with_its_line() {
    let folder = labels(SQUARE);
    let yaml = folder.path().join("data.yaml");
    for (text, what) in [
        ("train: images/train\nnames: [cat\n", "line"),
        ("train: images/train\nnames: cat\n", "neither list nor map (line 2)"),
        ("train: images/train\nnames:\n  one: cat\n", "no number (line 3)"),
        ("train: images/train\nnames:\n  0: [a]\n", "no text (line 3)"),
        ("train: images/train\nnames:\n  0: a\n  0: b\n", "two"),
        ("train: &t images/train\nval: *t\nnames: [cat]\n", "aliases"),
        ("train: {a: b}\nnames: [cat]\n", "no path (line 1)"),
    ] {
        put(&yaml, text);
        let error = open_error("yolo", folder.path());
        assert!(error.contains(what) && error.contains("data.yaml"), "{text:?}: {error}");
    }
}

#[test]
fn detection_data_is_not_taken_for_outlines() {
    let folder = labels("0 0.5 0.5 0.2 0.2\n");
    assert!(!(named("yolo").unwrap().detect)(folder.path()));
    expect_faults_in(folder.path(), "a.txt", "line 1: a box");
}

#[test]
fn parts_and_holes_are_one_line_each_and_said() {
    let folder = TempDir::new().unwrap();
    let ring = polygon(rectangle(1.0, 1.0, 11.0, 11.0), vec![rectangle(3.0, 3.0, 7.0, 7.0)]);
    let parts =
        vec![polygon(rectangle(20.0, 1.0, 25.0, 9.0), vec![]), polygon(rectangle(30.5, 4.5, 38.0, 9.25), vec![])];
    let objects = vec![
        object(1, 0, Shape::Polygons(vec![ring])),
        object(2, 0, Shape::Polygons(parts)),
        object(3, 0, Shape::Mask(block(0, 20, 4, 25))),
        object(4, 0, Shape::Polygons(vec![polygon(rectangle(50.0, 50.0, 60.0, 60.0), vec![])])),
        object(5, 0, Shape::Polygons(vec![polygon(rectangle(30.0, 20.0, 60.0, 60.0), vec![])])),
    ];
    let source = source_of(folder.path(), &["cell"], vec![objects]);
    let (_folder, out, losses) = written(&source, "yolo");
    let text = std::fs::read_to_string(out.join("labels/a.txt")).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert!(text.contains("0 0 0.6666666666666666 "), "{text}");
    let said = |part: &str| assert!(losses.iter().any(|line| line.contains(part)), "{part}: {losses:?}");
    said("one outline with ways there and back");
    said("(2 in all)");
    said("a.png: object 4: it has no pixel");
    said("a.png: object 5: its outline leaves the image");
    assert_eq!(masks(&*opened("yolo", &out), "a.png").len(), 4);
}

#[test]
fn images_of_no_split_go_to_train_where_others_have_one() {
    let folder = TempDir::new().unwrap();
    let images = vec![entry(folder.path(), "a.png", None), entry(folder.path(), "b.png", Some("val"))];
    let empty = vibhag_core::ImageAnnotations { width: 40, height: 30, annotations: vec![] };
    let source = vibhag_data::annotations::memory::Memory::new(vec![], images, vec![empty.clone(), empty]);
    let (_folder, out, losses) = written(&source, "yolo");
    assert!(losses.iter().any(|line| line.contains("no split is written to train")), "{losses:?}");
    assert_eq!(names(&*opened("yolo", &out)), [("a.png", Some("train")), ("b.png", Some("val"))]);
}
