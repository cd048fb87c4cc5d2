//! Bodies to learn from: ellipses drawn upright before a striped wall, their masks in parts as clothing data has them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, which may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use vibhag_data::encode::{write_gray8_png, write_rgb_png};

pub(crate) const WIDTH: usize = 64;
pub(crate) const HEIGHT: usize = 96;

pub(crate) fn vibhag(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vibhag")).args(args).output().unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The output of a command that must end with `code`.
pub(crate) fn json(args: &[&str], code: i32) -> Value {
    let output = vibhag(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A bright upright ellipse around (`x`, `y`) and its mask: 3 above its middle, 7 below.
pub(crate) fn scene(x: usize, y: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut rgb, mut mask) = (Vec::new(), Vec::new());
    for row in 0..HEIGHT {
        for column in 0..WIDTH {
            let (dx, dy) = ((column as f32 - x as f32) / 13.0, (row as f32 - y as f32) / 30.0);
            let inside = dx * dx + dy * dy < 1.0;
            let stripe = if column / 6 % 2 == 0 { 30 } else { 60 };
            rgb.extend(if inside { [225, 170, 120] } else { [stripe, stripe + 20, 90] });
            mask.push(match (inside, row < y) {
                (false, _) => 0,
                (true, true) => 3,
                (true, false) => 7,
            });
        }
    }
    (rgb, mask)
}

pub(crate) fn people(root: &Path) -> PathBuf {
    for folder in ["images", "labels"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    for index in 0..12usize {
        let (rgb, mask) = scene(18 + 7 * (index % 5), 38 + 7 * (index % 4));
        write_rgb_png(&root.join(format!("images/p{index:02}.png")), WIDTH, HEIGHT, &rgb).unwrap();
        write_gray8_png(&root.join(format!("labels/p{index:02}.png")), WIDTH, HEIGHT, &mask).unwrap();
    }
    root.to_owned()
}

/// Trains a tiny network on all parts together.
pub(crate) fn train(data: &Path, run: &Path) -> (Value, String) {
    let (data, run) = (text(data), text(run));
    let output = vibhag(&[
        "train",
        &data,
        "--task",
        "body",
        "-o",
        &run,
        "--arch",
        "unet-lite",
        "--epochs",
        "40",
        "--json",
        "--set",
        "network.widths=[6, 12, 16]",
        "--set",
        "loop.validations=4",
        "--set",
        "loop.batch=4",
        "--set",
        "optimizer.learning_rate=0.01",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (serde_json::from_slice(&output.stdout).unwrap(), stderr(&output))
}
