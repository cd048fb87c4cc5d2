//! What is written beside or instead of a mask: pure functions from labels to bytes and tables.

use serde::{Deserialize, Serialize};
use vibhag_core::error::ErrorKind;
use vibhag_core::{BinaryMask, ClassTable, Error, LabelMap, Result};
use vibhag_imaging::components::{Components, Connectivity, label_components};
use vibhag_imaging::contours::{Contour, trace_contours};

/// How much of an image a class takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassSummary {
    /// The class's index.
    pub label: u16,
    /// Its name.
    pub name: String,
    /// Its pixels.
    pub pixels: u64,
    /// Its share of the image, 0..=1.
    pub share: f64,
}

/// The outlines in a label map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContourSet {
    /// Width of the image in pixels.
    pub width: usize,
    /// Height of the image in pixels.
    pub height: usize,
    /// The classes that occur, background left out.
    pub classes: Vec<ClassContours>,
}

/// The outlines of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassContours {
    /// The class's index.
    pub label: u16,
    /// Its name.
    pub name: String,
    /// Its connected areas (8 neighbours), from top to bottom.
    pub polygons: Vec<Polygon>,
}

/// One connected area. Points are pixel corners (x, y) from the image's top left; the last joins
/// the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Polygon {
    /// Its pixels, holes excluded.
    pub area: usize,
    /// The outline, clockwise on screen.
    pub exterior: Vec<(u32, u32)>,
    /// Outlines of its holes, counter-clockwise.
    pub holes: Vec<Vec<(u32, u32)>>,
}

/// Class indices, one byte per pixel.
///
/// # Errors
/// When a label does not fit into a byte.
pub fn index_bytes(labels: &LabelMap) -> Result<Vec<u8>> {
    labels
        .labels()
        .iter()
        .map(|&label| {
            u8::try_from(label).map_err(|_| {
                Error::new(ErrorKind::Unsupported, format!("class {label} does not fit into an 8-bit mask"))
                    .hint("write 16 bits for more than 256 classes")
            })
        })
        .collect()
}

/// 255 where the label is `foreground`, 0 elsewhere, one byte per pixel.
pub fn binary_bytes(labels: &LabelMap, foreground: u16) -> Vec<u8> {
    labels.labels().iter().map(|&label| if label == foreground { 255 } else { 0 }).collect()
}

/// Pixels and share of every class of the table, in its order.
pub fn class_summary(labels: &LabelMap, classes: &ClassTable) -> Vec<ClassSummary> {
    let mut counts = vec![0u64; classes.len()];
    for &label in labels.labels() {
        if let Some(count) = counts.get_mut(usize::from(label)) {
            *count += 1;
        }
    }
    let total = labels.labels().len() as f64;
    let entries = classes.classes.iter().zip(counts).enumerate();
    entries
        .map(|(label, (class, pixels))| ClassSummary {
            label: label as u16,
            name: class.name.clone(),
            pixels,
            share: pixels as f64 / total,
        })
        .collect()
}

/// The outlines of every class that occurs. Class 0 is left out when it is the background: in a
/// binary task, or by its name.
pub fn contours(labels: &LabelMap, classes: &ClassTable) -> ContourSet {
    let is_background =
        |label: usize, name: &str| label == 0 && (classes.is_binary() || name.eq_ignore_ascii_case("background"));
    let named = classes.classes.iter().enumerate();
    let found = named.filter(|(label, class)| !is_background(*label, &class.name)).filter_map(|(label, class)| {
        let label = label as u16;
        let polygons = polygons_of(labels, label);
        (!polygons.is_empty()).then(|| ClassContours { label, name: class.name.clone(), polygons })
    });
    ContourSet { width: labels.width(), height: labels.height(), classes: found.collect() }
}

fn polygons_of(labels: &LabelMap, label: u16) -> Vec<Polygon> {
    // Only the part of the image that the class takes is traced.
    let Some((left, top, mask)) = crop_to(labels, label) else { return Vec::new() };
    let components = label_components(&mask, Connectivity::Eight);
    let shift = |points: Vec<(u32, u32)>| points.into_iter().map(|(x, y)| (x + left, y + top)).collect::<Vec<_>>();
    let mut polygons: Vec<Polygon> =
        components.areas.iter().map(|&area| Polygon { area, exterior: Vec::new(), holes: Vec::new() }).collect();
    for contour in trace_contours(&mask, Connectivity::Eight) {
        let owner = owner(&contour, &components, mask.width());
        if let Some(polygon) = owner.and_then(|number| polygons.get_mut(number)) {
            if contour.hole {
                polygon.holes.push(shift(contour.points));
            } else {
                polygon.exterior = shift(contour.points);
            }
        }
    }
    polygons
}

/// The component that a contour bounds, counted from 0. The pixel below and right of an outline's
/// topmost-leftmost corner belongs to it; a hole has it above.
fn owner(contour: &Contour, components: &Components, width: usize) -> Option<usize> {
    let &(x, y) = contour.points.iter().min_by_key(|(x, y)| (*y, *x))?;
    let y = if contour.hole { y.checked_sub(1)? } else { y };
    let number = *components.labels.get(y as usize * width + x as usize)?;
    (number as usize).checked_sub(1)
}

/// The class's bounding box: its left and top, and the mask inside.
fn crop_to(labels: &LabelMap, label: u16) -> Option<(u32, u32, BinaryMask)> {
    let width = labels.width();
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for (y, row) in labels.labels().chunks_exact(width).enumerate() {
        if let Some(first) = row.iter().position(|&l| l == label) {
            let last = row.iter().rposition(|&l| l == label).unwrap_or(first);
            (left, right) = (left.min(first), right.max(last));
            (top, bottom) = (top.min(y), y);
        }
    }
    if top == usize::MAX {
        return None;
    }
    let rows = labels.labels().chunks_exact(width).skip(top).take(bottom - top + 1);
    let pixels = rows.flat_map(|row| row[left..=right].iter().map(|&l| l == label)).collect();
    let mask = BinaryMask::new(right - left + 1, bottom - top + 1, pixels).ok()?;
    Some((left as u32, top as u32, mask))
}

#[cfg(test)]
mod tests;
