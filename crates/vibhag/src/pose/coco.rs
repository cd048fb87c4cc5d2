//! COCO's results of keypoint detection: one list for all images, as `pycocotools` loads it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Row, hundredths};

/// COCO's number of people.
const PERSON: u32 = 1;

/// A person in one of the images.
#[derive(Debug, Serialize)]
pub(super) struct Detection {
    image_id: u64,
    category_id: u32,
    /// x, y and 1 of each keypoint; zeros where there is none.
    keypoints: Vec<f64>,
    score: f32,
}

/// The people of all images.
pub(super) fn results(rows: &[Row]) -> Vec<Detection> {
    let detection = |image_id: u64, pose: &vibhag_core::Pose| Detection {
        image_id,
        category_id: PERSON,
        keypoints: pose
            .keypoints
            .iter()
            .flat_map(|keypoint| {
                if keypoint.is_present() { [hundredths(keypoint.x), hundredths(keypoint.y), 1.0] } else { [0.0; 3] }
            })
            .collect(),
        score: pose.score,
    };
    rows.iter()
        .filter_map(|row| Some((row.image_id?, &row.people)))
        .flat_map(|(id, people)| people.iter().map(move |pose| detection(id, pose)))
        .collect()
}

/// The numbers of images: those in their names, where every name has one and no two the same, as COCO names them
/// (`000000000139.jpg`, `COCO_val2014_000000000139.jpg`); from 1 by order otherwise.
pub(super) fn image_ids(images: &[PathBuf]) -> Vec<u64> {
    let named: Option<Vec<u64>> = images.iter().map(|path| number_of(path)).collect();
    match named {
        Some(ids) if ids.iter().collect::<BTreeSet<_>>().len() == images.len() => ids,
        _ => (1..).take(images.len()).collect(),
    }
}

/// The digits at the end of a file's stem, which must begin it or follow an underscore.
fn number_of(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    stem.rsplit('_').next().filter(|last| last.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::{Keypoint, Pose};

    #[test]
    fn images_have_the_numbers_of_their_names_where_all_have_one() {
        let ids = |names: &[&str]| image_ids(&names.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(ids(&["a/000000000139.jpg", "COCO_val2014_000000000042.jpg"]), [139, 42]);
        assert_eq!(ids(&["5.jpg", "a/5.png"]), [1, 2]);
        assert_eq!(ids(&["5.jpg", "photo7.png"]), [1, 2]);
        assert_eq!(ids(&["_.jpg"]), [1]);
    }

    #[test]
    fn failed_images_have_no_detections() {
        let pose = Pose { keypoints: vec![Keypoint::found(3.0, 4.567, 0.2), Keypoint::ABSENT], score: 0.5, id: None };
        let row = |people: Vec<Pose>, id| Row { people, ..Row::new(Path::new("a.jpg"), Some(id)) };
        let found = results(&[row(vec![pose], 9), row(Vec::new(), 10)]);
        assert_eq!(
            serde_json::to_string(&found).unwrap(),
            r#"[{"image_id":9,"category_id":1,"keypoints":[3.0,4.57,1.0,0.0,0.0,0.0],"score":0.5}]"#
        );
    }
}
