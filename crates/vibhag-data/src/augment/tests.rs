use vibhag_core::{LabelMap, Samples};
use vibhag_imaging::{resize_image, resize_labels};

use super::*;

fn preprocessing(channels: usize, geometry: Geometry) -> Preprocessing {
    Preprocessing { stretch: None, scale: 1.0, channels, mean: vec![0.0; channels], std: vec![1.0; channels], geometry }
}

fn geometric_only() -> AugmentConfig {
    AugmentConfig { color_probability: 0.0, noise_probability: 0.0, blur_probability: 0.0, ..AugmentConfig::medical() }
}

/// An image whose every channel equals its label: large blocks of distinct values.
fn painted(width: usize, height: usize, channels: usize) -> (Image, LabelMap) {
    let label = |x: usize, y: usize| (x * 4 / width + 4 * (y * 4 / height)) as u16 * 16;
    let labels: Vec<u16> = (0..width * height).map(|i| label(i % width, i / width)).collect();
    let samples = labels.iter().flat_map(|&l| vec![l as u8; channels]).collect();
    (Image::from_u8(width, height, channels, samples).unwrap(), LabelMap::new(width, height, labels).unwrap())
}

fn render(augmenter: &Augmenter, sample: &Prepared, key: Key) -> (Vec<f32>, Vec<u16>) {
    let (c, h, w) = augmenter.shape();
    let (mut planes, mut labels) = (vec![0.0; c * h * w], vec![0; h * w]);
    let out = Rendering { planes: &mut planes, labels: &mut labels, targets: &mut [] };
    assert_eq!(augmenter.render(sample, key, None, out), None);
    (planes, labels)
}

fn key(epoch: u64, sample: usize) -> Key {
    Key { seed: 5, epoch, sample, copy: 0 }
}

#[test]
fn image_and_labels_stay_aligned_away_from_edges() {
    for geometry in [Geometry::Resize { height: 96, width: 128 }, Geometry::Window { height: 96, width: 128 }] {
        for (width, height) in [(300, 260), (128, 96), (150, 90)] {
            let augmenter = Augmenter::new(preprocessing(3, geometry), geometric_only(), None).unwrap();
            let (image, labels) = painted(width, height, 3);
            let sample = augmenter.prepare(image, labels).unwrap();
            for epoch in 0..12 {
                let (planes, labels) = render(&augmenter, &sample, key(epoch, 3));
                let (mut inside, mut wrong) = (0, 0);
                for y in 3..93 {
                    for x in 3..125 {
                        let at = y * 128 + x;
                        let flat = (y - 3..=y + 3).all(|v| (x - 3..=x + 3).all(|u| labels[v * 128 + u] == labels[at]));
                        if flat {
                            inside += 1;
                            wrong += usize::from((planes[at] - f32::from(labels[at])).abs() > 0.01);
                        }
                    }
                }
                assert!(inside > 2500, "{geometry:?} {width}x{height}: {inside} comparable pixels");
                assert_eq!(wrong, 0, "{geometry:?} {width}x{height} epoch {epoch}: of {inside}");
            }
        }
    }
}

#[test]
fn a_key_decides_everything() {
    let geometry = Geometry::Resize { height: 64, width: 64 };
    let augmenter = Augmenter::new(preprocessing(3, geometry), AugmentConfig::medical(), None).unwrap();
    let (image, labels) = painted(90, 80, 3);
    let sample = augmenter.prepare(image, labels).unwrap();
    let first = render(&augmenter, &sample, key(1, 2));
    assert_eq!(first, render(&augmenter, &sample, key(1, 2)));
    let copy = Key { copy: 1, ..key(1, 2) };
    for other in [key(2, 2), key(1, 3), copy, Key { seed: 6, ..key(1, 2) }] {
        assert_ne!(first, render(&augmenter, &sample, other));
    }
}

#[test]
fn flips_are_exact() {
    let geometry = Geometry::Resize { height: 32, width: 48 };
    let config = AugmentConfig { flip_horizontal: 1.0, flip_vertical: 1.0, ..AugmentConfig::none() };
    let augmenter = Augmenter::new(preprocessing(1, geometry), config, None).unwrap();
    let values: Vec<u8> = (0..32 * 48).map(|i| (i * 37 % 255) as u8).collect();
    let labels = LabelMap::new(48, 32, values.iter().map(|&v| u16::from(v)).collect()).unwrap();
    let sample = augmenter.prepare(Image::from_u8(48, 32, 1, values.clone()).unwrap(), labels).unwrap();
    let (planes, labels) = render(&augmenter, &sample, key(0, 0));
    let reversed: Vec<u8> = values.into_iter().rev().collect();
    assert_eq!(planes, reversed.iter().map(|&v| f32::from(v)).collect::<Vec<_>>());
    assert_eq!(labels, reversed.iter().map(|&v| u16::from(v)).collect::<Vec<_>>());
}

#[test]
fn without_augmentation_it_is_the_plain_resize_of_any_depth_and_channels() {
    let geometry = Geometry::Resize { height: 30, width: 40 };
    for channels in [1, 3, 5] {
        let augmenter = Augmenter::new(preprocessing(channels, geometry), AugmentConfig::none(), None).unwrap();
        let values: Vec<u16> = (0..100 * 70 * channels).map(|i| (i * 7919 % 65536) as u16).collect();
        let image = Image::new(100, 70, channels, Samples::U16(values)).unwrap();
        let (_, labels) = painted(100, 70, 1);
        let (planes, rendered) =
            render(&augmenter, &augmenter.prepare(image.clone(), labels.clone()).unwrap(), key(0, 0));
        let mut expected = vec![0.0; 30 * 40 * channels];
        preprocessing(channels, geometry)
            .normalize_to_planes(&resize_image(&image, 40, 30).unwrap().to_f32(), &mut expected);
        assert_eq!(planes, expected);
        assert_eq!(rendered, resize_labels(&labels, 40, 30).unwrap().labels());
    }
}

#[test]
fn a_small_image_is_padded_by_mirroring_and_its_padding_ignored() {
    let geometry = Geometry::Window { height: 4, width: 6 };
    let image = Image::from_u8(2, 2, 1, vec![1, 2, 3, 4]).unwrap();
    let labels = LabelMap::new(2, 2, vec![1, 2, 3, 4]).unwrap();
    let foreground = AugmentConfig { foreground_probability: 0.5, ..AugmentConfig::none() };
    for config in [AugmentConfig::none(), foreground] {
        for (ignore, outside) in [(Some(255), 255), (None, 1)] {
            let augmenter = Augmenter::new(preprocessing(1, geometry), config.clone(), ignore).unwrap();
            let sample = augmenter.prepare(image.clone(), labels.clone()).unwrap();
            let (planes, labels) = render(&augmenter, &sample, key(0, 0));
            assert_eq!(planes[6..12], [2.0, 1.0, 1.0, 2.0, 2.0, 1.0]);
            assert_eq!(labels[8..10], [1, 2]);
            assert_eq!((labels[7], labels[2]), (outside, outside));
        }
    }
}

#[test]
fn a_magnified_window_shows_a_part_of_the_image() {
    let geometry = Geometry::Window { height: 32, width: 32 };
    let shape = Preprocessing { scale: 2.0, ..preprocessing(1, geometry) };
    let ramp = (0..64 * 48).map(|i| (i % 64) as u8 + 2 * (i / 64) as u8).collect();
    let image = Image::from_u8(64, 48, 1, ramp).unwrap();
    let labels = LabelMap::new(64, 48, (0..64 * 48).map(|i| (i % 64) as u16).collect()).unwrap();
    let plain = Augmenter::new(shape.clone(), AugmentConfig::none(), None).unwrap();
    let sample = plain.prepare(image, labels).unwrap();
    let (planes, shown) = render(&plain, &sample, key(0, 0));
    // The middle 16 pixels of each side, halves of pixels between.
    for (index, (&value, &label)) in planes.iter().zip(&shown).enumerate() {
        let (x, y) = (23.75 + (index % 32) as f32 / 2.0, 15.75 + (index / 32) as f32 / 2.0);
        assert!((value - x - 2.0 * y).abs() < 1e-3, "{value} at {x}, {y}");
        assert_eq!(label, 24 + (index % 32) as u16 / 2);
    }
    // Anywhere in the image, though a window of 32 pixels has little room in 48.
    let moving = AugmentConfig { foreground_probability: 0.5, ..AugmentConfig::none() };
    let moving = Augmenter::new(shape, moving, Some(999)).unwrap();
    let seen: std::collections::BTreeSet<u16> =
        (0..200).flat_map(|epoch| render(&moving, &sample, key(epoch, 0)).1).collect();
    assert_eq!(seen, (0..64).collect());
}

#[test]
fn windows_stay_inside_and_find_rare_foreground() {
    let geometry = Geometry::Window { height: 16, width: 16 };
    let mut labels = LabelMap::filled(200, 150, 0);
    labels.labels_mut()[140 * 200 + 190] = 7;
    let image = Image::from_u8(200, 150, 1, vec![0; 200 * 150]).unwrap();
    let config = AugmentConfig { foreground_probability: 0.33, ..AugmentConfig::none() };
    let augmenter = Augmenter::new(preprocessing(1, geometry), config, Some(255)).unwrap();
    let sample = augmenter.prepare(image, labels).unwrap();
    let mut hits = 0;
    for epoch in 0..300 {
        let (_, labels) = render(&augmenter, &sample, key(epoch, 0));
        assert!(!labels.contains(&255), "window beyond the border");
        hits += usize::from(labels.contains(&7));
    }
    assert!((70..140).contains(&hits), "{hits} of 300 windows hold the rare pixel");
}

#[test]
fn normalisation_uses_mean_and_deviation() {
    let shape = Preprocessing {
        stretch: None,
        scale: 1.0,
        channels: 1,
        mean: vec![100.0],
        std: vec![50.0],
        geometry: Geometry::Resize { height: 2, width: 2 },
    };
    let augmenter = Augmenter::new(shape, AugmentConfig::none(), None).unwrap();
    let image = Image::from_u8(2, 2, 1, vec![200; 4]).unwrap();
    let (planes, _) = render(&augmenter, &augmenter.prepare(image, LabelMap::filled(2, 2, 0)).unwrap(), key(0, 0));
    assert_eq!(planes, [2.0; 4]);
}

#[test]
fn impossible_preprocessing_is_refused() {
    let geometry = Geometry::Resize { height: 8, width: 0 };
    assert!(Augmenter::new(preprocessing(1, geometry), AugmentConfig::none(), None).is_err());
    let mut shape = preprocessing(3, Geometry::Resize { height: 8, width: 8 });
    shape.std[1] = 0.0;
    assert!(Augmenter::new(shape.clone(), AugmentConfig::none(), None).is_err());
    shape.std.pop();
    assert!(Augmenter::new(shape, AugmentConfig::none(), None).is_err());
}

/// Prints what a sample costs: `cargo test --release -p vibhag-data -- --ignored --nocapture cost`.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_sample() {
    let geometry = Geometry::Resize { height: 256, width: 256 };
    let elastic = AugmentConfig { elastic_probability: 1.0, ..AugmentConfig::medical() };
    for (name, config) in [("none", AugmentConfig::none()), ("medical", AugmentConfig::medical()), ("elastic", elastic)]
    {
        let augmenter = Augmenter::new(preprocessing(3, geometry), config, None).unwrap();
        let (image, labels) = painted(767, 576, 3);
        let start = std::time::Instant::now();
        let sample = augmenter.prepare(image, labels).unwrap();
        let prepare = start.elapsed();
        // The best of some tries each: other programs run on this machine, too.
        let cost = |epoch: u64| {
            let once = |_| {
                let start = std::time::Instant::now();
                render(&augmenter, &sample, key(epoch, 0));
                start.elapsed().as_secs_f64()
            };
            (0..10).map(once).fold(f64::INFINITY, f64::min)
        };
        let mean = (0..100).map(cost).sum::<f64>() / 100.0;
        println!("{name}: prepare {prepare:?} once, render {:.2} ms a sample", 1e3 * mean);
    }
}

/// Two samples of one 8x8 object each on an image of one grey; the second one's object is brighter.
fn with_object(grey: u8, left: usize) -> (Image, Panoptic) {
    let inside = |i: usize| (left..left + 8).contains(&(i % 32)) && (12..20).contains(&(i / 32));
    let ids = (0..32 * 32).map(|i| u32::from(inside(i))).collect();
    let pixels = (0..32 * 32).map(|i| if inside(i) { grey } else { 10 }).collect();
    let map = Panoptic::new(vibhag_core::IdMap::new(32, 32, ids).unwrap(), vec![Segment::truth(1)]).unwrap();
    (Image::from_u8(32, 32, 1, pixels).unwrap(), map)
}

#[test]
fn a_pasted_object_brings_its_pixels_and_its_truth() {
    let classes = vibhag_core::ClassTable::binary("cell").with_things(|class| class == 1);
    let geometry = Geometry::Window { height: 32, width: 32 };
    let augmenter = Augmenter::new(preprocessing(1, geometry), AugmentConfig::none(), None)
        .unwrap()
        .with_objects(Head::Flow, SegmentRules::new(classes));
    let of = |grey, left| {
        let (image, map) = with_object(grey, left);
        augmenter.prepare(image, map).unwrap()
    };
    let (sample, donor) = (of(100, 2), of(200, 20));
    let mut pasted = 0;
    for epoch in 0..16 {
        let (mut planes, mut labels, mut targets) = (vec![0.0; 1024], vec![0; 1024], vec![0.0; 3 * 1024]);
        let out = Rendering { planes: &mut planes, labels: &mut labels, targets: &mut targets };
        let shown = augmenter.render(&sample, key(epoch, 0), Some((&donor, key(epoch, 1))), out).unwrap();
        let bright = planes.iter().filter(|p| **p == 200.0).count();
        assert_eq!(bright, if shown.segments.len() == 2 { 64 } else { 0 });
        assert_eq!(labels.iter().filter(|label| **label == 1).count(), 64 + bright);
        pasted += usize::from(bright > 0);
    }
    assert!((4..=12).contains(&pasted), "half of the objects are pasted: {pasted} of 16");
}
