use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use vibhag_nn::blocks::{BatchNorm, Conv2d, ConvSpec, Upsampling};
use vibhag_nn::ops::Activation;
use vibhag_nn::{ARCHITECTURES, Burn, ENCODERS, Engine, Interpolation, NetworkConfig};

use super::*;

/// Numbers in [-1, 1).
fn hashed(seed: usize, count: usize) -> Vec<f32> {
    let value = |index: usize| {
        let mut h = (index as u32).wrapping_mul(747_796_405).wrapping_add((seed as u32).wrapping_mul(2_891_336_453));
        h ^= h >> 16;
        h = h.wrapping_mul(2_246_822_519);
        h ^= h >> 13;
        (f64::from(h) / f64::from(1u32 << 31) - 1.0) as f32
    };
    (0..count).map(value).collect()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

/// The network with other weights, and statistics that are not the identity.
fn varied(network: &Network) -> Network {
    let mut tensors = network.named_tensors().unwrap();
    for (seed, tensor) in tensors.iter_mut().enumerate() {
        let (scale, shift) = match tensor.shape[..] {
            [_, inputs, height, width] => ((6.0 / (inputs * height * width) as f32).sqrt(), 0.0),
            _ if tensor.name.ends_with("running_var") => (0.3, 1.0),
            _ if tensor.name.ends_with("weight") => (0.2, 1.0),
            _ => (0.2, 0.0),
        };
        tensor.values = hashed(seed, tensor.values.len()).into_iter().map(|u| shift + scale * u).collect();
    }
    network.with_tensors(tensors).unwrap()
}

/// Runs the plan twice, since the second run finds the values of the first in its memory.
#[track_caller]
fn assert_gives(plan: &mut Plan, input: &[f32], expected: &[f32], name: &str) {
    let (low, high) = expected.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
    for _ in 0..2 {
        let mut logits = vec![f32::NAN; expected.len()];
        plan.run(input, &mut logits).unwrap();
        let difference = logits.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(logits.iter().all(|value| value.is_finite()), "{name}");
        assert!(difference <= 1e-4 * (high - low), "{name}: difference {difference} for values in [{low}, {high}]");
    }
}

#[track_caller]
fn assert_equals_network(config: &NetworkConfig, sizes: &[[usize; 2]]) {
    let network = varied(&config.build(&Device::flex()).unwrap());
    for &[height, width] in sizes {
        let input = hashed(77, config.in_channels * height * width);
        let expected = values(network.forward(tensor(input.clone(), [1, config.in_channels, height, width])));
        let mut plan = Plan::compile(&network, [height, width]).unwrap();
        assert_eq!(plan.out_channels(), config.out_channels);
        assert_gives(&mut plan, &input, &expected, &format!("{config:?} {height}x{width}"));
    }
}

#[test]
fn every_architecture_gives_the_networks_logits_at_any_size() {
    for architecture in ARCHITECTURES {
        let mut config = NetworkConfig::new(architecture.name, None, 3, 2).unwrap();
        config.widths = if architecture.name == "segnet" { vec![4, 4, 6, 6, 8] } else { vec![4, 6, 8, 9] };
        assert_equals_network(&config, &[[33, 47], [64, 32], [3, 70]]);
        if architecture.upsampling == Upsampling::Transposed {
            for upsampling in [Upsampling::Bilinear, Upsampling::Nearest] {
                assert_equals_network(&NetworkConfig { upsampling, ..config.clone() }, &[[33, 47]]);
            }
        }
    }
}

#[test]
fn decoders_give_the_networks_logits_over_every_encoder() {
    for (name, widths) in [("unet", vec![12, 10, 8, 6, 4]), ("fpn", vec![10, 8, 6])] {
        for encoder in ENCODERS {
            let config = NetworkConfig::new(name, Some(encoder.name), 3, 2).unwrap();
            let decoder_channels = widths[widths.len() - config.decoder_channels.len()..].to_vec();
            assert_equals_network(&NetworkConfig { decoder_channels, ..config }, &[[33, 47]]);
        }
        let config = NetworkConfig::new(name, Some("efficientnet-lite0"), 3, 2).unwrap();
        assert_equals_network(&NetworkConfig { decoder_channels: widths, detail: 4, ..config }, &[[70, 33]]);
    }
    let mut config = NetworkConfig::new("unet", Some("efficientnet-lite0"), 1, 1).unwrap();
    config.decoder_channels = vec![12, 10, 8, 6, 4];
    config.upsampling = Upsampling::Bilinear;
    assert_equals_network(&config, &[[64, 96], [70, 33]]);
}

/// A few layers, for any engine.
trait Toy {
    fn run<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map;
}

fn conv(inputs: usize, outputs: usize, seed: usize) -> Conv2d {
    let mut conv = ConvSpec::new(inputs, outputs, 3).bias().init(&Device::flex());
    conv.weight = Param::from_tensor(tensor(hashed(seed, outputs * inputs * 9), [outputs, inputs, 3, 3]));
    conv.bias = Some(Param::from_tensor(tensor(hashed(seed + 1000, outputs), [outputs])));
    conv
}

fn norm(channels: usize, seed: usize) -> BatchNorm {
    let norm = BatchNorm::new(channels, &Device::flex());
    norm.running_mean.set(tensor(hashed(seed, channels), [channels]));
    norm.running_var.set(tensor(hashed(seed + 1, channels).into_iter().map(|u| 2.0 + u).collect(), [channels]));
    norm
}

fn trace(toy: &impl Toy, channels: usize, size: [usize; 2]) -> Result<Plan> {
    Plan::trace(channels, size, size, |recorder, x| toy.run(recorder, x))
}

/// The plan, which computes what tensors do.
#[track_caller]
fn checked(toy: &impl Toy, channels: usize) -> Plan {
    let (height, width) = (10, 13);
    let input = hashed(99, channels * height * width);
    let expected = values(toy.run(&mut Burn, tensor(input.clone(), [1, channels, height, width])));
    let mut plan = trace(toy, channels, [height, width]).unwrap();
    assert_gives(&mut plan, &input, &expected, "toy");
    plan
}

/// Concatenations that are read twice, hold the input, the same map twice, a map that is
/// part of another one already, and each other.
struct Concats([Conv2d; 5]);

impl Toy for Concats {
    fn run<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let Self([first, second, left, right, last]) = self;
        let a = engine.conv(x.clone(), first, None, Activation::Relu);
        let b = engine.conv(x.clone(), second, None, Activation::Relu);
        let ab = engine.concat(a.clone(), b.clone());
        let left = engine.conv(ab.clone(), left, None, Activation::Identity);
        let right = engine.conv(ab, right, None, Activation::Identity);
        let sum = engine.add(left, right, Activation::Relu6);
        let ba = engine.concat(b, a);
        let with_input = engine.concat(x, sum.clone());
        let twice = engine.concat(sum.clone(), sum);
        let all = engine.concat(ba, with_input);
        let all = engine.concat(all, twice);
        engine.conv(all, last, None, Activation::Identity)
    }
}

#[test]
fn a_map_can_be_part_of_several_concatenations_that_are_read_several_times() {
    let toy = Concats([conv(2, 3, 1), conv(2, 3, 2), conv(6, 3, 3), conv(6, 3, 4), conv(17, 2, 5)]);
    let plan = checked(&toy, 2);
    let copies = plan.steps.iter().filter(|step| matches!(step.kernel, step::Kernel::Copy)).count();
    // Both maps of `ba`, the input, and both of `twice`.
    assert_eq!(copies, 5);
}

/// Each layer sees all maps before it, which it reads from the buffer that it writes to.
struct Dense {
    layers: Vec<Conv2d>,
    new_first: bool,
}

impl Toy for Dense {
    fn run<E: Engine>(&self, engine: &mut E, mut x: E::Map) -> E::Map {
        for layer in &self.layers {
            let new = engine.conv(x.clone(), layer, None, Activation::Relu);
            x = if self.new_first { engine.concat(new, x) } else { engine.concat(x, new) };
        }
        engine.activate(x, Activation::Relu6)
    }
}

#[test]
fn a_step_can_read_and_write_parts_of_one_buffer() {
    for new_first in [false, true] {
        let plan = checked(&Dense { layers: vec![conv(2, 3, 1), conv(5, 1, 2), conv(6, 2, 3)], new_first }, 2);
        let copies = plan.steps.iter().filter(|step| matches!(step.kernel, step::Kernel::Copy)).count();
        assert_eq!((copies, plan.slots.len()), (1, 2), "only the input is copied");
    }
}

/// Sums whose terms are made for them alone, or are needed elsewhere too.
struct Residual {
    convs: [Conv2d; 2],
    norms: [BatchNorm; 2],
    needed_elsewhere: bool,
}

impl Toy for Residual {
    fn run<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let y = engine.conv(x, &self.convs[0], Some(&self.norms[0]), Activation::Relu);
        let z = engine.conv(y.clone(), &self.convs[1], Some(&self.norms[1]), Activation::Identity);
        if self.needed_elsewhere {
            let sum = engine.add(z.clone(), y, Activation::Relu6);
            return engine.add(sum, z, Activation::Relu);
        }
        engine.add(y, z, Activation::Relu6)
    }
}

#[test]
fn a_convolution_adds_a_residual_and_applies_the_sums_activation() {
    let residual = |needed_elsewhere| Residual {
        convs: [conv(2, 4, 1), conv(4, 4, 2)],
        norms: [norm(4, 3), norm(4, 4)],
        needed_elsewhere,
    };
    assert_eq!(checked(&residual(false), 2).steps.len(), 2);
    assert_eq!(checked(&residual(true), 2).steps.len(), 4);
}

/// Channels weighed by what their means say, and every curve.
struct Gated([Conv2d; 3]);

impl Toy for Gated {
    fn run<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let x = engine.conv(x, &self.0[0], None, Activation::HardSwish);
        let means = engine.means(x.clone());
        let gate = engine.conv(means, &self.0[1], None, Activation::Sigmoid);
        let weighed = engine.scale(x.clone(), gate);
        let y = engine.conv(weighed.clone(), &self.0[2], None, Activation::Silu);
        let sum = engine.add(y, weighed, Activation::HardSwish);
        let sum = engine.add(sum, x, Activation::Identity);
        engine.activate(sum, Activation::Sigmoid)
    }
}

#[test]
fn channels_are_weighed_as_tensors_weigh_them() {
    checked(&Gated([conv(2, 5, 1), conv(5, 5, 2), conv(5, 5, 3)]), 2);
    let wrong = ByAnother;
    assert_eq!(trace(&wrong, 4, [8, 8]).unwrap_err().kind, ErrorKind::Unsupported);
}

/// Factors of another shape.
struct ByAnother;

impl Toy for ByAnother {
    fn run<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        engine.scale(x.clone(), x)
    }
}

/// Convolutions in a row, then twice the size and half of it again.
struct Chain(Vec<Conv2d>);

impl Toy for Chain {
    fn run<E: Engine>(&self, engine: &mut E, mut x: E::Map) -> E::Map {
        for layer in &self.0 {
            x = engine.conv(x, layer, None, Activation::Relu6);
        }
        let up = engine.upsample(x, Interpolation::Bilinear, None);
        engine.max_pool(up, 3, 2, 1)
    }
}

#[test]
fn values_that_are_not_needed_at_the_same_time_share_memory() {
    let plan = checked(&Chain((0..6).map(|seed| conv(2, 2, seed)).collect()), 2);
    assert_eq!((plan.steps.len(), plan.slots.len()), (8, 2));

    let config = NetworkConfig::new("unet", Some("efficientnet-lite0"), 3, 1).unwrap();
    let plan = Plan::compile(&config.build(&Device::flex()).unwrap(), [64, 64]).unwrap();
    let values: usize = plan.steps.iter().map(|step| step.out.len).sum();
    let memory: usize = plan.slots.iter().map(Vec::len).sum();
    assert!(plan.slots.len() < plan.steps.len() / 3, "{plan:?}");
    assert!(memory < values / 2, "{memory} of {values}");
}

/// Groups that are no depthwise convolution.
struct Grouped(Conv2d);

impl Toy for Grouped {
    fn run<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        engine.conv(x, &self.0, None, Activation::Identity)
    }
}

#[test]
fn what_the_kernels_do_not_know_is_an_error_that_says_so() {
    let grouped = Grouped(ConvSpec { groups: 2, ..ConvSpec::new(4, 4, 3) }.init(&Device::flex()));
    let error = trace(&grouped, 4, [8, 8]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.to_string().contains("groups: 2"), "{error}");
    assert_eq!(trace(&grouped, 4, [0, 8]).unwrap_err().kind, ErrorKind::Config);
}

#[test]
fn slices_of_another_length_are_errors() {
    let config = NetworkConfig { widths: vec![4, 6], ..NetworkConfig::new("unet-lite", None, 3, 2).unwrap() };
    let mut plan = Plan::compile(&config.build(&Device::flex()).unwrap(), [5, 6]).unwrap();
    assert!(plan.run(&[0.0; 90], &mut [0.0; 60]).is_ok());
    for (input, logits) in [(89, 60), (90, 61), (0, 0)] {
        let error = plan.run(&vec![0.0; input], &mut vec![0.0; logits]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::SizeMismatch);
    }
}
