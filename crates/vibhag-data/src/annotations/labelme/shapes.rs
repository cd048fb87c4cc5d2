//! Single shapes of LabelMe's JSON.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use vibhag_core::{Annotation, Error, ErrorKind, Result, Rle, Shape};

use crate::annotations::export::Outgoing;
use crate::annotations::flatten::mask_of;
use crate::annotations::json::Value;
use crate::annotations::outline::{check, ellipse, polygon, rectangle};
use crate::encode::gray8_png;
use crate::mask::{MaskPixels, decode_mask};

fn bad<T>(what: impl Into<String>, hint: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Decode, what).hint(hint))
}

/// The category and pixels of a shape.
///
/// # Errors
/// When its label is unknown, it has no area, or it is none of LabelMe's.
pub(super) fn part_of(
    shape: &Value,
    width: usize,
    height: usize,
    categories: &BTreeMap<String, usize>,
) -> Result<(usize, Shape)> {
    let Some(label) = shape.field("label").text() else {
        return bad("it has no label", "give it a label, or delete it");
    };
    let Some(&category) = categories.get(label) else {
        return bad(format!("unknown label {label:?}"), "add the label to labels.txt, or correct it");
    };
    let points = points_of(shape)?;
    // The first versions had polygons only.
    let kind = shape.field("shape_type").text().unwrap_or("polygon");
    let outline = match (kind, points.as_slice()) {
        // Newer versions turn rectangles and keep their corners.
        ("polygon", _) | ("rectangle" | "oriented_rectangle", &[_, _, _, _]) => points,
        ("rectangle", &[a, b]) => {
            let ends = |axis: usize| [a[axis].min(b[axis]), a[axis].max(b[axis])];
            let ([x0, x1], [y0, y1]) = (ends(0), ends(1));
            rectangle([x0, y0], [x1, y1], [x0, y0], 0.0)
        }
        ("circle", &[centre, rim]) => {
            let radius = (rim[0] - centre[0]).hypot(rim[1] - centre[1]);
            ellipse(centre, [radius; 2], 0.0)
        }
        ("mask", &[from, to]) => {
            let mask = mask(shape, from, to, width, height)?;
            return Ok((category, Shape::Mask(mask)));
        }
        ("rectangle" | "circle" | "mask" | "oriented_rectangle", _) => {
            return bad(format!("a {kind} of {} points", points.len()), "draw it again, or delete it");
        }
        ("line" | "linestrip" | "point" | "points", _) => {
            return bad(format!("a {kind} has no area"), "draw a polygon in its place, or delete it");
        }
        _ => return bad(format!("unknown shape type {kind:?}"), "polygons, rectangles, circles and masks are read"),
    };
    check(&outline, width, height)?;
    Ok((category, Shape::Polygons(vec![polygon(outline)])))
}

fn points_of(shape: &Value) -> Result<Vec<[f64; 2]>> {
    let list: &[Value] = match shape.field("points") {
        Value::List(list) => list,
        Value::Numbers(numbers) if numbers.is_empty() => &[],
        _ => return bad("it has no list of points", "draw it again, or delete it"),
    };
    let point = |value: &Value| match value.numbers() {
        Some(&[x, y]) => Ok([x, y]),
        _ => bad("a point is not a pair of numbers", "draw it again, or delete it"),
    };
    list.iter().map(point).collect()
}

/// The mask of a shape: a PNG of the pixels from one corner to the other, both included.
fn mask(shape: &Value, from: [f64; 2], to: [f64; 2], width: usize, height: usize) -> Result<Rle> {
    const HINT: &str = "draw the mask again, or delete it";
    let Some(text) = shape.field("mask").text() else { return bad("a mask without pixels", HINT) };
    let text: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(text).map_err(|error| {
        Error::new(ErrorKind::Decode, format!("the mask is no base64: {error}")).hint(HINT).because(error)
    })?;
    let crop = decode_mask(&bytes, Path::new("mask"))
        .map_err(|error| Error::new(ErrorKind::Decode, format!("the mask's PNG: {}", error.what)).hint(HINT))?;
    let (left, top) = (from[0].trunc(), from[1].trunc());
    let stated = [to[0].trunc() - left + 1.0, to[1].trunc() - top + 1.0];
    // Some programs leave out the last row and column of the box.
    let fits = |stated: f64, own: usize| (stated - own as f64).abs() <= 1.0;
    if !fits(stated[0], crop.width) || !fits(stated[1], crop.height) {
        return bad(
            format!("a mask of {}x{} pixels in a box of {}x{}", crop.width, crop.height, stated[0], stated[1]),
            HINT,
        );
    }
    let on: Vec<bool> = match crop.pixels {
        MaskPixels::Values(values) => values.into_iter().map(|value| value != 0).collect(),
        MaskPixels::Colors(colors) => colors.into_iter().map(|color| color != [0; 3]).collect(),
    };
    let mask = placed(&on, crop.width, (left as i64, top as i64), (width, height));
    if mask.area() == 0 {
        return bad("the mask has no pixel in the image", HINT);
    }
    Ok(mask)
}

/// The row-major `pixels` of a crop at (`left`, `top`), cut at the image's border.
fn placed(pixels: &[bool], crop_width: usize, (left, top): (i64, i64), (width, height): (usize, usize)) -> Rle {
    let crop_height = pixels.len() / crop_width.max(1);
    let cut = |from: i64, length: usize, side: usize| {
        let end = from.saturating_add(length as i64).clamp(0, side as i64);
        (from.clamp(0, side as i64) as usize, end as usize)
    };
    let ((x0, x1), (y0, y1)) = (cut(left, crop_width, width), cut(top, crop_height, height));
    let mut inside = Vec::with_capacity((x1 - x0) * (y1 - y0));
    for y in y0..y1 {
        let row = (y as i64 - top) as usize * crop_width;
        inside.extend((x0..x1).map(|x| pixels[row + (x as i64 - left) as usize]));
    }
    Rle::from_box((width, height), (x0, y0), x1 - x0, &inside)
}

/// The shapes of an object; none where it has no pixel, which is added to the losses.
///
/// # Errors
/// When it has a mask of another size than the image.
pub(super) fn to_json(
    object: &Annotation,
    label: &str,
    group: u64,
    out: &mut Outgoing<'_>,
) -> Result<Vec<serde_json::Value>> {
    let (width, height) = (out.image.width, out.image.height);
    let flags = if object.crowd { json!({ "crowd": true }) } else { json!({}) };
    let shape = |points: serde_json::Value, kind: &str, mask: serde_json::Value| {
        json!({
            "label": label,
            "points": points,
            "group_id": group,
            "description": "",
            "shape_type": kind,
            "flags": flags,
            "mask": mask,
        })
    };
    if let Shape::Polygons(polygons) = &object.shape
        && polygons.iter().all(|polygon| polygon.holes.is_empty())
    {
        let (used, empty): (Vec<_>, Vec<_>) =
            polygons.iter().partition(|polygon| check(&polygon.exterior, width, height).is_ok());
        if !empty.is_empty() {
            out.loss(object.id, "outlines without a pixel are left out");
        }
        return Ok(used.into_iter().map(|polygon| shape(json!(polygon.exterior), "polygon", json!(null))).collect());
    }
    let mask = mask_of(object, width, height)?;
    let Some([left, top, box_width, box_height]) = mask.bounds() else {
        out.loss(object.id, "it has no pixel, so it is left out");
        return Ok(Vec::new());
    };
    if matches!(object.shape, Shape::Polygons(_)) {
        out.note("an outline with holes is held as the pixels inside it");
    }
    let mut pixels = vec![0; box_width * box_height];
    mask.for_each(|x, y| pixels[(y - top) * box_width + x - left] = 1);
    let png = STANDARD.encode(gray8_png(box_width, box_height, &pixels)?);
    let points = json!([[left, top], [left + box_width - 1, top + box_height - 1]]);
    Ok(vec![shape(points, "mask", json!(png))])
}
