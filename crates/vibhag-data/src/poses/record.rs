//! One person of a COCO keypoint file: the fields as they stand there, and the person that they describe.

use serde::Deserialize;
use vibhag_core::{Keypoint, Person, Pose, Skeleton, Visibility};

use crate::annotations::json::Value;

/// The fields of an annotation. None of them is sure to be there or of the right type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawPerson {
    pub(super) id: Value,
    pub(super) image_id: Value,
    pub(super) category_id: Value,
    keypoints: Value,
    num_keypoints: Value,
    area: Value,
    bbox: Value,
    iscrowd: Value,
}

/// Keypoints this far beyond the image, in pixels, lie on its border: some tools count from the pixel's corner.
const BORDER: f64 = 1.0;

impl RawPerson {
    /// The person on an image of `size` (width, height), and what is wrong with it, a sentence for each fault. A keypoint
    /// with a fault is absent; somebody without a usable keypoint is unlabelled, and nobody where not even a box is known.
    pub(super) fn person(&self, skeleton: &Skeleton, size: (usize, usize)) -> (Option<Person>, Vec<String>) {
        let mut faults = Vec::new();
        let keypoints = self.keypoints(skeleton, size, &mut faults);
        let pose = Pose { keypoints, score: 1.0, id: None };
        let bounds = self.bounds(&pose, &mut faults);
        let crowd = self.iscrowd.whole().is_some_and(|crowd| crowd != 0);
        let person = bounds.map(|bounds| Person { area: self.area(bounds, &mut faults), pose, bounds, crowd });
        (person, faults)
    }

    fn keypoints(&self, skeleton: &Skeleton, size: (usize, usize), faults: &mut Vec<String>) -> Vec<Keypoint> {
        let absent = vec![Keypoint::ABSENT; skeleton.len()];
        let numbers: Vec<f64> = match &self.keypoints {
            // People whom nobody labelled may lack the list.
            Value::Absent => return absent,
            Value::Numbers(numbers) => numbers.clone(),
            // A text stands where JSON cannot hold the number.
            Value::List(values) => values.iter().map(|value| value.number().unwrap_or(f64::NAN)).collect(),
            _ => {
                faults.push("keypoints is no list of numbers".to_owned());
                return absent;
            }
        };
        if numbers.len() != 3 * skeleton.len() {
            faults.push(format!(
                "keypoints has {} numbers, not x, y and visibility of each of {} keypoints",
                numbers.len(),
                skeleton.len()
            ));
            return absent;
        }
        let triples = numbers.chunks_exact(3).zip(&skeleton.keypoints);
        let keypoints: Vec<Keypoint> = triples
            .map(|(triple, name)| {
                keypoint([triple[0], triple[1], triple[2]], size).unwrap_or_else(|what| {
                    faults.push(format!("{name} {what}"));
                    Keypoint::ABSENT
                })
            })
            .collect();
        let labelled = numbers.chunks_exact(3).filter(|triple| triple[2] > 0.0).count();
        if self.num_keypoints != Value::Absent && self.num_keypoints.whole() != Some(labelled as u64) {
            faults.push(format!("num_keypoints does not say that {labelled} keypoints are labelled"));
        }
        keypoints
    }

    /// The box that the file states, or the one around the keypoints.
    fn bounds(&self, pose: &Pose, faults: &mut Vec<String>) -> Option<[f64; 4]> {
        let stated = self.bbox.numbers().and_then(|values| <[f64; 4]>::try_from(values).ok());
        let stated = stated.filter(|b| b.iter().all(|value| value.is_finite()) && b[2] >= 0.0 && b[3] >= 0.0);
        let bounds = stated.or_else(|| pose.bounds());
        if stated.is_none() && (self.bbox != Value::Absent || bounds.is_none()) {
            faults.push("bbox is not left, top, width and height".to_owned());
        }
        bounds
    }

    fn area(&self, [.., width, height]: [f64; 4], faults: &mut Vec<String>) -> f64 {
        let stated = self.area.number().filter(|area| area.is_finite() && *area >= 0.0);
        if stated.is_none() && self.area != Value::Absent {
            faults.push("area is no number from 0 on".to_owned());
        }
        stated.unwrap_or(width * height)
    }
}

/// The keypoint, or what is wrong with it.
fn keypoint([x, y, visibility]: [f64; 3], (width, height): (usize, usize)) -> Result<Keypoint, String> {
    let visibility = match visibility {
        0.0 => return Ok(Keypoint::ABSENT),
        1.0 => Visibility::Occluded,
        2.0 => Visibility::Visible,
        other => return Err(format!("has visibility {other}, not 0, 1 or 2")),
    };
    if !(x.is_finite() && y.is_finite()) {
        return Err("is labelled, but its place is no number".to_owned());
    }
    let inside = |value: f64, side: usize| (-BORDER..=side as f64 - 1.0 + BORDER).contains(&value);
    if !(inside(x, width) && inside(y, height)) {
        return Err(format!("lies at ({x}, {y}), outside the image of {width}x{height} pixels"));
    }
    Ok(Keypoint { x, y, score: 1.0, visibility })
}
