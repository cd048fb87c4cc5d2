//! Milliseconds of a forward and of both backward passes by every algorithm that computes a 3x3 layer, and the costs by
//! the model that chooses. Usage: `algorithms [rounds]`.

use std::time::Instant;

use vibhag_kernels::{ConvShape, algorithm, algorithms};

#[global_allocator]
static ALLOCATOR: vibhag_kernels::HugePages = vibhag_kernels::HugePages;

/// Images, input and output channels, side.
const LAYERS: &[[usize; 4]] = &[
    [8, 3, 64, 128],
    [8, 3, 16, 256],
    [1, 3, 64, 256],
    [1, 3, 16, 256],
    [8, 16, 1, 256],
    [1, 16, 1, 256],
    [8, 16, 16, 256],
    [8, 32, 16, 256],
    [8, 32, 32, 128],
    [8, 64, 64, 64],
    [1, 16, 16, 256],
    [1, 64, 64, 64],
    [1, 32, 32, 32],
    [1, 128, 128, 16],
    [1, 64, 64, 16],
    [1, 256, 256, 8],
    [1, 64, 64, 8],
    [1, 512, 512, 4],
    [8, 512, 512, 4],
    [8, 256, 256, 6],
    [8, 1024, 1024, 8],
    [2, 512, 512, 2],
];

fn best(rounds: usize, mut f: impl FnMut()) -> f64 {
    let mut fastest = f64::INFINITY;
    for _ in 0..=rounds {
        let start = Instant::now();
        f();
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    1e3 * fastest
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    for &[n, cin, cout, side] in LAYERS {
        let s = ConvShape {
            n,
            cin,
            h: side,
            w: side,
            cout,
            kernel: [3; 2],
            stride: [1; 2],
            padding: [1; 4],
            dilation: [1; 2],
            groups: 1,
        };
        let wave = |len: usize| (0..len).map(|i| (i % 977) as f32 / 977.0 - 0.5).collect::<Vec<_>>();
        let (x, w, dy) = (wave(s.input_len()), wave(s.weight_len()), wave(s.output_len()));
        let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
        print!("{n} x {cin} -> {cout} at {side}:");
        for how in algorithms(&s) {
            let chosen = if Some(how) == algorithm(&s) { "*" } else { "" };
            let forward = best(rounds, || how.forward(&s, &x, &w, None, &mut y));
            let data = best(rounds, || how.backward_data(&s, &w, &dy, &mut dx));
            let weights = best(rounds, || how.backward_weights(&s, &x, &dy, &mut dw));
            print!(" | {how:?}{chosen} {forward:.2} {data:.2} {weights:.2} (model {:.2})", how.cost(&s, false) / 2e6);
        }
        println!();
    }
}
