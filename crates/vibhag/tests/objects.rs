//! Instance and panoptic segmentation from the command line, on drawn data.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use vibhag_data::encode::{write_gray16_png, write_rgb_png};

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

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Ten 64x64 images with four bright squares each, of which two touch, and their numbers in `labels/`.
fn squares(root: &Path) -> PathBuf {
    for folder in ["images", "labels"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    for index in 0..10usize {
        let corners = [(4 + index, 6), (18 + index, 6), (8, 34 + index), (38, 40 - index)];
        let mut labels = vec![0u16; 64 * 64];
        let mut rgb = vec![50u8; 3 * 64 * 64];
        for (number, (left, top)) in corners.into_iter().enumerate() {
            for y in top..top + 14 {
                for x in left..left + 14 {
                    labels[y * 64 + x] = number as u16 + 1;
                    // Squares are dark at their rims, so that touching ones can be told apart.
                    let depth = (x - left).min(y - top).min(left + 13 - x).min(top + 13 - y).min(4) as u8;
                    rgb[3 * (y * 64 + x)..][..3].fill(110 + 30 * depth);
                }
            }
        }
        write_rgb_png(&root.join(format!("images/s{index}.png")), 64, 64, &rgb).unwrap();
        write_gray16_png(&root.join(format!("labels/s{index}.png")), 64, 64, &labels).unwrap();
    }
    root.to_owned()
}

const SMALL: [&str; 12] = [
    "--arch",
    "unet-lite",
    "--set",
    "network.widths=[8, 16]",
    "--set",
    "network.head_width=8",
    "--set",
    "loop.validations=2",
    "--set",
    "optimizer.learning_rate=0.01",
    "--set",
    "input.geometry.height=64",
];

#[test]
fn objects_from_label_maps_to_tables_and_scores() {
    let dir = tempfile::tempdir().unwrap();
    let data = squares(&dir.path().join("data"));
    let (data_text, run) = (text(&data), dir.path().join("run"));
    let doctor = json(&["doctor", &data_text, "--task", "instance", "--json"], 0);
    assert_eq!((doctor["format"].as_str(), doctor["objects"]["count"].as_u64()), (Some("instance-maps"), Some(40)));

    let mut train = vec!["train", &data_text, "--task", "instance", "--head", "flow", "--epochs", "30", "--json"];
    let run_text = text(&run);
    train.extend(["-o", &run_text, "--set", "input.geometry.width=64"]);
    train.extend(SMALL);
    let trained = json(&train, 0);
    for key in ["ap_dsb", "AP", "AP50", "AP75", "count_mae"] {
        assert!(!trained["evaluation"][key].is_null(), "{key} in {}", trained["evaluation"]);
    }
    let found = trained["evaluation"]["ap_dsb"]["0.50"].as_f64().unwrap();
    assert!(found > 0.6, "AP at 0.5: {found}");
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("AP50") && report.contains("data:image/jpeg"), "the report shows objects");
    let table = std::fs::read_to_string(run.join("objects.csv")).unwrap();
    assert!(table.starts_with("image,id,class,score,area,centroid_x,centroid_y") && table.lines().count() > 4);

    let (out, images) = (dir.path().join("out"), text(&data.join("images")));
    let out_text = text(&out);
    let rows = json(&["predict", &run_text, &images, "-o", &out_text, "--json"], 0);
    assert!(rows[0]["objects"].as_u64().unwrap() >= 2, "{}", rows[0]);
    for file in ["masks/s0.png", "overlays/s0.png", "objects.csv", "coco/annotations/instances_default.json"] {
        assert!(out.join(file).exists(), "{file} is missing");
    }
    let (labels, masks) = (text(&data.join("labels")), text(&out.join("masks")));
    let scored = json(&["evaluate", "--truth", &labels, "--pred", &masks, "--task", "instance", "--json"], 0);
    let evaluated = json(&["evaluate", &run_text, &data_text, "--json"], 0);
    assert_eq!(scored["ap_dsb"], evaluated["ap_dsb"], "label maps score as the model does");
    assert_eq!(scored["count_mae"], evaluated["count_mae"]);

    // A second prediction replaces the first one's annotations, but never a folder that holds something else.
    json(&["predict", &run_text, &images, "-o", &out_text, "--write", "coco", "--json"], 0);
    let kept = out.join("coco/images/mine.png");
    std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, b"mine").unwrap();
    let refused = vibhag(&["predict", &run_text, &images, "-o", &out_text, "--write", "coco"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(kept.exists() && String::from_utf8_lossy(&refused.stderr).contains("other files"));

    let contours = json(&["predict", &run_text, &images, "-o", &out_text, "--write", "contours", "--json"], 0);
    assert_eq!(contours[0]["files"].as_array().unwrap().len(), 1);
    let one: Value = serde_json::from_slice(&std::fs::read(out.join("contours/s0.json")).unwrap()).unwrap();
    let object = &one["objects"][0];
    assert!(object["polygons"][0]["exterior"].as_array().unwrap().len() >= 4 && object["rle"].is_string(), "{one}");
}

#[test]
fn panoptic_scenes_are_generated_learnt_and_scored() {
    let dir = tempfile::tempdir().unwrap();
    let (data, run) = (text(&dir.path().join("data")), text(&dir.path().join("run")));
    let written = json(&["synth", &data, "--images", "8", "--size", "64x64", "--json"], 0);
    assert_eq!(written["images"], 8);
    let mut train = vec!["train", &data, "--task", "panoptic", "--epochs", "2", "-o", &run, "--json"];
    train.extend(["--set", "input.geometry.width=64"]);
    train.extend(SMALL);
    let trained = json(&train, 0);
    for key in ["PQ", "SQ", "RQ", "things", "stuff"] {
        assert!(!trained["evaluation"][key].is_null(), "{key} in {}", trained["evaluation"]);
    }
    let out = dir.path().join("out");
    let images = text(&dir.path().join("data/images"));
    json(&["predict", &run, &images, "-o", &text(&out), "--json"], 0);
    assert!(out.join("coco-panoptic/annotations/panoptic_default.json").exists());
    // What was written is read again, and scores the same.
    let pred = text(&out.join("coco-panoptic"));
    let scored = json(&["evaluate", "--truth", &data, "--pred", &pred, "--task", "panoptic", "--json"], 0);
    let evaluated = json(&["evaluate", &run, &data, "--json"], 0);
    let of = |found: &Value| found["PQ"].as_f64().unwrap();
    assert!((of(&scored) - of(&evaluated)).abs() < 1e-9, "{} {}", of(&scored), of(&evaluated));
}

#[test]
fn several_kinds_of_objects_get_a_feature_pyramid() {
    let dir = tempfile::tempdir().unwrap();
    let scenes = text(&dir.path().join("scenes"));
    json(&["synth", &scenes, "--images", "6", "--size", "64x64", "--json"], 0);
    let squares = text(&squares(&dir.path().join("squares")));
    let architecture = |args: &[&str]| {
        let output = vibhag(args);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let plan = String::from_utf8(output.stdout).unwrap();
        plan.lines().find(|line| line.starts_with("architecture = ")).unwrap().to_owned()
    };
    let kinds = architecture(&["plan", &scenes, "--task", "panoptic"]);
    assert!(kinds.starts_with("architecture = \"fpn\"") && kinds.contains("6 kinds"), "{kinds}");
    let over = architecture(&["plan", &scenes, "--task", "panoptic", "--encoder", "resnet18"]);
    assert!(over.starts_with("architecture = \"fpn\""), "{over}");
    let one = architecture(&["plan", &squares, "--task", "instance"]);
    assert!(one.starts_with("architecture = \"unet\""), "{one}");
}

#[test]
fn formats_convert_and_say_what_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(&squares(&dir.path().join("data")));
    let coco = text(&dir.path().join("coco"));
    let there = json(&["convert", &data, &coco, "--format", "coco", "--json"], 0);
    assert_eq!((there["annotations"].as_u64(), there["round_trip"]["min_iou"].as_f64()), (Some(40), Some(1.0)));
    let back = text(&dir.path().join("back"));
    let again = json(&["convert", &coco, &back, "--format", "instance-maps", "--json"], 0);
    assert_eq!(again["round_trip"]["min_iou"].as_f64(), Some(1.0));
    let full = vibhag(&["convert", &data, &coco, "--format", "coco"]);
    assert_eq!(full.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&full.stderr).contains("not empty"));
}

#[test]
fn object_tasks_on_data_without_objects_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["images", "masks"] {
        std::fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    for index in 0..3 {
        write_rgb_png(&dir.path().join(format!("images/{index}.png")), 8, 8, &[9; 192]).unwrap();
        vibhag_data::encode::write_gray8_png(&dir.path().join(format!("masks/{index}.png")), 8, 8, &[255; 64]).unwrap();
    }
    let refused = vibhag(&["train", &text(dir.path()), "--task", "instance", "-o", &text(&dir.path().join("run"))]);
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2));
    assert!(errors.contains("objects apart") && errors.contains("--format"), "{errors}");
}
