use super::*;
use proptest::prelude::*;
use vibhag_core::Keypoint;

/// Joints in a row, each joined with the next.
fn chain(joints: usize) -> Skeleton {
    let names: Vec<String> = (0..joints).map(|index| format!("joint{index}")).collect();
    let limbs: Vec<[usize; 2]> = (1..joints).map(|index| [index - 1, index]).collect();
    Skeleton::custom("chain", &names, &limbs).unwrap()
}

fn pose(score: f32, places: &[[f64; 2]]) -> Pose {
    let keypoints = places.iter().map(|&[x, y]| Keypoint::found(x, y, 0.9)).collect();
    Pose { keypoints, score, id: None }
}

fn mask(rows: &[&str]) -> BinaryMask {
    let pixels = rows.iter().flat_map(|row| row.bytes().map(|byte| byte == b'#')).collect();
    BinaryMask::new(rows[0].len(), rows.len(), pixels).unwrap()
}

fn parted(mask: &BinaryMask, poses: &[Pose]) -> Parting {
    part_people(mask, poses, &chain(2), &PartingOptions::default()).unwrap()
}

#[test]
fn distances_count_in_sizes_of_the_person() {
    // Sizes 3 and 6: pixel x is (x - 1) / 3 from the first and (8 - x) / 6 from the second, equal at 10 / 3.
    let row = mask(&["###########"]);
    let small = pose(0.4, &[[0.0, 0.0], [1.0, 0.0]]);
    let large = pose(0.9, &[[8.0, 0.0], [10.0, 0.0]]);
    let found = parted(&row, &[small.clone(), large]);
    assert_eq!(found.people, [Some(1), Some(0)]);
    assert_eq!(found.ids.ids(), [2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1]);
    // (x - 1) / 3 = (7 - x) / 6 at pixel 3, which the more certain one gets.
    for (score, owner) in [(0.9, Some(1)), (0.3, Some(0))] {
        let large = pose(score, &[[7.0, 0.0], [9.0, 0.0]]);
        let found = parted(&row, &[small.clone(), large]);
        assert_eq!(found.people[found.ids.ids()[3] as usize - 1], owner);
    }
}

#[test]
fn parts_that_no_skeleton_meets_are_fragments_people_or_nothing() {
    let options = PartingOptions { reach: 0.1, fragment: 0.01, min_share: 0.03, min_score_unseen: 0.5 };
    let part = |rows: &[&str], poses: &[Pose]| part_people(&mask(rows), poses, &chain(2), &options).unwrap();
    // Size 30, so that 3 pixels are near and 9 pixels a fragment.
    let standing = pose(0.3, &[[1.0, 0.0], [1.0, 10.0]]);
    let column = |beside: &'static str| [beside; 11];
    let found = part(&column("###..#......"), std::slice::from_ref(&standing));
    assert_eq!(found.people, [Some(0), None], "11 pixels within reach, but too many");
    assert_eq!(found.ids.ids()[..12], [1, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0]);
    let mut rows = column("###.........");
    rows[4] = "###.#.......";
    rows[5] = "###.#......#";
    let found = part(&rows, std::slice::from_ref(&standing));
    assert_eq!(found.people, [Some(0)]);
    assert_eq!(found.ids.ids()[5 * 12..6 * 12], [1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0], "a far speck is nobody's");
    // A skeleton a little beside its only body has it all the same.
    let found = part(&column("...###......"), std::slice::from_ref(&standing));
    assert_eq!(found.people, [Some(0)]);
    // Strangers by size, whatever stands further up.
    let found = part(&["#######.....", "............", "............", ".......#####", ".......#####"], &[]);
    assert_eq!((found.people, found.ids.ids()[0], found.ids.ids()[47]), (vec![None, None], 2, 1));
}

#[test]
fn skeletons_without_pixels_stay_if_they_are_certain() {
    let nothing = BinaryMask::new(5, 4, vec![false; 20]).unwrap();
    let poses = [0.2, 0.5, 0.9].map(|score| pose(score, &[[1.0, 1.0], [2.0, 2.0]]));
    let found = parted(&nothing, &poses);
    assert_eq!(found.people, [Some(2), Some(1)]);
    assert!(found.ids.ids().iter().all(|&id| id == 0));
}

#[test]
fn one_pixel_half_a_person_and_places_that_are_none() {
    let pixel = BinaryMask::new(1, 1, vec![true]).unwrap();
    assert_eq!(parted(&pixel, &[]).people, [None]);
    let cut = pose(0.6, &[[0.0, -40.0], [0.0, 2.0]]);
    assert_eq!(parted(&pixel, &[cut]).people, [Some(0)]);
    for place in [f64::NAN, f64::INFINITY, 1e300, -1e300] {
        let odd = pose(0.6, &[[place, 0.0], [0.0, place]]);
        assert_eq!(parted(&pixel, &[odd]).people, [Some(0), None], "{place}: a certain skeleton, nowhere");
    }
    let mut absent = pose(f32::NAN, &[[0.0; 2]; 2]);
    absent.keypoints.fill(Keypoint::ABSENT);
    assert_eq!(parted(&pixel, &[absent]).people, [None]);
}

#[test]
fn what_cannot_be_parted_is_an_error() {
    let pixel = BinaryMask::new(1, 1, vec![true]).unwrap();
    let error = |poses: &[Pose], options: PartingOptions| {
        part_people(&pixel, poses, &chain(2), &options).unwrap_err().to_string()
    };
    assert!(error(&[pose(1.0, &[[0.0; 2]; 3])], PartingOptions::default()).contains("3 keypoints"));
    for value in [f64::NAN, -1.0] {
        assert!(error(&[], PartingOptions { reach: value, ..PartingOptions::default() }).contains("reach"));
    }
}

/// Whose pixel it is; bodies are named by their pose.
fn owner(parting: &Parting, index: usize) -> Owner {
    match parting.ids.ids()[index] as usize {
        0 => Owner::Nobody,
        id => parting.people[id - 1].map_or(Owner::Stranger, Owner::Body),
    }
}

/// A mask of rough rectangles, and skeletons of three joints, some absent, at quarters of pixels so that mirrored sums
/// are exact; scores differ.
fn scene() -> impl Strategy<Value = (BinaryMask, Vec<Pose>)> {
    (4usize..40, 4usize..40).prop_flat_map(|(width, height)| {
        let boxes = proptest::collection::vec(proptest::array::uniform4(0.0f64..1.0), 0..7);
        let holes = proptest::collection::vec(proptest::bool::weighted(0.06), width * height);
        let joint = (-20i32..4 * width as i32 + 20, -20i32..4 * height as i32 + 20, proptest::bool::weighted(0.85));
        let people = proptest::collection::vec(proptest::array::uniform3(joint), 0..7);
        (boxes, holes, people).prop_map(move |(boxes, holes, people)| {
            let inside = |x: usize, y: usize| {
                let (x, y) = (x as f64 / width as f64, y as f64 / height as f64);
                boxes.iter().any(|b| (b[0]..b[0] + 0.6 * b[2]).contains(&x) && (b[1]..b[1] + 0.6 * b[3]).contains(&y))
            };
            let pixels = (0..width * height).map(|i| inside(i % width, i / width) != holes[i]).collect();
            let person = |(index, joints): (usize, [(i32, i32, bool); 3])| {
                let keypoints = joints.map(|(x, y, there)| {
                    let found = Keypoint::found(f64::from(x) / 4.0, f64::from(y) / 4.0, 0.9);
                    if there { found } else { Keypoint::ABSENT }
                });
                Pose { keypoints: keypoints.to_vec(), score: 0.9 - 0.1 * index as f32, id: None }
            };
            let poses = people.into_iter().enumerate().map(person).collect();
            (BinaryMask::new(width, height, pixels).unwrap(), poses)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_pixel_goes_where_the_rule_sends_it((mask, poses) in scene()) {
        let (skeleton, options) = (chain(3), PartingOptions { min_share: 0.02, ..PartingOptions::default() });
        let found = part_people(&mask, &poses, &skeleton, &options).unwrap();
        let (width, pixels) = (mask.width(), mask.pixels());
        let at = |index: usize| ((index % width) as f64, (index / width) as f64);
        let bodies: Vec<Body> = poses.iter().map(|pose| Body::new(pose, &skeleton)).collect();
        let parts = label_components(&mask, Connectivity::Eight);
        let nearest = |index: usize, among: &[usize]| {
            let (x, y) = at(index);
            among.iter().map(|&body| (bodies[body].distance(x, y), body)).min_by(|a, b| a.0.total_cmp(&b.0))
        };
        let meets = |body: usize, label: u32| {
            (0..pixels.len()).any(|i| parts.labels[i] == label && {
                let (x, y) = at(i);
                bodies[body].distance(x, y) * bodies[body].size <= 0.75 + 1e-9
            })
        };
        let has_pixels: Vec<bool> =
            (0..poses.len()).map(|body| (1..=parts.count() as u32).any(|label| meets(body, label))).collect();
        let everybody: Vec<usize> = (0..poses.len()).collect();
        for label in 1..=parts.count() as u32 {
            let own: Vec<usize> = (0..pixels.len()).filter(|&i| parts.labels[i] == label).collect();
            let rivals: Vec<usize> = everybody.iter().copied().filter(|&body| meets(body, label)).collect();
            if !rivals.is_empty() {
                for &i in &own {
                    let (_, body) = nearest(i, &rivals).unwrap();
                    prop_assert_eq!(owner(&found, i), Owner::Body(body));
                }
                continue;
            }
            let near = own.iter().filter_map(|&i| nearest(i, &everybody)).min_by(|a, b| a.partial_cmp(b).unwrap());
            let near = near.filter(|&(distance, body)| {
                let small = own.len() as f64 <= options.fragment * bodies[body].size.powi(2);
                distance <= options.reach && (small || !has_pixels[body])
            });
            let large = own.len() as f64 >= (options.min_share * pixels.len() as f64).max(1.0);
            let alone = if large { Owner::Stranger } else { Owner::Nobody };
            let expected = near.map_or(alone, |(_, body)| Owner::Body(body));
            prop_assert!(own.iter().all(|&i| owner(&found, i) == expected));
        }
        prop_assert!((0..pixels.len()).all(|i| pixels[i] || found.ids.ids()[i] == 0), "background is nobody's");
        // Numbers have no gaps but for certain people whom nothing shows, and go from the most certain to strangers.
        for (number, person) in (1u32..).zip(&found.people) {
            let seen = found.ids.ids().contains(&number);
            prop_assert!(seen || person.is_some_and(|pose| poses[pose].score >= options.min_score_unseen));
        }
        let scores: Vec<f32> = found.people.iter().map(|person| person.map_or(-1.0, |pose| poses[pose].score)).collect();
        prop_assert!(scores.is_sorted_by(|a, b| a >= b), "{:?}", scores);
    }

    #[test]
    fn the_order_of_the_people_makes_no_difference((mask, mut poses) in scene(), turn in 0usize..7, equal in any::<bool>()) {
        if equal {
            for pose in &mut poses {
                pose.score = 0.6;
            }
        }
        let options = PartingOptions::default();
        let found = part_people(&mask, &poses, &chain(3), &options).unwrap();
        let mut other = poses.clone();
        other.rotate_left(turn % poses.len().max(1));
        other.reverse();
        let turned = part_people(&mask, &other, &chain(3), &options).unwrap();
        prop_assert_eq!(&found.ids, &turned.ids);
        let poses_of = |parting: &Parting, poses: &[Pose]| -> Vec<Option<Pose>> {
            parting.people.iter().map(|person| person.map(|pose| poses[pose].clone())).collect()
        };
        prop_assert_eq!(poses_of(&found, &poses), poses_of(&turned, &other));
    }

    #[test]
    fn a_mirrored_picture_is_parted_alike((mask, poses) in scene()) {
        let (skeleton, options, width) = (chain(3), PartingOptions::default(), mask.width());
        let flip = |index: usize| index / width * width + width - 1 - index % width;
        let pixels = (0..mask.pixels().len()).map(|i| mask.pixels()[flip(i)]).collect();
        let mirrored = BinaryMask::new(width, mask.height(), pixels).unwrap();
        let turned: Vec<Pose> = poses.iter().map(|pose| pose.mirrored(&skeleton, width).unwrap()).collect();
        let found = part_people(&mask, &poses, &skeleton, &options).unwrap();
        let flipped = part_people(&mirrored, &turned, &skeleton, &options).unwrap();
        for i in 0..mask.pixels().len() {
            prop_assert_eq!(owner(&found, i), owner(&flipped, flip(i)), "pixel {}", i);
        }
    }
}
