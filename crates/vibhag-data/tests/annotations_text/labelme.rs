//! LabelMe's JSON files.

use std::path::Path;

use tempfile::TempDir;
use vibhag_data::annotations::{named, recognise};

use crate::fixtures::{block, image_file, masks, open_error, opened, put};

fn shape(label: &str, kind: &str, points: &str, more: &str) -> String {
    format!(r#"{{"label": "{label}", "shape_type": "{kind}", "points": {points}, "flags": {{}}{more}}}"#)
}

fn file(shapes: &[String]) -> String {
    let shapes = shapes.join(",\n");
    format!(
        r#"{{"version": "5.2.1", "flags": {{}}, "shapes": [{shapes}], "imagePath": "a.png", "imageData": "AAAA", "imageHeight": 30, "imageWidth": 40}}"#
    )
}

fn folder_of(shapes: &[String]) -> TempDir {
    let folder = TempDir::new().unwrap();
    image_file(&folder.path().join("a.png"));
    put(&folder.path().join("a.json"), &file(shapes));
    folder
}

fn faults(root: &Path) -> Vec<String> {
    opened("labelme", root).faults().iter().map(ToString::to_string).collect()
}

/// As Pillow writes the array [[1, 0, 1], [0, 1, 1]] of 8 bits.
const MASK: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAAAAAC4HznGAAAAEElEQVR4nGNgZGBkZGBkAAAAGgAFe9EfAQAAAABJRU5ErkJggg==";

#[test]
fn all_shapes_with_an_area_are_read() {
    let folder = folder_of(&[
        shape("cat", "polygon", "[[1, 1], [5, 1], [5, 4], [1, 4]]", r#", "group_id": 3"#),
        shape("cat", "polygon", "[[10, 1], [12, 1], [12, 4], [10, 4]]", r#", "group_id": 3"#),
        shape("dog", "polygon", "[[10, 10], [12, 10], [12, 14], [10, 14]]", r#", "group_id": 3"#),
        shape("dog", "rectangle", "[[30, 8], [20, 2]]", r#", "group_id": null"#),
        shape("dog", "circle", "[[20, 20], [20, 15]]", ""),
        r#"{"label": "dog", "points": [[0, 20], [4, 20], [4, 24], [0, 24]]}"#.to_owned(),
    ]);
    assert_eq!(recognise(folder.path()).map(|format| format.name), Some("labelme"));
    let source = opened("labelme", folder.path());
    assert_eq!(source.faults(), []);
    assert_eq!(source.categories().iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["cat", "dog"]);
    let found = masks(&*source, "a.png");
    let areas: Vec<(u64, u64)> = found.iter().map(|(id, mask)| (*id, mask.area())).collect();
    // Two parts of one group, and the same number for another label.
    assert!(areas.contains(&(3, 12 + 6)), "{areas:?}");
    let mut others: Vec<u64> = areas.iter().filter(|(id, _)| *id != 3).map(|(_, area)| *area).collect();
    others.sort_unstable();
    assert_eq!([others[0], others[1], others[2]], [8, 16, 60]);
    // A circle of radius 5.
    assert!((70..90).contains(&others[3]), "{others:?}");
}

#[test]
fn bad_shapes_are_faults_with_their_number() {
    let square = "[[1, 1], [5, 1], [5, 4], [1, 4]]";
    let folder = folder_of(&[
        shape("cat", "polygon", square, ""),
        shape("cow", "polygon", square, ""),
        shape("cat", "line", "[[1, 1], [5, 5]]", ""),
        shape("cat", "star", square, ""),
        shape("cat", "rectangle", "[[1, 1]]", ""),
        shape("cat", "polygon", "[[1, 1], [5, 1]]", ""),
        shape("cat", "polygon", "[]", ""),
        shape("cat", "polygon", "[[1, 1], [NaN, 1], [4, 4]]", ""),
        shape("cat", "polygon", "[[1, 1], [1], [4, 4]]", ""),
        shape("cat", "polygon", "[[100, 1], [200, 1], [200, 100]]", ""),
        shape("cat", "polygon", "[[3, 3], [3, 3], [3, 3]]", ""),
        shape("cat", "polygon", "[[20, 5], [30, 15], [30, 5], [20, 15]]", ""),
        shape("cat", "mask", "[[1, 1], [3, 2]]", ""),
        shape("cat", "mask", "[[1, 1], [3, 2]]", r#", "mask": "not base64!""#),
        shape("cat", "mask", "[[1, 1], [3, 2]]", r#", "mask": "AAAA""#),
        r#"{"points": [[1, 1]]}"#.to_owned(),
        r#"{"label": "cat", "points": "gone"}"#.to_owned(),
    ]);
    put(&folder.path().join("labels.txt"), "__ignore__\n_background_\ncat\n");
    let lines = faults(folder.path());
    let expected = [
        "shape 2: unknown label \"cow\"",
        "shape 3: a line has no area",
        "shape 4: unknown shape type \"star\"",
        "shape 5: a rectangle of 1 points",
        "shape 6: an outline of 2 points",
        "shape 7: an outline of 0 points",
        "shape 8: a point is not a pair of numbers",
        "shape 9: a point is not a pair of numbers",
        "shape 10: the outline encloses no pixel",
        "shape 11: the outline encloses no pixel",
        "shape 13: a mask without pixels",
        "shape 14: the mask is no base64",
        "shape 15: the mask's PNG",
        "shape 16: it has no label",
        "shape 17: it has no list of points",
    ];
    for part in expected {
        assert!(lines.iter().any(|line| line.contains(part) && line.contains("a.json")), "{part}: {lines:#?}");
    }
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    let source = opened("labelme", folder.path());
    assert_eq!(masks(&*source, "a.png").len(), 2, "the square and the outline that crosses itself");
    assert_eq!(source.categories().len(), 1);
}

#[test]
fn masks_lie_where_their_points_say() {
    let json = |points: &str, mask: &str| shape("cat", "mask", points, &format!(r#", "mask": "{mask}""#));
    let folder = folder_of(&[
        json("[[4, 6], [6, 7]]", MASK),
        json("[[38, 28], [40, 29]]", MASK),
        json("[[4, 6], [16, 7]]", MASK),
    ]);
    let source = opened("labelme", folder.path());
    assert_eq!(source.faults().len(), 1, "{:?}", source.faults());
    let found = masks(&*source, "a.png");
    let at = |x: usize, y: usize| block(x, y, x + 1, y + 1);
    let expected = vibhag_core::Rle::union(&[at(4, 6), at(6, 6), at(5, 7), at(6, 7)]).unwrap();
    assert_eq!(found[0].1, expected);
    assert_eq!(found[1].1.area(), 2, "cut at the image's border");
}

#[test]
fn a_torn_file_is_an_error_of_its_image() {
    let folder = folder_of(&[shape("cat", "polygon", "[[1, 1], [5, 1], [5, 4]]", "")]);
    image_file(&folder.path().join("b.png"));
    let text = std::fs::read_to_string(folder.path().join("a.json")).unwrap();
    put(&folder.path().join("b.json"), &text[..text.len() / 2]);
    put(&folder.path().join("c.json"), &text.replace("a.png", "gone.png").replace("30", "0"));
    put(&folder.path().join("d.json"), &text.replace("\"imageHeight\": 30", "\"imageHeight\": 31"));
    let source = opened("labelme", folder.path());
    let names: Vec<&str> = source.images().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a.png", "a.png", "b.png", "c.png"]);
    let errors: Vec<String> =
        (0..4).filter_map(|index| source.read(index).err()).map(|error| error.to_string()).collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors.iter().any(|line| line.contains("b.json") && line.contains("line 1")), "{errors:?}");
    assert!(errors.iter().any(|line| line.contains("c.json") && line.contains("imageWidth")), "{errors:?}");
    assert!(errors.iter().any(|line| line.contains("40x31")), "{errors:?}");
    std::fs::remove_file(folder.path().join("a.json")).unwrap();
    std::fs::remove_file(folder.path().join("c.json")).unwrap();
    std::fs::remove_file(folder.path().join("d.json")).unwrap();
    assert!(open_error("labelme", folder.path()).contains("b.json"));
}

#[test]
fn images_are_found_where_windows_put_them() {
    let folder = TempDir::new().unwrap();
    image_file(&folder.path().join("pictures/a.png"));
    let text =
        file(&[shape("cat", "polygon", "[[1, 1], [5, 1], [5, 4]]", "")]).replace("a.png", r"..\\pictures\\a.png");
    put(&folder.path().join("json/train/a.json"), &text);
    put(&folder.path().join("json/a.json"), &text);
    let source = opened("labelme", folder.path());
    assert_eq!(source.images().len(), 2);
    let entry = source.images().iter().find(|entry| entry.path.is_some()).unwrap();
    assert_eq!(entry.name, "pictures/a.png");
    assert!((named("labelme").unwrap().detect)(folder.path()));
}
