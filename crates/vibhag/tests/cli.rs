//! The command line as users meet it: the whole story on a small sample, and bad input.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use vibhag_data::encode::{write_gray8_png, write_rgb_png};

fn vibhag(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vibhag")).args(args).output().unwrap()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Twelve 48x40 images of a bright square with masks 0/255, in `images/` and `masks/`.
fn squares(root: &Path) -> PathBuf {
    for folder in ["images", "masks"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    for index in 0..12usize {
        let (left, top) = (4 + 2 * index, 3 + index);
        let mut rgb = Vec::new();
        let mut mask = Vec::new();
        for y in 0..40 {
            for x in 0..48 {
                let inside = (left..left + 16).contains(&x) && (top..top + 16).contains(&y);
                rgb.extend(if inside { [220, 180, 60] } else { [40, 60 + (x % 5) as u8, 80] });
                mask.push(if inside { 255 } else { 0 });
            }
        }
        write_rgb_png(&root.join(format!("images/s{index:02}.png")), 48, 40, &rgb).unwrap();
        write_gray8_png(&root.join(format!("masks/s{index:02}.png")), 48, 40, &mask).unwrap();
    }
    root.to_owned()
}

/// Trains a tiny network on `data` for `epochs`.
fn train(data: &Path, run: &Path, epochs: &str, more: &[&str]) -> Output {
    let (data, run) = (text(data), text(run));
    let mut args = vec!["train", &data, "-o", &run, "--arch", "unet-lite", "--epochs", epochs, "--quiet", "--json"];
    args.extend([
        "--set",
        "network.widths=[4, 8]",
        "--set",
        "loop.validations=2",
        "--set",
        "optimizer.learning_rate=0.01",
    ]);
    args.extend(more);
    vibhag(&args)
}

#[test]
fn the_whole_story_from_two_folders_to_masks_and_scores() {
    let dir = tempfile::tempdir().unwrap();
    let data = squares(&dir.path().join("data"));
    let run = dir.path().join("run");

    let doctor = vibhag(&["doctor", &text(&data), "--json"]);
    assert!(doctor.status.success(), "{}", stderr(&doctor));
    let found: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!((found["usable"].as_u64(), found["format"].as_str()), (Some(12), Some("folders")));

    let trained = train(&data, &run, "12", &[]);
    assert!(trained.status.success(), "{}", stderr(&trained));
    let result: serde_json::Value = serde_json::from_slice(&trained.stdout).unwrap();
    assert!(result["evaluation"]["dice_per_image"].as_f64().unwrap() > 0.7, "{result}");
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("network.architecture") && report.contains("data:image/jpeg"));
    assert!(std::fs::read_to_string(run.join("splits.csv")).unwrap().contains(",val"));

    let again = train(&data, &run, "1", &[]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--resume"), "{}", stderr(&again));

    std::fs::write(data.join("images/broken.png"), b"not an image").unwrap();
    let out = dir.path().join("out");
    let images = text(&data.join("images"));
    let predicted = vibhag(&[
        "predict",
        &text(&run),
        &images,
        "-o",
        &text(&out),
        "--write",
        "masks,overlays,contours,probabilities",
        "--json",
    ]);
    assert_eq!(predicted.status.code(), Some(1), "one bad image is a finding: {}", stderr(&predicted));
    let rows: serde_json::Value = serde_json::from_slice(&predicted.stdout).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 13);
    assert_eq!(rows.iter().filter(|row| row["error"].is_string()).count(), 1);
    for file in [
        "masks/s00.png",
        "overlays/s00.png",
        "contours/s00.json",
        "probabilities/s00_foreground.png",
        "predictions.json",
    ] {
        assert!(out.join(file).exists(), "{file} is missing; files {rows:?}");
    }
    let mask = vibhag_data::decode::read_image(&out.join("masks/s00.png")).unwrap();
    assert_eq!((mask.width(), mask.height()), (48, 40));

    let scored =
        vibhag(&["evaluate", "--truth", &text(&data.join("masks")), "--pred", &text(&out.join("masks")), "--json"]);
    assert!(scored.status.success(), "{}", stderr(&scored));
    let scores: serde_json::Value = serde_json::from_slice(&scored.stdout).unwrap();
    assert_eq!(scores["images"], 12);
    std::fs::remove_file(data.join("images/broken.png")).unwrap();
    let evaluated = vibhag(&["evaluate", &text(&run), &text(&data), "--json"]);
    let direct: serde_json::Value = serde_json::from_slice(&evaluated.stdout).unwrap();
    assert!(direct["notes"][0].as_str().unwrap().contains("was trained on"), "{direct}");
    assert!(scores.get("notes").is_none());
    for key in [
        "dice_per_image",
        "iou_per_image",
        "dice_pooled",
        "iou_pooled",
        "mean_iou",
        "threshold_jaccard",
        "pixel_accuracy",
    ] {
        let (a, b) = (direct[key].as_f64().unwrap(), scores[key].as_f64().unwrap());
        assert!((a - b).abs() < 1e-9, "{key}: {a} from the model, {b} from its masks");
    }
}

#[test]
fn faulty_samples_stop_training_unless_skipped_and_then_stand_in_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let data = squares(&dir.path().join("data"));
    std::fs::write(data.join("images/s03.png"), b"").unwrap();
    write_gray8_png(&data.join("masks/s05.png"), 8, 8, &[255; 64]).unwrap();

    let doctor = vibhag(&["doctor", &text(&data)]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(stdout(&doctor).contains("s03.png") && stdout(&doctor).contains("s05.png"), "{}", stdout(&doctor));

    let refused = train(&data, &dir.path().join("run"), "1", &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--skip-bad") && stderr(&refused).contains("s03.png"), "{}", stderr(&refused));

    let run = dir.path().join("skipping");
    let trained = train(&data, &run, "1", &["--skip-bad"]);
    assert_eq!(trained.status.code(), Some(1), "{}", stderr(&trained));
    let report = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("s03.png") && report.contains("s05.png"));
}

#[test]
fn a_run_resumes_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let data = squares(&dir.path().join("data"));
    let run = dir.path().join("run");
    let first = train(&data, &run, "2", &[]);
    assert!(first.status.success(), "{}", stderr(&first));
    let first: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    let steps = |result: &serde_json::Value| result["steps"].as_u64().unwrap();
    for (more, times) in [(["--set", "loop.epochs=4"], 2), (["--epochs", "6"], 3)] {
        let resumed = vibhag(&["train", "--resume", &text(&run), more[0], more[1], "--json"]);
        assert!(resumed.status.success(), "{}", stderr(&resumed));
        let result: serde_json::Value = serde_json::from_slice(&resumed.stdout).unwrap();
        assert_eq!(steps(&result), times * steps(&first), "{result}");
    }
    let contradiction = vibhag(&["train", "--resume", &text(&run), "--arch", "unet"]);
    assert_eq!(contradiction.status.code(), Some(2));
    assert!(stderr(&contradiction).contains("--arch"), "{}", stderr(&contradiction));
    let missing = vibhag(&["train", "--resume", "nowhere"]);
    assert_eq!(stderr(&missing).matches("No such file").count(), 1, "{}", stderr(&missing));
}

#[test]
fn a_training_that_cannot_begin_leaves_the_folder_to_the_corrected_command() {
    let dir = tempfile::tempdir().unwrap();
    let data = squares(&dir.path().join("data"));
    let run = dir.path().join("run");
    for (setting, named) in [
        ("split.val_fraction=2", "split.val_fraction"),
        ("split.val_fraction=0", "val"),
        ("loop.epochs=0", "loop.epochs"),
    ] {
        let refused = train(&data, &run, "1", &["--set", setting]);
        assert_eq!(refused.status.code(), Some(2), "{setting}");
        assert!(stderr(&refused).contains(named), "{}", stderr(&refused));
    }
    let trained = train(&data, &run, "1", &[]);
    assert!(trained.status.success(), "{}", stderr(&trained));
    let plan = std::fs::read_to_string(run.join("plan.toml")).unwrap();
    assert!(plan.contains(&format!("path = \"{}\"", text(&data))), "the data's path is absolute: {plan}");
}

#[test]
fn a_one_pixel_image_and_an_unwritable_folder() {
    let dir = tempfile::tempdir().unwrap();
    let data = squares(&dir.path().join("data"));
    let run = dir.path().join("run");
    assert!(train(&data, &run, "1", &[]).status.success());
    let tiny = dir.path().join("tiny.png");
    write_rgb_png(&tiny, 1, 1, &[9, 9, 9]).unwrap();
    let out = dir.path().join("out");
    let predicted = vibhag(&["predict", &text(&run), &text(&tiny), "-o", &text(&out)]);
    assert!(predicted.status.success(), "{}", stderr(&predicted));
    let mask = vibhag_data::decode::read_image(&out.join("masks/tiny.png")).unwrap();
    assert_eq!((mask.width(), mask.height()), (1, 1));

    // A file where the folder should go cannot be written into, not even by root.
    let blocked = dir.path().join("blocked");
    std::fs::write(&blocked, b"a file").unwrap();
    let refused = vibhag(&["predict", &text(&run), &text(&tiny), "-o", &text(&blocked)]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("blocked"), "{}", stderr(&refused));
}

#[test]
fn bad_usage_and_bad_input_exit_with_2_and_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let empty = text(dir.path());
    for (args, says) in [
        (vec!["doctor", "no/such/folder"], "no such folder"),
        (vec!["doctor", &empty], "images"),
        (vec!["predict", &empty, "x.png"], "x.png"),
        (vec!["train"], "vibhag train DATA"),
        (vec!["train", &empty, "--epochs", "1", "--minutes", "1"], "cannot be used with"),
        (vec!["bench", "train", "--size", "0x9"], "ROWSxCOLUMNS"),
        (vec!["bench", "fly"], "train or predict"),
        (vec!["bench", "predict", "--device", "tpu"], "cpu, gpu, cuda or wgpu"),
        (vec!["frobnicate"], "unrecognized subcommand"),
    ] {
        let output = vibhag(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn models_lists_every_registry_and_version_prints() {
    let models = vibhag(&["models", "--json"]);
    let rows: serde_json::Value = serde_json::from_slice(&models.stdout).unwrap();
    let names: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    for name in
        ["segnet", "segnet-lite", "unet", "unet-lite", "efficientnet-lite0", "resnet18", "resnet34", "bce", "dice"]
    {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert!(stdout(&vibhag(&["--version"])).starts_with("vibhag "));
}

#[test]
fn bench_prints_one_object() {
    let output = vibhag(&["bench", "train", "--arch", "unet-lite", "--size", "32x32", "--steps", "1", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for key in ["median_s", "min_s", "peak_rss_mib", "threads", "device"] {
        assert!(!result[key].is_null(), "{key} in {result}");
    }
}
