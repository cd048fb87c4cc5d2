//! Clips made of one picture by panning over it, so that every frame is known.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "test helpers; not every test file uses each")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use vibhag_core::{Image, Samples};
use vibhag_video::Tools;

/// The tools, or `None` on a developer's machine without them.
pub(crate) fn tools() -> Option<Tools> {
    match Tools::find() {
        Ok(tools) => Some(tools),
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Frame `k` of a clip: a window on a smooth, coloured picture, two pixels further to the right each time.
pub(crate) fn frame(width: usize, height: usize, k: usize) -> Image {
    let wave = |x: f32, y: f32, length: f32, phase: f32| {
        (128.0 + 100.0 * ((x / length + phase).sin() * (y / (0.7 * length) + phase).cos())) as u8
    };
    let pixels = (0..width * height).flat_map(|i| {
        let (x, y) = ((i % width + 2 * k) as f32, (i / width) as f32);
        [wave(x, y, 17.0, 0.0), wave(x, y, 29.0, 1.0), wave(x, y, 41.0, 2.0)]
    });
    Image::from_u8(width, height, 3, pixels.collect()).unwrap()
}

pub(crate) fn bytes(image: &Image) -> &[u8] {
    let Samples::U8(values) = image.samples() else { panic!("8 bits wanted") };
    values
}

/// Mean absolute difference of two pictures' samples.
pub(crate) fn difference(a: &Image, b: &Image) -> f64 {
    assert_eq!((a.width(), a.height(), a.channels()), (b.width(), b.height(), b.channels()));
    let sum: u64 = bytes(a).iter().zip(bytes(b)).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / bytes(a).len() as f64
}

/// Encodes `count` frames at 25 frames a second with ffmpeg's own command line: `inputs` are further inputs before the
/// output's `arguments`.
pub(crate) fn make_clip(
    tools: &Tools,
    path: &Path,
    size: (usize, usize),
    count: usize,
    inputs: &[&str],
    arguments: &[&str],
) {
    let mut child = Command::new(&tools.ffmpeg)
        .args(["-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-framerate", "25"])
        .args(["-video_size", &format!("{}x{}", size.0, size.1), "-i", "pipe:0"])
        .args(inputs)
        .args(arguments)
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    (0..count).for_each(|k| pipe.write_all(bytes(&frame(size.0, size.1, k))).unwrap());
    drop(pipe);
    assert!(child.wait().unwrap().success(), "{}", path.display());
}

/// H.264 whose index lies at the front, with a frame that stands for itself every five.
pub(crate) const MP4: &[&str] =
    &["-c:v", "libx264", "-crf", "12", "-g", "5", "-pix_fmt", "yuv420p", "-movflags", "+faststart"];
/// A second of a tone.
pub(crate) const TONE: &[&str] = &["-f", "lavfi", "-i", "sine=frequency=440:duration=1"];

/// ffmpeg's words about a file: what `ffmpeg -i` prints.
pub(crate) fn describe(tools: &Tools, path: &Path) -> String {
    let output = Command::new(&tools.ffprobe).args(["-hide_banner", "-show_streams"]).arg(path).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The MD5 of a file's sound packets, as they are stored.
pub(crate) fn sound_hash(tools: &Tools, path: &Path) -> String {
    let output = Command::new(&tools.ffmpeg)
        .args(["-loglevel", "error", "-i"])
        .arg(path)
        .args(["-map", "0:a", "-c", "copy", "-f", "streamhash", "-hash", "md5", "-"])
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}
