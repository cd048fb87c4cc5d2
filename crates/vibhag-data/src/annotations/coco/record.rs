//! One annotation of a COCO file: its fields as they stand there, and the shape that they describe.

use serde::Deserialize;
use vibhag_core::{Error, ErrorKind, Polygon, Result, Rle, Shape};

use super::super::json::{Value, whole};

/// The fields of an annotation. None of them is sure to be there or of the right type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    pub(super) id: Value,
    pub(super) image_id: Value,
    pub(super) category_id: Value,
    pub(super) segmentation: Value,
    pub(super) area: Value,
    pub(super) bbox: Value,
    pub(super) iscrowd: Value,
    pub(super) score: Value,
}

impl Record {
    /// Left, top, width and height, where all four are stated.
    pub(super) fn bounds(&self) -> Option<[f64; 4]> {
        self.bbox.numbers().and_then(|values| values.try_into().ok())
    }

    /// Its shape on an image of `width` x `height`.
    ///
    /// # Errors
    /// What is wrong with it: nothing in it, something that is no number, half a point, no area, nothing inside the
    /// image; runs for another size or that do not add up.
    pub(super) fn shape(&self, width: usize, height: usize) -> Result<Shape> {
        match &self.segmentation {
            Value::List(parts) => polygons(parts, width, height),
            Value::Fields(_) => runs(&self.segmentation, width, height).map(Shape::Mask),
            Value::Absent => Err(empty()),
            Value::Numbers(values) if values.is_empty() => Err(empty()),
            Value::Numbers(_) => Err(bad("its segmentation is one list of numbers, not a list of outlines")),
            _ => Err(bad("its segmentation is neither a list of outlines nor run lengths")),
        }
    }
}

fn bad(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Decode, what).hint("repair or delete this annotation")
}

fn empty() -> Error {
    Error::new(ErrorKind::Decode, "its segmentation is empty").hint("draw the object again or delete this annotation")
}

fn polygons(parts: &[Value], width: usize, height: usize) -> Result<Shape> {
    let mut polygons = Vec::with_capacity(parts.len());
    for part in parts {
        let values = part.numbers().ok_or_else(|| bad("an outline is not a list of numbers"))?;
        let (points, []) = values.as_chunks::<2>() else {
            return Err(bad(format!("an outline of {} numbers: the last point lacks its y", values.len())));
        };
        polygons.push(Polygon { exterior: points.to_vec(), holes: Vec::new() });
    }
    if polygons.iter().all(|polygon| polygon.exterior.len() < 3) {
        return Err(empty());
    }
    if polygons.iter().all(|polygon| is_line(&polygon.exterior)) {
        return Err(bad("its outline encloses no area"));
    }
    let (mut left, mut right, mut top, mut bottom) = (f64::MAX, f64::MIN, f64::MAX, f64::MIN);
    for &[x, y] in polygons.iter().flat_map(|polygon| &polygon.exterior) {
        (left, right, top, bottom) = (left.min(x), right.max(x), top.min(y), bottom.max(y));
    }
    if right <= 0.0 || bottom <= 0.0 || left >= width as f64 || top >= height as f64 {
        return Err(bad(format!(
            "it lies outside the image of {width}x{height} pixels (x {left} to {right}, y {top} to {bottom})"
        )));
    }
    Ok(Shape::Polygons(polygons))
}

/// Whether all points lie on one line.
fn is_line(points: &[[f64; 2]]) -> bool {
    let Some(&[x0, y0]) = points.first() else { return true };
    let Some(&[x1, y1]) = points.iter().find(|point| **point != [x0, y0]) else { return true };
    points.iter().all(|&[x, y]| (x1 - x0) * (y - y0) == (x - x0) * (y1 - y0))
}

fn runs(value: &Value, width: usize, height: usize) -> Result<Rle> {
    match value.field("size").numbers() {
        Some(&[own_height, own_width]) if (own_width, own_height) == (width as f64, height as f64) => {}
        Some(&[own_height, own_width]) => {
            return Err(Error::new(
                ErrorKind::SizeMismatch,
                format!("its run lengths are for {own_width}x{own_height} pixels, the image has {width}x{height}"),
            )
            .hint("size is [height, width]; export the annotation again in the image's size"));
        }
        _ => return Err(bad("its run lengths lack their size, [height, width]")),
    }
    let mask = match value.field("counts") {
        Value::Text(text) => Rle::from_text(width, height, text)?,
        Value::Numbers(values) => {
            let counts: Option<Vec<u32>> =
                values.iter().map(|&value| whole(value).and_then(|value| u32::try_from(value).ok())).collect();
            Rle::new(width, height, counts.ok_or_else(|| bad("a run length is negative or no whole number"))?)?
        }
        _ => return Err(bad("its run lengths are neither a list of numbers nor a text")),
    };
    if mask.area() == 0 { Err(empty()) } else { Ok(mask) }
}
