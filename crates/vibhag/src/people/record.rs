//! What `NAME_people.json` holds.

use serde::Serialize;
use vibhag_core::annotation::masks_of;
use vibhag_core::{Keypoint, Pose, Rle, Skeleton};
use vibhag_imaging::outlines;
use vibhag_imaging::pose::Parting;

use crate::files::hundredths;

/// Everybody in a photo.
#[derive(Debug, Clone, Serialize)]
pub struct PhotoRecord {
    /// The photo's file name.
    pub image: String,
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// What the keypoints are.
    pub skeleton: SkeletonRecord,
    /// The people with a skeleton by falling score, then those without, the larger first.
    pub people: Vec<PersonRecord>,
    /// The file name of the matte, beside the record: grey, white is people.
    pub matte: String,
    /// The file name of the picture, beside the record.
    pub picture: String,
}

/// A skeleton, said once for everybody.
#[derive(Debug, Clone, Serialize)]
pub struct SkeletonRecord {
    /// Its name, `coco-17` of the network that comes with the program.
    pub name: String,
    /// Names of the keypoints, in the order of everybody's.
    pub keypoints: Vec<String>,
    /// Pairs of keypoints, counted from 0, that a limb joins.
    pub limbs: Vec<[usize; 2]>,
}

impl SkeletonRecord {
    /// What `skeleton` is.
    pub(super) fn of(skeleton: &Skeleton) -> Self {
        Self { name: skeleton.name.clone(), keypoints: skeleton.keypoints.clone(), limbs: skeleton.limbs.clone() }
    }
}

/// One person. Nobody shares a pixel with anybody else.
#[derive(Debug, Clone, Serialize)]
pub struct PersonRecord {
    /// From 1 on, as in the picture.
    pub id: u32,
    /// How sure the network is of the skeleton, 0..=1; 0 without one.
    pub score: f32,
    /// Left, top, width, height of the pixels; none where there are no pixels.
    pub bbox: Option<[usize; 4]>,
    /// Pixels.
    pub area: u64,
    /// The name of the skeleton; none where none was found.
    pub skeleton: Option<String>,
    /// x, y and score (0..=1) of each keypoint, the centre of the top left pixel at (0, 0); zeros of one that was not
    /// found. Empty without a skeleton.
    pub keypoints: Vec<[f64; 3]>,
    /// The pixels, as pycocotools takes them.
    pub mask: MaskRecord,
    /// The same as outlines along the edges of the pixels.
    pub polygons: Vec<PolygonRecord>,
}

/// A mask in COCO's compressed run lengths.
#[derive(Debug, Clone, Serialize)]
pub struct MaskRecord {
    /// Height and width.
    pub size: [usize; 2],
    /// The text.
    pub counts: String,
}

/// An outline and its holes, as (x, y); the top left corner of the photo is (0, 0).
#[derive(Debug, Clone, Serialize)]
pub struct PolygonRecord {
    /// The outline.
    pub exterior: Vec<[f64; 2]>,
    /// The outlines of the holes in it.
    pub holes: Vec<Vec<[f64; 2]>>,
}

/// The people of a parting of `poses`.
pub(super) fn records(parting: &Parting, poses: &[Pose], skeleton: &Skeleton) -> Vec<PersonRecord> {
    let masks = masks_of(&parting.ids, parting.people.len());
    let record = |((id, person), mask): ((u32, &Option<usize>), Rle)| {
        let pose = person.and_then(|index| poses.get(index));
        let outlines = outlines(&mask).into_iter();
        PersonRecord {
            id,
            score: pose.map_or(0.0, |pose| pose.score),
            bbox: mask.bounds(),
            area: mask.area(),
            skeleton: pose.map(|_| skeleton.name.clone()),
            keypoints: pose.map_or_else(Vec::new, |pose| pose.keypoints.iter().map(triple).collect()),
            mask: MaskRecord { size: [mask.height(), mask.width()], counts: mask.to_text() },
            polygons: outlines.map(|part| PolygonRecord { exterior: part.exterior, holes: part.holes }).collect(),
        }
    };
    (1u32..).zip(&parting.people).zip(masks).map(record).collect()
}

fn triple(keypoint: &Keypoint) -> [f64; 3] {
    if !keypoint.is_present() {
        return [0.0; 3];
    }
    let score = (10_000.0 * f64::from(keypoint.score)).round() / 10_000.0;
    [hundredths(keypoint.x), hundredths(keypoint.y), score]
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::IdMap;

    #[test]
    fn people_are_written_with_pixels_and_keypoints() {
        let ids = IdMap::new(4, 3, vec![0, 3, 3, 0, 1, 3, 3, 1, 1, 0, 0, 1]).unwrap();
        let parting = Parting { ids, people: vec![Some(1), Some(0), None] };
        let skeleton = Skeleton::custom("arm", &["elbow", "wrist"], &[[0, 1]]).unwrap();
        let pose = |score| {
            let keypoints = vec![Keypoint::found(1.256, -2.0, 0.123_45), Keypoint::ABSENT];
            Pose { keypoints, score, id: None }
        };
        let found = serde_json::to_value(records(&parting, &[pose(0.25), pose(0.75)], &skeleton)).unwrap();
        let expected = serde_json::json!([
            {
                "id": 1, "score": 0.75, "bbox": [0, 1, 4, 2], "area": 4, "skeleton": "arm",
                "keypoints": [[1.26, -2.0, 0.1235], [0.0, 0.0, 0.0]],
                "mask": { "size": [3, 4], "counts": Rle::new(4, 3, vec![1, 2, 7, 2]).unwrap().to_text() },
            },
            {
                "id": 2, "score": 0.25, "bbox": null, "area": 0, "skeleton": "arm",
                "keypoints": [[1.26, -2.0, 0.1235], [0.0, 0.0, 0.0]],
                "mask": { "size": [3, 4], "counts": Rle::new(4, 3, vec![12]).unwrap().to_text() },
                "polygons": [],
            },
            {
                "id": 3, "score": 0.0, "bbox": [1, 0, 2, 2], "area": 4, "skeleton": null, "keypoints": [],
                "mask": { "size": [3, 4], "counts": Rle::new(4, 3, vec![3, 2, 1, 2, 4]).unwrap().to_text() },
            },
        ]);
        assert_eq!(found[0]["polygons"].as_array().unwrap().len(), 2, "two parts");
        let square = &found[2]["polygons"][0];
        let mut corners = square["exterior"].as_array().unwrap().clone();
        corners.sort_by_key(ToString::to_string);
        assert_eq!(serde_json::json!(corners), serde_json::json!([[1.0, 0.0], [1.0, 2.0], [3.0, 0.0], [3.0, 2.0]]));
        assert_eq!(square["holes"], serde_json::json!([]));
        for (found, expected) in found.as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
            for (key, value) in expected.as_object().unwrap() {
                assert_eq!(&found[key], value, "{key}");
            }
        }
    }
}
