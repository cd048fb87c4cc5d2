//! Times of our kernels against burn's own operations, layer by layer and for one training step of the U-Net on
//! EfficientNet-Lite0. Usage: `bench_layers [layers|step] [rounds] [batch] [size]`.

use std::time::Instant;

use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor};
use vibhag_nn::{NetworkConfig, backend};

#[global_allocator]
static ALLOCATOR: vibhag_kernels::HugePages = vibhag_kernels::HugePages;

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// (input channels, output channels, kernel, stride, groups, side) of typical layers at batch 8.
const LAYERS: &[(usize, usize, usize, usize, usize, usize)] = &[
    (3, 32, 3, 2, 1, 256),
    (32, 32, 3, 1, 32, 128),
    (96, 96, 3, 2, 96, 128),
    (144, 144, 5, 2, 144, 64),
    (480, 480, 3, 1, 480, 16),
    (672, 672, 5, 1, 672, 16),
    (16, 96, 1, 1, 1, 128),
    (24, 144, 1, 1, 1, 64),
    (672, 112, 1, 1, 1, 16),
    (1152, 320, 1, 1, 1, 8),
    (432, 256, 3, 1, 1, 16),
    (296, 128, 3, 1, 1, 32),
    (152, 64, 3, 1, 1, 64),
    (80, 32, 3, 1, 1, 128),
    (32, 16, 3, 1, 1, 256),
    (16, 1, 3, 1, 1, 256),
];

fn layers(rounds: usize, batch: usize) {
    let device = Device::flex().autodiff();
    println!("cin cout k s groups side | forward ms ours burn | forward+backward ms ours burn | ratio");
    for &(cin, cout, k, stride, groups, side) in LAYERS {
        let x = Tensor::<4>::random([batch, cin, side, side], Distribution::Default, &device).require_grad();
        let w = Tensor::<4>::random([cout, cin / groups, k, k], Distribution::Default, &device).require_grad();
        let options = ConvOptions::new([stride; 2], [k / 2; 2], [1; 2], groups);
        let mut times = [const { Vec::new() }; 4];
        for round in 0..=rounds {
            for (i, on) in [true, false].into_iter().enumerate() {
                backend::set_kernels_enabled(on);
                let start = Instant::now();
                let y = backend::conv2d(x.clone(), w.clone(), None, options.clone());
                let forward = start.elapsed().as_secs_f64();
                let start = Instant::now();
                let dy = y.clone().detach();
                let seed = start.elapsed().as_secs_f64();
                let loss = (y * dy).sum();
                drop(loss.backward());
                let both = start.elapsed().as_secs_f64() - seed;
                if round > 0 {
                    times[i].push(forward);
                    times[2 + i].push(forward + both);
                }
            }
        }
        let [fo, fb, bo, bb] = times.map(|t| median(t) * 1e3);
        println!(
            "{cin:4} {cout:4} {k} {stride} {groups:4} {side:4} | {fo:8.2} {fb:8.2} | {bo:8.2} {bb:8.2} | {:.2}",
            bb / bo
        );
    }
}

fn step(rounds: usize, batch: usize, size: usize) -> vibhag_core::Result<()> {
    let device = Device::flex().autodiff();
    let mut network = NetworkConfig::new("unet", Some("efficientnet-lite0"), 3, 1)?.init(&device, 0)?;
    let mut optimizer = AdamConfig::new().init();
    let x = Tensor::<4>::random([batch, 3, size, size], Distribution::Normal(0.0, 1.0), &device);
    let y = Tensor::<4>::random([batch, 1, size, size], Distribution::Bernoulli(0.5), &device);
    for round in 0..=rounds {
        for on in [true, false] {
            if !on && round > rounds.div_ceil(3) {
                continue;
            }
            backend::set_kernels_enabled(on);
            let start = Instant::now();
            let z = network.forward(x.clone());
            let loss = z.clone().clamp_min(0.0) - z.clone() * y.clone() + (z.abs().neg().exp() + 1.0).log();
            let loss = loss.mean();
            let forward = start.elapsed().as_secs_f64();
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            let backward = start.elapsed().as_secs_f64() - forward;
            network = optimizer.step(1e-3, network, gradients);
            let total = start.elapsed().as_secs_f64();
            println!(
                "kernels {on:5}: forward {forward:.3} s, backward {backward:.3} s, step {total:.3} s, loss {}",
                loss.into_scalar::<f32>()
            );
        }
    }
    Ok(())
}

fn main() -> vibhag_core::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: usize| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    if args.first().is_some_and(|a| a == "step") {
        return step(number(1, 3), number(2, 8), number(3, 256));
    }
    layers(number(1, 3), number(2, 8));
    Ok(())
}
