//! Everybody in a photo from the command line: ellipses stand for bodies, without a skeleton; skeletons are those of a
//! photo with people, where there is one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, which may panic")]

mod bodies;

use std::path::{Path, PathBuf};

use bodies::{HEIGHT, WIDTH, json, scene, stderr, text, train, vibhag};
use serde_json::Value;
use vibhag_core::{Polygon, Rle, Samples};
use vibhag_data::decode::read_image;
use vibhag_data::encode::write_rgb_png;
use vibhag_imaging::rasterize;

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn points(value: &Value) -> Vec<[f64; 2]> {
    value.as_array().unwrap().iter().map(|p| [p[0].as_f64().unwrap(), p[1].as_f64().unwrap()]).collect()
}

/// The people of `NAME_people.json`, and their masks, after checks of what must hold for any photo.
fn checked(out: &Path, stem: &str) -> (Vec<Value>, Vec<Rle>) {
    let file = read_json(&out.join(format!("{stem}_people.json")));
    let [width, height] = ["width", "height"].map(|side| file[side].as_u64().unwrap() as usize);
    assert_eq!(file["skeleton"]["keypoints"].as_array().unwrap().len(), 17);
    assert_eq!(file["skeleton"]["keypoints"][9], "left_wrist");
    for (key, channels) in [("matte", 1), ("picture", 3)] {
        let picture = read_image(&out.join(file[key].as_str().unwrap())).unwrap();
        assert_eq!((picture.width(), picture.height(), picture.channels()), (width, height, channels), "{key}");
    }
    let matte = read_image(&out.join(file["matte"].as_str().unwrap())).unwrap();
    let Samples::U8(matte) = matte.samples() else { panic!("8 bits wanted") };
    let people = file["people"].as_array().unwrap().clone();
    let mut masks: Vec<Rle> = Vec::new();
    for (number, person) in (1u64..).zip(&people) {
        assert_eq!(person["id"].as_u64(), Some(number));
        assert_eq!(person["mask"]["size"], serde_json::json!([height, width]));
        let mask = Rle::from_text(width, height, person["mask"]["counts"].as_str().unwrap()).unwrap();
        assert_eq!(person["area"].as_u64(), Some(mask.area()));
        assert_eq!(person["bbox"], serde_json::json!(mask.bounds()));
        let polygons: Vec<Polygon> = person["polygons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|polygon| {
                let holes = polygon["holes"].as_array().unwrap().iter().map(points).collect();
                Polygon { exterior: points(&polygon["exterior"]), holes }
            })
            .collect();
        assert_eq!(rasterize(&polygons, width, height), mask, "polygons give the mask back");
        assert!(masks.iter().all(|other| other.intersection(&mask) == 0), "a pixel is one person's");
        // Alpha from one half on.
        mask.for_each(|x, y| assert!(matte[y * width + x] >= 127));
        masks.push(mask);
        let keypoints = person["keypoints"].as_array().unwrap();
        assert_eq!(keypoints.len(), if person["skeleton"].is_null() { 0 } else { 17 });
    }
    (people, masks)
}

/// Ellipses around the places in a picture of `width` x `height`, before the wall of the training data.
fn ellipses(width: usize, height: usize, places: &[(f32, f32)]) -> Vec<u8> {
    (0..width * height)
        .flat_map(|index| {
            let (x, y) = ((index % width) as f32, (index / width) as f32);
            let inside =
                places.iter().any(|place| ((x - place.0) / 13.0).powi(2) + ((y - place.1) / 30.0).powi(2) < 1.0);
            let stripe = if (index % width / 6).is_multiple_of(2) { 30 } else { 60 };
            if inside { [225, 170, 120] } else { [stripe, stripe + 20, 90] }
        })
        .collect()
}

/// One training serves everything that needs a model.
#[test]
fn everybody_is_found_and_one_bad_photo_is_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    train(&bodies::people(&dir.path().join("data")), &run);
    let run = text(&run);
    let photos = dir.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    let write = |name: &str, width: usize, height: usize, rgb: &[u8]| {
        write_rgb_png(&photos.join(name), width, height, rgb).unwrap();
    };
    write("one.png", WIDTH, HEIGHT, &scene(32, 48).0);
    let half = ellipses(WIDTH, HEIGHT, &[(2.0, 48.0)]);
    write("half.png", WIDTH, HEIGHT, &half);
    write("two.png", 2 * WIDTH, HEIGHT, &ellipses(2 * WIDTH, HEIGHT, &[(30.0, 40.0), (98.0, 60.0)]));
    write("wall.png", WIDTH, HEIGHT, &ellipses(WIDTH, HEIGHT, &[]));
    write("pixel.png", 1, 1, &[9, 9, 9]);
    std::fs::write(photos.join("broken.jpg"), b"not an image").unwrap();
    std::fs::write(photos.join("film.mp4"), b"not a video").unwrap();
    let out = dir.path().join("out");
    let (folder, out_text) = (text(&photos), text(&out));
    // An ellipse is nobody's skeleton, however sure a network is of it.
    let arguments = ["people", &folder, "--model", &run, "--size", "129", "--min-score", "0.99", "-o", &out_text];
    let rows = json(&[&arguments[..], &["--json"]].concat(), 1);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 7);
    for row in rows {
        let name = Path::new(row["input"].as_str().unwrap()).file_name().unwrap().to_str().unwrap();
        match name {
            "broken.jpg" => assert!(row["error"].as_str().unwrap().contains("broken.jpg"), "{row}"),
            "film.mp4" => assert!(row["error"].as_str().unwrap().contains("vibhag cutout"), "{row}"),
            _ => {
                assert!(row["error"].is_null(), "{row}");
                let stem = name.strip_suffix(".png").unwrap();
                let file = read_json(&out.join(format!("{stem}_people.json")));
                assert_eq!((row["image"].as_str(), &row["people"]), (Some(name), &file["people"]));
                assert_eq!(row["files"].as_array().unwrap().len(), 3);
            }
        }
    }
    let mut left: Vec<String> =
        out.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left.len(), 15, "{left:?}");

    let whole = |mask: &Rle, rgb: &[u8]| {
        let truth = rgb.chunks_exact(3).filter(|pixel| pixel[0] == 225).count();
        (mask.area() as f64 / truth as f64 - 1.0).abs() < 0.25
    };
    let (people, masks) = checked(&out, "one");
    assert!(people.len() == 1 && people[0]["skeleton"].is_null() && people[0]["score"] == 0.0, "{people:?}");
    assert!(whole(&masks[0], &scene(32, 48).0), "{}", masks[0].area());
    let (_, masks) = checked(&out, "half");
    assert!(masks.len() == 1 && whole(&masks[0], &half) && masks[0].bounds().unwrap()[0] == 0, "{masks:?}");
    let (_, masks) = checked(&out, "two");
    let sides: Vec<bool> = masks.iter().map(|mask| mask.bounds().unwrap()[0] < WIDTH).collect();
    assert!(sides.len() >= 2 && sides[0] != sides[1], "{masks:?}");
    assert!(checked(&out, "wall").0.is_empty());
    assert!(checked(&out, "pixel").0.len() <= 1);
    assert_ne!(read_image(&out.join("one_people.png")).unwrap().to_rgb8(), scene(32, 48).0);

    // What was found in one photo does not replace another.
    write("one_people.png", 4, 4, &[7; 48]);
    let one = text(&photos.join("one*.png"));
    let rows = json(&["people", &one, "--model", &run, "--size", "65", "-o", &folder, "--json"], 1);
    assert!(rows[0]["error"].as_str().unwrap().contains("over an input"), "{rows}");
    assert_eq!(read_image(&photos.join("one_people.png")).unwrap().to_rgb8(), [7; 48]);

    skeletons(dir.path(), &run);
}

/// COCO's photos, where they lie beside the checkout.
fn coco() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/coco_mini");
    if !path.is_dir() {
        eprintln!("skipped: no {}", path.display());
        return None;
    }
    Some(path)
}

/// People whom `vibhag pose` is sure of are there with their keypoints, whatever a model of ellipses thinks of a photo.
fn skeletons(dir: &Path, run: &str) {
    let Some(root) = coco() else { return };
    let file = read_json(&root.join("annotations/person_keypoints_train2017.json"));
    let mut largest: Vec<(u64, u64)> = file["annotations"]
        .as_array()
        .unwrap()
        .iter()
        // In view from head to foot.
        .filter(|person| person["num_keypoints"].as_u64() >= Some(15))
        .map(|person| (person["area"].as_f64().unwrap() as u64, person["image_id"].as_u64().unwrap()))
        .collect();
    largest.sort_unstable();
    let images = file["images"].as_array().unwrap();
    let name = |id: u64| images.iter().find(|image| image["id"] == id).unwrap()["file_name"].as_str().unwrap();
    let mut names: Vec<PathBuf> =
        largest.iter().rev().take(4).map(|&(_, id)| root.join("train2017").join(name(id))).collect();
    names.sort();
    names.dedup();
    let inputs: Vec<String> = names.iter().map(|path| text(path)).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let (poses, out) = (text(&dir.join("poses")), dir.join("skeletons"));
    let options = ["--size", "353", "--min-score", "0.5", "--json"];
    let known = json(&[&["pose"][..], &inputs[..], &options[..], &["-o", &poses][..]].concat(), 0);
    json(&[&["people"][..], &inputs[..], &options[..], &["--model", run, "-o", &text(&out)][..]].concat(), 0);
    let mut found = 0;
    for (path, row) in names.iter().zip(known.as_array().unwrap()) {
        let (people, _) = checked(&out, path.file_stem().unwrap().to_str().unwrap());
        let with_skeleton = people.iter().filter(|person| person["skeleton"] == "coco-17");
        let poses = row["people"].as_array().unwrap();
        assert_eq!(with_skeleton.clone().count(), poses.len());
        for (person, pose) in with_skeleton.zip(poses) {
            found += 1;
            assert_eq!(person["score"], pose["score"]);
            for (keypoint, known) in
                person["keypoints"].as_array().unwrap().iter().zip(pose["keypoints"].as_array().unwrap())
            {
                for (axis, name) in ["x", "y"].into_iter().enumerate() {
                    assert!((keypoint[axis].as_f64().unwrap() - known[name].as_f64().unwrap()).abs() < 0.006);
                }
            }
        }
    }
    assert!(found > 0);
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let photo = dir.path().join("photo.png");
    write_rgb_png(&photo, 40, 30, &[90; 3600]).unwrap();
    let (photo, out) = (text(&photo), text(&dir.path().join("out")));
    let missing = text(&dir.path().join("missing"));
    for (more, says) in [
        (vec!["--model", &missing], "manifest.toml"),
        (vec!["--model", &missing, "--pose-model", &missing, "--size", "257"], "cannot be used with"),
        (vec!["--model", &missing, "--min-score", "2"], "between 0 and 1"),
        (vec!["--model", &missing, "--max-people", "0"], "max-people"),
        (vec!["webcam", "--model", &missing], "vibhag pose"),
    ] {
        let output = vibhag(&[&["people", &photo, "-o", &out][..], &more[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{more:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{more:?}: {}", stderr(&output));
    }
    let nothing = vibhag(&["people", &missing, "--model", &missing, "-o", &out]);
    assert!(nothing.status.code() == Some(2) && stderr(&nothing).contains("no image found"), "{}", stderr(&nothing));
    assert!(!dir.path().join("out").exists());
    // The networks that come with the program do without any.
    let plain = dir.path().join("plain");
    let rows = json(&["people", &photo, "--size", "65", "-o", &text(&plain), "--json"], 0);
    assert_eq!(rows[0]["people"], serde_json::json!([]), "{rows}");
    assert!(plain.join("photo_matte.png").is_file());
}
