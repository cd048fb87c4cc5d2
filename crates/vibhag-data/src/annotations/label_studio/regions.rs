//! Single regions of Label Studio's results.

use std::collections::{BTreeMap, BTreeSet};

use vibhag_core::{Annotation, Error, ErrorKind, Result, Shape};

use super::brush;
use crate::annotations::flatten::object;
use crate::annotations::json::Value;
use crate::annotations::outline::{check, ellipse, polygon, rectangle, settled};

/// Results that say something about the image or a region, and draw nothing.
const NOT_DRAWN: &[&str] =
    &["choices", "taxonomy", "textarea", "rating", "number", "datetime", "pairwise", "relation", "labels"];

fn bad<T>(what: impl Into<String>, hint: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Decode, what).hint(hint))
}

/// The labels of a result.
pub(super) fn labels(result: &Value) -> Vec<&str> {
    let Value::Fields(fields) = result.field("value") else { return Vec::new() };
    let named = fields.iter().find(|(name, value)| name.ends_with("labels") && matches!(value, Value::List(_)));
    match named {
        Some((_, Value::List(list))) => list.iter().filter_map(Value::text).collect(),
        _ => Vec::new(),
    }
}

/// The objects among `results`, and the regions (counted from 1) that cannot be used.
pub(super) fn objects(
    results: &[Value],
    width: usize,
    height: usize,
    categories: &BTreeMap<String, usize>,
) -> (Vec<Annotation>, Vec<(usize, Error)>) {
    // Where labels and shapes are controls of their own, a region's label is in another result of its id.
    let by_id = results.iter().filter(|result| result.field("type").text() == Some("labels"));
    let by_id: BTreeMap<&str, Vec<&str>> =
        by_id.filter_map(|result| Some((result.field("id").text()?, labels(result)))).collect();
    let ids: Vec<Option<u64>> = results.iter().map(|result| result.field("id").whole()).collect();
    let (mut found, mut faults, mut taken) = (Vec::new(), Vec::new(), BTreeSet::new());
    let drawn = |result: &Value| !NOT_DRAWN.contains(&result.field("type").text().unwrap_or_default());
    for (number, result) in (1usize..).zip(results).filter(|(_, result)| drawn(result)) {
        let own = ids[number - 1];
        if own.is_some_and(|id| taken.contains(&id)) {
            faults.push((
                number,
                Error::new(ErrorKind::Decode, "a second region of this id").hint("delete one of the two"),
            ));
            continue;
        }
        let mut names = labels(result);
        if names.is_empty() {
            names = result.field("id").text().and_then(|id| by_id.get(id).cloned()).unwrap_or_default();
        }
        match category_of(&names, categories).and_then(|category| Ok((category, shape_of(result, width, height)?))) {
            Ok((category, shape)) => {
                taken.extend(own);
                let score = result.field("score").number();
                found.push((own, Annotation { score, ..object(0, category, shape) }));
                if names.len() > 1 {
                    let what = format!("{} labels, of which the first is used", names.len());
                    faults.push((number, Error::new(ErrorKind::Decode, what).hint("keep one label on each region")));
                }
            }
            Err(error) => faults.push((number, error)),
        }
    }
    // Regions are called by random texts; these count.
    let mut next = 1;
    let mut annotations = Vec::with_capacity(found.len());
    for (own, annotation) in found {
        let id = own.unwrap_or_else(|| {
            while !taken.insert(next) {
                next += 1;
            }
            next
        });
        annotations.push(Annotation { id, ..annotation });
    }
    (annotations, faults)
}

fn category_of(names: &[&str], categories: &BTreeMap<String, usize>) -> Result<usize> {
    let Some(name) = names.first() else { return bad("it has no label", "give it a label, or delete it") };
    match categories.get(*name) {
        Some(&category) => Ok(category),
        None => bad(format!("unknown label {name:?}"), "add the label to config.xml, or correct it"),
    }
}

fn shape_of(result: &Value, width: usize, height: usize) -> Result<Shape> {
    const AGAIN: &str = "draw the region again, or delete it";
    if result.field("image_rotation").number().is_some_and(|degrees| degrees != 0.0) {
        return bad("it was drawn on a turned image", "turn the image file itself, and draw the region again");
    }
    let stated = ["original_width", "original_height"].map(|name| result.field(name).whole());
    if let [Some(w), Some(h)] = stated
        && (w, h) != (width as u64, height as u64)
    {
        return bad(format!("it is for an image of {w}x{h}, others are for {width}x{height}"), AGAIN);
    }
    let value = result.field("value");
    let kind = result.field("type").text().unwrap_or_default().trim_end_matches("labels");
    let scale = |x: f64, y: f64| [settled(x * width as f64 / 100.0), settled(y * height as f64 / 100.0)];
    let number = |name: &str| match value.field(name).number() {
        Some(number) if number.is_finite() => Ok(number),
        _ => bad(format!("{name} is no number"), AGAIN),
    };
    let turn = value.field("rotation").number().filter(|degrees| degrees.is_finite()).unwrap_or(0.0);
    let outline = match kind {
        "polygon" => points(value.field("points"))?.into_iter().map(|[x, y]| scale(x, y)).collect(),
        "rectangle" => {
            let (from, size) = (scale(number("x")?, number("y")?), scale(number("width")?, number("height")?));
            // It turns around its first corner.
            rectangle(from, [from[0] + size[0], from[1] + size[1]], from, turn)
        }
        "ellipse" => ellipse(scale(number("x")?, number("y")?), scale(number("radiusX")?, number("radiusY")?), turn),
        "brush" => return brush_mask(value, width, height).map(Shape::Mask),
        "keypoint" | "vector" => {
            return bad("a point or line has no area", "draw a polygon in its place, or delete it");
        }
        _ => return bad(format!("unknown type {kind:?}"), "polygons, rectangles, ellipses and brush masks are read"),
    };
    check(&outline, width, height)?;
    Ok(Shape::Polygons(vec![polygon(outline)]))
}

fn points(value: &Value) -> Result<Vec<[f64; 2]>> {
    let list: &[Value] = match value {
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

fn brush_mask(value: &Value, width: usize, height: usize) -> Result<vibhag_core::Rle> {
    const HINT: &str = "draw the region again, or delete it";
    let numbers = value.field("rle").numbers().unwrap_or_default();
    let byte = |number: &f64| (number.fract() == 0.0 && (0.0..256.0).contains(number)).then_some(*number as u8);
    let Some(bytes) = numbers.iter().map(byte).collect::<Option<Vec<u8>>>() else {
        return bad("the mask's code has a number that is no byte", HINT);
    };
    let mask = brush::decode(&bytes, width, height)?;
    if mask.area() == 0 {
        return bad("the mask has no pixel", HINT);
    }
    Ok(mask)
}
