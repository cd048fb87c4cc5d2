//! Label Studio's export.

use serde_json::{Value, json};
use tempfile::TempDir;
use vibhag_data::annotations::{AnnotationSource, recognise};

use crate::fixtures::{image_file, masks, open_error, opened, put};

fn region(kind: &str, value: &Value) -> Value {
    json!({ "id": "xYz", "type": kind, "original_width": 40, "original_height": 30, "image_rotation": 0, "value": value })
}

fn task(image: &str, regions: &[Value]) -> Value {
    json!({ "id": 1, "data": { "image": image }, "annotations": [{ "result": regions, "was_cancelled": false }] })
}

fn folder_of(tasks: &[Value]) -> TempDir {
    let folder = TempDir::new().unwrap();
    image_file(&folder.path().join("images/a.png"));
    put(&folder.path().join("export.json"), &Value::from(tasks).to_string());
    folder
}

fn faults(source: &dyn AnnotationSource) -> Vec<String> {
    source.faults().iter().map(ToString::to_string).collect()
}

/// A 40x30 brush mask of the image's first `count` pixels, as 4 repeated values each.
fn brush(count: u32) -> Vec<u8> {
    let mut bits = format!("{:032b}{:05b}0010001101111111", 40 * 30 * 4, 7);
    for (run, value) in [(4 * count, 255), (4 * (1200 - count), 0)] {
        bits.extend(format!("111{:016b}{value:08b}", run - 1).chars());
    }
    bits.as_bytes()
        .chunks(8)
        .map(|chunk| chunk.iter().enumerate().map(|(at, bit)| (bit - b'0') << (7 - at)).sum())
        .collect()
}

#[test]
fn all_regions_with_an_area_are_read() {
    let regions = [
        region(
            "polygonlabels",
            &json!({ "points": [[10, 10], [50, 10], [50, 50], [10, 50]], "polygonlabels": ["cat"] }),
        ),
        region(
            "rectanglelabels",
            &json!({ "x": 50, "y": 50, "width": 25, "height": 20, "rotation": 0, "rectanglelabels": ["dog"] }),
        ),
        region(
            "ellipselabels",
            &json!({ "x": 75, "y": 30, "radiusX": 12.5, "radiusY": 16.666666666666668, "ellipselabels": ["cat"] }),
        ),
        region("brushlabels", &json!({ "format": "rle", "rle": brush(45), "brushlabels": ["dog"] })),
        // Labels and shapes as controls of their own.
        json!({ "id": "s", "type": "polygon", "original_width": 40, "original_height": 30, "value": { "points": [[0, 90], [10, 90], [10, 100], [0, 100]] } }),
        json!({ "id": "s", "type": "labels", "original_width": 40, "original_height": 30, "value": { "points": [[0, 90], [10, 90], [10, 100], [0, 100]], "labels": ["cat"] } }),
        json!({ "id": "c", "type": "choices", "value": { "choices": ["good"] } }),
    ];
    let folder = folder_of(&[task("/data/upload/3/0a1b2c3d-a.png", &regions)]);
    assert_eq!(recognise(folder.path()).map(|format| format.name), Some("label-studio"));
    let source = opened("label-studio", folder.path());
    assert_eq!(faults(&*source), Vec::<String>::new());
    assert_eq!(source.categories().iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["cat", "dog"]);
    let entry = &source.images()[0];
    assert_eq!((entry.name.as_str(), entry.id), ("0a1b2c3d-a.png", Some(1)));
    assert!(entry.path.as_ref().unwrap().ends_with("images/a.png"));
    let found = masks(&*source, "0a1b2c3d-a.png");
    let areas: Vec<u64> = found.iter().map(|(_, mask)| mask.area()).collect();
    assert_eq!([areas[0], areas[1], areas[3], areas[4]], [16 * 12, 60, 45, 12]);
    assert!((70..90).contains(&areas[2]), "{areas:?}");
    assert_eq!(found[3].1.bounds(), Some([0, 0, 40, 2]));
}

#[test]
fn bad_regions_are_faults_with_their_number() {
    let outline = |points: Value| region("polygonlabels", &json!({ "points": points, "polygonlabels": ["cat"] }));
    let mask = |rle: Value| region("brushlabels", &json!({ "format": "rle", "rle": rle, "brushlabels": ["cat"] }));
    let mut turned = outline(json!([[1, 1], [50, 1], [50, 50]]));
    turned["image_rotation"] = json!(90);
    let mut larger = outline(json!([[1, 1], [50, 1], [50, 50]]));
    larger["original_width"] = json!(400);
    let whole = brush(45);
    let regions = [
        outline(json!([[1, 1], [50, 1], [50, 50]])),
        region("polygonlabels", &json!({ "points": [[1, 1], [50, 1], [50, 50]], "polygonlabels": ["cow"] })),
        region("polygonlabels", &json!({ "points": [[1, 1], [50, 1], [50, 50]], "polygonlabels": [] })),
        outline(json!([[1, 1], [50, 1]])),
        outline(json!([])),
        outline(json!([[1, 1], [50], [50, 50]])),
        outline(json!([[1, 1], [null, 1], [50, 50]])),
        outline(json!([[200, 200], [300, 200], [300, 300]])),
        outline(json!([[10, 10], [10, 10], [10, 10]])),
        turned,
        larger,
        mask(json!(whole[..10])),
        mask(json!([0, 0, 0, 8, 57])),
        mask(json!([1, 2, 300])),
        mask(json!("text")),
        region(
            "rectanglelabels",
            &json!({ "x": 50, "y": "low", "width": 25, "height": 20, "rectanglelabels": ["cat"] }),
        ),
        region("keypointlabels", &json!({ "x": 50, "y": 50, "keypointlabels": ["cat"] })),
        region("hologramlabels", &json!({ "hologramlabels": ["cat"] })),
        region(
            "polygonlabels",
            &json!({ "points": [[50, 10], [90, 60], [90, 10], [50, 60]], "polygonlabels": ["cat", "dog"] }),
        ),
    ];
    let folder = folder_of(&[task("a.png", &regions)]);
    put(
        &folder.path().join("config.xml"),
        "<View><PolygonLabels><Label value=\"cat\"/><Label value=\"dog\"/></PolygonLabels></View>",
    );
    let source = opened("label-studio", folder.path());
    let lines = faults(&*source);
    let expected = [
        "region 2: unknown label \"cow\"",
        "region 3: it has no label",
        "region 4: an outline of 2 points",
        "region 5: an outline of 0 points",
        "region 6: a point is not a pair",
        "region 7: a point is not a pair",
        "region 8: the outline encloses no pixel",
        "region 9: the outline encloses no pixel",
        "region 10: it was drawn on a turned image",
        "region 11: it is for an image of 400x30",
        "region 12: the mask's code ends in the middle",
        "region 13: a mask of 8 values",
        "region 14: the mask's code has a number that is no byte",
        "region 15: the mask's code ends",
        "region 16: y is no number",
        "region 17: a point or line has no area",
        "region 18: unknown type \"hologram\"",
        "region 19: 2 labels, of which the first is used",
    ];
    for part in expected {
        assert!(lines.iter().any(|line| line.contains(part) && line.contains("export.json")), "{part}: {lines:#?}");
    }
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    assert_eq!(masks(&*source, "a.png").len(), 2);
}

#[test]
fn tasks_without_annotation_twice_or_with_several_are_faults() {
    let some = || region("polygonlabels", &json!({ "points": [[1, 1], [50, 1], [50, 50]], "polygonlabels": ["cat"] }));
    let two = json!({ "data": { "image": "b.png", "width": 40, "height": 30 }, "annotations": [
        { "result": [some()], "updated_at": "2024-05-02T10:00:00Z" },
        { "result": [some(), some()], "updated_at": "2024-05-01T10:00:00Z" },
        { "result": [], "updated_at": "2024-06-01T10:00:00Z", "was_cancelled": true },
    ] });
    let tasks = [
        task("a.png", &[some()]),
        task("a.png", &[]),
        two,
        json!({ "data": { "image": "c.png" }, "annotations": [] }),
        json!({ "data": { "text": "hello" }, "annotations": [{ "result": [] }] }),
        json!({ "data": { "image": "d.png" }, "annotations": [{ "result": [] }] }),
        task(
            "e.png",
            &[{
                let mut far = some();
                far["original_width"] = json!(4_000_000_000u64);
                far
            }],
        ),
        json!(7),
    ];
    let folder = folder_of(&tasks);
    let source = opened("label-studio", folder.path());
    let names: Vec<&str> = source.images().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a.png", "b.png", "d.png", "e.png"]);
    let lines = faults(&*source);
    for part in [
        "task 2: a second task",
        "task 3: 2 annotations",
        "task 4: nobody",
        "task 5: it has no image",
        "task 8: it has no image",
    ] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}: {lines:#?}");
    }
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert_eq!((masks(&*source, "a.png").len(), masks(&*source, "b.png").len()), (1, 1));
    assert!(source.read(2).unwrap_err().to_string().contains("how large the image is"));
    assert!(source.read(3).unwrap_err().to_string().contains("too many"));
}

#[test]
fn torn_json_is_an_error_with_its_line() {
    let folder = folder_of(&[task("a.png", &[])]);
    let path = folder.path().join("export.json");
    let text = std::fs::read_to_string(&path).unwrap();
    put(&path, &text[..text.len() - 5]);
    let error = open_error("label-studio", folder.path());
    assert!(error.contains("export.json") && error.contains("line 1"), "{error}");
    assert!(open_error("label-studio", &folder.path().join("images")).contains("no JSON export"));
}
