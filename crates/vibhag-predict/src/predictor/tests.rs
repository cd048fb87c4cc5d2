use std::collections::BTreeMap;

use super::*;
use burn::tensor::{Tensor, TensorData};
use vibhag_core::{ClassTable, Preprocessing, Samples};
use vibhag_nn::NetworkConfig;
use vibhag_nn::bundle::{DataOrigin, PostProcessing};

fn network(classes: usize, channels: usize) -> Network {
    let outputs = if classes == 2 { 1 } else { classes };
    let config =
        NetworkConfig { widths: vec![4, 6, 8], ..NetworkConfig::new("unet-lite", None, channels, outputs).unwrap() };
    config.init(&Device::flex(), 7).unwrap()
}

fn manifest(geometry: Geometry, classes: usize, network: &Network) -> Manifest {
    let classes = ClassTable::from_names((0..classes).map(|i| format!("class{i}")));
    Manifest { classes, ..manifest_for(geometry, network.config().clone()) }
}

/// The manifest of a network for a binary task.
pub(super) fn manifest_for(geometry: Geometry, network: NetworkConfig) -> Manifest {
    let channels = network.in_channels;
    Manifest {
        format_version: 1,
        vibhag_version: "0".into(),
        task: vibhag_core::Task::Semantic,
        weights_sha256: String::new(),
        weights_licence: String::new(),
        metrics: BTreeMap::new(),
        network,
        preprocessing: Preprocessing {
            stretch: None,
            scale: 1.0,
            channels,
            mean: vec![120.0; channels],
            std: vec![60.0; channels],
            geometry,
        },
        postprocessing: PostProcessing { tta: Flips::None, ..PostProcessing::default() },
        data: DataOrigin::default(),
        classes: ClassTable::binary("foreground"),
        skeleton: None,
    }
}

fn predictor(geometry: Geometry, classes: usize, tta: Flips) -> Predictor {
    let network = network(classes, 3);
    let options = PredictOptions { tta: Some(tta), keep_probabilities: true, ..PredictOptions::default() };
    Predictor::from_parts(manifest(geometry, classes, &network), network).unwrap().with_options(options).unwrap()
}

fn picture(width: usize, height: usize, channels: usize) -> Image {
    let values = (0..width * height * channels).map(|i| (i.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
    Image::from_u8(width, height, channels, values).unwrap()
}

/// Moves every element of a row-major grid of pixels of `channels` values.
fn flipped<T: Copy>(values: &[T], width: usize, channels: usize, (horizontal, vertical): (bool, bool)) -> Vec<T> {
    let height = values.len() / width / channels;
    let mut out = Vec::with_capacity(values.len());
    for y in 0..height {
        for x in 0..width {
            let (x, y) = (if horizontal { width - 1 - x } else { x }, if vertical { height - 1 - y } else { y });
            out.extend_from_slice(&values[(y * width + x) * channels..][..channels]);
        }
    }
    out
}

fn flip_image(image: &Image, flips: (bool, bool)) -> Image {
    let Samples::U8(values) = image.samples() else { panic!("8 bits expected") };
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    Image::from_u8(width, height, channels, flipped(values, width, channels, flips)).unwrap()
}

#[test]
fn the_size_is_preserved_for_any_image_and_geometry() {
    for geometry in [Geometry::Resize { height: 16, width: 24 }, Geometry::Window { height: 16, width: 24 }] {
        for classes in [2, 3] {
            let predictor = predictor(geometry, classes, Flips::All);
            for (width, height, channels) in [(1, 1, 3), (13, 31, 3), (51, 1, 3), (33, 17, 1), (24, 16, 4)] {
                let prediction = predictor.predict(&picture(width, height, channels)).unwrap();
                assert_eq!((prediction.labels.width(), prediction.labels.height()), (width, height));
                assert!(prediction.labels.labels().iter().all(|&label| usize::from(label) < classes));
                let planes = prediction.probabilities.unwrap();
                assert_eq!(planes.len(), if classes == 2 { 1 } else { classes });
                assert!(planes.iter().flatten().all(|p| (-1e-5..=1.00001).contains(p)));
                assert!((1.0 / classes as f32 - 1e-4..=1.0001).contains(&prediction.mean_confidence));
                if classes == 3 {
                    let sums = (0..width * height).map(|i| planes.iter().map(|plane| plane[i]).sum::<f32>());
                    assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-4));
                }
            }
        }
    }
}

#[test]
fn an_image_of_one_window_equals_the_direct_forward() {
    let image = picture(24, 16, 3);
    let direct = {
        let network = network(3, 3);
        let mut planes = vec![0.0; 3 * 16 * 24];
        manifest(Geometry::Window { height: 16, width: 24 }, 3, &network)
            .preprocessing
            .normalize_to_planes(&image.to_f32(), &mut planes);
        let input = Tensor::<4>::from_data(TensorData::new(planes, [1, 3, 16, 24]), &Device::flex());
        let output = burn::tensor::activation::softmax(network.valid().forward(input), 1);
        output.into_data().try_to_vec::<f32>().unwrap()
    };
    for geometry in [Geometry::Window { height: 16, width: 24 }, Geometry::Resize { height: 16, width: 24 }] {
        let got = predictor(geometry, 3, Flips::None).predict(&image).unwrap().probabilities.unwrap().concat();
        assert!(got.iter().zip(&direct).all(|(a, b)| (a - b).abs() < 1e-6), "{geometry:?}");
    }
}

#[test]
fn test_time_augmentation_makes_the_prediction_follow_flips() {
    let whole = (Geometry::Resize { height: 16, width: 24 }, (24, 16));
    let windows = (Geometry::Window { height: 16, width: 16 }, (40, 32));
    for (geometry, (width, height)) in [whole, windows] {
        let image = picture(width, height, 3);
        for classes in [2, 3] {
            // Whether a prediction over these copies follows an image flipped that way.
            let follows = |tta: Flips, flips: (bool, bool)| {
                let predictor = predictor(geometry, classes, tta);
                let upright = predictor.predict(&image).unwrap().probabilities.unwrap();
                let turned = predictor.predict(&flip_image(&image, flips)).unwrap().probabilities.unwrap();
                upright.iter().zip(&turned).all(|(upright, turned)| {
                    let wanted = flipped(upright, width, 1, flips);
                    wanted.iter().zip(turned).all(|(a, b)| (a - b).abs() < 1e-5)
                })
            };
            for flips in [(true, false), (false, true), (true, true)] {
                assert!(follows(Flips::All, flips), "{geometry:?} {flips:?}");
                assert_eq!(follows(Flips::Horizontal, flips), flips == (true, false), "{geometry:?} {flips:?}");
                assert!(!follows(Flips::None, flips), "{geometry:?} {flips:?}");
            }
        }
    }
}

#[test]
fn options_override_the_bundle_and_are_checked() {
    let geometry = Geometry::Resize { height: 8, width: 8 };
    let image = picture(9, 9, 3);
    let labels = |threshold| {
        let options = PredictOptions { threshold: Some(threshold), ..PredictOptions::default() };
        let predictor = predictor(geometry, 2, Flips::None).with_options(options).unwrap();
        assert_eq!(predictor.manifest().postprocessing.threshold, threshold);
        let prediction = predictor.predict(&image).unwrap();
        assert!(prediction.probabilities.is_none());
        prediction.labels.labels().iter().map(|&l| u32::from(l)).sum::<u32>()
    };
    assert_eq!((labels(0.0), labels(1.0)), (81, 0));
    for options in [
        PredictOptions { threshold: Some(f32::NAN), ..PredictOptions::default() },
        PredictOptions { overlap: Some(0.95), ..PredictOptions::default() },
        PredictOptions { batch: Some(0), ..PredictOptions::default() },
    ] {
        assert!(predictor(geometry, 2, Flips::None).with_options(options).is_err());
    }
}

#[test]
fn a_manifest_that_contradicts_the_network_is_refused() {
    let good = manifest(Geometry::Window { height: 8, width: 8 }, 3, &network(3, 3));
    let edits: [fn(&mut Manifest); 5] = [
        |m| m.classes = ClassTable::binary("x"),
        |m| m.preprocessing.channels = 1,
        |m| m.preprocessing.std = vec![1.0, 0.0, 1.0],
        |m| m.preprocessing.mean = vec![],
        |m| m.preprocessing.geometry = Geometry::Window { height: 0, width: 8 },
    ];
    for edit in edits {
        let mut bad = good.clone();
        edit(&mut bad);
        assert!(Predictor::from_parts(bad, network(3, 3)).is_err());
    }
    let predictor = Predictor::from_parts(good, network(3, 3)).unwrap();
    assert!(predictor.predict(&picture(4, 4, 5)).unwrap_err().to_string().contains('5'));
}

#[test]
fn a_saved_bundle_predicts_as_the_network_did() {
    let network = network(2, 3);
    let manifest = manifest(Geometry::Resize { height: 16, width: 16 }, 2, &network);
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    bundle::save(&run.join("model"), &manifest, &network, "").unwrap();
    let image = picture(21, 18, 3);
    let expected = Predictor::from_parts(manifest, network).unwrap().predict(&image).unwrap();
    let loaded = Predictor::load(&run, DeviceChoice::Cpu, PredictOptions::default()).unwrap();
    assert_eq!(loaded.predict(&image).unwrap(), expected);
    let nowhere = Predictor::load(&folder.path().join("no"), DeviceChoice::Cpu, PredictOptions::default());
    assert!(nowhere.unwrap_err().to_string().contains("manifest.toml"));
}
