//! The lines of YOLO's label files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use vibhag_core::{Annotation, Error, ErrorKind, ImageAnnotations, Result, Rle, Shape};
use vibhag_imaging::rasterize;

use crate::annotations::ImageEntry;
use crate::annotations::export::Outgoing;
use crate::annotations::flatten::{mask_of, object};
use crate::annotations::image_files::image_size;
use crate::annotations::outline::{check, mask_line, one_line, polygon, settled};
use crate::fault::Fault;

/// Coordinates may leave the image by this much of a side; Ultralytics refuses more.
const SLACK: f64 = 0.01;

/// Whether the line has a class and at least three points.
pub(super) fn is_outline(line: &str) -> bool {
    let tokens: Vec<&str> = line.split_whitespace().collect();
    tokens.len() >= 7 && tokens.len() % 2 == 1 && tokens.iter().all(|token| token.parse::<f64>().is_ok())
}

/// The class numbers in the label files, each with a name made of it.
pub(super) fn numbers_used<'a>(labels: impl Iterator<Item = &'a Path>) -> Vec<(u32, String)> {
    let mut numbers = BTreeSet::new();
    for text in labels.filter_map(|label| std::fs::read_to_string(label).ok()) {
        numbers.extend(text.lines().filter(|line| is_outline(line)).filter_map(class));
    }
    numbers.into_iter().map(|number| (number, format!("class {number}"))).collect()
}

/// The class number that begins a line; some tools write it as `0.0`.
fn class(line: &str) -> Option<u32> {
    let value: f64 = line.split_whitespace().next()?.parse().ok()?;
    (value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value)).then_some(value as u32)
}

/// The objects of an image; without a label file it has none. `numbers` are the classes' numbers with their places.
///
/// # Errors
/// When the image's size or the label file cannot be read.
pub(super) fn read(
    entry: &ImageEntry,
    label: &Path,
    numbers: &BTreeMap<u32, usize>,
) -> Result<(ImageAnnotations, Vec<Fault>)> {
    let (width, height) = image_size(entry.path.as_deref().unwrap_or(label))?;
    let text = match std::fs::read_to_string(label) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Error::io(label, error).hint("label files are plain text: export them again")),
    };
    let (mut annotations, mut faults) = (Vec::new(), Vec::new());
    let text = text.trim_start_matches('\u{feff}');
    for (number, line) in (1u64..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        match object_of(line, number, width, height, numbers) {
            Ok(annotation) => annotations.push(annotation),
            Err(error) => {
                let what = format!("line {number}: {}", error.what);
                faults.push(Fault::from_error(Some(&entry.name), label, &Error { what, ..error }));
            }
        }
    }
    Ok((ImageAnnotations { width, height, annotations }, faults))
}

fn object_of(
    line: &str,
    number: u64,
    width: usize,
    height: usize,
    numbers: &BTreeMap<u32, usize>,
) -> Result<Annotation> {
    let bad = |what: String, hint: &str| Err(Error::new(ErrorKind::Decode, what).hint(hint));
    let tokens: Vec<&str> = line.split_whitespace().collect();
    let Some(&category) = class(line).and_then(|class| numbers.get(&class)) else {
        return bad(format!("unknown class {}", tokens[0]), "add the class to data.yaml, or correct the line");
    };
    let mut values = Vec::with_capacity(tokens.len());
    for token in &tokens[1..] {
        match token.parse::<f64>() {
            Ok(value) if value.is_finite() => values.push(value),
            _ => return bad(format!("{token} is no coordinate"), "coordinates are numbers from 0 to 1"),
        }
    }
    match values.len() {
        4 => return bad("a box, not an outline".into(), "draw outlines: a detection data set has no masks"),
        odd if odd % 2 == 1 => {
            let hint = "each point has two; predictions saved with a confidence have one number too many";
            return bad(format!("an odd number of coordinates ({odd})"), hint);
        }
        _ => {}
    }
    if let Some(value) = values.iter().find(|value| !(-SLACK..=1.0 + SLACK).contains(*value)) {
        let hint = "divide coordinates by the image's width and height, and cut outlines at its border";
        return bad(format!("coordinate {value} is not between 0 and 1"), hint);
    }
    let (pairs, _) = values.as_chunks::<2>();
    let points: Vec<[f64; 2]> =
        pairs.iter().map(|[x, y]| [settled(x * width as f64), settled(y * height as f64)]).collect();
    check(&points, width, height)?;
    Ok(object(number, category, Shape::Polygons(vec![polygon(points)])))
}

/// The content of the label file for the objects of `out`. Objects without pixels leave them.
///
/// # Errors
/// When a mask does not have the image's size.
pub(super) fn text(out: &mut Outgoing<'_>) -> Result<String> {
    let (width, height) = (out.image.width, out.image.height);
    let mut text = String::new();
    for object in std::mem::take(&mut out.image.annotations) {
        let mask = mask_of(&object, width, height)?;
        if mask.area() == 0 {
            out.loss(object.id, "it has no pixel, so it is left out");
            continue;
        }
        let points = points_of(&object, &mask, out);
        let _ = write!(text, "{}", object.category);
        for [x, y] in points {
            let _ = write!(text, " {} {}", fraction(x, width as f64), fraction(y, height as f64));
        }
        text.push('\n');
        out.image.annotations.push(object);
    }
    Ok(text)
}

/// The outline of an object, whose pixels are `mask`, as one line.
fn points_of(object: &Annotation, mask: &Rle, out: &mut Outgoing<'_>) -> Vec<[f64; 2]> {
    let (width, height) = (out.image.width, out.image.height);
    let rings = match &object.shape {
        Shape::Polygons(polygons) => {
            let inside = |[x, y]: [f64; 2]| (0.0..=width as f64).contains(&x) && (0.0..=height as f64).contains(&y);
            let points = one_line(polygons);
            if !points.iter().all(|&point| inside(point)) {
                out.loss(object.id, "its outline leaves the image, so it is written along the pixels inside");
            } else if rasterize(&[polygon(points.clone())], width, height) == *mask {
                if polygons.len() > 1 || polygons.iter().any(|polygon| !polygon.holes.is_empty()) {
                    out.note(JOINED);
                }
                return points;
            } else {
                out.loss(object.id, "its parts overlap, so it is written along its pixels");
            }
            vibhag_imaging::outlines(mask)
        }
        Shape::Mask(_) => vibhag_imaging::outlines(mask),
    };
    if rings.len() > 1 || rings.iter().any(|polygon| !polygon.holes.is_empty()) {
        out.note(JOINED);
    }
    mask_line(mask)
}

const JOINED: &str = "an object of several parts or with holes is one outline with ways there and back, \
    which enclose no pixel; other programs may draw the ways one pixel wide";

/// The fraction of `side` that gives `value` back when it is read.
fn fraction(value: f64, side: f64) -> f64 {
    let nearest = value / side;
    let exact = |candidate: &f64| candidate * side == value;
    [nearest, nearest.next_up(), nearest.next_down()].into_iter().find(exact).unwrap_or(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn boxes_are_told_from_outlines() {
        assert!(is_outline("0 0.1 0.1 0.5 0.1 0.5 0.5"));
        assert!(!is_outline("0 0.5 0.5 0.2 0.2"));
        assert!(!is_outline("0 0.1 0.1 0.5 0.1 0.5 0.5 0.9"));
        assert!(!is_outline("person 0.1 0.1 0.5 0.1 0.5 0.5"));
    }

    proptest! {
        #[test]
        fn whole_and_half_pixels_come_back(twice in 0u32..10_000, side in 1u32..5_000) {
            let value = f64::from(twice) / 2.0;
            let text = fraction(value, f64::from(side)).to_string();
            let back = text.parse::<f64>().unwrap() * f64::from(side);
            prop_assert_eq!(settled(back), value);
        }
    }
}
