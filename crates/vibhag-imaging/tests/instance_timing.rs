//! What targets and decoders cost. Prints; asserts nothing about time.
//!
//! `cargo test --release -p vibhag-imaging --test instance_timing -- --ignored --nocapture`

mod scenes;

use std::time::Instant;

use scenes::Scene;
use vibhag_core::{Grouping, Head};

/// The least time of some runs, in milliseconds.
fn least<T>(runs: usize, mut run: impl FnMut() -> T) -> f64 {
    let time = |run: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        std::hint::black_box(run());
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..runs).map(|_| time(&mut run)).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "prints times"]
fn times_of_targets_and_decoders() {
    const HEADS: [Head; 3] = [Head::Center, Head::Star, Head::Flow];
    let nuclei = Scene::ellipses(1, (256, 256), 40, [10.0, 10.0], 0);
    let mut one = vec![0; 300 * 300];
    for y in 0..250 {
        one[(25 + y) * 300 + 25..][..250].fill(1);
    }
    let disc = Scene::ellipses(3, (256, 256), 1, [126.0, 126.0], 0);
    let scenes = [("256 x 256", nuclei), ("250 x 250 square", Scene::of(300, one)), ("disc of 126", disc)];
    for (name, scene) in &scenes {
        for head in HEADS {
            let mut planes = vec![0.0; head.target_planes() * scene.pixels()];
            let ms = least(200, || {
                vibhag_imaging::instances::targets(head, &scene.ids, scene.width, scene.height, &mut planes);
            });
            println!("targets {name}, {} objects, {head}: {ms:.2} ms", scene.count);
        }
    }
    for (count, radii) in [(10, [80.0, 140.0]), (500, [12.0, 22.0])] {
        let scene = Scene::ellipses(2, (1024, 1024), count, radii, 0);
        for head in HEADS {
            let maps = scene.maps(head);
            let found = maps.decode(head).scores.len();
            let ms = least(15, || maps.decode(head));
            let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            let single = one.install(|| least(15, || maps.decode(head)));
            println!(
                "decode 1024 x 1024, {found} of {} objects, {head}: {ms:.1} ms, one thread {single:.1} ms",
                scene.count
            );
            if head == Head::Star {
                let stars = maps.stars(0.05);
                let ms = least(15, || stars.decode(&Grouping::of(head)));
                println!("  of which collected already: {ms:.1} ms");
            }
        }
    }
}
