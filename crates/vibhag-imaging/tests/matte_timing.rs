//! What the steps of a cut-out cost for a frame of 720p. Prints; asserts nothing about time.
//!
//! `cargo test --release -p vibhag-imaging --test matte_timing -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

use std::time::Instant;

use vibhag_core::Image;
use vibhag_imaging::matte::{
    Background, MatteOptions, TemporalFilter, TemporalOptions, alpha_matte, composite, estimate_foreground,
};

fn least<T>(mut run: impl FnMut() -> T) -> f64 {
    let mut time = || {
        let start = Instant::now();
        std::hint::black_box(run());
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..8).map(|_| time()).fold(f64::INFINITY, f64::min)
}

/// A bright figure as tall as the frame before a texture, and a network's idea of it.
fn scene(width: usize, height: usize) -> (Image, Vec<f32>) {
    let inside = |i: usize| {
        let (x, y) = ((i % width) as f32 / height as f32 - 0.9, (i / width) as f32 / height as f32 - 0.6);
        80.0 * (0.35 - (x * x + 0.5 * y * y).sqrt() + 0.02 * (y * 40.0).sin())
    };
    let texture = |i: usize| ((i % width) / 7 + (i / width) / 5) as u8 % 50;
    let pixels = (0..width * height).flat_map(|i| {
        let alpha = (0.5 + 3.0 * inside(i)).clamp(0.0, 1.0);
        let mix = |front: u8| (alpha * f32::from(front) + (1.0 - alpha) * f32::from(30 + texture(i))) as u8;
        [mix(210), mix(160), mix(140)]
    });
    let guess = (0..width * height).map(|i| 1.0 / (1.0 + (-inside(i)).exp()));
    (Image::from_u8(width, height, 3, pixels.collect()).unwrap(), guess.collect())
}

#[test]
#[ignore = "prints times"]
fn times_of_a_frame() {
    let (width, height) = (1280, 720);
    let (image, guess) = scene(width, height);
    let options = MatteOptions::for_size(width, height);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut filter = TemporalFilter::new(TemporalOptions::default());
            let mut p = guess.clone();
            println!("{threads} threads, temporal: {:.1} ms", least(|| filter.smooth(&image, &mut p)));
            println!("{threads} threads, matte: {:.1} ms", least(|| alpha_matte(&image, &guess, &options)));
            let alpha = alpha_matte(&image, &guess, &options).unwrap();
            let soft = alpha.iter().filter(|&&a| a > 0.0 && a < 1.0).count();
            let front = estimate_foreground(&image, &alpha).unwrap();
            let ms = least(|| estimate_foreground(&image, &alpha));
            println!("{threads} threads, foreground, {soft} soft pixels: {ms:.1} ms");
            for background in [Background::Blur(20.0), Background::Color([0, 200, 0])] {
                let ms = least(|| composite(&front, &alpha, &background.pixels(&image, &alpha).unwrap()));
                println!("{threads} threads, over {background:?}: {ms:.1} ms");
            }
        });
    }
}
