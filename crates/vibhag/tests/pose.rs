//! `vibhag pose` with the network that comes with the program: photos, videos, files that others read, and bad input.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, which may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use vibhag_core::{Image, Keypoint, Person, Pose, Skeleton};
use vibhag_data::decode::read_image;
use vibhag_data::encode::write_rgb_png;
use vibhag_metrics::{KeypointEvaluation, KeypointEvaluationBuilder, PckReference};
use vibhag_video::{FrameRate, Reader, Tools, Writer, WriterOptions, probe};

fn vibhag(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vibhag")).args(args).output().unwrap()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The JSON that a command prints which ends with `code`.
fn json(args: &[&str], code: i32) -> Value {
    let output = vibhag(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
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

/// A gradient, in which nobody is.
fn nobody(width: usize, height: usize) -> Vec<u8> {
    (0..width * height).flat_map(|i| [(i % width) as u8 / 2, (i / width) as u8 / 2, 90]).collect()
}

/// People by the number of their photo, and the names of the photos.
fn truth(root: &Path) -> (BTreeMap<u64, Vec<Person>>, BTreeMap<u64, String>) {
    let file = read_json(&root.join("annotations/person_keypoints_train2017.json"));
    let skeleton = Skeleton::named("coco-17").unwrap();
    let mut people: BTreeMap<u64, Vec<Person>> = BTreeMap::new();
    let mut names = BTreeMap::new();
    for image in file["images"].as_array().unwrap() {
        let id = image["id"].as_u64().unwrap();
        people.entry(id).or_default();
        names.insert(id, image["file_name"].as_str().unwrap().to_owned());
    }
    for annotation in file["annotations"].as_array().unwrap() {
        let numbers = |key: &str| -> Vec<f64> {
            annotation[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
        };
        let person = Person {
            pose: Pose::from_coco(&skeleton, &numbers("keypoints")).unwrap(),
            area: annotation["area"].as_f64().unwrap(),
            bounds: numbers("bbox").try_into().unwrap(),
            crowd: annotation["iscrowd"] == 1,
        };
        people.entry(annotation["image_id"].as_u64().unwrap()).or_default().push(person);
    }
    (people, names)
}

/// The poses of a file of COCO's results, by photo.
fn results(path: &Path) -> BTreeMap<u64, Vec<Pose>> {
    let mut found: BTreeMap<u64, Vec<Pose>> = BTreeMap::new();
    for detection in read_json(path).as_array().unwrap() {
        assert_eq!(detection["category_id"], 1);
        let numbers: Vec<f64> =
            detection["keypoints"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        assert_eq!(numbers.len(), 51);
        let keypoints = numbers.chunks_exact(3).map(|triple| Keypoint::found(triple[0], triple[1], 1.0)).collect();
        let score = detection["score"].as_f64().unwrap() as f32;
        found.entry(detection["image_id"].as_u64().unwrap()).or_default().push(Pose { keypoints, score, id: None });
    }
    found
}

fn evaluated(root: &Path, folder: &Path, size: &str, only: &dyn Fn(&Person) -> bool) -> KeypointEvaluation {
    let out = folder.join(size);
    let photos = text(&root.join("train2017"));
    let arguments = ["pose", &photos, "--format", "coco", "--size", size, "-o", &text(&out), "--json"];
    json(&arguments, 0);
    let found = results(&out.join("coco_results.json"));
    let skeleton = Skeleton::named("coco-17").unwrap();
    let mut builder = KeypointEvaluationBuilder::new(&skeleton, PckReference::Torso).unwrap();
    for (id, people) in truth(root).0 {
        // Whoever does not count is a crowd: to be found by nobody.
        let people: Vec<Person> =
            people.into_iter().map(|person| Person { crowd: person.crowd || !only(&person), ..person }).collect();
        let nobody = Vec::new();
        builder.add_image(&id.to_string(), &BTreeMap::new(), &people, found.get(&id).unwrap_or(&nobody)).unwrap();
    }
    builder.finish()
}

#[test]
fn large_people_on_photos_are_found() {
    let Some(root) = coco() else { return };
    let dir = tempfile::tempdir().unwrap();
    // Large, and most of the body in view.
    let clear = |person: &Person| person.area > 96.0 * 96.0 && person.pose.present() >= 12;
    let found = evaluated(&root, dir.path(), "353", &clear);
    println!("{} people, AP {:?}, AR50 {:?}, mean OKS {:?}", found.people_truth, found.ap, found.ar50, found.mean_oks);
    assert!(found.people_truth >= 10, "{}", found.people_truth);
    assert!(found.mean_oks.unwrap() > 0.6 && found.ar50.unwrap() > 0.7, "{:?} {:?}", found.mean_oks, found.ar50);
}

/// `cargo test -p vibhag --test pose -- --ignored --nocapture` prints what the documents say.
#[test]
#[ignore = "takes minutes"]
fn average_precision_by_size() {
    let Some(root) = coco() else { return };
    let dir = tempfile::tempdir().unwrap();
    for size in ["257", "353", "513"] {
        let began = std::time::Instant::now();
        let found = evaluated(&root, dir.path(), size, &|_| true);
        println!(
            "{size}: AP {:.3?} AP50 {:.3?} AP75 {:.3?} AP_medium {:.3?} AP_large {:.3?} AR {:.3?} pck {:.3?}, {:.1?}",
            found.ap,
            found.ap50,
            found.ap75,
            found.ap_medium,
            found.ap_large,
            found.ar,
            found.pck,
            began.elapsed()
        );
    }
}

#[test]
fn files_hold_people_in_the_orders_that_others_read() {
    let Some(root) = coco() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (people, names) = truth(&root);
    // The largest of those who are alone and in view from head to foot.
    let area = |id: &u64| match &people[id][..] {
        [person] if person.pose.present() >= 15 => person.area,
        _ => 0.0,
    };
    let id = people.keys().max_by(|a, b| area(a).total_cmp(&area(b))).unwrap();
    let photo = root.join("train2017").join(&names[id]);
    let stem = photo.file_stem().unwrap().to_str().unwrap().to_owned();
    let image = read_image(&photo).unwrap();
    let photo = text(&photo);
    for (skeleton, keypoints, neck) in [("body-25", 25, 1), ("coco-18", 18, 1)] {
        let out = dir.path().join(skeleton);
        let arguments = ["pose", &photo, "--skeleton", skeleton, "--render", "-o", &text(&out), "--json"];
        let rows = json(&arguments, 0);
        let file = read_json(&out.join(format!("json/{stem}_keypoints.json")));
        assert_eq!(file["version"].as_f64(), Some(1.3));
        let person = &file["people"][0];
        assert_eq!(person["person_id"], serde_json::json!([-1]));
        let numbers: Vec<f64> =
            person["pose_keypoints_2d"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        assert_eq!(numbers.len(), 3 * keypoints);
        // The neck lies between the shoulders that the row has.
        let shoulder = |k: usize| {
            let keypoint = &rows[0]["people"][0]["keypoints"][k];
            [keypoint["x"].as_f64().unwrap(), keypoint["y"].as_f64().unwrap()]
        };
        let ([ax, ay], [bx, by]) = (shoulder(5), shoulder(6));
        assert!((numbers[3 * neck] - f64::midpoint(ax, bx)).abs() < 0.01, "{numbers:?}");
        assert!((numbers[3 * neck + 1] - f64::midpoint(ay, by)).abs() < 0.01, "{numbers:?}");
        for hand in ["hand_left_keypoints_2d", "hand_right_keypoints_2d", "face_keypoints_2d"] {
            assert_eq!(person[hand], serde_json::json!([]), "{hand}");
        }
        let picture = read_image(&out.join(format!("{stem}_rendered.png"))).unwrap();
        assert_eq!((picture.width(), picture.height()), (image.width(), image.height()));
        assert_ne!(picture.to_rgb8(), image.to_rgb8());
        assert_eq!(read_json(&out.join("poses.json")), rows);
    }
    let black = dir.path().join("black");
    json(&["pose", &photo, "--render", "--black", "-o", &text(&black), "--json"], 0);
    let picture = read_image(&black.join(format!("{stem}_rendered.png"))).unwrap().to_rgb8();
    let dark = picture.chunks_exact(3).filter(|pixel| **pixel == [0; 3]).count();
    assert!(dark > picture.len() / 3 / 2 && dark < picture.len() / 3, "{dark} black pixels");

    clip(dir.path(), &image);
}

/// A camera that pans over a photo: people keep their numbers, and the files are those of OpenPose.
fn clip(dir: &Path, photo: &Image) {
    const FRAMES: usize = 12;
    let Some(tools) = tools() else { return };
    let [width, height] = [photo.width() - 48, photo.height() - 24].map(|side| side / 2 * 2);
    let rgb = photo.to_rgb8();
    let video = dir.join("pan.mp4");
    let frame_rate = FrameRate::new(12, 1).unwrap();
    let options = WriterOptions { width, height, frame_rate, alpha: false, sound_from: None };
    let mut writer = Writer::create(&tools, &video, options).unwrap();
    for k in 0..FRAMES {
        let rows = (0..height).flat_map(|y| {
            let first = ((y + k) * photo.width() + 3 * k) * 3;
            rgb[first..first + 3 * width].iter().copied()
        });
        writer.push(&Image::from_u8(width, height, 3, rows.collect()).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let out = dir.join("video");
    let arguments = ["pose", &text(&video), "--size", "257", "--format", "openpose,coco", "--render"];
    let rows = json(&[&arguments[..], &["--min-score", "0.4", "-o", &text(&out), "--json"]].concat(), 0);
    assert_eq!((rows[0]["kind"].as_str(), rows[0]["frames"].as_u64()), (Some("video"), Some(FRAMES as u64)), "{rows}");
    let best = |k: usize| {
        let file = read_json(&out.join(format!("pan_json/pan_{k:012}_keypoints.json")));
        let person = file["people"][0].clone();
        (person["person_id"][0].as_i64().unwrap(), person["pose_keypoints_2d"][3].as_f64().unwrap())
    };
    // The camera goes to the right, so the neck goes to the left, by three pixels a frame.
    let (id, first) = best(0);
    assert!(id >= 1);
    assert!((0..FRAMES).all(|k| best(k).0 == id), "{:?}", (0..FRAMES).map(|k| best(k).0).collect::<Vec<_>>());
    let moved = first - best(FRAMES - 1).1;
    assert!((moved - 33.0).abs() < 14.0, "{moved}");
    let tracked = read_json(&out.join("coco_results.json"));
    let frames: Vec<u64> = tracked
        .as_array()
        .unwrap()
        .iter()
        .filter(|found| found["track_id"].as_i64() == Some(id))
        .map(|found| found["image_id"].as_u64().unwrap())
        .collect();
    assert_eq!(frames, (1..=FRAMES as u64).collect::<Vec<_>>());
    let film = probe(&tools, &out.join("pan_rendered.mp4")).unwrap();
    assert_eq!((film.width, film.height, film.frames), (width, height, Some(FRAMES as u64)));
}

#[test]
fn nobody_is_found_where_nobody_is_and_one_bad_photo_is_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let photos = dir.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    write_rgb_png(&photos.join("7.png"), 90, 70, &nobody(90, 70)).unwrap();
    write_rgb_png(&photos.join("8.png"), 1, 1, &[9, 9, 9]).unwrap();
    write_rgb_png(&photos.join("9.png"), 700, 1, &nobody(700, 1)).unwrap();
    std::fs::write(photos.join("10.png"), b"not an image").unwrap();
    let out = dir.path().join("out");
    let photos = text(&photos);
    let arguments = ["pose", &photos, "--size", "129", "--format", "openpose,coco", "--render"];
    let rows = json(&[&arguments[..], &["-o", &text(&out), "--json"]].concat(), 1);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let input = row["input"].as_str().unwrap();
        if input.ends_with("10.png") {
            assert!(row["error"].as_str().unwrap().contains("10.png"), "{row}");
            continue;
        }
        assert_eq!(row["people"], serde_json::json!([]), "{row}");
        let number = Path::new(input).file_stem().unwrap().to_str().unwrap();
        assert_eq!(row["image_id"].as_u64().unwrap().to_string(), number);
        let file = read_json(&out.join(format!("json/{number}_keypoints.json")));
        assert_eq!(file, serde_json::json!({ "version": 1.3, "people": [] }));
    }
    assert_eq!(read_json(&out.join("coco_results.json")), serde_json::json!([]));
    assert!(out.join("8_rendered.png").is_file() && !out.join("json/10_keypoints.json").exists());
}

#[test]
fn videos_without_anybody_without_an_end_and_without_ffmpeg() {
    let dir = tempfile::tempdir().unwrap();
    let photo = dir.path().join("photo.png");
    write_rgb_png(&photo, 40, 30, &nobody(40, 30)).unwrap();
    let broken = dir.path().join("broken.mp4");
    std::fs::write(&broken, b"not a video").unwrap();
    let (photo, broken, out) = (text(&photo), text(&broken), dir.path().join("out"));
    let without = |inputs: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vibhag"));
        command.arg("pose").args(inputs).args(["--size", "65", "-o", &text(&out), "--json"]);
        command.env("PATH", dir.path()).output().unwrap()
    };
    let nothing = without(&[&broken]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(stderr(&nothing).contains("ffmpeg is not installed"), "{}", stderr(&nothing));
    let some = without(&[&broken, &photo]);
    assert_eq!(some.status.code(), Some(1), "{}", stderr(&some));
    let rows: Value = serde_json::from_slice(&some.stdout).unwrap();
    assert!(rows[0]["error"].as_str().unwrap().contains("install it") && rows[1]["people"].is_array(), "{rows}");

    let Some(tools) = tools() else { return };
    let video = dir.path().join("empty.mp4");
    let frame_rate = FrameRate::new(10, 1).unwrap();
    let options = WriterOptions { width: 64, height: 48, frame_rate, alpha: false, sound_from: None };
    let mut writer = Writer::create(&tools, &video, options).unwrap();
    for _ in 0..3 {
        writer.push(&Image::from_u8(64, 48, 3, nobody(64, 48)).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    // Of an earlier run over a longer video, and something of somebody else's.
    let folder = out.join("empty_json");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["empty_000000000007_keypoints.json", "empty_7_keypoints.json"] {
        std::fs::write(folder.join(name), "{}").unwrap();
    }
    let arguments =
        ["pose", &text(&video), &broken, "--size", "65", "--render", "--black", "-o", &text(&out), "--json"];
    let rows = json(&arguments, 1);
    assert!(rows[0]["error"].as_str().unwrap().contains("broken.mp4"), "{rows}");
    let row = &rows[1];
    assert_eq!(
        (row["frames"].as_u64(), row["most_people"].as_u64(), row["different_people"].as_u64()),
        (Some(3), Some(0), Some(0))
    );
    for k in 0..3 {
        assert_eq!(
            read_json(&out.join(format!("empty_json/empty_{k:012}_keypoints.json")))["people"],
            serde_json::json!([])
        );
    }
    assert!(!folder.join("empty_000000000007_keypoints.json").exists());
    assert!(folder.join("empty_7_keypoints.json").exists());
    let film = Reader::open(&tools, &out.join("empty_rendered.mp4")).unwrap();
    let frames: Vec<Image> = film.map(|frame| frame.unwrap().image).collect();
    assert_eq!(frames.len(), 3);
    assert!(frames.iter().all(|frame| frame.to_rgb8().iter().all(|&value| value < 6)), "black stays black");
}

#[test]
fn options_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let photo = dir.path().join("photo.png");
    write_rgb_png(&photo, 40, 30, &nobody(40, 30)).unwrap();
    let (photo, out) = (text(&photo), text(&dir.path().join("out")));
    let missing = text(&dir.path().join("missing"));
    for (more, says) in [
        (vec!["--format", "mat"], "openpose, coco"),
        (vec!["--skeleton", "lsp-14"], "body-25 or coco-18"),
        (vec!["--skeleton", "dog"], "unknown skeleton"),
        (vec!["--size", "5"], "33 to 4097"),
        (vec!["--min-score", "2"], "between 0 and 1"),
        (vec!["--min-keypoint-score", "NaN"], "between 0 and 1"),
        (vec!["--max-people", "0"], "max-people"),
        (vec!["--seconds", "3"], "webcams"),
        (vec!["--black"], "--render"),
        (vec!["--size", "257", "--model", "run"], "cannot be used with"),
        (vec!["--turns", "4"], "--model"),
        (vec!["--model", &missing], "manifest.toml"),
        (vec!["webcam"], "--seconds 30"),
    ] {
        let output = vibhag(&[&["pose", &photo, "-o", &out][..], &more[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{more:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{more:?}: {}", stderr(&output));
    }
    let nothing = vibhag(&["pose", &missing, "-o", &out]);
    assert!(nothing.status.code() == Some(2) && stderr(&nothing).contains("no image or video found"));
    assert!(!dir.path().join("out").exists());
    let models = json(&["models", "--json"], 0);
    let row = models.as_array().unwrap().iter().find(|row| row["name"] == "posenet").unwrap();
    assert!(row["weights"].as_str().unwrap().contains("Apache-2.0"), "{row}");
}
