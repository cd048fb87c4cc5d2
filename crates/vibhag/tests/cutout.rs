//! People cut out from the command line: ellipses stand for them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, which may panic")]

mod bodies;

use std::path::{Path, PathBuf};
use std::process::Command;

use bodies::{HEIGHT, WIDTH, json, people, scene, stderr, text, train, vibhag};
use serde_json::Value;
use vibhag_core::{Image, Samples};
use vibhag_data::decode::read_image;
use vibhag_data::encode::write_rgb_png;
use vibhag_video::{FrameRate, Reader, Tools, Writer, WriterOptions, probe};

const RATE: u32 = 12;

fn pixel(image: &Image, x: usize, y: usize) -> Vec<u8> {
    let Samples::U8(values) = image.samples() else { panic!("8 bits wanted") };
    values[(y * image.width() + x) * image.channels()..][..image.channels()].to_vec()
}

#[track_caller]
fn near(found: &[u8], expected: &[u8], tolerance: u8) {
    let close = found.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= tolerance);
    assert!(close && found.len() == expected.len(), "{found:?} against {expected:?}");
}

/// The tools, or `None` on a developer's machine without them.
fn tools() -> Option<Tools> {
    match Tools::find() {
        Ok(tools) => Some(tools),
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Writes `frames` frames at [`RATE`], with sound where a file of it is given.
fn clip(tools: &Tools, path: &Path, frames: usize, sound_from: Option<PathBuf>, draw: impl Fn(usize) -> Vec<u8>) {
    let frame_rate = FrameRate::new(RATE, 1).unwrap();
    let options = WriterOptions { width: WIDTH, height: HEIGHT, frame_rate, alpha: false, sound_from };
    let mut writer = Writer::create(tools, path, options).unwrap();
    for k in 0..frames {
        writer.push(&Image::from_u8(WIDTH, HEIGHT, 3, draw(k)).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

fn frames(tools: &Tools, path: &Path) -> Vec<Image> {
    Reader::open(tools, path).unwrap().map(|frame| frame.unwrap().image).collect()
}

/// One training serves everything that needs a model.
#[test]
fn people_are_learnt_scored_and_cut_out() {
    let dir = tempfile::tempdir().unwrap();
    let data = people(&dir.path().join("data"));
    let run = dir.path().join("run");
    let (trained, said) = train(&data, &run);
    assert!(said.contains("--foreground 1..7"), "merging parts is said aloud: {said}");
    let evaluation = &trained["evaluation"];
    let score = |key: &str| evaluation[key].as_f64().unwrap();
    assert!(score("iou_per_image") > 0.85 && score("boundary_iou") > 0.3, "{evaluation}");
    assert!(score("boundary_iou") <= score("iou_per_image"), "{evaluation}");
    assert!(evaluation["per_image"][0]["boundary_iou"].is_number());

    let (data_text, run_text) = (text(&data), text(&run));
    let scored = json(&["evaluate", &run_text, &data_text, "--json"], 0);
    assert!(scored["iou_per_image"].as_f64().unwrap() > 0.85, "the parts are merged as in training: {scored}");
    assert!(scored["notes"][0].as_str().unwrap().contains("was trained on"), "{}", scored["notes"]);
    let other = json(&["evaluate", &run_text, &data_text, "--foreground", "3", "--json"], 0);
    assert!(other["iou_per_image"].as_f64().unwrap() < 0.7, "half a body is the truth: {other}");

    photos(dir.path(), &data, &run_text);
    videos(dir.path(), &data, &run_text);
}

fn photos(dir: &Path, data: &Path, run: &str) {
    let images = data.join("images");
    std::fs::write(images.join("broken.jpg"), b"not an image").unwrap();
    let folder = text(&images);
    let out = dir.join("alone");
    let rows = json(&["cutout", &folder, "--model", run, "-o", &text(&out), "--json"], 1);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 13);
    assert_eq!(rows.iter().filter(|row| row["error"].is_string()).count(), 1, "{rows:?}");
    // p00 has its ellipse around (18, 38).
    let cut = read_image(&out.join("p00.png")).unwrap();
    assert_eq!((cut.width(), cut.height(), cut.channels()), (WIDTH, HEIGHT, 4));
    near(&pixel(&cut, 18, 38), &[225, 170, 120, 255], 2);
    assert_eq!(pixel(&cut, 58, 88)[3], 0);
    let share = rows.iter().find(|row| row["input"].as_str().unwrap().ends_with("p00.png")).unwrap()["share"].as_f64();
    let truth = std::f64::consts::PI * 13.0 * 30.0 / (WIDTH * HEIGHT) as f64;
    assert!((share.unwrap() / truth - 1.0).abs() < 0.12, "{share:?} against {truth}");
    assert!(out.read_dir().unwrap().all(|entry| entry.unwrap().path().extension().is_some_and(|e| e == "png")));

    let photo = text(&images.join("p00.png"));
    let green = dir.join("green.png");
    json(&["cutout", &photo, "--model", run, "--background", "#00ff00", "-o", &text(&green), "--json"], 0);
    let green = read_image(&green).unwrap();
    near(&pixel(&green, 18, 38), &[225, 170, 120], 2);
    near(&pixel(&green, 58, 88), &[0, 255, 0], 0);
    let behind = text(&images.join("p03.png"));
    let over = dir.join("over.png");
    json(&["cutout", &photo, "--model", run, "--background", &behind, "-o", &text(&over), "--json"], 0);
    near(&pixel(&read_image(&over).unwrap(), 58, 88), &pixel(&read_image(Path::new(&behind)).unwrap(), 58, 88), 1);
    let matte = dir.join("matte.png");
    json(&["cutout", &photo, "--model", run, "--alpha", "-o", &text(&matte), "--json"], 0);
    let matte = read_image(&matte).unwrap();
    assert_eq!((pixel(&matte, 18, 38), pixel(&matte, 58, 88)), (vec![255], vec![0]));

    // A wall without anybody, a single pixel, and the photo itself as the target.
    let wall = dir.join("wall.png");
    write_rgb_png(&wall, 80, 40, &[50; 9600]).unwrap();
    let pixel_photo = dir.join("pixel.png");
    write_rgb_png(&pixel_photo, 1, 1, &[9, 9, 9]).unwrap();
    let out = text(&dir.join("odd"));
    let rows = json(&["cutout", &text(&wall), &text(&pixel_photo), "--model", run, "-o", &out, "--json"], 0);
    assert_eq!((rows[0]["size"][0].as_u64(), rows[1]["size"][0].as_u64()), (Some(1), Some(80)), "{rows}");
    let itself = json(&["cutout", &photo, "--model", run, "-o", &folder, "--json"], 1);
    assert!(itself[0]["error"].as_str().unwrap().contains("own input"), "{itself}");
    assert_eq!(read_image(Path::new(&photo)).unwrap().channels(), 3);
}

fn videos(dir: &Path, data: &Path, run: &str) {
    let Some(tools) = tools() else { return };
    let tone = dir.join("tone.m4a");
    let made = Command::new(&tools.ffmpeg)
        .args(["-loglevel", "error", "-f", "lavfi", "-i", "sine=frequency=440:duration=2"])
        .arg(&tone)
        .status()
        .unwrap();
    assert!(made.success());
    let walk = |k: usize| 18 + k;
    let video = dir.join("walk.mp4");
    clip(&tools, &video, 24, Some(tone), |k| scene(walk(k), 48).0);
    let video_text = text(&video);

    let white = dir.join("white.mp4");
    let rows =
        json(&["cutout", &video_text, "--model", run, "--background", "white", "-o", &text(&white), "--json"], 0);
    assert_eq!((rows[0]["frames"].as_u64(), rows[0]["kind"].as_str()), (Some(24), Some("video")), "{rows}");
    assert!(rows[0]["frames_per_second"].as_f64().unwrap() > 0.0, "{rows}");
    let info = probe(&tools, &white).unwrap();
    assert_eq!((info.width, info.height, info.frames, info.audio.len()), (WIDTH, HEIGHT, Some(24), 1));
    for (k, frame) in frames(&tools, &white).iter().enumerate() {
        near(&pixel(frame, walk(k), 48), &[225, 170, 120], 14);
        let far = if walk(k) < 32 { 60 } else { 3 };
        near(&pixel(frame, far, 92), &[255; 3], 6);
    }

    // Half a second of blue behind two seconds: it begins again.
    let blue = dir.join("blue.mp4");
    clip(&tools, &blue, 6, None, |_| [20, 40, 200].repeat(WIDTH * HEIGHT));
    let behind = dir.join("behind.mp4");
    let arguments = ["cutout", &video_text, "--model", run, "--background", &text(&blue), "-o", &text(&behind)];
    let output = vibhag(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = frames(&tools, &behind);
    assert_eq!(shown.len(), 24);
    near(&pixel(&shown[23], 3, 92), &[20, 40, 200], 12);

    // Alone, in a folder: QuickTime with alpha beside a photo, and a broken video among them.
    let broken = dir.join("broken.mp4");
    std::fs::write(&broken, b"not a video").unwrap();
    let photo = text(&data.join("images/p01.png"));
    let out = dir.join("mixed");
    let mixed = ["cutout", &video_text, &photo, &text(&broken), "--model", run, "-o", &text(&out), "--json"];
    let rows = json(&mixed, 1);
    let failed: Vec<&Value> = rows.as_array().unwrap().iter().filter(|row| row["error"].is_string()).collect();
    assert!(failed.len() == 1 && failed[0]["input"].as_str().unwrap().ends_with("broken.mp4"), "{rows}");
    assert_eq!(probe(&tools, &out.join("walk.mov")).unwrap().codec, "prores");
    let mut left: Vec<String> =
        out.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["p01.png", "walk.mov"]);

    let refused = vibhag(&["cutout", &photo, "--model", run, "--background", &text(&blue), "-o", &text(&out)]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("video behind it"), "{}", stderr(&refused));

    // Killed midway, there is no file under the result's name, or a whole one where it was done before.
    let long = dir.join("long.mp4");
    clip(&tools, &long, 600, None, |k| scene(18 + k % 24, 48).0);
    let killed = dir.join("killed.mp4");
    let mut child = Command::new(env!("CARGO_BIN_EXE_vibhag"))
        .args(["cutout", &text(&long), "--model", run, "--background", "white", "-o", &text(&killed), "--quiet"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let growing = dir.join(".killed.mp4.part");
    while !growing.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!killed.exists() || frames(&tools, &killed).len() == 600);

    // Without ffmpeg photos are still cut out.
    let without = |inputs: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vibhag"));
        command.arg("cutout").args(inputs).args(["--model", run, "-o", &text(&dir.join("without")), "--json"]);
        command.env("PATH", dir).output().unwrap()
    };
    let nothing = without(&[&video_text]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(stderr(&nothing).contains("ffmpeg is not installed") && stderr(&nothing).contains("install it"));
    let some = without(&[&video_text, &photo]);
    assert_eq!(some.status.code(), Some(1), "{}", stderr(&some));
    let rows: Value = serde_json::from_slice(&some.stdout).unwrap();
    assert!(rows[0]["output"].is_string() && rows[1]["error"].as_str().unwrap().contains("install it"), "{rows}");
}

/// A head over shoulders in the middle of a picture, `shift` pixels to the right.
fn portrait(width: usize, height: usize, shift: f32) -> Vec<u8> {
    let (w, h) = (width as f32, height as f32);
    let mut rgb = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            let (px, py) = ((x as f32 + 0.5 - shift) / w, (y as f32 + 0.5) / h);
            let inside = |cx: f32, cy: f32, rx: f32, ry: f32| ((px - cx) / rx).powi(2) + ((py - cy) / ry).powi(2) < 1.0;
            rgb.extend(if inside(0.43, 0.34, 0.013, 0.013) || inside(0.57, 0.34, 0.013, 0.013) {
                [30, 20, 20]
            } else if py < 0.3 && inside(0.5, 0.3, 0.16, 0.2) {
                [50, 35, 25]
            } else if inside(0.5, 0.36, 0.14, 0.22) {
                [225, 180, 150]
            } else if (px - 0.5).abs() < 0.06 && (0.5..0.68).contains(&py) {
                [205, 160, 130]
            } else if inside(0.5, 1.06, 0.28, 0.44) {
                [60, 60, 120]
            } else {
                [120, 150, 170]
            });
        }
    }
    rgb
}

#[test]
fn somebody_near_the_camera_is_cut_out_without_a_model() {
    let dir = tempfile::tempdir().unwrap();
    let photos = dir.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    let (width, height) = (200, 160);
    write_rgb_png(&photos.join("me.png"), width, height, &portrait(width, height, 0.0)).unwrap();
    write_rgb_png(&photos.join("wall.png"), 80, 40, &[130; 9600]).unwrap();
    std::fs::write(photos.join("broken.jpg"), b"not an image").unwrap();
    let out = dir.path().join("out");
    let rows = json(&["cutout", &text(&photos), "-o", &text(&out), "--json"], 1);
    let row = |name: &str| {
        rows.as_array().unwrap().iter().find(|row| row["input"].as_str().unwrap().ends_with(name)).unwrap()
    };
    assert!(row("broken.jpg")["error"].is_string(), "{rows}");
    let note = row("wall.png")["notes"][0].as_str().unwrap();
    assert!(note.contains("nobody near the camera") && note.contains("--task body"), "{note}");
    let share = row("me.png")["share"].as_f64().unwrap();
    assert!((0.23..0.34).contains(&share), "{share}");
    let cut = read_image(&out.join("me.png")).unwrap();
    assert_eq!((cut.width(), cut.height(), cut.channels()), (width, height, 4));
    near(&pixel(&cut, 100, 65), &[225, 180, 150, 255], 4);
    near(&pixel(&cut, 100, 145), &[60, 60, 120, 255], 4);
    for (x, y) in [(5, 5), (195, 5), (20, 60), (180, 60)] {
        assert_eq!(pixel(&cut, x, y)[3], 0, "{x}, {y}");
    }
    let fast = dir.path().join("fast.png");
    json(&["cutout", &text(&photos.join("me.png")), "--fast", "--alpha", "-o", &text(&fast), "--json"], 0);
    let matte = read_image(&fast).unwrap();
    assert_eq!((pixel(&matte, 100, 65), pixel(&matte, 5, 5)), (vec![255], vec![0]));

    let models = json(&["models", "--json"], 0);
    let selfie = models.as_array().unwrap().iter().find(|row| row["name"] == "selfie").unwrap();
    assert!(selfie["weights"].as_str().unwrap().contains("Apache-2.0"), "{selfie}");

    let Some(tools) = tools() else { return };
    let video = dir.path().join("talk.mp4");
    clip(&tools, &video, 10, None, |k| portrait(WIDTH, HEIGHT, k as f32 - 5.0));
    let white = dir.path().join("white.mp4");
    let rows = json(&["cutout", &text(&video), "--background", "white", "-o", &text(&white), "--json"], 0);
    assert_eq!(rows[0]["frames"].as_u64(), Some(10), "{rows}");
    for frame in frames(&tools, &white) {
        near(&pixel(&frame, 3, 6), &[255; 3], 8);
        near(&pixel(&frame, 32, 90), &[60, 60, 120], 30);
    }
}

#[test]
fn the_plan_of_people_says_what_it_decides() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(&people(&dir.path().join("data")));
    let plan = |more: &[&str]| {
        let mut args = vec!["plan", &data, "--json"];
        args.extend(more);
        json(&args, 0)
    };
    let body = plan(&["--task", "body", "--foreground", "1..7"]);
    assert_eq!(body, plan(&["--preset", "body", "--foreground", "1..7"]));
    assert_eq!((body["task"].as_str(), body["preset"].as_str()), (Some("semantic"), Some("body")));
    assert_eq!(body["data"]["foreground"].as_str(), Some("1..7"));
    assert_eq!(body["classes"]["classes"][1]["name"].as_str(), Some("person"));
    let geometry = &body["input"]["geometry"];
    assert_eq!((geometry["height"].as_u64(), geometry["width"].as_u64()), (Some(96), Some(64)), "{geometry}");
    assert_eq!(body["network"]["encoder"].as_str(), Some("efficientnet-lite0"));
    let kinds: Vec<&str> =
        body["loss"]["terms"].as_array().unwrap().iter().map(|term| term["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["bce", "dice", "edge"]);
    assert_eq!(body["postprocessing"]["tta"].as_str(), Some("horizontal"));
    assert_eq!(body["augment"]["flip_vertical"].as_f64(), Some(0.0));
    // Without a preset parts stay parts, and can be merged all the same.
    assert_eq!(plan(&[])["classes"]["classes"].as_array().unwrap().len(), 8);
    assert_eq!(plan(&["--foreground", "7"])["data"]["coding"].as_str().unwrap().matches("7 = ").count(), 1);
    let doctor = json(&["doctor", &data, "--foreground", "3", "--json"], 0);
    assert_eq!(doctor["classes"].as_array().unwrap().len(), 2);

    for (args, says) in [
        (vec!["plan", &data, "--preset", "body", "--task", "instance"], "is a case of task semantic"),
        (vec!["plan", &data, "--task", "legs"], "body"),
        (vec!["plan", &data, "--foreground", "7..3"], "ends before it begins"),
        (vec!["cutout", "nobody.png", "--model", "run"], "no image or video found"),
        (vec!["cutout", &data, "--background", "#12"], "such as #20c040"),
        (vec!["cutout", &data, "--background", "white", "--alpha"], "cannot be used with"),
        (vec!["cutout", "webcam", "--model", "run"], "--seconds 30"),
    ] {
        let output = vibhag(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
}
