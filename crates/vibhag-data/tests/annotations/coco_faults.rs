//! COCO files with faults: each costs its annotation, and is said.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use vibhag_data::FaultKind;
use vibhag_data::annotations::{AnnotationSource, named};

/// A file with two images and two categories.
fn file(annotations: &Value) -> Value {
    json!({
        "info": {"note": "with \"quotes\" and [brackets]"},
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 20, "height": 10},
            {"id": 2, "file_name": "b.jpg", "width": 20, "height": 10},
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 5, "name": "dog"}],
    })
}

fn write(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("instances.json");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn open(text: &str) -> (TempDir, Box<dyn AnnotationSource>) {
    let (folder, path) = write(text);
    let source = (named("coco").unwrap().open)(&path).unwrap();
    (folder, source)
}

fn good(id: u64) -> Value {
    json!({"id": id, "image_id": 1, "category_id": 5, "segmentation": [[1, 1, 9, 1, 9, 8]], "iscrowd": 0, "bbox": [1, 1, 8, 7]})
}

/// The only fault of a file with `bad` between two good annotations, which stay in use.
fn fault_of(bad: &Value) -> (FaultKind, String) {
    let (_folder, source) = open(&file(&json!([good(1), bad, good(3)])).to_string());
    let ids: Vec<u64> = source.read(0).unwrap().annotations.iter().map(|annotation| annotation.id).collect();
    assert_eq!(ids, [1, 3], "{bad}");
    assert_eq!(source.faults().len(), 1, "{bad}: {:?}", source.faults());
    let fault = &source.faults()[0];
    assert!(fault.to_string().contains("instances.json"));
    (fault.kind, fault.message.clone())
}

fn with(field: &str, value: Value) -> Value {
    let mut annotation = good(2);
    annotation[field] = value;
    annotation
}

#[test]
fn each_fault_costs_one_annotation_and_is_named() {
    let cases = [
        (with("category_id", json!(4)), "no category has the id 4"),
        (with("category_id", json!("cat")), "category_id is no whole number"),
        (with("id", json!(1)), "id 1 occurs again"),
        (with("id", json!(1.5)), "annotation number 2 of the file has no whole number as id"),
        (with("image_id", json!(9)), "is for the image 9"),
        (with("image_id", json!(null)), "no whole number"),
        (with("segmentation", json!([])), "segmentation is empty"),
        (with("segmentation", json!(null)), "segmentation is empty"),
        (with("segmentation", json!([[]])), "segmentation is empty"),
        (with("segmentation", json!([[1, 1, 5, 5]])), "segmentation is empty"),
        (with("segmentation", json!([1, 1, 9, 1, 9, 8])), "one list of numbers"),
        (with("segmentation", json!("1 1 9 1")), "neither a list of outlines nor run lengths"),
        (with("segmentation", json!([[1, 1, 9, 1, 9]])), "5 numbers"),
        (with("segmentation", json!([[1, 1, 9, "x", 9, 8]])), "not a list of numbers"),
        (with("segmentation", json!([[1, 1, 9, null, 9, 8]])), "not a list of numbers"),
        (with("segmentation", json!([[1, 1, 5, 5, 9, 9, 3, 3]])), "encloses no area"),
        (with("segmentation", json!([[3, 3, 3, 3, 3, 3]])), "encloses no area"),
        (with("segmentation", json!([[21, 1, 30, 1, 30, 8]])), "outside the image of 20x10"),
        (with("segmentation", json!([[-9, 1, -2, 1, -2, 8]])), "outside the image"),
        (with("segmentation", json!({"size": [10, 20], "counts": [6, 5, 100]})), "run lengths add up to 111"),
        (with("segmentation", json!({"size": [20, 10], "counts": [6, 5, 189]})), "run lengths are for 10x20"),
        (with("segmentation", json!({"counts": [6, 5, 189]})), "lack their size"),
        (with("segmentation", json!({"size": [10, 20], "counts": [6, -5, 199]})), "negative or no whole number"),
        (with("segmentation", json!({"size": [10, 20], "counts": "61X13mN000"})), "run lengths"),
        (with("segmentation", json!({"size": [10, 20], "counts": "é"})), "compressed run lengths"),
        (with("segmentation", json!({"size": [10, 20], "counts": [200]})), "segmentation is empty"),
        (with("segmentation", json!({"size": [10, 20]})), "neither a list of numbers nor a text"),
    ];
    for (bad, message) in cases {
        let (_, found) = fault_of(&bad);
        assert!(found.contains(message), "{bad}: {found}");
    }
    assert_eq!(fault_of(&with("category_id", json!(4))).0, FaultKind::MaskValue);
    assert_eq!(fault_of(&with("image_id", json!(9))).0, FaultKind::MissingImage);
    assert_eq!(fault_of(&with("id", json!(1))).0, FaultKind::Ambiguous);
    let wrong_size = with("segmentation", json!({"size": [20, 10], "counts": [6, 5, 189]}));
    assert_eq!(fault_of(&wrong_size).0, FaultKind::SizeMismatch);
}

#[test]
fn what_python_writes_for_no_number_is_a_fault() {
    let text = file(&json!([good(1), good(2), good(3)])).to_string();
    for word in ["NaN", "Infinity", "-Infinity"] {
        // Within a text it is a text.
        let text = text.replacen("[brackets]", &format!("[{word}, {word}]"), 1);
        let second = text.find("\"id\":2").unwrap();
        let start = second + text[second..].find("[[1,1,").unwrap();
        let text = format!("{}[[{word},1,{}", &text[..start], &text[start + 6..]);
        let (_folder, source) = open(&text);
        assert_eq!(source.read(0).unwrap().annotations.len(), 2);
        assert!(source.faults()[0].message.contains("annotation 2"), "{:?}", source.faults());
    }
}

#[test]
fn usable_oddities_are_used() {
    let annotations = json!([
        // Crosses itself, and leaves the image.
        with("segmentation", json!([[-5, -5, 18, 9, 18, 1, -3, 9]])),
        {"id": 4_294_967_296_u64, "image_id": 2, "category_id": 1, "segmentation": {"size": [10, 20], "counts": [0, 5, 195]}, "iscrowd": true},
        {"id": 70_000, "image_id": "2", "category_id": 1.0, "segmentation": [[1, 1, 9, 1, 9, 8], [12, 1]], "bbox": "none", "area": null},
    ]);
    let text = format!("\u{feff}{}", file(&annotations));
    let (_folder, source) = open(&text);
    assert_eq!(source.faults(), []);
    let first = source.read(0).unwrap();
    assert_eq!((first.annotations[0].bounds, first.annotations[0].area), (Some([1.0, 1.0, 8.0, 7.0]), None));
    let second = source.read(1).unwrap().annotations;
    assert_eq!((second[0].id, second[0].crowd, second[1].id, second[1].bounds), (1 << 32, true, 70_000, None));
}

#[test]
fn the_order_of_the_lists_does_not_matter() {
    let ordered = file(&json!([good(1), good(2)]));
    let text = format!(
        r#"{{"annotations": {}, "categories": {}, "images": {}}}"#,
        ordered["annotations"], ordered["categories"], ordered["images"]
    );
    let ((_one, one), (_two, two)) = (open(&ordered.to_string()), open(&text));
    assert_eq!(one.read(0).unwrap(), two.read(0).unwrap());
    assert_eq!((one.categories(), one.faults()), (two.categories(), two.faults()));
}

#[test]
fn faults_of_images_and_categories_are_named() {
    let mut value = file(&json!([good(1)]));
    let images = value["images"].as_array_mut().unwrap();
    images.push(json!({"id": 1, "file_name": "again.jpg", "width": 5, "height": 5}));
    images.push(json!({"id": 3, "file_name": "sizeless.jpg"}));
    images.push(json!({"id": 4, "file_name": "huge.jpg", "width": 4_000_000_000_u64, "height": 4_000_000_000_u64}));
    images.push(json!({"file_name": "no id.jpg", "width": 5, "height": 5}));
    value["categories"].as_array_mut().unwrap().push(json!({"id": 5, "name": "wolf"}));
    value["annotations"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": 9, "image_id": 3, "category_id": 5, "segmentation": [[1, 1, 9, 1, 9, 8]]}));
    let (_folder, source) = open(&value.to_string());
    assert_eq!((source.images().len(), source.categories().len()), (2, 2));
    let messages: Vec<&str> = source.faults().iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(messages.len(), 5, "{messages:?}");
    for part in ["again.jpg", "neither its size", "too many", "without file_name", "\"dog\" and again for \"wolf\""] {
        assert!(messages.iter().any(|message| message.contains(part)), "{part}: {messages:?}");
    }
}

#[test]
fn a_truncated_file_says_line_and_column() {
    let text = serde_json::to_string_pretty(&file(&json!([good(1), good(2)]))).unwrap();
    let (_folder, path) = write(&text[..text.len() / 2]);
    let error = (named("coco").unwrap().open)(&path).unwrap_err().to_string();
    let line = text[..text.len() / 2].matches('\n').count() + 1;
    assert!(error.contains("ends in the middle") && error.contains(&format!("line {line}, column")), "{error}");
    assert!(error.contains("truncated"), "{error}");
    for (text, part) in
        [("{\"images\": [}", "line 1, column 13"), ("", "line 1"), ("{}", "no list of images"), ("[1]", "list")]
    {
        let (_folder, path) = write(text);
        let error = (named("coco").unwrap().open)(&path).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("instances.json"), "{text}: {error}");
    }
}

#[test]
fn a_file_that_changed_after_opening_is_an_error() {
    let (folder, source) = open(&file(&json!([good(1)])).to_string());
    std::fs::write(folder.path().join("instances.json"), "{}").unwrap();
    let error = source.read(0).unwrap_err().to_string();
    assert!(error.contains("has changed since it was opened"), "{error}");
}

#[test]
fn an_image_of_another_size_is_an_error_of_that_image() {
    let (folder, path) = write(&file(&json!([good(1)])).to_string());
    vibhag_data::encode::write_rgb_png(&folder.path().join("a.jpg"), 10, 20, &[0; 600]).unwrap();
    let source = (named("coco").unwrap().open)(&path).unwrap();
    let error = source.read(0).unwrap_err().to_string();
    assert!(error.contains("10x20") && error.contains("20x10") && source.read(1).is_ok(), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_damage_to_a_file_makes_a_panic(place in 0.0..1.0, byte in any::<u8>(), cut in any::<bool>()) {
        let crowd = json!({"size": [10, 20], "counts": "61X13mN000`0"});
        let list = json!({"size": [10, 20], "counts": [6, 5, 189]});
        let annotations = json!([good(1), with("segmentation", crowd), with("segmentation", list)]);
        let mut bytes = file(&annotations).to_string().into_bytes();
        let place = (place * bytes.len() as f64) as usize;
        bytes[place] = byte;
        if cut {
            bytes.truncate(place + 1);
        }
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("instances.json");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(source) = (named("coco").unwrap().open)(&path) {
            for index in 0..source.images().len() {
                prop_assert!(source.read(index).is_ok());
            }
        }
    }
}

#[test]
fn a_folder_of_many_json_files_is_another_format() {
    let folder = TempDir::new().unwrap();
    for index in 0..25 {
        std::fs::write(folder.path().join(format!("{index}.json")), file(&json!([good(1)])).to_string()).unwrap();
    }
    assert!(!(named("coco").unwrap().detect)(folder.path()));
}
