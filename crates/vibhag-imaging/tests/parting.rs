//! Crowds whose bodies are known, parted again: bodies are limbs (and the middle of the trunk) grown by a share of the person's size, so that a pixel of
//! one body alone is nearer to its owner, in sizes, than to anybody else.

#![allow(clippy::unwrap_used, reason = "test helpers; clippy exempts test functions only")]

mod people;

use people::Crowd;
use proptest::prelude::*;
use vibhag_core::{BinaryMask, Keypoint, Pose, Skeleton};
use vibhag_imaging::pose::{Parting, PartingOptions, part_people};

/// How far a body reaches around its limbs, as a share of the size.
const THICK: f64 = 0.05;

/// For each pixel how many bodies cover it, and the last of them.
struct Bodies {
    mask: BinaryMask,
    covered: Vec<(usize, usize)>,
}

fn bodies(width: usize, height: usize, people: &[Pose], skeleton: &Skeleton) -> Bodies {
    let mut covered = vec![(0, 0); width * height];
    for (person, pose) in people.iter().enumerate() {
        let joined = skeleton.limbs.iter().map(|limb| limb.map(|end| pose.keypoints[end]));
        let mut limbs: Vec<[Keypoint; 2]> = joined.filter(|ends| ends.iter().all(Keypoint::is_present)).collect();
        let between = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|name| pose.keypoints[skeleton.index(name).unwrap()]);
            let middle = Keypoint::found(f64::midpoint(a.x, b.x), f64::midpoint(a.y, b.y), 1.0);
            (a.is_present() && b.is_present()).then_some(middle)
        };
        let trunk = [between("left_shoulder", "right_shoulder"), between("left_hip", "right_hip")];
        if let [Some(top), Some(bottom)] = trunk {
            limbs.push([top, bottom]);
        }
        let mut lengths: Vec<f64> = limbs.iter().map(|[a, b]| (a.x - b.x).hypot(a.y - b.y)).collect();
        lengths.sort_by(|a, b| b.total_cmp(a));
        let radius = THICK * 3.0 * lengths[1];
        let mut own = vec![false; width * height];
        for [a, b] in limbs {
            let rows = (a.y.min(b.y) - radius).max(0.0) as usize..((a.y.max(b.y) + radius) as usize + 1).min(height);
            for y in rows {
                let columns =
                    (a.x.min(b.x) - radius).max(0.0) as usize..((a.x.max(b.x) + radius) as usize + 1).min(width);
                for x in columns {
                    let (dx, dy, px, py) = (b.x - a.x, b.y - a.y, x as f64 - a.x, y as f64 - a.y);
                    let share = ((px * dx + py * dy) / (dx * dx + dy * dy).max(1e-12)).clamp(0.0, 1.0);
                    own[y * width + x] |= (px - share * dx).hypot(py - share * dy) <= radius;
                }
            }
        }
        for (covered, _) in covered.iter_mut().zip(own).filter(|(_, own)| *own) {
            *covered = (covered.0 + 1, person);
        }
    }
    let mask = BinaryMask::new(width, height, covered.iter().map(|(count, _)| *count > 0).collect()).unwrap();
    Bodies { mask, covered }
}

fn check(crowd: &Crowd) -> Result<Parting, TestCaseError> {
    let drawn = bodies(crowd.width, crowd.height, &crowd.people, &crowd.skeleton);
    let found = part_people(&drawn.mask, &crowd.people, &crowd.skeleton, &PartingOptions::default()).unwrap();
    let mut alone = 0;
    for (&(count, person), &id) in drawn.covered.iter().zip(found.ids.ids()) {
        prop_assert_eq!(count == 0, id == 0);
        if count == 1 {
            alone += 1;
            prop_assert_eq!(found.people[id as usize - 1], Some(person));
        }
    }
    prop_assert!(alone > 0);
    Ok(found)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn people_before_and_behind_each_other_keep_what_is_theirs_alone(seed in any::<u64>(), count in 1usize..9) {
        check(&Crowd::heap(seed, "coco-17", [320, 240], count))?;
    }

    #[test]
    fn sixty_people_keep_what_is_theirs_alone(seed in any::<u64>(), count in 40usize..=60) {
        let found = check(&Crowd::rows(seed, "body-25", [960, 540], count))?;
        prop_assert_eq!(found.people.len(), count);
    }
}

#[test]
fn a_child_that_touches_an_adult_keeps_its_pixels() {
    let skeleton = Skeleton::named("coco-17").unwrap();
    // Shoulders, hips, knees and ankles of somebody upright around x, feet at y = 190.
    let upright = |x: f64, tall: f64| {
        let places = [(5, 0.13, 0.82), (6, -0.13, 0.82), (11, 0.08, 0.52), (12, -0.08, 0.52)];
        let legs = [(13, 0.08, 0.28), (14, -0.08, 0.28), (15, 0.08, 0.02), (16, -0.08, 0.02)];
        let mut keypoints = vec![Keypoint::ABSENT; 17];
        for (joint, across, up) in places.into_iter().chain(legs) {
            keypoints[joint] = Keypoint::found(x + across * tall, 190.0 - up * tall, 0.9);
        }
        Pose { keypoints, score: 0.9, id: None }
    };
    let people = [upright(60.0, 180.0), upright(91.0, 60.0)];
    let drawn = bodies(200, 200, &people, &skeleton);
    let found = part_people(&drawn.mask, &people, &skeleton, &PartingOptions::default()).unwrap();
    let both = drawn.covered.iter().filter(|(count, _)| *count == 2).count();
    assert!(both > 0, "they touch");
    let of = |person: usize| drawn.covered.iter().filter(|covered| **covered == (1, person)).count();
    assert!(of(1) > 300, "{}", of(1));
    for (&(count, person), &id) in drawn.covered.iter().zip(found.ids.ids()) {
        if count == 1 {
            assert_eq!(found.people[id as usize - 1], Some(person));
        }
    }
}

/// `cargo test -p vibhag-imaging --test parting -- --ignored --nocapture` prints the time.
#[test]
#[ignore = "a measurement"]
fn time_of_twelve_megapixels() {
    for count in [1, 10, 60] {
        let crowd = Crowd::rows(7, "body-25", [4000, 3000], count);
        let drawn = bodies(crowd.width, crowd.height, &crowd.people, &crowd.skeleton);
        // Everything is foreground, the worst case: all people in one part.
        let full = BinaryMask::new(crowd.width, crowd.height, vec![true; crowd.width * crowd.height]).unwrap();
        for (name, mask) in [("bodies", &drawn.mask), ("full", &full)] {
            let began = std::time::Instant::now();
            let found = part_people(mask, &crowd.people, &crowd.skeleton, &PartingOptions::default()).unwrap();
            println!("{count} people, {name}: {:.2?}, {} found", began.elapsed(), found.people.len());
        }
    }
}
