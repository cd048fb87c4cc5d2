//! Times of the convolution kernels on the layers of real networks: `cargo bench -p vibhag-kernels -- FILTER`.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vibhag_kernels::{Activation, ConvShape, PreparedConv, UpShape, algorithms, conv_transpose2x2};

#[global_allocator]
static ALLOCATOR: vibhag_kernels::HugePages = vibhag_kernels::HugePages;

/// Name, images, input channels, output channels, side, kernel, stride, depthwise.
type Layer = (&'static str, usize, usize, usize, usize, usize, usize, bool);

const LAYERS: &[Layer] = &[
    ("unet 64 at 128", 8, 64, 64, 128, 3, 1, false),
    ("unet 256 at 32", 8, 256, 256, 32, 3, 1, false),
    ("unet 1024 at 8", 8, 1024, 1024, 8, 3, 1, false),
    ("unet-lite 16 at 256", 8, 16, 16, 256, 3, 1, false),
    ("unet-lite 64 at 64", 8, 64, 64, 64, 3, 1, false),
    ("first layer", 8, 3, 64, 128, 3, 1, false),
    ("stem", 8, 3, 32, 256, 3, 2, false),
    ("expansion", 8, 24, 144, 64, 1, 1, false),
    ("projection", 8, 672, 112, 16, 1, 1, false),
    ("depthwise 3x3", 8, 32, 32, 128, 3, 1, true),
    ("depthwise 5x5", 8, 672, 672, 16, 5, 1, true),
    ("predict unet 64 at 256", 1, 64, 64, 256, 3, 1, false),
    ("predict unet 1024 at 16", 1, 1024, 1024, 16, 3, 1, false),
];

fn shape(&(_, n, cin, cout, side, kernel, stride, depthwise): &Layer) -> ConvShape {
    ConvShape {
        n,
        cin,
        h: side,
        w: side,
        cout,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [kernel / 2; 4],
        dilation: [1; 2],
        groups: if depthwise { cin } else { 1 },
    }
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 37 % 101) as f32 / 101.0 - 0.5).collect()
}

/// Multiplications and additions of the direct sum.
fn operations(s: &ConvShape) -> u64 {
    2 * (s.output_len() * s.cin / s.groups * s.kernel[0] * s.kernel[1]) as u64
}

fn convolutions(c: &mut Criterion) {
    let mut group = c.benchmark_group("conv");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for layer in LAYERS {
        let s = shape(layer);
        let (x, w, dy) = (values(s.input_len()), values(s.weight_len()), values(s.output_len()));
        group.throughput(Throughput::Elements(operations(&s)));
        let mut y = vec![0.0; dy.len()];
        let all = algorithms(&s);
        for how in &all {
            group.bench_function(BenchmarkId::new(format!("forward by {how:?}"), layer.0), |b| {
                b.iter(|| how.forward(&s, &x, &w, None, black_box(&mut y)));
            });
        }
        if let Some(prepared) = PreparedConv::new(s, &w, vec![0.0; s.cout], Activation::Relu) {
            group.bench_function(BenchmarkId::new("prepared", layer.0), |b| {
                b.iter(|| prepared.run(&x, None, black_box(&mut y)));
            });
        }
        if s.n > 1 {
            let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
            for how in &all {
                group.bench_function(BenchmarkId::new(format!("backward-data by {how:?}"), layer.0), |b| {
                    b.iter(|| how.backward_data(&s, &w, &dy, black_box(&mut dx)));
                });
                group.bench_function(BenchmarkId::new(format!("backward-weights by {how:?}"), layer.0), |b| {
                    b.iter(|| how.backward_weights(&s, &x, &dy, black_box(&mut dw)));
                });
            }
        }
    }
    group.finish();
}

fn transposed(c: &mut Criterion) {
    let mut group = c.benchmark_group("transposed");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for (n, cin, cout, side) in [(8, 128, 64, 64), (1, 1024, 512, 16)] {
        let s = UpShape { n, cin, cout, h: side, w: side };
        let (x, w) = (values(s.input_len()), values(s.weight_len()));
        let mut y = vec![0.0; s.output_len()];
        group.throughput(Throughput::Elements(2 * (s.output_len() * cin) as u64));
        group.bench_function(BenchmarkId::new("forward", format!("{n}x{cin}-{cout} at {side}")), |b| {
            b.iter(|| conv_transpose2x2(&s, &x, &w, None, black_box(&mut y)));
        });
    }
    group.finish();
}

criterion_group!(benches, convolutions, transposed);
criterion_main!(benches);
