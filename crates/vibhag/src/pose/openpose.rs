//! OpenPose's JSON (version 1.3): the people of one image.

use serde::Serialize;
use vibhag_core::Pose;

use crate::files::hundredths;

/// The file of an image.
#[derive(Debug, Serialize)]
pub(super) struct File {
    version: f64,
    people: Vec<Person>,
}

/// A person. Faces, hands and 3-D keypoints are not looked for, but readers expect their lists.
#[allow(clippy::struct_field_names, reason = "the names of OpenPose's format")]
#[derive(Debug, Default, Serialize)]
struct Person {
    /// The number in a video; -1 without one.
    person_id: [i64; 1],
    /// x, y and score of each keypoint; zeros where there is none.
    pose_keypoints_2d: Vec<f64>,
    face_keypoints_2d: [f64; 0],
    hand_left_keypoints_2d: [f64; 0],
    hand_right_keypoints_2d: [f64; 0],
    pose_keypoints_3d: [f64; 0],
    face_keypoints_3d: [f64; 0],
    hand_left_keypoints_3d: [f64; 0],
    hand_right_keypoints_3d: [f64; 0],
}

/// The file of poses whose keypoints are in OpenPose's order. People none of whose keypoints is there are left out.
pub(super) fn file(poses: &[Pose]) -> File {
    let people = poses
        .iter()
        .filter(|pose| pose.present() > 0)
        .map(|pose| Person {
            person_id: [pose.id.map_or(-1, i64::from)],
            pose_keypoints_2d: pose
                .keypoints
                .iter()
                .flat_map(|keypoint| {
                    if keypoint.is_present() {
                        let score = (1e4 * f64::from(keypoint.score)).round() / 1e4;
                        [hundredths(keypoint.x), hundredths(keypoint.y), score]
                    } else {
                        [0.0; 3]
                    }
                })
                .collect(),
            ..Person::default()
        })
        .collect();
    File { version: 1.3, people }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Keypoint;

    #[test]
    fn people_are_flat_lists_with_zeros_for_what_is_absent() {
        let keypoints = vec![Keypoint::found(1.234_56, -2.0, 0.5), Keypoint::ABSENT];
        let nobody = Pose { keypoints: vec![Keypoint::ABSENT; 2], score: 0.2, id: None };
        let text = serde_json::to_string(&file(&[Pose { keypoints, score: 0.25, id: Some(7) }, nobody])).unwrap();
        let expected = concat!(
            r#"{"version":1.3,"people":[{"person_id":[7],"pose_keypoints_2d":[1.23,-2.0,0.5,0.0,0.0,0.0],"#,
            r#""face_keypoints_2d":[],"hand_left_keypoints_2d":[],"hand_right_keypoints_2d":[],"#,
            r#""pose_keypoints_3d":[],"face_keypoints_3d":[],"hand_left_keypoints_3d":[],"hand_right_keypoints_3d":[]}]}"#
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::to_string(&file(&[])).unwrap(), r#"{"version":1.3,"people":[]}"#);
    }
}
