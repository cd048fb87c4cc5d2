//! The skeletons that everybody uses.

use super::{Skeleton, names};

/// A skeleton of the registry. Mirror images and sigmas follow from the names of its keypoints.
#[derive(Debug, Clone, Copy)]
pub struct SkeletonSpec {
    /// The name that users type.
    pub name: &'static str,
    /// Where it comes from, for people.
    pub summary: &'static str,
    /// Names of the keypoints, in order.
    pub keypoints: &'static [&'static str],
    /// Pairs of keypoints, from 0, in the order of the source.
    pub limbs: &'static [[usize; 2]],
}

impl SkeletonSpec {
    /// The skeleton.
    pub fn skeleton(&self) -> Skeleton {
        let keypoints: Vec<String> = self.keypoints.iter().map(|&name| name.to_owned()).collect();
        Skeleton {
            name: self.name.to_owned(),
            limbs: self.limbs.to_vec(),
            flip_pairs: names::flip_pairs(&keypoints),
            sigmas: keypoints.iter().map(|name| names::sigma(name).unwrap_or(super::UNKNOWN_SIGMA)).collect(),
            keypoints,
        }
    }
}

/// The skeletons by name.
pub const SKELETONS: &[SkeletonSpec] = &[
    SkeletonSpec {
        name: "coco-17",
        summary: "COCO's 17 keypoints (Lin et al., ECCV 2014)",
        keypoints: &[
            "nose",
            "left_eye",
            "right_eye",
            "left_ear",
            "right_ear",
            "left_shoulder",
            "right_shoulder",
            "left_elbow",
            "right_elbow",
            "left_wrist",
            "right_wrist",
            "left_hip",
            "right_hip",
            "left_knee",
            "right_knee",
            "left_ankle",
            "right_ankle",
        ],
        #[rustfmt::skip]
        limbs: &[
            [15, 13], [13, 11], [16, 14], [14, 12], [11, 12], [5, 11], [6, 12], [5, 6], [5, 7], [6, 8], [7, 9],
            [8, 10], [1, 2], [0, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 6],
        ],
    },
    SkeletonSpec {
        name: "coco-18",
        summary: "OpenPose's COCO model: COCO's keypoints in its order, and the neck (Cao et al., TPAMI 2019)",
        keypoints: &[
            "nose",
            "neck",
            "right_shoulder",
            "right_elbow",
            "right_wrist",
            "left_shoulder",
            "left_elbow",
            "left_wrist",
            "right_hip",
            "right_knee",
            "right_ankle",
            "left_hip",
            "left_knee",
            "left_ankle",
            "right_eye",
            "left_eye",
            "right_ear",
            "left_ear",
        ],
        #[rustfmt::skip]
        limbs: &[
            [1, 2], [1, 5], [2, 3], [3, 4], [5, 6], [6, 7], [1, 8], [8, 9], [9, 10], [1, 11], [11, 12], [12, 13],
            [1, 0], [0, 14], [14, 16], [0, 15], [15, 17], [2, 16], [5, 17],
        ],
    },
    SkeletonSpec {
        name: "body-25",
        summary: "OpenPose's BODY_25: the same with the middle of the hips and the feet",
        keypoints: &[
            "nose",
            "neck",
            "right_shoulder",
            "right_elbow",
            "right_wrist",
            "left_shoulder",
            "left_elbow",
            "left_wrist",
            "mid_hip",
            "right_hip",
            "right_knee",
            "right_ankle",
            "left_hip",
            "left_knee",
            "left_ankle",
            "right_eye",
            "left_eye",
            "right_ear",
            "left_ear",
            "left_big_toe",
            "left_small_toe",
            "left_heel",
            "right_big_toe",
            "right_small_toe",
            "right_heel",
        ],
        #[rustfmt::skip]
        limbs: &[
            [1, 8], [9, 10], [10, 11], [8, 9], [8, 12], [12, 13], [13, 14], [1, 2], [2, 3], [3, 4], [2, 17], [1, 5],
            [5, 6], [6, 7], [5, 18], [1, 0], [0, 15], [0, 16], [15, 17], [16, 18], [14, 19], [19, 20], [14, 21],
            [11, 22], [22, 23], [11, 24],
        ],
    },
    SkeletonSpec {
        name: "mpii-16",
        summary: "MPII Human Pose's 16 joints (Andriluka et al., CVPR 2014)",
        keypoints: &[
            "right_ankle",
            "right_knee",
            "right_hip",
            "left_hip",
            "left_knee",
            "left_ankle",
            "pelvis",
            "thorax",
            "upper_neck",
            "head_top",
            "right_wrist",
            "right_elbow",
            "right_shoulder",
            "left_shoulder",
            "left_elbow",
            "left_wrist",
        ],
        #[rustfmt::skip]
        limbs: &[
            [0, 1], [1, 2], [2, 6], [6, 3], [3, 4], [4, 5], [6, 7], [7, 8], [8, 9], [10, 11], [11, 12], [12, 7],
            [7, 13], [13, 14], [14, 15],
        ],
    },
    SkeletonSpec {
        name: "lsp-14",
        summary: "Leeds Sports Pose's 14 joints (Johnson and Everingham, BMVC 2010)",
        keypoints: &[
            "right_ankle",
            "right_knee",
            "right_hip",
            "left_hip",
            "left_knee",
            "left_ankle",
            "right_wrist",
            "right_elbow",
            "right_shoulder",
            "left_shoulder",
            "left_elbow",
            "left_wrist",
            "neck",
            "head_top",
        ],
        #[rustfmt::skip]
        limbs: &[
            [0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [6, 7], [7, 8], [9, 10], [10, 11], [8, 12], [9, 12], [12, 13],
            [2, 8], [3, 9],
        ],
    },
];
