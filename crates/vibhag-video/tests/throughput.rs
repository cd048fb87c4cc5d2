//! How fast frames go through. Prints; asserts nothing about time.
//!
//! `cargo test --release -p vibhag-video --test throughput -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

mod common;

use std::time::Instant;

use common::{MP4, TONE, make_clip, tools};
use vibhag_video::{Reader, Writer, WriterOptions};

#[test]
#[ignore = "prints times"]
fn ten_seconds_of_720p_are_read_and_written() {
    let Some(tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("in.mp4"), dir.path().join("out.mp4"));
    make_clip(&tools, &source, (1280, 720), 250, TONE, &[MP4, &["-c:a", "aac"]].concat());
    let mut reader = Reader::open(&tools, &source).unwrap();
    while reader.next_frame().unwrap().is_some() {}
    println!("read: {:.0} frames a second", reader.progress().frames_per_second);
    let mut reader = Reader::open(&tools, &source).unwrap();
    let (width, height, frame_rate) = (reader.info().width, reader.info().height, reader.info().frame_rate);
    let options = WriterOptions { width, height, frame_rate, alpha: false, sound_from: Some(source) };
    let start = Instant::now();
    let mut writer = Writer::create(&tools, &target, options).unwrap();
    while let Some(frame) = reader.next_frame().unwrap() {
        writer.push(&frame.image).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), 250);
    println!("read and written: {:.0} frames a second", 250.0 / start.elapsed().as_secs_f64());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
}
