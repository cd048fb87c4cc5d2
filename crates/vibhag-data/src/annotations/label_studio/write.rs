//! Writes Label Studio's JSON.

use std::fmt::Write as _;
use std::path::Path;

use quick_xml::escape::escape;
use serde_json::{Value, json};
use vibhag_core::{Annotation, Error, ErrorKind, Result, Rle, Shape};

use super::{CONFIG, FORMAT, brush};
use crate::annotations::export::{Export, Outgoing};
use crate::annotations::flatten::mask_of;
use crate::annotations::grouping::group_numbers;
use crate::annotations::image_files::{name_below, relative, write_text};
use crate::annotations::outline::check;
use crate::annotations::{AnnotationSource, Category, Written};
use vibhag_core::color::class_color;

/// Writes `tasks.json`, `config.xml` and `images/` below `root`.
pub(super) fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let export = Export::new(source, root, FORMAT.holds)?;
    write_text(&root.join(CONFIG), &config(source.categories()))?;
    let mut tasks = Vec::new();
    let written = export.each(|out| {
        let below = Path::new(out.entry.split.as_deref().unwrap_or("")).join(relative(&out.entry.name)?);
        let path = root.join("images").join(&below);
        out.claim(&path)?;
        let regions = regions(out, source.categories())?;
        out.copy_image(&path)?;
        let mut task = json!({
            "data": {
                "image": format!("/data/local-files/?d=images/{}", escaped(&name_below(Path::new(""), &below))),
                "width": out.image.width,
                "height": out.image.height,
            },
            "annotations": [{ "result": regions, "was_cancelled": false }],
        });
        task["id"] = json!(out.entry.id.unwrap_or(tasks.len() as u64 + 1));
        if let Some(split) = &out.entry.split {
            task["data"]["split"] = json!(split);
        }
        tasks.push(task);
        Ok(())
    });
    write_text(&root.join("tasks.json"), &format!("{:#}\n", Value::from(tasks)))?;
    Ok(written)
}

fn config(categories: &[Category]) -> String {
    let mut text = String::from("<View>\n  <Image name=\"image\" value=\"$image\" zoom=\"true\"/>\n");
    for (tag, name) in [("PolygonLabels", "polygon"), ("BrushLabels", "brush")] {
        let _ = writeln!(text, "  <{tag} name=\"{name}\" toName=\"image\">");
        for (index, category) in categories.iter().enumerate() {
            let [r, g, b] = category.color.unwrap_or_else(|| class_color(index + 1));
            let name = escape(category.name.as_str());
            let _ = writeln!(text, "    <Label value=\"{name}\" background=\"#{r:02x}{g:02x}{b:02x}\"/>");
        }
        let _ = writeln!(text, "  </{tag}>");
    }
    text + "</View>\n"
}

/// What would end an address or be taken for an escape.
fn escaped(name: &str) -> String {
    name.replace('%', "%25").replace('?', "%3F").replace('#', "%23").replace(' ', "%20")
}

fn regions(out: &mut Outgoing<'_>, categories: &[Category]) -> Result<Vec<Value>> {
    // JavaScript keeps whole numbers up to this one.
    let numbers = group_numbers(out, (1 << 53) - 1);
    let mut regions = Vec::new();
    for (object, number) in std::mem::take(&mut out.image.annotations).into_iter().zip(numbers) {
        if let Some(region) = region(&object, &categories[object.category].name, number, out)? {
            regions.push(region);
            out.image.annotations.push(object);
        }
    }
    Ok(regions)
}

/// The region of an object; `None` where it has no pixel, which is added to the losses.
fn region(object: &Annotation, label: &str, number: u64, out: &mut Outgoing<'_>) -> Result<Option<Value>> {
    let (width, height) = (out.image.width, out.image.height);
    let region = |kind: &str, name: &str, value: Value| {
        let mut region = json!({
            "id": number.to_string(),
            "type": kind,
            "from_name": name,
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": value,
        });
        if let Some(score) = object.score {
            region["score"] = json!(score);
        }
        region
    };
    let mask = mask_of(object, width, height)?;
    if mask.area() == 0 {
        out.loss(object.id, "it has no pixel, so it is left out");
        return Ok(None);
    }
    if let Shape::Polygons(polygons) = &object.shape {
        if let [one] = polygons.as_slice()
            && one.holes.is_empty()
            && check(&one.exterior, width, height).is_ok()
        {
            let percent = |value: f64, side: usize| value / side as f64 * 100.0;
            let points: Vec<[f64; 2]> =
                one.exterior.iter().map(|[x, y]| [percent(*x, width), percent(*y, height)]).collect();
            let value = json!({ "points": points, "closed": true, "polygonlabels": [label] });
            return Ok(Some(region("polygonlabels", "polygon", value)));
        }
        out.note("an outline of several parts or with holes is held as the pixels inside it");
    }
    let value = json!({ "format": "rle", "rle": code(&mask)?, "brushlabels": [label] });
    Ok(Some(region("brushlabels", "brush", value)))
}

fn code(mask: &Rle) -> Result<Vec<u8>> {
    brush::encode(mask).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "the image has too many pixels for a brush mask").hint("cut it into tiles")
    })
}
