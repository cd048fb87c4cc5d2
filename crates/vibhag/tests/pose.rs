//! `vibhag pose` as users meet it: on photographs, and on bad input.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use vibhag_core::{Image, Keypoint, Person, Pose, Skeleton};
use vibhag_data::encode::{write_gray8_png, write_rgb_png};
use vibhag_imaging::pose::oks;
use vibhag_video::{FrameRate, Tools, Writer, WriterOptions};

fn vibhag(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vibhag")).args(args).output().unwrap()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The folder of a data set that cannot be shipped; `None`, with a line that says so, where it is not beside the checkout.
fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("SKIPPED: {} is not here", path.display());
    None
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The annotated people of an image of COCO.
fn annotated(root: &Path, image: u64, skeleton: &Skeleton) -> Vec<Person> {
    let annotations = json(&root.join("annotations/person_keypoints_train2017.json"));
    let own = annotations["annotations"].as_array().unwrap().iter().filter(|person| person["image_id"] == image);
    own.map(|person| Person {
        pose: Pose::from_coco(skeleton, &numbers(&person["keypoints"])).unwrap(),
        area: person["area"].as_f64().unwrap(),
        bounds: numbers(&person["bbox"]).try_into().unwrap(),
        crowd: false,
    })
    .collect()
}

/// A pose from x, y and score one after the other; zeros are absent.
fn pose_of(list: &Value) -> Pose {
    let keypoint = |triple: &[f64]| match triple[2] {
        0.0 => Keypoint::ABSENT,
        score => Keypoint::found(triple[0], triple[1], score as f32),
    };
    Pose { keypoints: numbers(list).chunks_exact(3).map(keypoint).collect(), score: 1.0, id: None }
}

#[test]
fn a_standing_person_in_a_photo_is_found_in_every_format() {
    let Some(root) = shared("coco_mini") else { return };
    let coco = Skeleton::named("coco-17").unwrap();
    let dir = tempfile::tempdir().unwrap();
    for image in [535_506, 234_748] {
        let photo = root.join(format!("train2017/{image:012}.jpg"));
        let out = dir.path().join(image.to_string());
        let found = vibhag(&[
            "pose",
            &text(&photo),
            "-o",
            &text(&out),
            "--format",
            "openpose,coco",
            "--render",
            "--black",
            "--quiet",
            "--json",
        ]);
        assert!(found.status.success(), "{}", stderr(&found));
        let rows: Value = serde_json::from_slice(&found.stdout).unwrap();
        assert_eq!(rows[0]["files"].as_array().unwrap().len(), 2);

        let truth = annotated(&root, image, &coco);
        assert_eq!(truth.len(), 1, "photos of one person are wanted");
        let results = json(&out.join("coco_results.json"));
        assert_eq!((&results[0]["image_id"], &results[0]["category_id"]), (&image.into(), &1.into()));
        let best = oks(&truth[0], &pose_of(&results[0]["keypoints"]).keypoints, &coco.sigmas);
        println!("{image}: OKS {best:.3}");
        assert!(best > 0.7, "{image}: OKS {best}");

        let name = format!("{image:012}");
        let file = json(&out.join(format!("{name}_keypoints.json")));
        assert_eq!(file["version"], 1.3);
        let open = pose_of(&file["people"][0]["pose_keypoints_2d"]);
        assert_eq!(open.keypoints.len(), 25);
        // BODY_25 has COCO's left knee at 13 and no foot is looked for.
        let (knee, own) = (open.keypoints[13], pose_of(&results[0]["keypoints"]).keypoints[13]);
        assert_eq!((knee.x, knee.y), (own.x, own.y));
        assert!(open.keypoints[19..].iter().all(|keypoint| !keypoint.is_present()));

        let picture = vibhag_data::decode::read_image(&out.join(format!("{name}_rendered.png"))).unwrap();
        assert_eq!(serde_json::json!([picture.width(), picture.height()]), rows[0]["size"]);
        let drawn = picture.to_rgb8().chunks_exact(3).filter(|pixel| pixel.iter().any(|&value| value > 0)).count();
        assert!(drawn > 200 && drawn < picture.width() * picture.height() / 8, "{drawn} pixels");
    }
}

/// Ten frames that pan over a photo.
fn write_clip(photo: &Path, clip: &Path, tools: &Tools) {
    const FRAMES: usize = 10;
    const STEP: usize = 3;
    let image = vibhag_data::decode::read_image(photo).unwrap();
    let (rgb, across) = (image.to_rgb8(), 3 * image.width());
    let (width, height) = (image.width() - STEP * FRAMES, image.height());
    let frame_rate = FrameRate::new(10, 1).unwrap();
    let options = WriterOptions { width, height, frame_rate, alpha: false, sound_from: None };
    let mut writer = Writer::create(tools, clip, options).unwrap();
    for frame in 0..FRAMES {
        let rows = rgb.chunks_exact(across).flat_map(|row| &row[3 * STEP * frame..][..3 * width]);
        writer.push(&Image::from_u8(width, height, 3, rows.copied().collect()).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn a_person_keeps_one_number_through_a_video() {
    let Some(root) = shared("coco_mini") else { return };
    let Ok(tools) = Tools::find() else {
        println!("SKIPPED: ffmpeg is not here");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (clip, out) = (dir.path().join("clip.mp4"), dir.path().join("out"));
    write_clip(&root.join("train2017/000000535506.jpg"), &clip, &tools);
    let found = vibhag(&["pose", &text(&clip), "-o", &text(&out), "--size", "257", "--render", "--quiet", "--json"]);
    assert!(found.status.success(), "{}", stderr(&found));
    let rows: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(rows[0]["frames"], 10, "{rows}");
    for frame in 0..10 {
        let people = json(&out.join(format!("clip_{frame:012}_keypoints.json")))["people"].clone();
        assert_eq!(people[0]["person_id"], serde_json::json!([1]), "frame {frame}");
    }
    assert!(out.join("clip_rendered.mp4").exists());

    let refused = vibhag(&["pose", &text(&clip), "-o", &text(&out), "--format", "coco"]);
    assert_eq!(refused.status.code(), Some(2));
    std::fs::write(&clip, b"not a video").unwrap();
    let broken = vibhag(&["pose", &text(&clip), "-o", &text(&out), "--json"]);
    assert_eq!(broken.status.code(), Some(1), "{}", stderr(&broken));
}

#[test]
fn a_bad_image_is_a_row_and_the_others_are_done() {
    let dir = tempfile::tempdir().unwrap();
    let photos = dir.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    write_gray8_png(&photos.join("dot.png"), 1, 1, &[128]).unwrap();
    let ramp: Vec<u8> = (0..3 * 90 * 60).map(|i| (i / 3 % 90) as u8).collect();
    write_rgb_png(&photos.join("nobody.png"), 90, 60, &ramp).unwrap();
    std::fs::write(photos.join("broken.png"), b"not an image").unwrap();
    let out = dir.path().join("out");
    let found = vibhag(&[
        "pose",
        &text(&photos),
        "-o",
        &text(&out),
        "--format",
        "openpose,coco",
        "--skeleton",
        "COCO_18",
        "--render",
        "--size",
        "250",
        "--json",
    ]);
    assert_eq!(found.status.code(), Some(1), "one bad image is a finding: {}", stderr(&found));
    let rows: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(rows, json(&out.join("poses.json")));
    let errors: Vec<bool> = rows.as_array().unwrap().iter().map(|row| row["error"].is_string()).collect();
    assert_eq!(errors, [true, false, false]);
    assert!(rows[0]["error"].as_str().unwrap().contains("broken.png"));
    for name in ["dot", "nobody"] {
        assert_eq!(json(&out.join(format!("{name}_keypoints.json")))["people"], serde_json::json!([]), "{name}");
        assert!(out.join(format!("{name}_rendered.png")).exists());
    }
    assert_eq!(json(&out.join("coco_results.json")), serde_json::json!([]));
}

#[test]
fn what_cannot_be_is_refused_before_any_work() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("a.png");
    write_gray8_png(&image, 2, 2, &[0; 4]).unwrap();
    let (image, out) = (text(&image), text(&dir.path().join("out")));
    for (more, word) in [
        (vec!["--black"], "--render"),
        (vec!["--format", "bvh"], "openpose, coco"),
        (vec!["--skeleton", "lsp-14"], "body-25 or coco-18"),
        (vec!["--skeleton", "coco-19"], "coco-19"),
        (vec!["--min-score", "2"], "min_score"),
        (vec!["--min-keypoint-score", "NaN"], "keypoint"),
        (vec!["--max-people", "0"], "max_people"),
    ] {
        let mut args = vec!["pose", image.as_str(), "-o", out.as_str(), "--quiet"];
        args.extend(&more);
        let refused = vibhag(&args);
        assert_eq!(refused.status.code(), Some(2), "{more:?}");
        assert!(stderr(&refused).contains(word), "{more:?}: {}", stderr(&refused));
    }
    assert!(!Path::new(&out).exists());
    let nothing = vibhag(&["pose", &text(&dir.path().join("*.jpg"))]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(stderr(&nothing).contains("no image found"), "{}", stderr(&nothing));
}
