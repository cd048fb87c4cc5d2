use super::*;
use crate::pose::{Keypoint, Pose, Visibility};

fn all() -> Vec<Skeleton> {
    SKELETONS.iter().map(SkeletonSpec::skeleton).collect()
}

#[test]
fn every_skeleton_of_the_registry_is_sound_and_symmetric() {
    let sizes: Vec<(usize, usize, usize)> =
        all().iter().map(|s| (s.len(), s.limbs.len(), s.flip_pairs.len())).collect();
    assert_eq!(sizes, [(17, 19, 8), (18, 19, 8), (25, 26, 11), (16, 15, 6), (14, 14, 6)]);
    for skeleton in all() {
        skeleton.validate().unwrap();
        let order = skeleton.mirror_order();
        assert!((0..skeleton.len()).all(|k| order[order[k]] == k), "{}", skeleton.name);
        let limbs = skeleton.mirrored_limbs().unwrap();
        for (limb, &(image, reversed)) in limbs.iter().enumerate() {
            assert_eq!(limbs[image], (limb, reversed), "{}: limb {limb}", skeleton.name);
        }
        for root in 0..skeleton.len() {
            let tree = skeleton.tree(root).unwrap();
            assert_eq!(tree.len(), skeleton.len() - 1);
            for (place, &[parent, _]) in tree.iter().enumerate() {
                assert!(parent == root || tree[..place].iter().any(|edge| edge[1] == parent));
            }
        }
    }
}

#[test]
fn sigmas_of_coco_are_the_official_ones() {
    let official =
        [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89];
    let ours = Skeleton::named("coco-17").unwrap().sigmas;
    assert!(ours.iter().zip(official).all(|(ours, official)| (ours - official / 10.0).abs() < 1e-15), "{ours:?}");
}

#[test]
fn names_find_skeletons_however_they_are_written() {
    assert_eq!(Skeleton::named("BODY_25").unwrap().len(), 25);
    assert_eq!(Skeleton::named("COCO_18").unwrap().index("RAnkle"), Some(10));
    let error = Skeleton::named("coco-19").unwrap_err().to_string();
    assert!(error.contains("coco-19") && error.contains("lsp-14"), "{error}");
}

#[test]
fn a_joint_has_one_name_however_it_is_spelled() {
    for name in ["RShoulder", "r_shoulder", "Right Shoulder", "shoulder-right", "rshoulder", "right.shoulder"] {
        assert_eq!(canonical(name), "right_shoulder", "{name}");
    }
    assert_eq!(canonical("LBigToe"), "left_big_toe");
    assert_eq!(canonical("MidHip"), "pelvis");
    assert_eq!(canonical("Head-Top"), "head_top");
    assert_eq!(canonical("left_ear"), "left_ear");
    assert_eq!(canonical("ear"), "ear");
    assert_eq!(canonical("tail base"), "tail_base");
    assert_eq!(canonical(""), "");
}

#[test]
fn a_category_of_coco_becomes_its_skeleton() {
    let spec = &SKELETONS[0];
    let limbs: Vec<[usize; 2]> = spec.limbs.iter().map(|&[a, b]| [a + 1, b + 1]).collect();
    let read = Skeleton::from_coco("coco-17", spec.keypoints, &limbs).unwrap();
    assert_eq!(read, spec.skeleton());

    let animal = Skeleton::from_coco("cat", &["l_paw", "tail", "r_paw"], &[[1, 2], [2, 3]]).unwrap();
    assert_eq!((animal.flip_pairs, animal.limbs), (vec![[0, 2]], vec![[0, 1], [1, 2]]));
    assert_eq!(animal.sigmas, [UNKNOWN_SIGMA; 3]);
}

#[test]
fn faults_of_a_skeleton_are_named() {
    let names = ["a", "b", "c"];
    let none: [&str; 0] = [];
    assert!(Skeleton::from_coco("x", &names, &[[0, 1]]).unwrap_err().to_string().contains("counts keypoints from 1"));
    assert!(Skeleton::from_coco("x", &names, &[[1, 4]]).unwrap_err().to_string().contains("limb 0"));
    assert!(Skeleton::custom("x", &names, &[[1, 1]]).unwrap_err().to_string().contains("itself"));
    assert!(Skeleton::custom("x", &names, &[[0, 1], [1, 0]]).unwrap_err().to_string().contains("two limbs"));
    assert!(Skeleton::custom("x", &["a", "a"], &[]).unwrap_err().to_string().contains("two keypoints"));
    assert!(Skeleton::custom("x", &["a", " "], &[]).unwrap_err().to_string().contains("no name"));
    assert!(Skeleton::custom("x", &none, &[]).unwrap_err().to_string().contains("at least one"));

    let good = Skeleton::named("lsp-14").unwrap();
    let broken = |change: fn(&mut Skeleton)| {
        let mut skeleton = good.clone();
        change(&mut skeleton);
        skeleton.validate().unwrap_err().to_string()
    };
    assert!(broken(|s| s.flip_pairs.push([0, 20])).contains("flip pair"));
    assert!(broken(|s| s.flip_pairs.push([0, 6])).contains("another mirror image"));
    assert!(broken(|s| s.sigmas[3] = 0.0).contains("sigma"));
    assert!(broken(|s| s.sigmas[0] = 0.5).contains("different sigmas"));
    assert!(broken(|s| s.sigmas.truncate(2)).contains("2 sigmas"));
    assert!(Skeleton::custom("x", &names, &[[0, 1]]).unwrap().tree(0).unwrap_err().to_string().contains("\"c\""));
    assert!(good.tree(14).is_err());
}

/// A pose whose keypoint `k` lies at `(k, 10 k)`.
fn ramp(skeleton: &Skeleton) -> Pose {
    let keypoints = (0..skeleton.len()).map(|k| Keypoint::found(k as f64, 10.0 * k as f64, 0.5 + k as f32 / 64.0));
    Pose { keypoints: keypoints.collect(), score: 0.75, id: Some(3) }
}

#[test]
fn a_neck_is_put_between_the_shoulders_and_joints_keep_their_places() {
    let (coco, open) = (Skeleton::named("coco-17").unwrap(), Skeleton::named("coco-18").unwrap());
    let conversion = Conversion::new(&coco, &open).unwrap();
    assert!(conversion.missing().is_empty());
    let pose = ramp(&coco);
    let converted = conversion.apply(&pose).unwrap();
    assert_eq!((converted.score, converted.id), (0.75, Some(3)));
    let neck = converted.keypoints[1];
    assert_eq!((neck.x, neck.y, neck.score), (5.5, 55.0, 0.5 + 5.0 / 64.0));
    let back = Conversion::new(&open, &coco).unwrap().apply(&converted).unwrap();
    assert_eq!(back, pose);
}

#[test]
fn what_nothing_tells_of_is_absent() {
    let [coco, body, lsp] = ["coco-17", "body-25", "lsp-14"].map(|name| Skeleton::named(name).unwrap());
    let conversion = Conversion::new(&coco, &body).unwrap();
    let feet = ["left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"];
    assert_eq!(conversion.missing(), feet);
    let mut pose = ramp(&coco);
    pose.keypoints[5] = Keypoint::ABSENT;
    pose.keypoints[12].visibility = Visibility::Occluded;
    let converted = conversion.apply(&pose).unwrap();
    assert!(!converted.keypoints[1].is_present() && !converted.keypoints[24].is_present());
    assert_eq!(converted.keypoints[8].visibility, Visibility::Occluded);
    assert_eq!(converted.keypoints[8].x, 11.5);
    assert_eq!(Conversion::new(&coco, &lsp).unwrap().missing(), ["head_top"]);

    let cat = Skeleton::custom("cat", &["paw"], &[]).unwrap();
    assert!(Conversion::new(&cat, &coco).unwrap_err().to_string().contains("no joint in common"));
    assert!(conversion.apply(&ramp(&lsp)).unwrap_err().to_string().contains("14 keypoints"));
}

#[test]
fn a_skeleton_survives_serialisation() {
    for skeleton in all() {
        let text = serde_json::to_string(&skeleton).unwrap();
        assert_eq!(serde_json::from_str::<Skeleton>(&text).unwrap(), skeleton);
    }
}
