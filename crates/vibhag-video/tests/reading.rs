//! Frames out of clips whose every frame is known, and out of damaged ones.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{MP4, TONE, difference, frame, make_clip, tools};
use vibhag_core::ErrorKind;
use vibhag_video::{Camera, Frame, Reader, Tools, probe};

fn read(tools: &Tools, path: &Path) -> Vec<Frame> {
    Reader::open(tools, path).unwrap().map(|frame| frame.unwrap()).collect()
}

#[test]
fn every_frame_comes_in_order_with_its_time() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    // A name that would otherwise be an option, a protocol and a pattern.
    let path = dir.path().join("-a:b %03d.mp4");
    let plain = dir.path().join("plain.mp4");
    make_clip(&tools, &plain, (96, 64), 30, TONE, &[MP4, &["-c:a", "aac"]].concat());
    fs::rename(plain, &path).unwrap();
    let mut reader = Reader::open(&tools, &path).unwrap();
    let info = reader.info().clone();
    assert_eq!((info.width, info.height, info.frames, info.codec.as_str()), (96, 64, Some(30), "h264"));
    assert_eq!((info.frame_rate.per_second(), info.audio.as_slice()), (25.0, &["aac".to_owned()][..]));
    for k in 0..30 {
        let next = reader.next_frame().unwrap().unwrap();
        assert_eq!(next.index, k);
        assert!((next.seconds - k as f64 / 25.0).abs() < 1e-9);
        let (here, beside) = (frame(96, 64, k as usize), frame(96, 64, k as usize + 1));
        assert!(difference(&next.image, &here) < 3.0, "frame {k}: {}", difference(&next.image, &here));
        assert!(difference(&next.image, &here) < difference(&next.image, &beside));
    }
    assert!(reader.next_frame().unwrap().is_none() && reader.next_frame().unwrap().is_none());
    let progress = reader.progress();
    assert_eq!((progress.done, progress.total), (30, Some(30)));
    assert!(progress.frames_per_second > 0.0);
    assert_eq!(reader.damage(), vibhag_video::Damage::default());
}

#[test]
fn rotation_and_pixels_that_are_not_square_are_carried_out() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (plain, turned, wide) = (dir.path().join("p.mp4"), dir.path().join("t.mp4"), dir.path().join("w.mp4"));
    make_clip(&tools, &plain, (96, 64), 5, &[], MP4);
    // The older option and the newer one; a build has one of them.
    let copy = |before: &[&str], after: &[&str]| {
        let mut command = std::process::Command::new(&tools.ffmpeg);
        command.args(["-loglevel", "error", "-y"]).args(before).arg("-i").arg(&plain).args(["-c", "copy"]).args(after);
        command.arg(&turned).status().unwrap().success()
    };
    let tagged = copy(&[], &["-metadata:s:v:0", "rotate=90"]) && probe(&tools, &turned).unwrap().quarter_turns != 0;
    assert!(tagged || copy(&["-display_rotation", "270"], &[]));
    let info = probe(&tools, &turned).unwrap();
    // Which way a tag of 90 degrees turns has changed between versions of ffmpeg; the file says it in its matrix.
    assert_eq!((info.width, info.height, info.quarter_turns % 2), (64, 96, 1));
    let original = frame(96, 64, 0);
    let shown = read(&tools, &turned).remove(0).image;
    // A turn clockwise brings what was at the left bottom to the left top, one anticlockwise to the right bottom.
    let turned_back = (0..96 * 64).flat_map(|i| {
        let (x, y) = (i % 96, i / 96);
        let at = 3 * if info.quarter_turns == 1 { x * 64 + (63 - y) } else { (95 - x) * 64 + y };
        common::bytes(&shown)[at..at + 3].to_vec()
    });
    let turned_back = vibhag_core::Image::from_u8(96, 64, 3, turned_back.collect()).unwrap();
    assert!(difference(&turned_back, &original) < 3.0, "{}", difference(&turned_back, &original));
    make_clip(&tools, &wide, (96, 64), 3, &[], &[MP4, &["-vf", "setsar=3/2"]].concat());
    let frames = read(&tools, &wide);
    assert_eq!((frames[0].image.width(), frames[0].image.height(), frames.len()), (144, 64, 3));
}

#[test]
fn a_variable_rate_is_read_at_the_average_and_keeps_its_times() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("variable.mkv");
    // Of 50 frames the first 25 at 25 a second, the rest at 5: six seconds, 50/6 frames a second on average.
    let slow = "setpts='if(lt(N,25),N/25,1+(N-25)/5)/TB'";
    let arguments = ["-vf", slow, "-vsync", "vfr", "-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p"];
    make_clip(&tools, &path, (64, 48), 50, &[], &arguments);
    let info = probe(&tools, &path).unwrap();
    let rate = info.frame_rate.per_second();
    let frames = read(&tools, &path);
    let seconds = frames.len() as f64 / rate;
    assert!((seconds - 6.0).abs() < 0.4, "{seconds} s at {rate} frames a second");
    for shown in &frames[..frames.len() - 1] {
        let expected = if shown.seconds < 1.0 { 25.0 * shown.seconds } else { 25.0 + 5.0 * (shown.seconds - 1.0) };
        let best = (0..50).min_by(|&a, &b| {
            let distance = |k| difference(&shown.image, &frame(64, 48, k));
            distance(a).total_cmp(&distance(b))
        });
        // Half a step of either clock.
        let tolerance = 0.5 + 25.0 / rate / 2.0 + 1.0;
        assert!(
            (best.unwrap() as f64 - expected).abs() <= tolerance,
            "{} s: frame {best:?}, not {expected}",
            shown.seconds
        );
    }
}

#[test]
fn a_single_pixel_is_a_video() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("one.mkv");
    make_clip(&tools, &path, (1, 1), 4, &[], &["-c:v", "ffv1", "-pix_fmt", "bgr0"]);
    let frames = read(&tools, &path);
    assert_eq!(frames.len(), 4);
    assert!(frames.iter().enumerate().all(|(k, shown)| shown.image == frame(1, 1, k)));
}

#[test]
fn a_file_that_is_cut_off_gives_what_it_holds_and_says_what_is_missing() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.mp4");
    make_clip(&tools, &path, (320, 240), 60, &[], MP4);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let mut reader = Reader::open(&tools, &path).unwrap();
    let frames: Vec<Frame> = reader.by_ref().map(|frame| frame.unwrap()).collect();
    let count = frames.len() as u64;
    assert!((10..55).contains(&count), "{count} frames");
    let damage = reader.damage();
    assert_eq!(damage.missing, 60 - count);
    // Cut within the header at the front.
    fs::write(&path, &whole[..200]).unwrap();
    let error = Reader::open(&tools, &path).unwrap_err();
    assert!(error.kind == ErrorKind::Decode && error.to_string().contains("cut.mp4"), "{error}");
    // With the index at the end, half a file has none.
    let late = [&MP4[..MP4.len() - 2], &["-movflags", "0"]].concat();
    make_clip(&tools, &path, (320, 240), 60, &[], &late);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = Reader::open(&tools, &path).unwrap_err();
    assert!(error.to_string().contains("moov atom not found"), "ffprobe's words: {error}");
}

#[test]
fn a_broken_frame_is_counted_and_the_rest_is_read() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broken.avi");
    // Every frame a JPEG of its own, so that damage to one stays there.
    make_clip(&tools, &path, (160, 120), 40, &[], &["-c:v", "mjpeg", "-q:v", "3"]);
    let mut file = fs::read(&path).unwrap();
    let starts: Vec<usize> = (0..file.len() - 3).filter(|&i| file[i..i + 3] == [0xff, 0xd8, 0xff]).collect();
    assert_eq!(starts.len(), 40);
    // From its first byte on it is no JPEG any more.
    let broken = starts[20]..starts[21] - 16;
    file[broken].fill(0);
    fs::write(&path, &file).unwrap();
    let mut reader = Reader::open(&tools, &path).unwrap();
    let frames: Vec<Frame> = reader.by_ref().map(|frame| frame.unwrap()).collect();
    let damage = reader.damage();
    assert!(damage.broken >= 1 && damage.first.is_some(), "{damage:?}");
    // The frame before stands in for it, so that the others keep their times.
    assert_eq!((frames.len(), damage.missing), (40, 0));
    for k in [0, 19, 21, 39] {
        assert!(difference(&frames[k].image, &frame(160, 120, k)) < 6.0, "frame {k}");
    }
    assert!(difference(&frames[20].image, &frames[19].image) < 0.5);
}

#[test]
fn a_frame_that_could_be_repaired_is_counted_too() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scratched.mp4");
    make_clip(&tools, &path, (320, 240), 40, &[], MP4);
    let mut file = fs::read(&path).unwrap();
    let middle = file.len() / 2;
    for (k, byte) in file[middle..middle + 300].iter_mut().enumerate() {
        *byte = byte.wrapping_mul(7).wrapping_add(k as u8);
    }
    fs::write(&path, &file).unwrap();
    let mut reader = Reader::open(&tools, &path).unwrap();
    let frames: Vec<Frame> = reader.by_ref().map(|frame| frame.unwrap()).collect();
    assert_eq!(frames.len(), 40);
    let damage = reader.damage();
    assert!((1..20).contains(&damage.broken), "{damage:?}");
    // Frames that stand for themselves end the damage.
    assert!(difference(&frames[39].image, &frame(320, 240, 39)) < 4.0);
}

#[test]
fn damage_anywhere_ends_in_frames_or_an_error() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    for ending in ["mp4", "mkv"] {
        let path = dir.path().join(format!("clip.{ending}"));
        make_clip(&tools, &path, (64, 48), 12, TONE, &[&MP4[..MP4.len() - 2], &["-c:a", "aac"]].concat());
        let whole = fs::read(&path).unwrap();
        for part in 0..8 {
            let mut file = whole.clone();
            let start = whole.len() * part / 8;
            file[start..(start + 64).min(whole.len())].fill(0xa5);
            fs::write(&path, &file).unwrap();
            let start = Instant::now();
            if let Ok(reader) = Reader::open(&tools, &path) {
                let size = (reader.info().width, reader.info().height);
                for frame in reader.map_while(Result::ok) {
                    assert_eq!((frame.image.width(), frame.image.height()), size);
                }
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{ending}, part {part}");
        }
    }
}

#[test]
fn what_is_no_video_is_an_error_that_says_so() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    let sound = dir.path().join("sound.m4a");
    let made = std::process::Command::new(&tools.ffmpeg)
        .args(["-loglevel", "error"])
        .args(TONE)
        .args(["-c:a", "aac"])
        .arg(&sound)
        .status();
    assert!(made.unwrap().success());
    let error = Reader::open(&tools, &sound).unwrap_err().to_string();
    assert!(error.contains("no video") && error.contains("sound.m4a") && error.contains("aac"), "{error}");
    let text = dir.path().join("text.mp4");
    fs::write(&text, "this is a letter").unwrap();
    assert!(Reader::open(&tools, &text).unwrap_err().to_string().contains("text.mp4"));
    fs::write(&text, "").unwrap();
    assert!(Reader::open(&tools, &text).is_err());
    assert!(Reader::open(&tools, dir.path()).is_err());
    let absent = Reader::open(&tools, &dir.path().join("absent.mp4")).unwrap_err();
    assert_eq!(absent.kind, ErrorKind::Io);
}

#[test]
fn an_absent_webcam_is_an_error() {
    let Some(tools) = tools() else { return };
    let camera = Camera::parse("webcam:/dev/video-absent").unwrap();
    let start = Instant::now();
    let error = Reader::camera(&tools, &camera).unwrap_err();
    assert!(error.to_string().contains("webcam") || !cfg!(target_os = "linux"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
    // There is a device of that name, but it is no camera.
    if cfg!(target_os = "linux") {
        let error = Reader::camera(&tools, &Camera::parse("webcam:/dev/null").unwrap()).unwrap_err();
        assert!(error.to_string().contains("plugged in"), "{error}");
    }
}

#[test]
fn letting_go_of_a_reader_ends_ffmpeg_at_once() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.mp4");
    make_clip(&tools, &path, (320, 240), 200, &[], MP4);
    let mut reader = Reader::open(&tools, &path).unwrap();
    assert!(reader.next_frame().unwrap().is_some());
    let start = Instant::now();
    drop(reader);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[cfg(unix)]
#[test]
fn a_decoder_that_dies_midway_is_an_error_and_not_an_end() {
    use std::os::unix::fs::PermissionsExt;

    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    make_clip(&tools, &path, (64, 48), 20, &[], MP4);
    let script = dir.path().join("ffmpeg");
    // Two frames and a half, then death by a signal.
    fs::write(&script, "#!/bin/sh\nhead -c 23040 /dev/zero\necho out of memory >&2\nkill -9 $$\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let dying = Tools { ffmpeg: script, ..tools };
    let results: Vec<_> = Reader::open(&dying, &path).unwrap().collect();
    assert_eq!(results.len(), 3);
    assert!(results[..2].iter().all(Result::is_ok));
    let error = results[2].as_ref().unwrap_err().to_string();
    assert!(error.contains("ended from outside") && error.contains("out of memory"), "{error}");
}
