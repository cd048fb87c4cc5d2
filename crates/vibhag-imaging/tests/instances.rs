//! Objects survive being turned into maps and back, in any order, orientation and number of threads.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

mod scenes;

use proptest::prelude::*;
use scenes::{Maps, Scene, flip, overlaps};
use vibhag_core::{Grouping, Head, Purpose, RAYS, Rng};
use vibhag_imaging::instances::{Objects, Stars, VOID, decode_flow, mirrored};

const HEADS: [Head; 3] = [Head::Center, Head::Star, Head::Flow];
const FLIPS: [(bool, bool); 3] = [(true, false), (false, true), (true, true)];

fn well_formed(found: &Objects) -> Result<(), TestCaseError> {
    let mut seen = vec![false; found.scores.len() + 1];
    for &id in found.ids.ids() {
        prop_assert!((id as usize) < seen.len(), "id {} of {}", id, found.scores.len());
        seen[id as usize] = true;
    }
    prop_assert!(seen[1..].iter().all(|seen| *seen), "ids are not dense");
    prop_assert!(found.scores.iter().all(|score| (0.0..=1.0).contains(score)), "{:?}", found.scores);
    Ok(())
}

/// Pixels that belong to different objects in `a` and `b`, objects being those that share most.
fn differing(a: &[u32], b: &Objects) -> usize {
    let count = a.iter().copied().max().unwrap_or(0) as usize;
    let mut shared = std::collections::BTreeMap::new();
    for (&a, &b) in a.iter().zip(b.ids.ids()) {
        *shared.entry((a, b)).or_insert(0usize) += 1;
    }
    let best = |id: u32| shared.range((id, 0)..=(id, u32::MAX)).max_by_key(|(_, n)| **n).map_or(0, |((_, b), _)| *b);
    let of: Vec<u32> = (0..=count as u32).map(|id| if id == 0 { 0 } else { best(id) }).collect();
    a.iter().zip(b.ids.ids()).filter(|(a, b)| of[**a as usize] != **b).count()
}

/// Maps with errors such as a network makes: smooth enough to mean the same objects.
fn disturbed(mut maps: Maps, head: Head, seed: u64, amount: f32) -> Maps {
    let mut rng = Rng::new(seed, 1, 0, Purpose::Synthesis);
    let unit = match head {
        Head::Flow => 5.0,
        _ => 1.0,
    };
    for value in &mut maps.planes {
        *value += amount * unit * rng.normal();
    }
    for value in &mut maps.things {
        *value = (*value + 0.2 * rng.normal()).clamp(0.0, 1.0);
    }
    maps
}

fn mirror(maps: &Maps, head: Head, by: (bool, bool)) -> Maps {
    let planes = mirrored(head, by.0, by.1)
        .into_iter()
        .flat_map(|(source, sign)| flip(maps.plane(source), maps.width, by).into_iter().map(move |value| sign * value));
    Maps { planes: planes.collect(), things: flip(&maps.things, maps.width, by), ..*maps }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn objects_are_read_back_from_their_targets(seed in any::<u64>(), gap in 0usize..3, small in any::<bool>()) {
        let (size, count, radii) =
            if small { ((96, 80), 25, [4.5, 9.0]) } else { ((300, 260), 8, [20.0, 55.0]) };
        let scene = Scene::ellipses(seed, size, count, radii, gap);
        for head in HEADS {
            let found = scene.maps(head).decode(head);
            well_formed(&found)?;
            prop_assert_eq!(found.scores.len(), scene.count, "{}", head);
            let least = if head == Head::Star { 0.8 } else { 0.9 };
            for (n, overlap) in overlaps(&scene.ids, scene.count, &found).into_iter().enumerate() {
                prop_assert!(overlap >= least, "{}: object {} of {} has {}", head, n + 1, scene.count, overlap);
            }
        }
    }

    #[test]
    fn targets_of_mirrored_objects_are_mirrored_targets(seed in any::<u64>(), gap in 0usize..2) {
        // Odd sides: the even rows and columns of stars stay even.
        let scene = Scene::ellipses(seed, (71, 63), 12, [3.0, 12.0], gap);
        for head in HEADS {
            let maps = scene.maps(head);
            for by in FLIPS {
                let other = Scene { ids: flip(&scene.ids, scene.width, by), ..scene };
                let (found, expected) = (other.maps(head), mirror(&maps, head, by));
                for (index, (a, b)) in found.planes.iter().zip(&expected.planes).enumerate() {
                    prop_assert!((a - b).abs() < 2e-4, "{} {:?}: {} against {} at {}", head, by, a, b, index);
                }
            }
        }
    }

    #[test]
    fn decoding_commutes_with_mirroring(seed in any::<u64>()) {
        let scene = Scene::ellipses(seed, (91, 81), 14, [4.0, 11.0], 0);
        for head in HEADS {
            let maps = disturbed(scene.maps(head), head, seed, 0.1);
            let found = maps.decode(head);
            well_formed(&found)?;
            for by in FLIPS {
                let other = mirror(&maps, head, by).decode(head);
                prop_assert_eq!(found.scores.len(), other.scores.len(), "{} {:?}", head, by);
                // Halves are rounded up, whatever is up.
                let differing = differing(&flip(found.ids.ids(), maps.width, by), &other);
                prop_assert!(differing <= 4, "{} {:?}: {} pixels differ", head, by, differing);
            }
        }
    }

    #[test]
    fn numbers_of_objects_mean_nothing(seed in any::<u64>(), factor in 1u32..1_000_000) {
        let scene = Scene::ellipses(seed, (64, 48), 10, [3.0, 8.0], 0);
        let renumbered = |id: u32| if id == 0 { 0 } else { (scene.count as u32 + 1 - id).wrapping_mul(2 * factor + 1) };
        let ids = scene.ids.iter().map(|&id| renumbered(id)).collect();
        let other = Scene { ids, ..scene };
        for head in HEADS {
            prop_assert!(scene.targets(head) == other.targets(head), "{}", head);
        }
    }

    #[test]
    fn unknown_pixels_weigh_nothing(seed in any::<u64>()) {
        let mut scene = Scene::ellipses(seed, (64, 48), 10, [3.0, 8.0], 0);
        for id in &mut scene.ids {
            *id = if *id == 1 { VOID } else { *id };
        }
        for head in HEADS {
            let planes = scene.targets(head);
            let weights = &planes[head.maps() * scene.pixels()..];
            for (index, &weight) in weights.iter().enumerate() {
                let id = scene.ids[index % scene.pixels()];
                let offsets = head == Head::Center && index >= scene.pixels();
                let flag = head == Head::Center && index >= 2 * scene.pixels();
                if matches!(head, Head::Flow | Head::Center) && !flag && id != VOID && id != 0 {
                    // Small and touching objects weigh more.
                    prop_assert!((1.0..=4.0).contains(&weight), "{}", weight);
                } else {
                    prop_assert_eq!(weight, f32::from(id != VOID && !(offsets && id == 0)));
                }
            }
            prop_assert!(planes.iter().all(|value| value.is_finite()));
        }
    }

    #[test]
    fn any_maps_give_well_formed_objects(
        seed in any::<u64>(), width in 1usize..24, height in 1usize..24, amount in 0.0f32..20.0
    ) {
        const STRANGE: [f32; 5] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -0.0];
        let mut rng = Rng::new(seed, 2, 0, Purpose::Synthesis);
        let mut noise = |count: usize| -> Vec<f32> {
            let value = |rng: &mut Rng| {
                if rng.chance(0.05) { STRANGE[rng.below(5)] } else { 0.5 + amount * rng.normal() }
            };
            (0..count).map(|_| value(&mut rng)).collect()
        };
        for head in HEADS {
            let planes = noise(head.maps() * width * height);
            let maps = Maps { width, height, things: noise(width * height), planes };
            for min_area in [0, 3] {
                let grouping = Grouping { min_area, flow_error: 0.0, ..Grouping::of(head) };
                well_formed(&maps.decode_with(head, &grouping).unwrap())?;
                well_formed(&maps.decode(head))?;
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let pool = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (one, four) = (pool(1), pool(4));
    let scene = Scene::ellipses(5, (520, 480), 90, [8.0, 30.0], 0);
    for head in HEADS {
        let maps = disturbed(scene.maps(head), head, 5, 0.2);
        let run = || (scene.targets(head), maps.decode(head));
        let (a, b) = (one.install(run), four.install(run));
        assert!(a == b, "{head}");
        assert!(a.1.scores.len() > 40, "{head}: {}", a.1.scores.len());
    }
}

#[test]
fn empty_full_and_tiny_images_are_read() {
    for head in HEADS {
        let empty = Scene::of(20, vec![0; 300]).maps(head).decode(head);
        assert_eq!((empty.scores.len(), empty.ids.ids().iter().max()), (0, Some(&0)), "{head}");
        let full = Scene::of(91, vec![1; 91 * 85]);
        let found = full.maps(head).decode(head);
        let covered = found.ids.ids().iter().filter(|id| **id == 1).count() as f32;
        assert!(found.scores.len() == 1 && covered > 0.9 * (91.0 * 85.0), "{head}: {covered}, {:?}", found.scores);
        let pixel = Scene::of(1, vec![1]);
        let grouping = Grouping { min_area: 0, flow_error: 0.0, ..Grouping::of(head) };
        assert_eq!(pixel.maps(head).decode_with(head, &grouping).unwrap().ids.ids(), [1], "{head}");
    }
}

#[test]
fn a_plateau_is_one_center_and_heat_below_the_threshold_none() {
    let scene = Scene::of(20, vec![1; 300]);
    let mut maps = scene.maps(Head::Center);
    maps.planes.fill(0.0);
    maps.planes[..300].fill(0.3);
    assert_eq!(maps.decode(Head::Center).scores, [0.3]);
    maps.planes[..300].fill(0.05);
    assert_eq!(maps.decode(Head::Center).scores, [0.0; 0]);
}

#[test]
fn a_hole_is_filled_on_demand_and_a_false_flow_is_no_object() {
    let disc = |x: usize, y: usize| x.abs_diff(20).pow(2) + y.abs_diff(18).pow(2) <= 200;
    let scene = Scene::of(41, (0..41 * 37).map(|i| u32::from(disc(i % 41, i / 41))).collect());
    for head in [Head::Center, Head::Flow] {
        let mut maps = scene.maps(head);
        maps.things[25 * 41 + 20] = 0.0;
        for (fill_holes, expected) in [(false, 0), (true, 1)] {
            let grouping = Grouping { fill_holes, ..Grouping::of(head) };
            assert_eq!(maps.decode_with(head, &grouping).unwrap().ids.ids()[25 * 41 + 20], expected, "{head}");
        }
    }
    // All flows turned by a quarter: what ends together does so for no reason.
    let maps = scene.maps(Head::Flow);
    let turned: Vec<f32> = maps.plane(0).iter().map(|value| -value).collect();
    let grouping = Grouping::of(Head::Flow);
    let found = decode_flow(41, 37, &maps.things, [maps.plane(1), &turned], &grouping).unwrap();
    assert_eq!(found.scores.len(), 0);
}

#[test]
fn small_objects_are_dropped() {
    let mut ids = vec![0; 400];
    for y in 4..7 {
        ids[y * 20 + 4..y * 20 + 7].fill(1);
    }
    let scene = Scene::of(20, ids);
    for head in HEADS {
        let least = |min_area: usize| Grouping { min_area, ..Grouping::of(head) };
        let maps = scene.maps(head);
        assert_eq!(maps.decode_with(head, &least(5)).unwrap().scores.len(), 1, "{head}");
        assert_eq!(maps.decode_with(head, &least(10)).unwrap().scores.len(), 0, "{head}");
    }
}

#[test]
fn planes_of_another_size_and_wrong_values_are_refused() {
    let maps = Scene::of(3, vec![1; 9]).maps(Head::Flow);
    let grouping = Grouping::default();
    let error = decode_flow(3, 3, &maps.things[1..], [maps.plane(0), maps.plane(1)], &grouping).unwrap_err();
    assert!(error.to_string().contains("foreground has 8 values"), "{error}");
    let wrong = Grouping { peak_window: 2, ..grouping };
    assert!(decode_flow(3, 3, &maps.things, [maps.plane(0), maps.plane(1)], &wrong).is_err());
    assert!(decode_flow(0, 0, &[], [&[], &[]], &grouping).is_err());
    let mut stars = Stars::new(4, 4, 0.1);
    stars.push_row(2, &[0.0; 1 + RAYS]);
    assert!(stars.decode(&grouping).unwrap_err().to_string().contains("row 2 of 4"));
    assert!(Stars::new(0, 4, 0.1).decode(&grouping).is_err());
}
