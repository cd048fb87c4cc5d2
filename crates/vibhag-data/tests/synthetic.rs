//! What synthetic sets promise.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

use proptest::prelude::*;
use vibhag_core::annotation::paint;
use vibhag_core::{Panoptic, Samples, Shape};
use vibhag_data::annotations::AnnotationSource;
use vibhag_data::decode::read_image;
use vibhag_data::synthetic::{SyntheticConfig, SyntheticSource, classes, sample, write_images};

fn small() -> SyntheticConfig {
    SyntheticConfig::new(96, 80, 11)
}

/// Width and height of the box around each segment.
fn extents(truth: &Panoptic) -> Vec<[usize; 2]> {
    let width = truth.ids.width();
    let extent = |id: u32| {
        let pixels = || truth.ids.ids().iter().enumerate().filter(move |&(_, &other)| other == id).map(|(at, _)| at);
        let side = |of: fn(usize, usize) -> usize| {
            let values = || pixels().map(|at| of(at, width));
            values().max().unwrap() - values().min().unwrap() + 1
        };
        [side(|at, width| at % width), side(|at, width| at / width)]
    };
    (1..=truth.segments.len() as u32).map(extent).collect()
}

#[test]
fn a_scene_depends_on_seed_and_number_alone() {
    let forward: Vec<_> = (0..6).map(|index| sample(&small(), index).unwrap()).collect();
    for index in (0..6).rev() {
        assert_eq!(sample(&small(), index).unwrap(), forward[index as usize]);
    }
    assert!(forward.windows(2).all(|pair| pair[0] != pair[1]));
    let other = SyntheticConfig { seed: 12, ..small() };
    assert_ne!(sample(&other, 0).unwrap(), forward[0]);
}

#[test]
fn void_changes_no_image_and_lies_along_borders_only() {
    let config = SyntheticConfig { void: true, ..small() };
    for index in 0..20 {
        let ((image, whole), (same, void)) = (sample(&small(), index).unwrap(), sample(&config, index).unwrap());
        assert_eq!(image, same);
        let (width, ids) = (whole.ids.width(), whole.ids.ids());
        for (at, &id) in ids.iter().enumerate() {
            let (x, y) = (at % width, at / width);
            let beside = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then_some(at + 1),
                at.checked_sub(width),
                (y + 1 < 80).then_some(at + width),
            ];
            let border = beside.into_iter().flatten().any(|other| ids[other] != id);
            assert_eq!(void.ids.ids()[at] == 0, border, "scene {index}, pixel {x}, {y}");
        }
    }
}

#[test]
fn objects_are_as_many_and_as_large_as_asked() {
    let config = SyntheticConfig { things: 2..=4, radius: 6.0..=20.0, ..small() };
    let (table, mut counts) = (classes(), [0; 5]);
    for index in 0..60 {
        let (_, truth) = sample(&config, index).unwrap();
        let (areas, extents) = (truth.areas(), extents(&truth));
        for id in truth.objects(&table) {
            assert!(areas[id as usize - 1] >= 12);
            assert!(extents[id as usize - 1].iter().all(|&side| side <= 41), "{:?}", extents[id as usize - 1]);
        }
        counts[truth.objects(&table).count()] += 1;
    }
    assert!(counts[0] == 0 && counts[1] == 0 && counts[2..].iter().all(|&count| count >= 10), "{counts:?}");
}

#[test]
fn hard_scenes_have_smaller_and_further_hidden_objects() {
    let table = classes();
    let areas = |config: &SyntheticConfig| -> Vec<usize> {
        let of = |index| {
            let (_, truth) = sample(config, index).unwrap();
            let areas = truth.areas();
            truth.objects(&table).map(|id| areas[id as usize - 1]).collect::<Vec<_>>()
        };
        (0..60).flat_map(of).collect()
    };
    let usual = SyntheticConfig::new(128, 128, 4);
    let tiny = |areas: &[usize]| areas.iter().filter(|&&area| area < 64).count() as f64 / areas.len() as f64;
    let (usual, hard) = (areas(&usual), areas(&usual.hard()));
    assert!(tiny(&usual) < 0.1 && tiny(&hard) > 0.2, "{} {}", tiny(&usual), tiny(&hard));
}

#[test]
fn the_colour_of_an_object_tells_nothing_of_its_class() {
    let config = SyntheticConfig::new(128, 128, 2);
    let table = classes();
    let mut sums = vec![[0.0; 4]; table.len()];
    for index in 0..300 {
        let (image, truth) = sample(&config, index).unwrap();
        let (pixels, areas) = (image.to_rgb8(), truth.areas());
        for (pixel, &id) in pixels.chunks_exact(3).zip(truth.ids.ids()) {
            // Each object counts alike.
            let weight = 1.0 / areas[id as usize - 1] as f64;
            let sum = &mut sums[usize::from(truth.segments[id as usize - 1].class)];
            for (sum, &value) in sum.iter_mut().zip(pixel) {
                *sum += weight * f64::from(value);
            }
            sum[3] += weight;
        }
    }
    for (class, sum) in table.classes.iter().zip(&sums).filter(|(class, _)| class.thing) {
        println!("{}: {:.0} objects of mean colour {:.0?}", class.name, sum[3], [0, 1, 2].map(|c| sum[c] / sum[3]));
        assert!((220.0..380.0).contains(&sum[3]), "{} objects of class {}", sum[3], class.name);
        for channel in 0..3 {
            let all: [f64; 2] = [channel, 3].map(|at| sums[4..].iter().map(|sum| sum[at]).sum());
            let difference = (sum[channel] / sum[3] - all[0] / all[1]).abs();
            assert!(difference < 14.0, "class {} differs by {difference} in channel {channel}", class.name);
        }
    }
}

#[test]
fn some_objects_are_seen_in_parts_and_remain_one() {
    let table = classes();
    let divided = |index: u64| {
        let (_, truth) = sample(&SyntheticConfig::new(128, 128, 3), index).unwrap();
        let map = truth.class_map(0);
        truth.objects(&table).any(|id| {
            let pixels = truth.ids.ids().iter().map(|&other| other == id).collect();
            let mask = vibhag_core::BinaryMask::new(map.width(), map.height(), pixels).unwrap();
            vibhag_imaging::label_components(&mask, vibhag_imaging::Connectivity::Eight)
                .areas
                .iter()
                .filter(|&&area| area >= 20)
                .count()
                > 1
        })
    };
    let count = (0..100).filter(|&index| divided(index)).count();
    assert!(count >= 10, "{count} of 100 scenes");
}

#[test]
fn annotations_are_the_truth() {
    let source = SyntheticSource::new(small(), 3..9).unwrap().with_split(3..7, "train").with_split(7..9, "val");
    let names: Vec<&str> = source.images().iter().map(|image| image.name.as_str()).collect();
    assert_eq!((names.len(), names[0], names[5]), (6, "synthetic-00003.png", "synthetic-00008.png"));
    assert!(names.is_sorted() && source.images().iter().all(|image| image.path.is_none()));
    let splits: Vec<_> = source.images().iter().map(|image| image.split.as_deref().unwrap()).collect();
    assert_eq!(splits, ["train", "train", "train", "train", "val", "val"]);
    let table = classes();
    assert_eq!(source.categories().len(), table.len());
    let mut numbers = Vec::new();
    for index in 0..6 {
        let read = source.read(index).unwrap();
        assert_eq!((read.width, read.height), (96, 80));
        let masks: Vec<_> = read
            .annotations
            .iter()
            .map(|annotation| {
                numbers.push(annotation.id);
                let Shape::Mask(mask) = &annotation.shape else { panic!("no mask") };
                let category = &source.categories()[annotation.category];
                assert_eq!(category.thing, table.is_thing(annotation.category as u16));
                (mask.clone(), vibhag_core::Segment::truth(annotation.category as u16))
            })
            .collect();
        let (_, truth) = sample(&small(), index as u64 + 3).unwrap();
        assert_eq!(paint(96, 80, &masks), truth);
    }
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count);
    assert!(source.read(6).is_err());
}

#[test]
fn images_are_written_under_the_names_of_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let source = SyntheticSource::new(small(), 2..5).unwrap();
    let paths = write_images(&small(), 2..5, folder.path()).unwrap();
    let placed = source.clone().with_images_in(folder.path());
    assert!(placed.images().iter().zip(&paths).all(|(image, path)| image.path.as_ref() == Some(path)));
    for ((path, entry), index) in paths.iter().zip(source.images()).zip(2..) {
        assert_eq!(path, &folder.path().join(&entry.name));
        assert_eq!(read_image(path).unwrap(), sample(&small(), index).unwrap().0);
    }
    assert_eq!(paths.len(), 3);
    assert!(write_images(&small(), 0..1, &folder.path().join("none")).is_err());
}

#[test]
fn impossible_sets_are_refused_with_the_number() {
    #[allow(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let cases = [
        (SyntheticConfig { width: 0, ..small() }, "0x80"),
        (SyntheticConfig { height: 20_000, ..small() }, "96x20000"),
        (SyntheticConfig { things: 5..=3, ..small() }, "5 to 3"),
        (SyntheticConfig { things: 0..=501, ..small() }, "501"),
        (SyntheticConfig { radius: 0.0..=3.0, ..small() }, "0 to 3"),
        (SyntheticConfig { radius: 5.0..=f32::NAN, ..small() }, "NaN"),
        (SyntheticConfig { visible: 1.5, ..small() }, "1.5"),
    ];
    for (config, number) in cases {
        let message = sample(&config, 0).unwrap_err().to_string();
        assert!(message.contains(number), "{message}");
        assert!(SyntheticSource::new(config, 0..1).is_err());
    }
    assert!(SyntheticSource::new(small(), 99_999..100_001).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_pixel_belongs_to_a_segment_and_every_segment_has_pixels(
        (width, height) in (1usize..90, 1usize..90),
        (few, more) in (0usize..6, 0usize..6),
        (radius, factor, visible) in (0.5f32..40.0, 1.0f32..4.0, 0.0f32..1.0),
        seed: u64, index: u64, void: bool,
    ) {
        let config = SyntheticConfig {
            width, height, things: few..=few + more, radius: radius..=radius * factor, visible, void, seed,
        };
        let (image, truth) = sample(&config, index).unwrap();
        prop_assert_eq!((image.width(), image.height(), image.channels()), (width, height, 3));
        prop_assert!(matches!(image.samples(), Samples::U8(_)));
        prop_assert_eq!((truth.ids.width(), truth.ids.height()), (width, height));
        prop_assert!(truth.areas().iter().all(|&area| area > 0));
        prop_assert!(truth.segments.iter().all(|segment| !segment.crowd && segment.score == 1.0));
        if !void {
            prop_assert!(truth.ids.ids().iter().all(|&id| id > 0));
        }
        let (table, things) = (classes(), truth.objects(&classes()).count());
        prop_assert!(things <= few + more);
        let kinds: Vec<u16> = truth.segments.iter().map(|segment| segment.class).collect();
        let (stuff, objects) = kinds.split_at(kinds.len() - things);
        prop_assert!(stuff.is_sorted_by(|a, b| a < b), "{:?}", kinds);
        prop_assert!(stuff.iter().all(|&class| !table.is_thing(class)) && objects.iter().all(|&class| table.is_thing(class)));
    }
}
