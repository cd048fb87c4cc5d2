//! `*_polygons.json`: labelled outlines, each drawn over those before it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use vibhag_core::{Error, ErrorKind, IdMap, Polygon, Result, Rle};
use vibhag_imaging::{outlines, rasterize};

use super::super::flatten::objects_of;
use super::super::json_file::read_json;
use super::OFFSET;
use super::labels::{LABELS, id_and_group, is_thing};
use crate::decode::check_size;

#[derive(Serialize, Deserialize)]
struct File {
    #[serde(rename = "imgHeight")]
    height: usize,
    #[serde(rename = "imgWidth")]
    width: usize,
    objects: Vec<Object>,
}

#[derive(Serialize, Deserialize)]
struct Object {
    label: String,
    polygon: Vec<[f64; 2]>,
    #[serde(default, skip_serializing_if = "is_zero")]
    deleted: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u8) -> bool {
    *value == 0
}

/// The map of instance ids that the outlines in the file give.
///
/// # Errors
/// When the file cannot be read, is no such JSON, or has a label that Cityscapes does not have.
pub(super) fn read(path: &Path) -> Result<IdMap> {
    let file: File = read_json(path)?;
    check_size(file.width as u64, file.height as u64, 0, path)?;
    let mut map =
        IdMap::new(file.width, file.height, vec![0; file.width * file.height]).map_err(|error| error.at_path(path))?;
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    for object in file.objects.into_iter().filter(|object| object.deleted == 0) {
        // The one label without pixels.
        if object.label == "license plate" {
            continue;
        }
        let Some((label, group)) = id_and_group(&object.label) else {
            return Err(Error::new(
                ErrorKind::MaskValue,
                format!("the label {:?} is none of Cityscapes'", object.label),
            )
            .at_path(path)
            .hint("use the names of cityscapesscripts/helpers/labels.py"));
        };
        let value = if is_thing(label) && !group {
            let count = counts.entry(label).or_default();
            *count += 1;
            if *count > OFFSET {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("more than {OFFSET} objects of {}", object.label),
                )
                .at_path(path));
            }
            label * OFFSET + *count - 1
        } else {
            label
        };
        let polygon = Polygon { exterior: object.polygon, holes: Vec::new() };
        let width = file.width;
        let ids = map.ids_mut();
        rasterize(&[polygon], width, file.height).for_each(|x, y| ids[y * width + x] = value);
    }
    Ok(map)
}

/// The content of the file for a map of instance ids: outlines along pixel edges, the larger ones first, so that what lies
/// in the hole of another is drawn over it. An object of several parts becomes as many outlines.
///
/// # Errors
/// Never for a map of labels that Cityscapes has.
pub(super) fn text(map: &IdMap) -> Result<String> {
    let (width, height) = (map.width(), map.height());
    let mut masks: Vec<(u32, Rle)> = vec![(0, Rle::from_fn(width, height, |x, y| map.ids()[y * width + x] == 0))];
    for annotation in objects_of(map).annotations {
        if let vibhag_core::Shape::Mask(mask) = annotation.shape {
            masks.push((annotation.id as u32, mask));
        }
    }
    let mut drawn: Vec<(f64, String, Vec<[f64; 2]>)> = Vec::new();
    for (value, mask) in masks {
        let (label, is_object) = if value < OFFSET { (value, false) } else { (value / OFFSET, true) };
        let group = if is_thing(label) && !is_object { "group" } else { "" };
        let name = LABELS.get(label as usize).map_or("unlabeled", |label| label.name);
        for polygon in outlines(&mask) {
            drawn.push((area(&polygon.exterior), format!("{name}{group}"), polygon.exterior));
        }
    }
    drawn.sort_by(|a, b| b.0.total_cmp(&a.0));
    let objects = drawn.into_iter().map(|(_, label, polygon)| Object { label, polygon, deleted: 0 }).collect();
    serde_json::to_string_pretty(&File { height, width, objects })
        .map_err(|error| Error::config(format!("cannot write as JSON: {error}")).because(error))
}

/// The enclosed area, holes included.
fn area(points: &[[f64; 2]]) -> f64 {
    let next = points.iter().cycle().skip(1);
    points.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>().abs() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_map_drawn_from_its_outlines_is_the_same_up_to_the_numbers_of_objects(
            width in 1usize..9, values in proptest::collection::vec(0usize..4, 1..80)
        ) {
            let height = values.len().div_ceil(width);
            let mut ids: Vec<u32> = values.into_iter().map(|value| [0, 7, 23, 26][value]).collect();
            ids.resize(width * height, 0);
            let map = IdMap::new(width, height, ids).unwrap();
            let folder = std::env::temp_dir().join(format!("vibhag-polygons-{}", std::process::id()));
            std::fs::write(&folder, text(&map).unwrap()).unwrap();
            let again = read(&folder);
            std::fs::remove_file(&folder).unwrap();
            prop_assert_eq!(again.unwrap(), map);
        }
    }
}
