//! People's keypoints from the command line, on drawn figures.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use vibhag_core::Image;
use vibhag_data::decode::read_image;
use vibhag_data::encode::write_rgb_png;
use vibhag_nn::device::DeviceChoice;
use vibhag_predict::{PoseModel, PoseOptions};

const WIDTH: usize = 96;
const HEIGHT: usize = 64;

fn vibhag(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vibhag")).args(args).output().unwrap()
}

/// The output of a command that must succeed, or end with findings where that is `code`.
fn json(args: &[&str], code: i32) -> Value {
    let output = vibhag(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn failure(args: &[&str]) -> String {
    let output = vibhag(args);
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Neck, pelvis and two hands, of which the left one is on the right of the picture.
fn figure(index: usize) -> [[f64; 2]; 4] {
    let turn = |step: usize, range: f64| ((index * step % 11) as f64 / 5.0 - 1.0) * range;
    let [x, y] = [48.0 + turn(3, 18.0), 34.0 + turn(5, 6.0)];
    [
        [x + turn(7, 4.0), y - 14.0],
        [x, y + 10.0],
        [x + 17.0, y - 8.0 + turn(2, 9.0)],
        [x - 17.0, y - 8.0 + turn(4, 9.0)],
    ]
}

fn drawn(index: usize) -> Vec<u8> {
    let points = figure(index);
    let limbs = [([0, 1], [230, 50, 50]), ([0, 2], [60, 220, 60]), ([0, 3], [60, 220, 60])];
    let mut pixels: Vec<u8> = (0..WIDTH * HEIGHT * 3).map(|i| 110 + (i * 7919 % 23) as u8).collect();
    for ([a, b], color) in limbs {
        let ([ax, ay], [bx, by]) = (points[a], points[b]);
        let (dx, dy) = (bx - ax, by - ay);
        for (place, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let (x, y) = ((place % WIDTH) as f64 - ax, (place / WIDTH) as f64 - ay);
            let along = ((x * dx + y * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            if (x - along * dx).hypot(y - along * dy) <= 2.0 {
                pixel.copy_from_slice(&color);
            }
        }
    }
    pixels
}

/// Figures with the numbers `from..to` as COCO keypoints.
fn figures(root: &Path, from: usize, to: usize, names: [&str; 4]) -> PathBuf {
    std::fs::create_dir_all(root.join("images")).unwrap();
    let (mut images, mut people) = (Vec::new(), Vec::new());
    for index in from..to {
        let name = format!("f{index:02}.png");
        write_rgb_png(&root.join("images").join(&name), WIDTH, HEIGHT, &drawn(index)).unwrap();
        let keypoints: Vec<Value> = figure(index).iter().flat_map(|&[x, y]| [json!(x), json!(y), json!(2)]).collect();
        images.push(json!({"id": index, "file_name": name, "width": WIDTH, "height": HEIGHT}));
        people.push(json!({"id": index, "image_id": index, "category_id": 1, "iscrowd": 0, "keypoints": keypoints,
            "num_keypoints": 4}));
    }
    let category = json!({"id": 1, "name": "figure", "keypoints": names, "skeleton": [[1, 2], [1, 3], [1, 4]]});
    let file = json!({"images": images, "annotations": people, "categories": [category]});
    std::fs::write(root.join("person_keypoints.json"), file.to_string()).unwrap();
    root.to_owned()
}

const NAMES: [&str; 4] = ["neck", "pelvis", "left_wrist", "right_wrist"];

const SMALL: [&str; 14] = [
    "--set",
    "network.decoder_channels=[32, 32, 32]",
    "--set",
    "network.widths=[8, 16, 24, 32]",
    "--set",
    "network.head_width=16",
    "--set",
    "loop.validations=4",
    "--set",
    "optimizer.learning_rate=0.01",
    "--set",
    "loop.crop=64",
    "--set",
    "loop.batch=4",
];

#[test]
fn from_coco_keypoints_to_scores_and_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(&figures(&dir.path().join("data"), 0, 40, NAMES));
    let doctor = json(&["doctor", &data, "--task", "pose", "--json"], 0);
    assert_eq!((doctor["format"].as_str(), doctor["people"]["count"].as_u64()), (Some("coco-keypoints"), Some(40)));
    assert_eq!(json(&["doctor", &data, "--format", "coco-keypoints", "--json"], 0)["people"], doctor["people"]);
    let output = vibhag(&["doctor", &data, "--json"]);
    let as_objects: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(as_objects["notes"].to_string().contains("--task pose"), "{as_objects}");

    let run = dir.path().join("run");
    let run_text = text(&run);
    let mut train = vec!["train", &data, "--task", "pose", "--arch", "fpn", "--epochs", "25", "--json"];
    train.extend(["-o", &run_text, "--set", "input.geometry.height=64", "--set", "input.geometry.width=96"]);
    train.extend(["--set", "input.scale=1.0"]);
    train.extend(SMALL);
    let trained = json(&train, 0);
    let manifest = std::fs::read_to_string(run.join("model/manifest.toml")).unwrap();
    assert!(manifest.contains("[skeleton]") && manifest.contains("val_oks"), "{manifest}");
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    for part in ["id=\"poses\"", "id=\"pose-pictures\"", "id=\"pose-images\"", "left_wrist", "PCK@0.2"] {
        assert!(report.contains(part), "{part}");
    }

    let other = text(&figures(&dir.path().join("other"), 40, 52, NAMES));
    let scores = json(&["evaluate", &run_text, &other, "--json"], 0);
    for key in ["AP", "AP50", "AP75", "AR", "pck@0.2"] {
        assert!(scores[key].is_number() && trained["evaluation"][key].is_number(), "{key}: {scores}");
    }
    let pck = scores["pck@0.2"].as_f64().unwrap();
    assert!(pck > 0.7, "{scores}");

    // The library gives the poses in the image's own pixels, however large the network saw it.
    let image: Image = read_image(&dir.path().join("other/images/f41.png")).unwrap();
    for scale in [1.0, 1.5] {
        let options = PoseOptions { scale: Some(scale), ..PoseOptions::default() };
        let model = PoseModel::load(&run, DeviceChoice::Cpu, options).unwrap();
        let poses = model.poses_of(&image).unwrap();
        assert!(!poses.is_empty() && model.skeleton().keypoints == NAMES, "{poses:?}");
        let neck = poses[0].keypoints[0];
        let truth = figure(41)[0];
        assert!((neck.x - truth[0]).hypot(neck.y - truth[1]) < 8.0, "scale {scale}: {neck:?} {truth:?}");
    }
    let photo = format!("{other}/images/f41.png");
    let out = text(&dir.path().join("out"));
    let turned = ["pose", &photo, "--model", &run_text, "-o", &out, "--skeleton", "own", "--turns"];
    assert!(failure(&[&turned[..], &["3"]].concat()).contains("turns"));
    let found = json(&[&turned[..], &["4", "--json"]].concat(), 0);
    assert!(!found[0]["people"].as_array().unwrap().is_empty(), "{found}");

    let renamed = text(&figures(&dir.path().join("renamed"), 0, 2, ["neck", "pelvis", "left_ankle", "right_ankle"]));
    assert!(failure(&["evaluate", &run_text, &renamed]).contains("keypoints"));
    assert!(failure(&["predict", &run_text, &format!("{other}/images")]).contains("keypoints"));
    assert!(
        failure(&["train", &renamed, "--plan", &text(&run.join("plan.toml")), "-o", &text(&dir.path().join("x"))])
            .contains("skeleton")
    );
    // Weights under another skeleton.
    std::fs::write(run.join("model/manifest.toml"), manifest.replacen("[0, 3]", "[0, 3],\n    [1, 3]", 1)).unwrap();
    let error = failure(&["evaluate", &run_text, &other]);
    assert!(error.contains("limbs") || error.contains("manifest"), "{error}");
}

#[test]
fn faulty_people_stop_training_and_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let root = figures(&dir.path().join("data"), 0, 4, NAMES);
    let json_file = root.join("person_keypoints.json");
    let broken = std::fs::read_to_string(&json_file).unwrap().replacen("\"num_keypoints\":4", "\"num_keypoints\":0", 1);
    std::fs::write(&json_file, broken).unwrap();
    let data = text(&root);
    let found = json(&["doctor", &data, "--task", "pose", "--json"], 1);
    assert!(found["faults"][0]["message"].as_str().unwrap().contains("num_keypoints"), "{found}");
    let run = text(&dir.path().join("run"));
    assert!(failure(&["train", &data, "--task", "pose", "-o", &run]).contains("--skip-bad"));
    let masks = failure(&["plan", &data, "--task", "pose", "--head", "flow"]);
    assert!(masks.contains("head"), "{masks}");
    let plan = json(&["plan", &data, "--task", "pose", "--json"], 0);
    assert_eq!(plan["network"]["head"].as_str(), Some("pose"));
    assert_eq!(plan["pose"]["skeleton"]["keypoints"][2].as_str(), Some("left_wrist"));
    assert!(plan["reasons"]["postprocessing.poses"].as_str().unwrap().contains("one labelled person"));
}
