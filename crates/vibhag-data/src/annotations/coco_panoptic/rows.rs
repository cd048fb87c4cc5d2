//! Rows of the JSON file.

use serde::{Deserialize, Serialize};

use super::super::coco::rows::{RawCategory, RawImage};
use super::super::json::Value;

/// The file as a whole, with only what is used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) images: Vec<RawImage>,
    pub(super) annotations: Vec<PngRow>,
    pub(super) categories: Vec<RawCategory>,
}

/// The annotation of an image.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PngRow {
    pub(super) image_id: Value,
    pub(super) file_name: Value,
    pub(super) segments_info: Vec<Segment>,
}

/// A segment, in few bytes: large files have a million of them.
#[derive(Debug, Deserialize)]
#[serde(from = "RawSegment")]
pub(super) struct Segment {
    pub(super) id: Option<u32>,
    pub(super) category: Option<u64>,
    pub(super) crowd: bool,
    pub(super) area: Option<f64>,
    pub(super) bounds: Option<[f64; 4]>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawSegment {
    id: Value,
    category_id: Value,
    iscrowd: Value,
    area: Value,
    bbox: Value,
}

impl From<RawSegment> for Segment {
    fn from(raw: RawSegment) -> Self {
        Self {
            // The PNG has three bytes for it.
            id: raw.id.whole().and_then(|id| u32::try_from(id).ok()).filter(|&id| id < 1 << 24),
            category: raw.category_id.whole(),
            crowd: raw.iscrowd.whole().is_some_and(|crowd| crowd != 0),
            area: raw.area.number(),
            bounds: raw.bbox.numbers().and_then(|values| values.try_into().ok()),
        }
    }
}

/// The annotation of an image to be written.
#[derive(Serialize)]
pub(super) struct PngOut<'a> {
    pub(super) image_id: u64,
    pub(super) file_name: &'a str,
    pub(super) segments_info: Vec<SegmentOut>,
}

/// A segment to be written.
#[derive(Serialize)]
pub(super) struct SegmentOut {
    pub(super) id: u32,
    pub(super) category_id: u64,
    pub(super) area: u64,
    pub(super) bbox: [usize; 4],
    pub(super) iscrowd: u8,
}
