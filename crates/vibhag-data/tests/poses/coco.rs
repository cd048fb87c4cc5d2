//! COCO keypoints: what is there comes back, and each way in which a file can be broken is a fault or an error.

use std::path::Path;

use serde_json::{Value, json};
use vibhag_core::{Result, Task, Visibility};
use vibhag_data::dataset::{Dataset, OpenOptions};
use vibhag_data::encode::write_rgb_png;
use vibhag_data::{Fault, fingerprint};

const KEYPOINTS: [&str; 3] = ["nose", "left_wrist", "right_wrist"];

fn open(root: &Path) -> Result<Dataset> {
    vibhag_data::open(root, &OpenOptions { task: Task::Pose, ..OpenOptions::default() })
}

fn person(id: u64, image: u64, keypoints: &Value) -> Value {
    json!({"id": id, "image_id": image, "category_id": 1, "iscrowd": 0, "keypoints": keypoints,
        "bbox": [5.0, 6.0, 20.0, 10.0], "area": 150.0})
}

/// Two images of 40x30 with one good person on the first.
fn good() -> Value {
    json!({
        "images": [
            {"id": 7, "file_name": "b.png", "width": 40, "height": 30},
            {"id": 3, "file_name": "a.png", "width": 40, "height": 30},
        ],
        "annotations": [person(1, 7, &json!([5.5, 6.0, 2, 25.0, 16.0, 1, 0, 0, 0]))],
        "categories": [{"id": 1, "name": "person", "keypoints": KEYPOINTS, "skeleton": [[1, 2], [1, 3]]}],
    })
}

fn write(root: &Path, text: &str) {
    std::fs::create_dir_all(root.join("images")).unwrap();
    for name in ["a.png", "b.png"] {
        write_rgb_png(&root.join("images").join(name), 40, 30, &[90; 40 * 30 * 3]).unwrap();
    }
    std::fs::write(root.join("person_keypoints.json"), text).unwrap();
}

fn faults_of(file: &Value) -> (Dataset, Vec<Fault>) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &file.to_string());
    let dataset = open(dir.path()).unwrap();
    let faults = dataset.faults.clone();
    (dataset, faults)
}

#[test]
fn people_come_back_with_their_skeleton() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &good().to_string());
    let dataset = open(dir.path()).unwrap();
    assert_eq!((dataset.format.as_str(), dataset.len()), ("coco-keypoints", 2));
    assert!(dataset.faults.is_empty(), "{:?}", dataset.faults);
    let skeleton = dataset.poses().unwrap().skeleton();
    assert_eq!((skeleton.name.as_str(), skeleton.len()), ("person", 3));
    assert_eq!((&skeleton.limbs[..], &skeleton.flip_pairs[..]), (&[[0, 1], [0, 2]][..], &[[1, 2]][..]));
    // Sorted by name: the first image shows nobody.
    assert!(dataset.read_people(0).unwrap().people.is_empty());
    let (image, people) = dataset.load_people(1).unwrap();
    assert_eq!((image.width(), people.width, people.people.len()), (40, 40, 1));
    let person = &people.people[0];
    assert_eq!((person.area, person.bounds, person.pose.present()), (150.0, [5.0, 6.0, 20.0, 10.0], 2));
    assert_eq!((person.pose.keypoints[0].x, person.pose.keypoints[1].visibility), (5.5, Visibility::Occluded));
    let found = fingerprint::scan(&dataset, &|_, _| {});
    let summary = found.people.clone().unwrap();
    assert_eq!((found.usable, summary.count, summary.most_per_image, summary.empty_images), (2, 1, 1, 1));
    assert_eq!(found.content_hash, dataset.content_hash());
    // Another place of a keypoint is other data.
    let mut moved = good();
    moved["annotations"][0]["keypoints"][0] = json!(6.5);
    write(dir.path(), &moved.to_string());
    let other = fingerprint::scan(&open(dir.path()).unwrap(), &|_, _| {});
    assert_eq!(other.usable, 2);
    assert_ne!(other.content_hash, found.content_hash);
    write(dir.path(), &good().to_string());
    let one = dataset.subset(&[1]);
    assert_eq!(one.read_people(0).unwrap(), people);
    // The file itself will do, and so does the folder annotations/ with a split's name.
    assert_eq!(open(&dir.path().join("person_keypoints.json")).unwrap().len(), 2);
    std::fs::create_dir(dir.path().join("annotations")).unwrap();
    std::fs::rename(dir.path().join("person_keypoints.json"), dir.path().join("annotations/person_keypoints_val.json"))
        .unwrap();
    assert_eq!(open(dir.path()).unwrap().samples[0].split, Some(vibhag_data::Split::Val));
}

#[test]
fn faults_of_single_keypoints_leave_the_rest_in_use() {
    // Python writes NaN though JSON has none.
    let text = good().to_string().replace("25.0,16.0,1", "NaN,16.0,1");
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &text);
    let dataset = open(dir.path()).unwrap();
    assert_eq!(dataset.faults.len(), 1);
    let message = &dataset.faults[0].message;
    assert!(message.contains("annotation 1 on b.png: left_wrist") && message.contains("no number"), "{message}");
    assert_eq!(dataset.read_people(1).unwrap().people[0].pose.present(), 1);

    for (keypoints, wanted, present) in [
        (json!([5, 6, 2, 48, 16, 2, 0, 0, 0]), "left_wrist lies at (48, 16), outside the image of 40x30", 1),
        (json!([5, 6, 2, 25, -9, 1, 0, 0, 0]), "outside the image", 1),
        (json!([5, 6, 3, 25, 16, 2, 0, 0, 0]), "nose has visibility 3", 1),
        (json!([5, 6, 2, 25, 16, 2]), "6 numbers", 0),
        (json!(["5", 6, 2, 25, 16, 2, 0, 0, 0]), "nose is labelled, but its place is no number", 1),
        (json!("none"), "no list of numbers", 0),
    ] {
        let mut file = good();
        file["annotations"][0]["keypoints"] = keypoints.clone();
        let (dataset, faults) = faults_of(&file);
        assert_eq!(faults.len(), 1, "{keypoints}: {faults:?}");
        assert!(faults[0].message.contains(wanted), "{}", faults[0].message);
        // Somebody without a usable keypoint is still there, unlabelled.
        let people = dataset.read_people(1).unwrap().people;
        assert_eq!((people.len(), people[0].pose.present()), (1, present), "{keypoints}");
    }
    let mut stated = good();
    stated["annotations"][0]["num_keypoints"] = json!(3);
    assert!(faults_of(&stated).1[0].message.contains("num_keypoints"));
}

#[test]
fn crowds_and_people_without_labels_are_kept_as_such() {
    let mut file = good();
    let list = file["annotations"].as_array_mut().unwrap();
    let mut nobody = person(2, 7, &json!([0, 0, 0, 0, 0, 0, 0, 0, 0]));
    nobody["num_keypoints"] = json!(0);
    list.push(nobody);
    let mut crowd = person(3, 7, &Value::Null);
    crowd["iscrowd"] = json!(1);
    list.push(crowd);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &file.to_string());
    let dataset = open(dir.path()).unwrap();
    assert!(dataset.faults.is_empty(), "{:?}", dataset.faults);
    let people = dataset.read_people(1).unwrap().people;
    assert_eq!(
        people.iter().map(|p| (p.pose.present(), p.crowd)).collect::<Vec<_>>(),
        [(2, false), (0, false), (0, true)]
    );
    let summary = fingerprint::scan(&dataset, &|_, _| {}).people.unwrap();
    assert_eq!((summary.count, summary.unlabelled, summary.crowds), (1, 1, 1));
}

#[test]
fn faults_of_rows_are_listed() {
    let mut file = good();
    let images = file["images"].as_array_mut().unwrap();
    images.push(json!({"id": 7, "file_name": "a.png"}));
    images.push(json!({"file_name": "a.png"}));
    images.push(json!({"id": 9, "file_name": "gone.png", "width": 4, "height": 4}));
    let list = file["annotations"].as_array_mut().unwrap();
    list.push(person(1, 7, &json!([5, 6, 2, 25, 16, 2, 0, 0, 0])));
    list.push(person(4, 99, &json!([5, 6, 2, 25, 16, 2, 0, 0, 0])));
    let mut stranger = person(5, 7, &json!([5, 6, 2, 25, 16, 2, 0, 0, 0]));
    stranger["category_id"] = json!(8);
    list.push(stranger);
    let mut boxless = person(6, 7, &json!([0, 0, 0, 0, 0, 0, 0, 0, 0]));
    boxless["bbox"] = json!([1, 2, 3]);
    list.push(boxless);
    let (dataset, faults) = faults_of(&file);
    let all: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    for wanted in
        ["image id 7", "without a whole number", "no such image", "annotation id 1", "image 99", "category_id", "bbox"]
    {
        assert_eq!(all.iter().filter(|message| message.contains(wanted)).count(), 1, "{wanted}: {all:#?}");
    }
    assert_eq!((all.len(), dataset.len(), dataset.read_people(1).unwrap().people.len()), (7, 2, 1));
}

#[test]
fn files_that_cannot_be_meant_are_errors() {
    let error = |change: fn(&mut Value)| {
        let dir = tempfile::tempdir().unwrap();
        let mut file = good();
        change(&mut file);
        write(dir.path(), &file.to_string());
        open(dir.path()).unwrap_err().to_string()
    };
    assert!(error(|file| drop(file.as_object_mut().unwrap().remove("images"))).contains("images"));
    assert!(error(|file| file["categories"][0]["skeleton"] = json!([])).contains("no limbs"));
    assert!(error(|file| file["categories"][0]["skeleton"] = json!([[0, 1]])).contains("keypoint 0"));
    assert!(error(|file| file["categories"][0]["skeleton"] = json!([[1, 9]])).contains("limb 0"));
    assert!(error(|file| file["categories"][0]["skeleton"] = json!(["a"])).contains("pair"));
    assert!(error(|file| file["categories"][0]["keypoints"] = json!([])).contains("no category"));
    let two = |file: &mut Value| {
        let other = json!({"id": 2, "name": "hand", "keypoints": ["wrist", "thumb"], "skeleton": [[1, 2]]});
        file["categories"].as_array_mut().unwrap().push(other);
    };
    assert!(error(two).contains("different skeletons"));
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "{\"keypoints\": [");
    assert!(open(dir.path()).unwrap_err().to_string().contains("truncated"));
    std::fs::remove_file(dir.path().join("person_keypoints.json")).unwrap();
    assert!(open(dir.path()).unwrap_err().to_string().contains("no format of keypoints"));
    assert!(open(&dir.path().join("nowhere")).unwrap_err().to_string().contains("no such"));
}

#[test]
fn an_image_of_another_size_is_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &good().to_string());
    write_rgb_png(&dir.path().join("images/b.png"), 30, 40, &[90; 40 * 30 * 3]).unwrap();
    let dataset = open(dir.path()).unwrap();
    assert!(dataset.load_people(1).unwrap_err().to_string().contains("30x40"));
    let found = fingerprint::scan(&dataset, &|_, _| {});
    assert_eq!((found.usable, found.faults.len()), (1, 1));
}

#[test]
fn a_usual_skeleton_is_known_by_its_keypoints() {
    let usual = vibhag_core::Skeleton::named("coco-17").unwrap();
    let mut file = good();
    file["annotations"] = json!([]);
    file["categories"][0]["keypoints"] = json!(usual.keypoints);
    file["categories"][0]["skeleton"] = json!([]);
    let (dataset, _) = faults_of(&file);
    assert_eq!(*dataset.poses().unwrap().skeleton(), usual);
    assert!(dataset.notes.iter().any(|note| note.contains("no limbs")), "{:?}", dataset.notes);
}
