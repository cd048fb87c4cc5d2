//! The files of a model that tells objects apart.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vibhag_core::{
    Annotation, ClassTable, Error, ErrorKind, Image, ImageAnnotations, Panoptic, Result, Rle, Segment, Shape,
};
use vibhag_data::annotations::memory::Memory;
use vibhag_data::annotations::{self, Category, ImageEntry};
use vibhag_data::encode;
use vibhag_imaging::outlines;
use vibhag_report::{overlay_instances, overlay_panoptic};

use crate::table::ObjectTable;

use super::{OVERLAY_SIDE, Output, Writer, with_suffix, write_json, write_picture};

/// One object of `contours/NAME.json`.
#[derive(Debug, Serialize)]
struct ObjectRow {
    /// Its number in the mask.
    id: u32,
    class: u16,
    name: String,
    score: f32,
    /// Pixels.
    area: u64,
    /// Left, top, width, height in pixels.
    bbox: [usize; 4],
    /// COCO's compressed run lengths.
    rle: String,
    polygons: Vec<PolygonRow>,
}

/// An outline along pixel edges and its holes, as (x, y).
#[derive(Debug, Serialize)]
struct PolygonRow {
    exterior: Vec<[f64; 2]>,
    holes: Vec<Vec<[f64; 2]>>,
}

/// All objects of an image.
#[derive(Debug, Serialize)]
struct ObjectRows {
    width: usize,
    height: usize,
    objects: Vec<ObjectRow>,
}

impl Writer<'_> {
    pub(super) fn objects(
        &self,
        name: &str,
        image: &Image,
        segments: &Panoptic,
        files: &mut Vec<PathBuf>,
    ) -> Result<()> {
        let has_stuff = segments.segments.iter().any(|segment| !self.classes.is_thing(segment.class));
        for (folder, kind) in super::OUTPUTS.iter().filter(|(_, kind)| self.wanted.contains(kind)) {
            let stem = self.out.join(folder).join(name);
            match kind {
                Output::Masks => files.push(encode::write_id_map(&stem, &segments.ids)?),
                Output::Overlays => {
                    let draw = if has_stuff { overlay_panoptic } else { overlay_instances };
                    let picture = draw(image, segments, self.classes, Some(OVERLAY_SIDE))?;
                    write_picture(with_suffix(&stem, ".png"), &picture, files)?;
                }
                Output::Contours => {
                    write_json(with_suffix(&stem, ".json"), &rows(segments, self.classes), files)?;
                }
                Output::Probabilities | Output::Table | Output::Coco | Output::Panoptic => {}
            }
        }
        Ok(())
    }
}

fn rows(segments: &Panoptic, classes: &ClassTable) -> ObjectRows {
    let objects = masks(segments)
        .into_iter()
        .map(|(id, segment, mask)| ObjectRow {
            id,
            class: segment.class,
            name: classes.classes.get(usize::from(segment.class)).map_or_else(String::new, |c| c.name.clone()),
            score: segment.score,
            area: mask.area(),
            bbox: mask.bounds().unwrap_or_default(),
            rle: mask.to_text(),
            polygons: outlines(&mask)
                .into_iter()
                .map(|polygon| PolygonRow { exterior: polygon.exterior, holes: polygon.holes })
                .collect(),
        })
        .collect();
    ObjectRows { width: segments.ids.width(), height: segments.ids.height(), objects }
}

/// Number, kind and mask of every segment, at the cost of the pixels, not of the number of segments.
fn masks(segments: &Panoptic) -> Vec<(u32, &Segment, Rle)> {
    let masks = vibhag_core::annotation::masks_of(&segments.ids, segments.segments.len());
    (1u32..).zip(&segments.segments).zip(masks).map(|((id, segment), mask)| (id, segment, mask)).collect()
}

/// What is collected over all images.
pub(super) struct Found<'a> {
    classes: &'a ClassTable,
    wanted: &'a BTreeSet<Output>,
    table: ObjectTable,
    entries: Vec<ImageEntry>,
    annotations: Vec<ImageAnnotations>,
}

impl<'a> Found<'a> {
    pub(super) fn new(classes: &'a ClassTable, wanted: &'a BTreeSet<Output>) -> Self {
        Self { classes, wanted, table: ObjectTable::default(), entries: Vec::new(), annotations: Vec::new() }
    }

    pub(super) fn add(&mut self, path: &Path, name: &str, image: &Image, segments: &Panoptic) -> Result<()> {
        if self.wanted.contains(&Output::Table) {
            self.table.add(name, image, segments)?;
        }
        if [Output::Coco, Output::Panoptic].iter().any(|kind| self.wanted.contains(kind)) {
            let annotations = masks(segments)
                .into_iter()
                .map(|(id, segment, mask)| Annotation {
                    id: u64::from(id),
                    category: usize::from(segment.class),
                    area: Some(mask.area() as f64),
                    bounds: mask.bounds().map(|bounds| bounds.map(|side| side as f64)),
                    shape: Shape::Mask(mask),
                    crowd: false,
                    score: Some(f64::from(segment.score)),
                })
                .collect();
            let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let id = Some(self.entries.len() as u64 + 1);
            self.entries.push(ImageEntry { id, name: file_name, path: None, split: None });
            self.annotations.push(ImageAnnotations { width: image.width(), height: image.height(), annotations });
        }
        Ok(())
    }

    pub(super) fn write(self, out: &Path) -> Result<()> {
        if self.wanted.contains(&Output::Table) {
            let path = out.join("objects.csv");
            std::fs::write(&path, self.table.csv(self.classes)?).map_err(|e| Error::io(&path, e))?;
        }
        let categories: Vec<Category> = self
            .classes
            .classes
            .iter()
            .enumerate()
            .map(|(index, class)| Category {
                id: index as u32,
                name: class.name.clone(),
                supercategory: None,
                thing: class.thing,
                color: Some(class.color),
            })
            .collect();
        let source = Memory::new(categories, self.entries, self.annotations);
        for (kind, format) in [(Output::Coco, "coco"), (Output::Panoptic, "coco-panoptic")] {
            if self.wanted.contains(&kind) {
                write_annotations(&source, format, &out.join(format))?;
            }
        }
        Ok(())
    }
}

/// Writes `source` as `format` into `folder`, in place of what an earlier prediction left there.
///
/// # Errors
/// When the folder holds anything else, or cannot be written.
fn write_annotations(source: &Memory, format: &str, folder: &Path) -> Result<()> {
    if folder.exists() {
        if !holds_only_predictions(folder)? {
            return Err(Error::config("the folder holds other files than predictions")
                .at_path(folder)
                .hint("choose another folder with -o"));
        }
        std::fs::remove_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let written = (annotations::named(format)?.write)(source, folder)?;
    match written.failed.first() {
        None => Ok(()),
        Some(failure) => {
            Err(Error::new(ErrorKind::Io, format!("annotations could not be written: {failure}")).at_path(folder))
        }
    }
}

/// Whether the folder has nothing but the annotations that [`write_annotations`] puts there: what a user keeps under such
/// a name must not be lost.
fn holds_only_predictions(folder: &Path) -> Result<bool> {
    let names = |folder: &Path| -> Result<Vec<String>> {
        let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
        Ok(entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect())
    };
    for name in names(folder)? {
        let is_own = match name.as_str() {
            "annotations" => true,
            // The writers make it for the images, of which predictions have none.
            "images" => names(&folder.join("images"))?.is_empty(),
            _ => false,
        };
        if !is_own {
            return Ok(false);
        }
    }
    let own = |name: &String| name.starts_with("instances_default") || name.starts_with("panoptic_default");
    let annotations = folder.join("annotations");
    Ok(!annotations.exists() || names(&annotations)?.iter().all(own))
}
