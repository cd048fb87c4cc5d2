//! Every convolution kernel against a direct sum in double precision.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::noise;
use proptest::prelude::*;
use vibhag_kernels::{
    Algorithm, ConvShape, Tile, algorithm, algorithms, backward_bias, backward_data, backward_weights, forward,
};

/// Calls `f(output index, input index, weight index)` for every product of the convolution.
fn products(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    let (ho, wo) = s.output().unwrap();
    let (cg, og) = (s.cin / s.groups, s.cout / s.groups);
    for n in 0..s.n {
        for k in 0..s.cout {
            for oy in 0..ho {
                for ox in 0..wo {
                    let o = ((n * s.cout + k) * ho + oy) * wo + ox;
                    for c in 0..cg {
                        for ky in 0..s.kernel[0] {
                            for kx in 0..s.kernel[1] {
                                let y = oy * s.stride[0] + ky * s.dilation[0];
                                let x = ox * s.stride[1] + kx * s.dilation[1];
                                if y < s.padding[0] || x < s.padding[1] {
                                    continue;
                                }
                                let (y, x) = (y - s.padding[0], x - s.padding[1]);
                                if y >= s.h || x >= s.w {
                                    continue;
                                }
                                let i = ((n * s.cin + k / og * cg + c) * s.h + y) * s.w + x;
                                f(o, i, ((k * cg + c) * s.kernel[0] + ky) * s.kernel[1] + kx);
                            }
                        }
                    }
                }
            }
        }
    }
}

fn relative(ours: &[f32], truth: &[f64]) -> f64 {
    assert_eq!(ours.len(), truth.len());
    let largest = truth.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    ours.iter().zip(truth).fold(0.0f64, |e, (a, b)| e.max((f64::from(*a) - b).abs())) / largest
}

fn verify(s: &ConvShape) {
    let (x, w, dy) = (noise(s.input_len(), 1), noise(s.weight_len(), 2), noise(s.output_len(), 3));
    let bias = noise(s.cout, 4);
    let (ho, wo) = s.output().unwrap();
    let mut y_true: Vec<f64> = (0..s.output_len()).map(|i| f64::from(bias[i / (ho * wo) % s.cout])).collect();
    let (mut dx_true, mut dw_true) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    products(s, |o, i, k| {
        y_true[o] += f64::from(x[i]) * f64::from(w[k]);
        dx_true[i] += f64::from(dy[o]) * f64::from(w[k]);
        dw_true[k] += f64::from(dy[o]) * f64::from(x[i]);
    });
    let all = algorithms(s);
    assert!(all.contains(&algorithm(s).unwrap()));
    for how in all {
        let limit = if matches!(how, Algorithm::Winograd(_)) { 1e-4 } else { 1e-5 };
        // Stale contents must not shine through.
        let mut y = vec![f32::NAN; y_true.len()];
        how.forward(s, &x, &w, Some(&bias), &mut y);
        assert!(relative(&y, &y_true) <= limit, "{how:?} forward {} {s:?}", relative(&y, &y_true));
        let mut dx = vec![f32::NAN; x.len()];
        how.backward_data(s, &w, &dy, &mut dx);
        assert!(relative(&dx, &dx_true) <= limit, "{how:?} backward data {} {s:?}", relative(&dx, &dx_true));
        let mut dw = vec![f32::NAN; w.len()];
        how.backward_weights(s, &x, &dy, &mut dw);
        assert!(relative(&dw, &dw_true) <= limit, "{how:?} backward weights {} {s:?}", relative(&dw, &dw_true));
    }
    let mut db_true = vec![0.0; s.cout];
    dy.iter().enumerate().for_each(|(i, v)| db_true[i / (ho * wo) % s.cout] += f64::from(*v));
    assert!(relative(&backward_bias(s, &dy), &db_true) <= 1e-5, "bias {s:?}");
}

fn dense() -> impl Strategy<Value = ConvShape> {
    let kernel = prop_oneof![Just([3usize, 3]), Just([1, 1]), Just([7, 7]), Just([2, 3]), Just([5, 5])];
    let options = (kernel, 1usize..3, 1usize..4, prop::array::uniform4(0usize..4));
    (1usize..3, 1usize..21, 1usize..21, 1usize..24, 1usize..40, options)
        .prop_map(|(n, cin, cout, h, w, (kernel, stride, dilation, padding))| ConvShape {
            n,
            cin,
            h,
            w,
            cout,
            kernel,
            stride: [stride, stride],
            padding,
            dilation: [dilation, dilation],
            groups: 1,
        })
        .prop_filter("possible", |s| algorithm(s).is_some())
}

fn per_channel() -> impl Strategy<Value = ConvShape> {
    let options = (prop_oneof![Just(3usize), Just(5)], 1usize..3, prop::array::uniform4(0usize..3));
    (1usize..4, 1usize..12, 1usize..24, 1usize..80, options)
        .prop_map(|(n, c, h, w, (k, stride, padding))| ConvShape {
            n,
            cin: c,
            h,
            w,
            cout: c,
            kernel: [k, k],
            stride: [stride, stride],
            padding,
            dilation: [1, 1],
            groups: c,
        })
        .prop_filter("possible", |s| algorithm(s).is_some())
}

fn same3x3() -> impl Strategy<Value = ConvShape> {
    (1usize..4, 1usize..40, 1usize..40, 1usize..40, 1usize..80)
        .prop_map(|(n, cin, cout, h, w)| square(n, cin, cout, h, w))
}

fn square(n: usize, cin: usize, cout: usize, h: usize, w: usize) -> ConvShape {
    ConvShape { n, cin, h, w, cout, kernel: [3, 3], stride: [1, 1], padding: [1; 4], dilation: [1, 1], groups: 1 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn dense_convolutions_equal_the_direct_sum(s in dense()) {
        verify(&s);
    }

    #[test]
    fn depthwise_convolutions_equal_the_direct_sum(s in per_channel()) {
        verify(&s);
    }

    #[test]
    fn same_3x3_convolutions_equal_the_direct_sum(s in same3x3()) {
        verify(&s);
    }
}

#[test]
fn shapes_of_real_layers_equal_the_direct_sum() {
    for (n, cin, cout, h, w) in
        [(2, 32, 16, 64, 64), (1, 3, 16, 33, 50), (3, 96, 64, 8, 8), (2, 16, 1, 40, 72), (1, 300, 40, 16, 16)]
    {
        verify(&square(n, cin, cout, h, w));
    }
    verify(&ConvShape { kernel: [1, 1], padding: [0; 4], ..square(2, 300, 280, 9, 7) });
    verify(&ConvShape { kernel: [1, 1], padding: [0; 4], ..square(1, 16, 24, 70, 70) });
}

/// Too large for the direct sum: against im2col in single precision.
#[test]
fn large_layers_agree_whatever_the_algorithm() {
    for s in [square(2, 136, 120, 84, 82), square(1, 260, 200, 30, 31)] {
        let (x, dy) = (noise(s.input_len(), 11), noise(s.output_len(), 12));
        let gradient = |how: Algorithm| {
            let mut dw = vec![f32::NAN; s.weight_len()];
            how.backward_weights(&s, &x, &dy, &mut dw);
            dw
        };
        let truth: Vec<f64> = gradient(Algorithm::General).into_iter().map(f64::from).collect();
        for tile in [Tile::Two, Tile::Four] {
            let error = relative(&gradient(Algorithm::Winograd(tile)), &truth);
            assert!(error <= 1e-4, "{tile:?} {error} {s:?}");
        }
    }
}

#[test]
fn the_cheapest_algorithm_follows_from_the_shape() {
    assert_eq!(algorithm(&square(8, 3, 64, 128, 128)), Some(Algorithm::General));
    assert_eq!(algorithm(&square(8, 256, 256, 6, 6)), Some(Algorithm::Winograd(Tile::Two)));
    assert_eq!(algorithm(&square(8, 64, 64, 64, 64)), Some(Algorithm::Winograd(Tile::Four)));
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let shapes = [
        square(3, 24, 40, 36, 44),
        square(2, 160, 130, 40, 41),
        square(2, 200, 130, 8, 8),
        ConvShape { stride: [2, 2], ..square(2, 3, 16, 65, 65) },
        ConvShape { stride: [2, 2], ..square(2, 40, 16, 31, 31) },
        ConvShape { kernel: [1, 1], padding: [0; 4], ..square(2, 48, 96, 40, 60) },
        ConvShape { kernel: [1, 1], padding: [0; 4], ..square(2, 300, 280, 9, 7) },
        ConvShape { groups: 24, cout: 24, ..square(2, 24, 24, 40, 60) },
    ];
    for s in shapes {
        let (x, w, dy) = (noise(s.input_len(), 5), noise(s.weight_len(), 6), noise(s.output_len(), 7));
        let run = |how: Algorithm, threads: usize| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
                let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
                how.forward(&s, &x, &w, None, &mut y);
                how.backward_data(&s, &w, &dy, &mut dx);
                how.backward_weights(&s, &x, &dy, &mut dw);
                [y, dx, dw].concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
            })
        };
        for how in algorithms(&s) {
            let one = run(how, 1);
            assert!(one == run(how, 2) && one == run(how, 4), "{how:?} {s:?}");
        }
    }
}

#[test]
fn the_backward_passes_are_adjoint_to_the_forward_pass() {
    let s = ConvShape { stride: [2, 2], padding: [0, 1, 1, 0], ..square(2, 7, 9, 21, 34) };
    let (x, w, dy) = (noise(s.input_len(), 8), noise(s.weight_len(), 9), noise(s.output_len(), 10));
    let (mut y, mut dx, mut dw) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
    forward(&s, &x, &w, None, &mut y);
    backward_data(&s, &w, &dy, &mut dx);
    backward_weights(&s, &x, &dy, &mut dw);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let through = dot(&y, &dy);
    assert!((through - dot(&x, &dx)).abs() < 1e-4 * through.abs().max(1.0));
    assert!((through - dot(&w, &dw)).abs() < 1e-4 * through.abs().max(1.0));
}

#[test]
fn impossible_and_foreign_shapes_are_declined() {
    assert_eq!(algorithm(&square(1, 0, 3, 8, 8)), None);
    assert_eq!(algorithm(&ConvShape { padding: [0; 4], ..square(1, 2, 3, 2, 2) }), None);
    assert_eq!(algorithm(&ConvShape { groups: 2, ..square(1, 4, 4, 8, 8) }), None);
    assert_eq!(algorithm(&ConvShape { groups: 4, kernel: [7, 7], ..square(1, 4, 4, 8, 8) }), None);
}
