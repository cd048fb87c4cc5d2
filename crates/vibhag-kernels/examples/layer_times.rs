//! Milliseconds and effective GFLOP/s of the layers of a U-Net on EfficientNet-Lite0, batch 8 at 256x256, or of the
//! classical one, batch 8 at 128x128. Usage: `layer_times [rounds] [unet]`.

use std::time::Instant;

use vibhag_kernels::{
    Activation, BatchNorm, ConvShape, Planes, algorithm, backward_data, backward_weights, batch_norm_act,
    batch_norm_act_backward, forward,
};

#[global_allocator]
static ALLOCATOR: vibhag_kernels::HugePages = vibhag_kernels::HugePages;

fn best(rounds: usize, mut f: impl FnMut()) -> f64 {
    (0..=rounds)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed().as_secs_f64()
        })
        .skip(1)
        .fold(f64::INFINITY, f64::min)
}

/// (input channels, output channels, kernel, stride, groups, side).
const LAYERS: &[(usize, usize, usize, usize, usize, usize)] = &[
    (3, 32, 3, 2, 1, 256),
    (32, 32, 3, 1, 32, 128),
    (96, 96, 3, 2, 96, 128),
    (144, 144, 5, 2, 144, 64),
    (480, 480, 3, 1, 480, 16),
    (672, 672, 5, 1, 672, 16),
    (1152, 1152, 5, 1, 1152, 8),
    (16, 96, 1, 1, 1, 128),
    (24, 144, 1, 1, 1, 64),
    (144, 24, 1, 1, 1, 64),
    (672, 112, 1, 1, 1, 16),
    (1152, 320, 1, 1, 1, 8),
    (432, 256, 3, 1, 1, 16),
    (256, 256, 3, 1, 1, 16),
    (296, 128, 3, 1, 1, 32),
    (128, 128, 3, 1, 1, 32),
    (152, 64, 3, 1, 1, 64),
    (80, 32, 3, 1, 1, 128),
    (32, 16, 3, 1, 1, 256),
    (16, 16, 3, 1, 1, 256),
    (16, 1, 3, 1, 1, 256),
];

const UNET: &[(usize, usize, usize, usize, usize, usize)] = &[
    (3, 64, 3, 1, 1, 128),
    (64, 64, 3, 1, 1, 128),
    (128, 64, 3, 1, 1, 128),
    (64, 128, 3, 1, 1, 64),
    (128, 128, 3, 1, 1, 64),
    (256, 128, 3, 1, 1, 64),
    (128, 256, 3, 1, 1, 32),
    (256, 256, 3, 1, 1, 32),
    (512, 256, 3, 1, 1, 32),
    (256, 512, 3, 1, 1, 16),
    (512, 512, 3, 1, 1, 16),
    (1024, 512, 3, 1, 1, 16),
    (512, 1024, 3, 1, 1, 8),
    (1024, 1024, 3, 1, 1, 8),
];

fn main() {
    let layers = if std::env::args().nth(2).as_deref() == Some("unet") { UNET } else { LAYERS };
    let rounds = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(3);
    println!("cin cout k s groups side | forward | backward data | backward weights: ms (GFLOP/s)");
    let mut total = [0.0; 3];
    for &(cin, cout, k, stride, groups, side) in layers {
        let s = ConvShape {
            n: 8,
            cin,
            h: side,
            w: side,
            cout,
            kernel: [k; 2],
            stride: [stride; 2],
            padding: [k / 2; 4],
            dilation: [1; 2],
            groups,
        };
        let wave = |len: usize| (0..len).map(|i| (i % 977) as f32 / 977.0 - 0.5).collect::<Vec<_>>();
        let (x, w, mut y) = (wave(s.input_len()), wave(s.weight_len()), vec![0.0; s.output_len()]);
        let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
        let f = best(rounds, || forward(&s, &x, &w, None, &mut y));
        let d = best(rounds, || backward_data(&s, &w, &y, &mut dx));
        let g = best(rounds, || backward_weights(&s, &x, &y, &mut dw));
        let flop = 2.0 * (y.len() * cin / groups * k * k) as f64 / 1e9;
        let kind = algorithm(&s).map_or_else(String::new, |a| format!("{a:?}"));
        print!("{cin:4} {cout:4} {k} {stride} {groups:4} {side:4}");
        for (t, sum) in [f, d, g].into_iter().zip(&mut total) {
            *sum += t;
            print!(" | {:8.2} ({:6.1})", t * 1e3, flop / t);
        }
        println!(" {kind}");
    }
    println!("sum of one each: {:.1} {:.1} {:.1} ms", total[0] * 1e3, total[1] * 1e3, total[2] * 1e3);
    for (c, side) in [(16, 256), (96, 128), (144, 64), (672, 16)] {
        let p = Planes { n: 8, c, len: side * side };
        let x: Vec<f32> = (0..p.total()).map(|i| (i % 977) as f32 / 977.0).collect();
        let (gamma, beta, mut y, mut dx) = (vec![1.0; c], vec![0.0; c], x.clone(), x.clone());
        let bn = BatchNorm { gamma: &gamma, beta: &beta, eps: 1e-3, act: Activation::Relu6 };
        let mut stats = Vec::new();
        let f = best(rounds, || stats = batch_norm_act(p, &x, bn, &mut y));
        let b = best(rounds, || drop(batch_norm_act_backward(p, &x, &stats, bn, &y, &mut dx)));
        let gb = (p.total() * 4) as f64 / 1e9;
        println!(
            "batch norm {c:4} {side:4} | forward {:.2} ms ({:.1} GB/s) | backward {:.2} ms ({:.1} GB/s)",
            f * 1e3,
            2.0 * gb / f,
            b * 1e3,
            3.0 * gb / b
        );
    }
}
