//! Losses and gradients equal PyTorch's (frozen by bench/reference/losses.py; of edges numpy's, by edge_loss.py), and stay finite where
//! they easily would not.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests, which clippy cannot see.

use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::Deserialize;
use vibhag_nn::backend;
use vibhag_nn::losses::{Dice, Edge, LOSSES, LossConfig, LossTerm, Pooling, Tversky};

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    config: LossConfig,
    shape: [usize; 4],
    logits: Vec<f32>,
    target: Vec<i32>,
    loss: f32,
    gradient: Vec<f32>,
}

/// Loss and gradient.
fn run(config: &LossConfig, shape: [usize; 4], logits: &[f32], target: &[i32]) -> (f32, Vec<f32>) {
    let device = Device::flex().autodiff();
    let logits = Tensor::<4>::from_data(TensorData::new(logits.to_vec(), shape), &device).require_grad();
    let target = Tensor::<3, Int>::from_data(TensorData::new(target.to_vec(), [shape[0], shape[2], shape[3]]), &device);
    let loss = config.forward(logits.clone(), target);
    assert_eq!(loss.dims(), [1]);
    let gradients = loss.backward();
    let gradient = logits.grad(&gradients).expect("the loss depends on the logits");
    (loss.into_scalar::<f32>(), gradient.try_into_vec_as::<f32>().unwrap())
}

#[test]
fn values_and_gradients_equal_pytorch() {
    equals_the_reference();
}

/// The other tests of this file hold with and without the kernels, so the switch disturbs none of them.
#[test]
fn values_and_gradients_without_the_kernels_equal_pytorch() {
    backend::set_kernels_enabled(false);
    equals_the_reference();
    backend::set_kernels_enabled(true);
}

fn equals_the_reference() {
    let mut reference: Reference = serde_json::from_str(include_str!("reference/losses.json")).unwrap();
    assert!(reference.cases.len() > 30);
    let edges: Reference = serde_json::from_str(include_str!("reference/edge_loss.json")).unwrap();
    reference.cases.extend(edges.cases);
    for case in &reference.cases {
        case.config.validate(case.shape[1]).unwrap();
        let (loss, gradient) = run(&case.config, case.shape, &case.logits, &case.target);
        assert!(
            (loss - case.loss).abs() <= 2e-6 * case.loss.abs().max(1.0),
            "{}: {loss} against {}",
            case.name,
            case.loss
        );
        let scale = case.gradient.iter().fold(0.0_f32, |largest, g| largest.max(g.abs()));
        for (index, (ours, theirs)) in gradient.iter().zip(&case.gradient).enumerate() {
            assert!((ours - theirs).abs() <= 1e-5 * scale, "{}: gradient {index} is {ours}, not {theirs}", case.name);
        }
    }
    for info in LOSSES {
        let covered = |case: &Case| case.config.terms.iter().any(|term| term.name() == info.name);
        assert!(reference.cases.iter().any(covered), "{} has no reference", info.name);
    }
}

#[test]
fn dice_of_present_classes_leaves_absent_ones_out() {
    let shape = [2, 3, 1, 2];
    let logits = [0.3f32, -0.2, 0.9, 0.1, -0.4, 0.5, 1.1, 0.2, -0.3, 0.6, 0.7, -0.8];
    let target = [0, 1, 1, 0];
    // Soft counts by hand: two images of two pixels, channels 0 and 1 are there.
    let mut losses = [0.0f32; 3];
    for (class, loss) in losses.iter_mut().enumerate() {
        let (mut both, mut all) = (0.0, 0.0);
        for (pixel, &label) in target.iter().enumerate() {
            let at = |channel: usize| logits[pixel / 2 * 6 + channel * 2 + pixel % 2].exp();
            let p = at(class) / (at(0) + at(1) + at(2));
            let y = f32::from(u8::from(label == class as i32));
            (both, all) = (both + p * y, all + p + y);
        }
        *loss = 1.0 - (2.0 * both + 1.0) / (all + 1.0);
    }
    let dice = Dice { over: Pooling::Batch, present_only: true, ..Dice::default() };
    let mut config = LossConfig { terms: vec![LossTerm::Dice(dice)], ..LossConfig::default() };
    let (found, gradient) = run(&config, shape, &logits, &target);
    assert!((found - f32::midpoint(losses[0], losses[1])).abs() < 1e-6, "{found} {losses:?}");
    assert!(gradient.iter().all(|g| g.is_finite()));
    config.class_weights = vec![1.0, 3.0, 100.0];
    let (found, _) = run(&config, shape, &logits, &target);
    assert!((found - (losses[0] + 3.0 * losses[1]) / 4.0).abs() < 1e-6, "{found} {losses:?}");
    let nothing = run(&config, shape, &logits, &[255; 4]);
    assert!(nothing.0 == 0.0 && nothing.1.iter().all(|g| *g == 0.0), "{nothing:?}");
}

#[test]
fn a_batch_without_valid_pixels_costs_nothing() {
    for info in LOSSES {
        let channels = if info.name == "bce" { 1 } else { 3 };
        let channels = [channels, 1].into_iter().filter(|&c| info.name != "cross-entropy" || c > 1);
        for channels in channels {
            let config = LossConfig { terms: vec![(info.term)()], ..LossConfig::default() };
            config.validate(channels).unwrap();
            let logits: Vec<f32> = (0..channels * 8).map(|i| i as f32 - 4.0).collect();
            let (loss, gradient) = run(&config, [2, channels, 2, 2], &logits, &[255; 8]);
            assert_eq!(loss, 0.0, "{}", info.name);
            assert!(gradient.iter().all(|&g| g == 0.0), "{}: {gradient:?}", info.name);
        }
    }
}

#[test]
fn extreme_logits_stay_finite() {
    let everything = |first: &str| LossConfig::parse(&format!("{first} + dice + focal + tversky + edge")).unwrap();
    for (config, channels) in [(everything("bce"), 1), (everything("cross-entropy"), 2)] {
        let logits: Vec<f32> = (0..channels * 4).map(|i| if i % 3 == 0 { 1e4 } else { -1e4 }).collect();
        let (loss, gradient) = run(&config, [1, channels, 2, 2], &logits, &[0, 1, 0, 1]);
        assert!(loss.is_finite() && gradient.iter().all(|g| g.is_finite()), "{channels}: {loss}, {gradient:?}");
    }
}

#[test]
fn combinations_without_meaning_are_refused() {
    let refuse = |config: &LossConfig, channels, words: &str| {
        let message = config.validate(channels).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    };
    let parse = |text| LossConfig::parse(text).unwrap();
    refuse(&parse("bce"), 4, "bce needs one output channel, there are 4; use cross-entropy");
    refuse(&parse("cross-entropy"), 1, "use bce");
    refuse(&parse("-1 * dice"), 1, "weight -1 of dice");
    refuse(&LossConfig { terms: Vec::new(), ..parse("dice") }, 1, "no term");
    refuse(&LossConfig { ignore: 3, ..parse("dice") }, 4, "ignores label 3, which is a class");
    refuse(&LossConfig { label_smoothing: 0.1, ..parse("dice") }, 1, "no effect");
    refuse(&LossConfig { label_smoothing: 1.0, ..parse("bce") }, 1, "outside [0, 1)");
    refuse(&LossConfig { class_weights: vec![1.0; 3], ..parse("dice") }, 1, "3 class weights for 2 classes");
    refuse(&LossConfig { class_weights: vec![1.0, -1.0], ..parse("bce") }, 1, "class weight -1");
    let tversky = LossTerm::Tversky(Tversky { smooth: 0.0, ..Tversky::default() });
    refuse(&LossConfig { terms: vec![tversky], ..parse("dice") }, 1, "tversky smooth 0");
    let edge = LossTerm::Edge(Edge { reach: 0, ..Edge::default() });
    refuse(&LossConfig { terms: vec![edge], ..parse("dice") }, 1, "edge reach 0");
    assert!(LossConfig::parse("bce + hinge").unwrap_err().to_string().contains("known: cross-entropy, bce, dice"));
    assert!(LossConfig::parse("x * bce").is_err());
}

#[test]
fn configurations_show_every_value_and_read_back() {
    for info in LOSSES {
        let config = LossConfig { terms: vec![(info.term)()], ..LossConfig::default() };
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains(&format!("kind = \"{}\"", info.name)) && text.contains("weight = 1.0"), "{text}");
        assert_eq!(toml::from_str::<LossConfig>(&text).unwrap(), config, "{text}");
    }
    let partial: LossConfig = toml::from_str("[[terms]]\nkind = \"dice\"\nover = \"batch\"").unwrap();
    assert!(toml::to_string(&partial).unwrap().contains("smooth = 1.0"));
    assert!(toml::from_str::<LossConfig>("[[terms]]\nkind = \"dice\"\nsmoth = 2.0").is_err());
}
