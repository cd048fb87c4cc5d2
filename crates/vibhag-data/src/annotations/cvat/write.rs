//! Writes CVAT's XML.

use std::fmt::Write as _;
use std::path::Path;

use quick_xml::escape::escape;
use vibhag_core::{Annotation, Result, Shape};

use super::{FORMAT, shapes};
use crate::annotations::export::{Export, Outgoing};
use crate::annotations::flatten::mask_of;
use crate::annotations::grouping::group_numbers;
use crate::annotations::image_files::{relative, write_text};
use crate::annotations::outline::check;
use crate::annotations::{AnnotationSource, Category, Written};

/// Writes `annotations.xml` and `images/` below `root`.
pub(super) fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let export = Export::new(source, root, FORMAT.holds)?;
    let mut text = head(source.categories());
    let mut next = 0;
    let written = export.each(|out| {
        let image = element(out, source.categories(), next)?;
        let split = out.entry.split.clone().unwrap_or_default();
        let path = root.join("images").join(split).join(relative(&out.entry.name)?);
        out.claim(&path)?;
        out.copy_image(&path)?;
        text.push_str(&image);
        next += 1;
        Ok(())
    });
    text.push_str("</annotations>\n");
    write_text(&root.join("annotations.xml"), &text)?;
    Ok(written)
}

fn head(categories: &[Category]) -> String {
    let mut text =
        String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n  <version>1.1</version>\n");
    text.push_str("  <meta>\n    <task>\n      <labels>\n");
    for category in categories {
        let name = escape(category.name.as_str());
        let _ = write!(text, "        <label>\n          <name>{name}</name>\n");
        if let Some([r, g, b]) = category.color {
            let _ = writeln!(text, "          <color>#{r:02x}{g:02x}{b:02x}</color>");
        }
        text.push_str("          <type>any</type>\n          <attributes>\n            <attribute>\n");
        text.push_str("              <name>is_crowd</name>\n              <mutable>False</mutable>\n");
        text.push_str("              <input_type>checkbox</input_type>\n");
        text.push_str("              <default_value>false</default_value>\n              <values>false</values>\n");
        text.push_str("            </attribute>\n          </attributes>\n        </label>\n");
    }
    text.push_str("      </labels>\n    </task>\n  </meta>\n");
    text
}

/// The element of an image. Its id is the source's where it fits, the place in the file otherwise.
fn element(out: &mut Outgoing<'_>, categories: &[Category], number: u64) -> Result<String> {
    let (width, height) = (out.image.width, out.image.height);
    let id = out.entry.id.unwrap_or(number);
    let mut text = format!("  <image id=\"{id}\" name=\"{}\"", escape(out.entry.name.as_str()));
    if let Some(split) = &out.entry.split {
        let _ = write!(text, " subset=\"{}\"", escape(split.as_str()));
    }
    let _ = writeln!(text, " width=\"{width}\" height=\"{height}\">");
    // CVAT keeps numbers of groups in 32 bits.
    let numbers = group_numbers(out, i32::MAX as u64);
    for (object, number) in std::mem::take(&mut out.image.annotations).into_iter().zip(numbers) {
        let shapes = shapes_of(&object, &categories[object.category].name, number, out)?;
        if !shapes.is_empty() {
            text.push_str(&shapes);
            out.image.annotations.push(object);
        }
    }
    text.push_str("  </image>\n");
    Ok(text)
}

/// The elements of an object; none where it has no pixel, which is added to the losses.
fn shapes_of(object: &Annotation, label: &str, group: u64, out: &mut Outgoing<'_>) -> Result<String> {
    let (width, height) = (out.image.width, out.image.height);
    let common = format!("label=\"{}\" source=\"file\" occluded=\"0\"", escape(label));
    let close = |kind: &str| {
        let crowd = object.crowd;
        format!(
            " z_order=\"0\" group_id=\"{group}\">\n      <attribute name=\"is_crowd\">{crowd}</attribute>\n    </{kind}>\n"
        )
    };
    let mut text = String::new();
    if let Shape::Polygons(polygons) = &object.shape
        && polygons.iter().all(|polygon| polygon.holes.is_empty())
    {
        for polygon in polygons {
            if check(&polygon.exterior, width, height).is_err() {
                out.loss(object.id, "an outline without a pixel is left out");
                continue;
            }
            let points: Vec<String> = polygon.exterior.iter().map(|[x, y]| format!("{x},{y}")).collect();
            let _ = write!(text, "    <polygon {common} points=\"{}\"{}", points.join(";"), close("polygon"));
        }
        return Ok(text);
    }
    let mask = mask_of(object, width, height)?;
    let Some((runs, [left, top, box_width, box_height])) = shapes::runs(&mask) else {
        out.loss(object.id, "it has no pixel, so it is left out");
        return Ok(text);
    };
    if matches!(object.shape, Shape::Polygons(_)) {
        out.note("an outline with holes is held as the pixels inside it");
    }
    let bounds = format!("left=\"{left}\" top=\"{top}\" width=\"{box_width}\" height=\"{box_height}\"");
    let _ = write!(text, "    <mask {common} rle=\"{runs}\" {bounds}{}", close("mask"));
    Ok(text)
}
