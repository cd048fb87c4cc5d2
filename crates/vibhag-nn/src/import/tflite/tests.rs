//! The models that bench/reference/tflite.py wrote.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use burn::tensor::Device;

use super::*;
use crate::blocks::{Conv2d, ConvSpec, ConvTranspose2d};
use crate::engine::{Engine, Interpolation};
use crate::ops::Activation;

fn file(name: &str) -> Vec<u8> {
    let text = include_str!("../../../tests/reference/tflite.json");
    let files: BTreeMap<String, String> = serde_json::from_str(text).unwrap();
    STANDARD.decode(&files[name]).unwrap()
}

#[track_caller]
fn assert_fails(name: &str, words: &[&str]) {
    let error = Model::from_bytes(&file(name)).unwrap_err().to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{name}: {error}");
}

/// The network of the model.
struct Small {
    conv: Conv2d,
    deep: Conv2d,
    gate: Conv2d,
    up: ConvTranspose2d,
}

impl Small {
    fn new() -> Self {
        let device = Device::flex();
        let mut deep = ConvSpec::new(3, 3, 3).depthwise().same().bias().init(&device);
        // Two rows and three columns, which no configuration asks for.
        deep.weight = burn::module::Param::from_tensor(burn::tensor::Tensor::zeros([3, 1, 2, 3], &device));
        Self {
            conv: ConvSpec::new(2, 3, 3).stride(2).same().bias().init(&device),
            deep,
            gate: ConvSpec::new(3, 3, 1).bias().init(&device),
            up: ConvTranspose2d::doubling(3, 1, &device),
        }
    }

    fn layers(&self) -> Vec<(String, Layer<'_>)> {
        vec![
            ("conv".to_owned(), Layer::Conv(&self.conv)),
            ("deep".to_owned(), Layer::Conv(&self.deep)),
            ("gate".to_owned(), Layer::Conv(&self.gate)),
            ("up".to_owned(), Layer::Transposed(&self.up)),
        ]
    }

    fn run<E: Engine>(&self, engine: &mut E, x: E::Map, last: Activation) -> E::Map {
        let a = engine.conv(x, &self.conv, None, Activation::HardSwish);
        let b = engine.conv(a.clone(), &self.deep, None, Activation::Relu);
        let means = engine.means(b.clone());
        let gate = engine.conv(means, &self.gate, None, Activation::Sigmoid);
        let product = engine.scale(b, gate);
        let sum = engine.add(a, product, last);
        let large = engine.upsample(sum, Interpolation::Bilinear, None);
        engine.transposed(large, &self.up)
    }
}

#[test]
fn weights_are_brought_into_our_order() {
    let (model, network) = (Model::from_bytes(&file("good")).unwrap(), Small::new());
    let layers = network.layers();
    let found = weights_of(&model, &layers, |follower, x| network.run(follower, x, Activation::Identity)).unwrap();
    let names: Vec<&str> = found.iter().map(|tensor| tensor.name.as_str()).collect();
    let expected =
        ["conv.weight", "conv.bias", "deep.weight", "deep.bias", "gate.weight", "gate.bias", "up.weight", "up.bias"];
    assert_eq!(names, expected);
    // [o, h, w, i] holds 18 o + 6 h + 2 w + i.
    assert_eq!(found[0].shape, [3, 2, 3, 3]);
    let at = |o: usize, i: usize, h: usize, w: usize| found[0].values[((o * 2 + i) * 3 + h) * 3 + w];
    assert_eq!([at(0, 0, 0, 0), at(0, 1, 0, 0), at(2, 1, 1, 2), at(1, 0, 2, 1)], [0.0, 1.0, 47.0, 32.0]);
    assert_eq!(found[1].values, [0.5, -1.0, 2.0]);
    // [1, h, w, c] holds 100 + 9 h + 3 w + c.
    assert_eq!(found[2].shape, [3, 1, 2, 3]);
    assert_eq!(found[2].values[6..12], [101.0, 104.0, 107.0, 110.0, 113.0, 116.0]);
    assert_eq!(found[4].values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    // [o, h, w, i] holds 6 h + 3 w + i.
    assert_eq!(found[6].shape, [3, 1, 2, 2]);
    assert_eq!(found[6].values, [0.0, 3.0, 6.0, 9.0, 1.0, 4.0, 7.0, 10.0, 2.0, 5.0, 8.0, 11.0]);
}

#[test]
fn another_network_is_refused() {
    let (model, network) = (Model::from_bytes(&file("good")).unwrap(), Small::new());
    let layers = network.layers();
    let refused = |run: &dyn Fn(&mut Follower<'_>, usize) -> usize| {
        weights_of(&model, &layers, |follower, x| run(follower, x)).unwrap_err().to_string()
    };
    let error = refused(&|follower, x| network.run(follower, x, Activation::Relu));
    assert!(error.contains("not the network's") && error.contains("no Relu"), "{error}");
    let error = refused(&|follower, x| follower.conv(x, &network.conv, None, Activation::HardSwish));
    assert!(error.contains("computes more") && error.contains("deep"), "{error}");
    let error = refused(&|follower, x| follower.conv(x, &network.gate, None, Activation::Identity));
    assert!(error.contains("[3, 3, 1, 1] and stride 1"), "{error}");
    let error = refused(&|follower, x| {
        network.run(follower, x, Activation::Identity);
        x
    });
    assert!(error.contains("another map"), "{error}");
    let error = refused(&|follower, x| follower.max_pool(x, 2, 2, 0));
    assert!(error.contains("max pooling"), "{error}");
}

#[test]
fn what_is_not_understood_is_refused() {
    assert_fails("valid padding", &["conv", "padding: 1"]);
    assert_fails("strides", &["conv", "stride: 2"]);
    assert_fails("dilation", &["deep", "dilation: 2"]);
    assert_fails("multiplier", &["deep", "depth multiplier: 2"]);
    assert_fails("fused", &["conv", "fused activation: 1"]);
    assert_fails("fused sum", &["sum", "fused activation: 3"]);
    assert_fails("part", &["mean", "pooling"]);
    assert_fails("corners", &["large", "align_corners: 1"]);
    assert_fails("edges", &["large", "half_pixel_centers: 0"]);
    assert_fails("quantized", &["not floats", "dk: type 9"]);
    assert_fails("custom", &["out", "operator: Other"]);
    assert_fails("tanh", &["sum", "operator: 28"]);
    assert_fails("two outputs", &["1 and 2"]);
    assert_fails("no graph", &["other than one graph"]);
}

#[test]
fn damaged_weights_are_named() {
    assert_fails("infinite", &["not finite", "b, value 1: inf"]);
    assert_fails("short", &["do not fill", "k: 53 values for [3, 3, 3, 2]"]);
    assert_fails("bias", &["do not fit", "out: bias [3]"]);
    assert_fails("unlisted", &["not listed", "999"]);
    let error = Model::from_bytes(b"PK\x03\x04 not a model").unwrap_err().to_string();
    assert!(error.contains("not a TensorFlow Lite model") && error.contains("TFL3"), "{error}");
}

#[test]
fn no_damage_is_a_panic() {
    let good = file("good");
    for end in 0..good.len() {
        if let Err(error) = Model::from_bytes(&good[..end]) {
            assert!(!error.what.is_empty());
        } else {
            panic!("{end} of {} bytes are read as a model", good.len());
        }
    }
    for at in 0..good.len() {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut damaged = good.clone();
            damaged[at] = value;
            // Some bytes are names, weights and padding between values, and may be anything.
            if let Ok(model) = Model::from_bytes(&damaged) {
                let network = Small::new();
                let layers = network.layers();
                drop(weights_of(&model, &layers, |follower, x| network.run(follower, x, Activation::Identity)));
            }
        }
    }
}
