//! The network for people near the camera gives the logits of the published graph, which
//! bench/reference/selfie.py ran in TensorFlow Lite's interpreter.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use vibhag_nn::SelfieNet;
use vibhag_nn::import::tflite::Model;
use vibhag_nn::selfie::from_tflite;
use vibhag_nn::weights::from_bytes;

const SIDE: usize = SelfieNet::SIDE;
/// The script kept every third row and column.
const STEP: usize = 3;

/// The script's pictures as planes on the scale from 0 to 1.
fn pictures() -> [(&'static str, Vec<f32>); 3] {
    let planes = |value: &dyn Fn(usize, usize, usize) -> u8| -> Vec<f32> {
        let mut values = Vec::with_capacity(3 * SIDE * SIDE);
        for c in 0..3 {
            for y in 0..SIDE {
                values.extend((0..SIDE).map(|x| f32::from(value(c, y, x)) / 255.0));
            }
        }
        values
    };
    let pattern = |c: usize, y: usize, x: usize| ((x * (3 + c) + y * (7 - 2 * c) + x * y / (5 + c)) % 256) as u8;
    let both =
        |c: usize, y: usize, x: usize| ((3 * u16::from(person(y, x)[c]) + u16::from(pattern(c, y, x))) / 4) as u8;
    [("pattern", planes(&pattern)), ("person", planes(&|c, y, x| person(y, x)[c])), ("both", planes(&both))]
}

/// A head over shoulders before a grey wall, in whole numbers alone.
fn person(y: usize, x: usize) -> [u8; 3] {
    let inside = |cx: i64, cy: i64, rx: i64, ry: i64| {
        let (dx, dy) = (x as i64 - cx, y as i64 - cy);
        dx * dx * ry * ry + dy * dy * rx * rx <= rx * rx * ry * ry
    };
    if inside(110, 88, 3, 3) || inside(146, 88, 3, 3) {
        return [30, 20, 20];
    }
    if y < 76 && inside(128, 76, 42, 52) {
        return [50, 35, 25];
    }
    if inside(128, 92, 36, 56) {
        return [225, 180, 150];
    }
    if (112..144).contains(&x) && (128..172).contains(&y) {
        return [205, 160, 130];
    }
    if inside(128, 272, 72, 112) {
        return [60, 60, 120];
    }
    [120, 150, 170]
}

fn logits(network: &SelfieNet, picture: Vec<f32>) -> Vec<f32> {
    let x: Tensor<4> = Tensor::from_data(TensorData::new(picture, [1, 3, SIDE, SIDE]), &Device::flex());
    let logits = network.forward(x);
    assert_eq!(logits.dims(), [1, 1, SIDE, SIDE]);
    logits.into_data().try_to_vec::<f32>().unwrap()
}

fn probability(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

#[test]
fn logits_and_probabilities_are_those_of_the_published_graph() {
    let network = SelfieNet::pretrained(&Device::flex()).unwrap();
    let reference = from_bytes(include_bytes!("reference/selfie.safetensors")).unwrap();
    for (name, picture) in pictures() {
        let all = logits(&network, picture);
        let rows = all.chunks(SIDE).step_by(STEP);
        let found: Vec<f32> = rows.flat_map(|row| row.iter().step_by(STEP).copied()).collect();
        let expected = &reference.iter().find(|tensor| tensor.name == name).unwrap().values;
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().all(|value| value.is_finite()), "{name}");
        let largest = |value: fn(f32) -> f32| {
            found.iter().zip(expected).map(|(a, b)| (value(*a) - value(*b)).abs()).fold(0.0, f32::max)
        };
        let (logit, probability) = (largest(|logit| logit), largest(probability));
        println!("{name}: largest difference {logit:e} of logits, {probability:e} of probabilities");
        // Logits of the surest background lie below -800.
        let scale = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        assert!(logit <= 1e-4 * scale && probability <= 1e-3, "{name}: {logit} and {probability}");
    }
}

#[test]
fn a_person_is_told_from_the_wall() {
    let network = SelfieNet::pretrained(&Device::flex()).unwrap();
    let [_, (_, picture), _] = pictures();
    let found = logits(&network, picture);
    let at = |y: usize, x: usize| probability(found[y * SIDE + x]);
    assert!(at(100, 128) > 0.95 && at(230, 128) > 0.95, "{} {}", at(100, 128), at(230, 128));
    assert!(at(10, 10) < 0.05 && at(120, 240) < 0.05, "{} {}", at(10, 10), at(120, 240));
}

/// The published graph, where it lies beside the checkout.
#[test]
fn what_ships_is_what_the_published_graph_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/weights/selfie/selfie_segmentation.tflite");
    if !path.is_file() {
        eprintln!("skipped: no {}", path.display());
        return;
    }
    let mut tensors = from_tflite(&Model::read(&path).unwrap()).unwrap();
    let mut shipped = from_bytes(include_bytes!("../weights/selfie.safetensors")).unwrap();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    shipped.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(tensors == shipped);
}
