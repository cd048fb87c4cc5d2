//! What every architecture must do, over each representative encoder; and equality with PyTorch,
//! whose outputs `bench/reference/networks.py` froze.

// clippy.toml frees test functions; their helpers are tests too.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::module::{ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use vibhag_core::{ErrorKind, Head};
use vibhag_nn::heads::HEADS;
use vibhag_nn::weights::{self, Precision};
use vibhag_nn::{ARCHITECTURES, Burn, ENCODERS, NamedTensor, Network, NetworkConfig, is_statistic};

/// Numbers in [-1, 1): the script's `hashed`.
fn hashed(name: &str, count: usize) -> Vec<f32> {
    let seed = name
        .bytes()
        .enumerate()
        .map(|(i, byte)| (i as u32 + 1).wrapping_mul(u32::from(byte)))
        .fold(0, u32::wrapping_add);
    let value = |index: usize| {
        let mut h = (index as u32).wrapping_mul(747_796_405).wrapping_add(seed.wrapping_mul(2_891_336_453));
        h ^= h >> 16;
        h = h.wrapping_mul(2_246_822_519);
        h ^= h >> 13;
        (f64::from(h) / f64::from(1u32 << 31) - 1.0) as f32
    };
    (0..count).map(value).collect()
}

/// The script's `formula`.
fn formula(name: &str, shape: &[usize]) -> Vec<f32> {
    let (scale, shift) = if let &[_, inputs, height, width] = shape {
        ((6.0 / (inputs * height * width) as f64).sqrt() as f32, 0.0)
    } else if name.ends_with("running_var") {
        (0.3, 1.0)
    } else {
        (0.2, if name.ends_with("weight") { 1.0 } else { 0.0 })
    };
    hashed(name, shape.iter().product()).into_iter().map(|u| shift + scale * u).collect()
}

fn with_formula_weights(network: &Network) -> Network {
    let mut tensors = network.named_tensors().unwrap();
    for tensor in &mut tensors {
        tensor.values = formula(&tensor.name, &tensor.shape);
    }
    network.with_tensors(tensors).unwrap()
}

fn hashed_tensor(name: &str, shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(hashed(name, shape.iter().product()), shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

fn frozen() -> BTreeMap<String, NamedTensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/networks.safetensors");
    weights::read_tensors(&path).unwrap().into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect()
}

/// Asserts that the largest difference is below `tolerance` of the expected values' range.
fn assert_close(name: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let (low, high) = expected.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(found.iter().all(|value| value.is_finite()), "{name} has values that are not finite");
    let relative = difference / (high - low).max(1e-12);
    println!("{name}: largest difference {relative:.1e} of the range");
    assert!(relative <= tolerance, "{name}: difference {difference} for values in [{low}, {high}]");
}

/// Encoders that stand for their kind where a test need not see the deeper ones.
const REPRESENTATIVE: [&str; 2] = ["efficientnet-lite0", "resnet18"];

/// Every architecture over the encoders that `takes` accepts, in a size that tests quickly.
fn cases(in_channels: usize, out_channels: usize, takes: impl Fn(&str) -> bool) -> Vec<NetworkConfig> {
    let mut cases = Vec::new();
    for architecture in ARCHITECTURES {
        let mut config = NetworkConfig::new(architecture.name, None, in_channels, out_channels).unwrap();
        config.widths = match architecture.name {
            "segnet" => vec![4, 4, 6, 6, 8],
            "fpn" => vec![4, 6, 8, 10],
            _ => vec![4, 6, 8],
        };
        let narrow = if architecture.name == "fpn" { vec![10, 8, 6] } else { vec![12, 10, 8, 6, 4] };
        if !config.decoder_channels.is_empty() {
            config.decoder_channels.clone_from(&narrow);
        }
        cases.push(config);
        for encoder in ENCODERS.iter().filter(|entry| architecture.takes_encoder && takes(entry.name)) {
            let mut config =
                NetworkConfig::new(architecture.name, Some(encoder.name), in_channels, out_channels).unwrap();
            config.decoder_channels = narrow[narrow.len() - config.decoder_channels.len()..].to_vec();
            if encoder.name == "efficientnet-lite0" {
                cases.push(NetworkConfig { detail: 4, ..config.clone() });
            }
            cases.push(config);
        }
    }
    for head in HEADS.iter().map(|entry| entry.head).filter(|head| *head != Head::Semantic) {
        let mut config = NetworkConfig::new("unet-lite", None, in_channels, out_channels).unwrap().with_head(head);
        if head == Head::Pose {
            config = NetworkConfig::new("fpn", None, in_channels, out_channels).unwrap().with_head(head);
            (config.decoder_channels, config.stages) = (vec![10, 8, 6], 2);
        }
        cases.push(NetworkConfig { widths: vec![4, 6, 8, 10], head_width: 6, ..config });
    }
    cases
}

fn label(config: &NetworkConfig) -> String {
    format!("{}+{} {}", config.architecture, config.encoder.as_deref().unwrap_or("own"), config.head)
}

#[test]
fn outputs_have_the_input_size_whatever_it_is() {
    let device = Device::flex();
    for (channels, classes, batch, height, width) in
        [(3, 2, 1, 64, 32), (1, 1, 2, 33, 47), (5, 4, 1, 1, 1), (3, 1, 1, 3, 70)]
    {
        let every_encoder = channels == 1;
        for config in cases(channels, classes, |name| every_encoder || REPRESENTATIVE.contains(&name)) {
            let network = config.init(&device, 1).unwrap();
            let output = network.forward(hashed_tensor("input", [batch, channels, height, width], &device));
            let [height, width] = [height, width].map(|side| side.div_ceil(config.head.stride()));
            assert_eq!(output.dims(), [batch, config.planes(), height, width], "{}", label(&config));
            assert!(values(output).iter().all(|v| v.is_finite()), "{}", label(&config));
        }
    }
}

#[test]
fn gradients_reach_every_parameter() {
    struct Check<'a> {
        gradients: &'a burn::tensor::Gradients,
        path: Vec<String>,
        zero: Vec<String>,
        seen: usize,
    }
    impl ModuleVisitor for Check<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let name = self.path.join(".");
            if is_statistic(&name) {
                assert!(!param.is_require_grad(), "{name} is a statistic");
                return;
            }
            self.seen += 1;
            let gradient = param.grad(self.gradients).unwrap_or_else(|| panic!("no gradient for {name}"));
            let largest = values(gradient).iter().fold(0.0f32, |a, v| a.max(v.abs()));
            assert!(largest.is_finite(), "{name}");
            if largest == 0.0 {
                self.zero.push(name);
            }
        }
    }
    let device = Device::flex().autodiff();
    for config in cases(3, 2, |name| REPRESENTATIVE.contains(&name)) {
        let network = config.init(&device, 3).unwrap();
        let output = network.forward(hashed_tensor("input", [2, 3, 64, 64], &device));
        let loss = (output.clone() * hashed_tensor("loss", output.dims(), &device)).sum();
        let gradients = loss.backward();
        let mut check = Check { gradients: &gradients, path: Vec::new(), zero: Vec::new(), seen: 0 };
        network.visit(&mut check);
        assert!(check.seen > 5, "{}", label(&config));
        assert!(check.zero.is_empty(), "{}: zero gradients: {:?}", label(&config), check.zero);
    }
}

#[test]
fn saving_and_loading_gives_the_same_network_back() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    for (index, config) in cases(3, 2, |name| REPRESENTATIVE.contains(&name)).into_iter().enumerate() {
        let path = folder.path().join(format!("{index}.safetensors"));
        let network = with_formula_weights(&config.init(&device, 5).unwrap());
        weights::save(&network, &path, Precision::F32).unwrap();
        let loaded = weights::load(&config.build(&device).unwrap(), &path).unwrap();
        assert_eq!(loaded.named_tensors().unwrap(), network.named_tensors().unwrap(), "{}", label(&config));
        let input = hashed_tensor("input", [1, 3, 40, 40], &device);
        assert_eq!(values(loaded.forward(input.clone())), values(network.forward(input)), "{}", label(&config));
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<NetworkConfig>(&json).unwrap(), config);
    }
}

#[test]
fn initial_weights_depend_on_the_seed_alone() {
    let device = Device::flex();
    let mut config = NetworkConfig::new("unet", None, 3, 2).unwrap();
    config.widths = vec![4, 8, 64];
    let draw = |seed| config.init(&device, seed).unwrap().named_tensors().unwrap();
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    let tensors = draw(1);
    let kernel = tensors.iter().find(|tensor| tensor.name == "down.2.3.weight").unwrap();
    let variance = kernel.values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / kernel.values.len() as f64;
    let he = 2.0 / (64.0 * 9.0);
    assert!((variance / he - 1.0).abs() < 0.05, "variance {variance}, expected {he}");
}

#[test]
fn weights_of_another_network_are_refused_by_name() {
    let device = Device::flex();
    let network = |classes| NetworkConfig::new("unet-lite", None, 3, classes).unwrap().build(&device).unwrap();
    let mut tensors = network(2).named_tensors().unwrap();
    let first = tensors.remove(0);
    tensors.push(NamedTensor { name: "stranger".into(), ..first });
    let error = network(3).with_tensors(tensors.clone()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Model);
    let message = error.to_string();
    for part in
        ["1 missing: down.0.0.weight", "1 unexpected: stranger", "head.weight is [3, 16, 1, 1], given [2, 16, 1, 1]"]
    {
        assert!(message.contains(part), "{message}");
    }
    let (_, report) = network(3).with_fitting_tensors(tensors);
    assert_eq!(report.mismatched.len(), 2);
}

#[test]
fn contradictory_configurations_are_errors() {
    let device = Device::flex();
    assert!(NetworkConfig::new("unet-huge", None, 3, 1).unwrap_err().to_string().contains("segnet-lite"));
    assert!(NetworkConfig::new("unet", Some("resnet9000"), 3, 1).unwrap_err().to_string().contains("resnet18"));
    assert!(NetworkConfig::new("segnet", Some("resnet18"), 3, 1).unwrap_err().to_string().contains("own encoder"));
    assert!(NetworkConfig::new("unet", None, 0, 1).is_err());
    let mut shallow = NetworkConfig::new("unet", Some("resnet18"), 3, 1).unwrap();
    shallow.decoder_channels.pop();
    assert!(shallow.init(&device, 0).unwrap_err().to_string().contains("5 widths"));
    let mut shallow = NetworkConfig::new("fpn", None, 3, 1).unwrap();
    shallow.widths.truncate(2);
    assert!(shallow.init(&device, 0).unwrap_err().to_string().contains("stride 4"));
    let mut wide = NetworkConfig::new("fpn", Some("resnet18"), 3, 1).unwrap();
    wide.decoder_channels.push(8);
    assert!(wide.init(&device, 0).unwrap_err().to_string().contains("3 widths"));
    let mut empty = NetworkConfig::new("unet", None, 3, 1).unwrap();
    empty.widths.clear();
    assert!(empty.init(&device, 0).is_err());
}

#[test]
fn clones_do_not_share_running_statistics() {
    let device = Device::flex().autodiff();
    let mut config = NetworkConfig::new("unet-lite", None, 1, 1).unwrap();
    config.widths = vec![4, 6];
    let network = config.init(&device, 0).unwrap();
    let copy = network.clone();
    let before = copy.named_tensors().unwrap();
    let _ = network.forward(hashed_tensor("input", [2, 1, 16, 16], &device));
    assert_eq!(copy.named_tensors().unwrap(), before);
    assert_ne!(network.named_tensors().unwrap(), before, "training moves the statistics");
    let evaluated = network.valid();
    let before = evaluated.named_tensors().unwrap();
    let _ = evaluated.forward(hashed_tensor("input", [2, 1, 16, 16], &Device::flex()));
    assert_eq!(evaluated.named_tensors().unwrap(), before, "inference leaves them alone");
}

#[test]
fn outputs_equal_pytorchs() {
    let frozen = frozen();
    let device = Device::flex();
    let of = |name: &str, encoder, channels, classes| NetworkConfig::new(name, encoder, channels, classes).unwrap();
    let mut narrow_segnet = of("segnet", None, 3, 2);
    narrow_segnet.widths = vec![8, 16, 32, 64, 64];
    let mut shallow = of("unet", None, 1, 3);
    shallow.widths = vec![8, 12, 20];
    shallow.upsampling = vibhag_nn::blocks::Upsampling::Bilinear;
    let detailed_fpn = NetworkConfig { detail: 16, ..of("fpn", Some("efficientnet-lite0"), 3, 2) };
    let cases = [
        ("segnet", narrow_segnet, [2, 3, 32, 64]),
        ("segnet-full", of("segnet", None, 3, 2), [1, 3, 32, 32]),
        ("segnet-lite", of("segnet-lite", None, 3, 2), [2, 3, 32, 48]),
        ("unet", of("unet", None, 3, 2), [1, 3, 32, 32]),
        ("unet-shallow-bilinear", shallow, [2, 1, 20, 32]),
        ("unet-lite", of("unet-lite", None, 3, 2), [2, 3, 48, 32]),
        ("unet-lite-odd", of("unet-lite", None, 3, 2), [1, 3, 37, 50]),
        ("unet+efficientnet-lite0", of("unet", Some("efficientnet-lite0"), 3, 2), [1, 3, 64, 96]),
        ("fpn+efficientnet-lite0", of("fpn", Some("efficientnet-lite0"), 3, 2), [1, 3, 64, 96]),
        ("fpn+efficientnet-lite0-detail", detailed_fpn, [2, 3, 32, 64]),
        ("unet+resnet18", of("unet", Some("resnet18"), 3, 2), [1, 3, 64, 32]),
        ("unet+resnet34", of("unet", Some("resnet34"), 4, 1), [1, 4, 32, 32]),
    ];
    for (name, config, shape) in cases {
        let network = with_formula_weights(&config.build(&device).unwrap());
        let output = network.forward(hashed_tensor("input", shape, &device));
        assert_eq!(output.dims().to_vec(), frozen[name].shape, "{name}");
        assert_close(name, &values(output), &frozen[name].values, 1e-4);
    }
}

#[test]
fn a_training_step_equals_pytorchs() {
    struct Collect<'a> {
        gradients: &'a burn::tensor::Gradients,
        values: Vec<Option<Vec<f32>>>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.values.push(param.grad(self.gradients).map(values));
        }
    }
    let frozen = frozen();
    let device = Device::flex().autodiff();
    let mut config = NetworkConfig::new("unet", None, 2, 2).unwrap();
    config.widths = vec![4, 8, 12];
    let network = with_formula_weights(&config.build(&device).unwrap());
    let output = network.forward(hashed_tensor("input", [2, 2, 16, 12], &device));
    assert_close("output", &values(output.clone()), &frozen["step.output"].values, 1e-4);
    let loss = (output.clone() * hashed_tensor("weights of the loss", output.dims(), &device)).mean();
    let gradients = loss.backward();
    let mut collect = Collect { gradients: &gradients, values: Vec::new() };
    network.visit(&mut collect);
    let mut compared = 0;
    for (tensor, gradient) in network.named_tensors().unwrap().iter().zip(collect.values) {
        if let Some(gradient) = gradient {
            let expected = &frozen[&format!("step.gradient.{}", tensor.name)];
            // A single value has no range; its own size stands in.
            let mut reference = expected.values.clone();
            let mut found = gradient;
            if reference.len() < 4 {
                reference.push(0.0);
                found.push(0.0);
            }
            assert_close(&tensor.name, &found, &reference, 1e-3);
            compared += 1;
        } else {
            let expected = &frozen[&format!("step.state.{}", tensor.name)];
            assert_close(&tensor.name, &tensor.values, &expected.values, 1e-4);
        }
    }
    assert_eq!(compared, frozen.keys().filter(|name| name.starts_with("step.gradient.")).count());
}

#[test]
fn imagenet_features_equal_pytorchs() {
    let frozen = frozen();
    let device = Device::flex();
    let config = NetworkConfig::new("unet", Some("efficientnet-lite0"), 3, 1).unwrap();
    let network = weights::load_pretrained_encoder(&config.init(&device, 0).unwrap()).unwrap();
    let (height, width) = (64, 96);
    let mut pixels = Vec::new();
    for c in 0..3 {
        for y in 0..height {
            for x in 0..width {
                let (c, y, x) = (f64::from(c), f64::from(y), f64::from(x));
                let value = 127.5 * (1.0 + (0.11 * y + 0.7 * c).sin() * (0.07 * x * (c + 1.0)).cos());
                pixels.push((value as f32 - 127.0) / 128.0);
            }
        }
    }
    let image = Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, height as usize, width as usize]), &device);
    for (index, map) in network.encoder().forward(&mut Burn, image, false).into_maps().into_iter().enumerate() {
        let step = if index < 2 { 4 } else { 1 };
        let [n, c, h, w] = map.dims();
        let all = values(map);
        let kept: Vec<f32> =
            (0..n * c * h * w).filter(|i| i % w % step == 0 && i / w % h % step == 0).map(|i| all[i]).collect();
        assert_close(&format!("map {index}"), &kept, &frozen[&format!("imagenet.{index}")].values, 1e-4);
    }
}

#[test]
fn pretrained_stems_take_any_number_of_channels() {
    let device = Device::flex();
    let grey = hashed_tensor("input", [1, 1, 32, 32], &device);
    let features = |channels: usize| {
        let config = NetworkConfig::new("unet", Some("efficientnet-lite0"), channels, 1).unwrap();
        let network = weights::load_pretrained_encoder(&config.init(&device, 0).unwrap()).unwrap();
        let input = grey.clone().repeat_dim(1, channels);
        values(network.encoder().forward(&mut Burn, input, false).coarsest)
    };
    // The same grey image in every channel excites the first layer as before.
    let expected = features(3);
    for channels in [1, 6] {
        assert_close(&format!("{channels} channels"), &features(channels), &expected, 1e-4);
    }
    let error = weights::load_pretrained_encoder(
        &NetworkConfig::new("unet", Some("resnet18"), 3, 1).unwrap().build(&device).unwrap(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("resnet18 has no pretrained weights"), "{error}");
}

#[test]
fn summary_counts_parameters() {
    let network = NetworkConfig::new("unet", None, 3, 1).unwrap().build(&Device::flex()).unwrap();
    // torch: sum(p.numel() for p in UNet(3, 1, [64, 128, 256, 512, 1024]).parameters())
    assert_eq!(network.parameters(), PYTORCH_UNET_PARAMETERS);
    assert!(network.summary().contains("1024@1/16"), "{}", network.summary());
}

const PYTORCH_UNET_PARAMETERS: usize = 31_037_633;
