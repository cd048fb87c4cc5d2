//! Writes COCO instances and lists of results.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use vibhag_core::{Annotation, Error, Result, Rle, Shape};

use super::super::export::{Export, Outgoing};
use super::super::image_files::make_parent;
use super::super::placing::place_image;
use super::super::shape::mask_of;
use super::super::{AnnotationSource, Written};
use super::FORMAT;
use super::rows::{Ids, ImageRow, category_rows, json_text};
use crate::split::Split;

#[derive(Serialize)]
struct AnnotationRow {
    id: u64,
    image_id: u64,
    category_id: u64,
    segmentation: Segmentation,
    area: f64,
    bbox: [f64; 4],
    iscrowd: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
}

#[derive(Serialize)]
struct ResultRow {
    image_id: u64,
    category_id: u32,
    segmentation: Segmentation,
    bbox: [f64; 4],
    score: f64,
}

#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Segmentation {
    Polygons(Vec<Vec<f64>>),
    Runs { size: [usize; 2], counts: String },
}

impl Segmentation {
    /// `mask` as COCO's text.
    fn runs(mask: &Rle) -> Self {
        Self::Runs { size: [mask.height(), mask.width()], counts: mask.to_text() }
    }

    /// Outlines where they say the same: without holes, and none of fewer points than pycocotools takes for a box.
    fn polygons(shape: &Shape) -> Option<Self> {
        let Shape::Polygons(polygons) = shape else { return None };
        let plain = polygons.iter().all(|polygon| {
            let finite = polygon.exterior.iter().flatten().all(|value| value.is_finite());
            polygon.holes.is_empty() && polygon.exterior.len() >= 3 && finite
        });
        let flat = || polygons.iter().map(|polygon| polygon.exterior.iter().flatten().copied().collect());
        (plain && !polygons.is_empty()).then(|| Self::Polygons(flat().collect()))
    }
}

/// A JSON file that grows by one image at a time. Images stay in memory, annotations go to a file beside it until the
/// end, since readers want images first.
struct Growing {
    path: PathBuf,
    images: Vec<u8>,
    annotations: BufWriter<File>,
    is_first: bool,
    image_ids: Ids,
    annotation_ids: Ids,
}

impl Growing {
    fn new(path: PathBuf) -> Result<Self> {
        make_parent(&path)?;
        let beside = path.with_extension("part");
        let file = File::options().read(true).write(true).create_new(true).open(&beside);
        let annotations = BufWriter::new(file.map_err(|error| Error::io(beside, error))?);
        let (image_ids, mut annotation_ids) = (Ids::default(), Ids::default());
        // pycocotools takes a match with annotation 0 for none.
        annotation_ids.taken.insert(0);
        Ok(Self { path, images: Vec::new(), annotations, is_first: true, image_ids, annotation_ids })
    }

    fn finish(self, categories: &[u8]) -> Result<()> {
        let failed = |error| Error::io(&self.path, error).hint("check free space and permissions");
        let mut annotations = self.annotations.into_inner().map_err(|error| failed(error.into_error()))?;
        annotations.rewind().map_err(failed)?;
        let mut head = b"{\"images\":[".to_vec();
        head.extend(&self.images);
        head.extend(b"],\n\"categories\":");
        head.extend(categories);
        head.extend(b",\n\"annotations\":[");
        let mut whole = head.chain(annotations).chain(&b"]}\n"[..]);
        let mut out = File::create(&self.path).map_err(failed)?;
        std::io::copy(&mut whole, &mut out).map_err(failed)?;
        out.flush().map_err(failed)?;
        std::fs::remove_file(self.path.with_extension("part")).map_err(failed)
    }
}

/// Writes `source` as `annotations/instances_SPLIT.json` beside `SPLIT/` with the images; `default` and `images/` where
/// no split is given.
///
/// # Errors
/// When `root` is not empty or cannot be written to.
pub(super) fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let mut export = Export::new(source, root, FORMAT.holds)?;
    export.objects_only = true;
    let mut ids = Ids::default();
    // Stuff has no row, and no annotation that would need one.
    let category_ids: Vec<u64> = source
        .categories()
        .iter()
        .map(|category| if category.thing { ids.take(Some(u64::from(category.id))) } else { 0 })
        .collect();
    let things = source.categories().iter().zip(&category_ids).filter(|(category, _)| category.thing);
    let categories = category_rows(things.map(|(category, &id)| (id, category)), false)?;
    let mut files: BTreeMap<String, Growing> = BTreeMap::new();
    let json = |name: &str| root.join("annotations").join(format!("instances_{name}.json"));
    let mut written = export.each(|outgoing| {
        let split = outgoing.entry.split.as_deref().filter(|split| Split::from_name(split).is_some());
        let (name, folder) = split.map_or(("default", "images"), |split| (split, split));
        let file = match files.entry(name.to_owned()) {
            Entry::Occupied(file) => file.into_mut(),
            Entry::Vacant(place) => place.insert(Growing::new(json(name))?),
        };
        add(outgoing, &root.join(folder), file, &category_ids)
    });
    if files.is_empty() {
        files.insert("default".to_owned(), Growing::new(json("default"))?);
    }
    let mut renumbered = [("categories", ids.refused), ("images", 0), ("annotations", 0)];
    for file in files.into_values() {
        renumbered[1].1 += file.image_ids.refused;
        renumbered[2].1 += file.annotation_ids.refused;
        file.finish(&categories)?;
    }
    for (what, count) in renumbered.into_iter().filter(|(_, count)| *count > 0) {
        written.losses.push(format!("{count} {what} have new ids, since theirs were 0 or taken"));
    }
    Ok(written)
}

fn add(outgoing: &mut Outgoing<'_>, folder: &Path, file: &mut Growing, category_ids: &[u64]) -> Result<()> {
    let file_name = place_image(outgoing, folder)?;
    let (width, height) = (outgoing.image.width, outgoing.image.height);
    let image_id = file.image_ids.take(outgoing.entry.id);
    let mut rows = String::new();
    for annotation in std::mem::take(&mut outgoing.image.annotations) {
        let Some((segmentation, area, bbox)) = describe(&annotation, width, height)? else {
            outgoing.loss(annotation.id, "it has no pixel, so it is left out");
            continue;
        };
        let row = json_text(&AnnotationRow {
            id: file.annotation_ids.take(Some(annotation.id)),
            image_id,
            category_id: category_ids[annotation.category],
            segmentation,
            area,
            bbox,
            iscrowd: u8::from(annotation.crowd),
            score: annotation.score,
        })?;
        rows.push_str(if file.is_first && rows.is_empty() { "\n" } else { ",\n" });
        rows.push_str(&row);
        outgoing.image.annotations.push(annotation);
    }
    file.is_first &= rows.is_empty();
    file.annotations.write_all(rows.as_bytes()).map_err(|error| Error::io(&file.path, error))?;
    let row = json_text(&ImageRow { id: image_id, width, height, file_name: &file_name })?;
    file.images.extend(if file.images.is_empty() { &b"\n"[..] } else { b",\n" });
    file.images.extend(row.as_bytes());
    Ok(())
}

/// The segmentation, area and box of an annotation, the two as stated where they are; `None` without a pixel.
fn describe(annotation: &Annotation, width: usize, height: usize) -> Result<Option<(Segmentation, f64, [f64; 4])>> {
    let outlines = Segmentation::polygons(&annotation.shape);
    if let (Some(outlines), Some(area), Some(bounds)) = (&outlines, annotation.area, annotation.bounds) {
        return Ok(Some((outlines.clone(), area, bounds)));
    }
    let mask = mask_of(annotation, width, height)?;
    let Some(bounds) = mask.bounds() else { return Ok(None) };
    let segmentation = outlines.unwrap_or_else(|| Segmentation::runs(&mask));
    let area = annotation.area.unwrap_or(mask.area() as f64);
    Ok(Some((segmentation, area, annotation.bounds.unwrap_or(bounds.map(|value| value as f64)))))
}

/// Writes the annotations of `source` as a list of results, as `pycocotools.coco.COCO.loadRes` reads it: each with its
/// score and its mask as run lengths. Images and categories go by the ids that the source has for them, which must be
/// those of the file with the truth.
///
/// # Errors
/// When an image has no id, or the file cannot be written. An image that cannot be read, or has an annotation without
/// score, is listed in the outcome.
pub fn write_results(source: &dyn AnnotationSource, path: &Path) -> Result<Written> {
    make_parent(path)?;
    let failed = |error| Error::io(path, error).hint("check free space and permissions");
    let mut out = BufWriter::new(File::create(path).map_err(failed)?);
    let mut written = Written::default();
    out.write_all(b"[").map_err(failed)?;
    for (index, entry) in source.images().iter().enumerate() {
        let image_id = entry.id.ok_or_else(|| {
            Error::config(format!("the image {} has no id", entry.name))
                .hint("results name images by the ids of the file with the truth: open that one")
        })?;
        match result_rows(source, index, image_id) {
            Ok((rows, losses)) => {
                for row in &rows {
                    let separator = if written.annotations == 0 { "\n" } else { ",\n" };
                    out.write_all(separator.as_bytes()).and_then(|()| out.write_all(row.as_bytes())).map_err(failed)?;
                    written.annotations += 1;
                }
                written.images += 1;
                written.losses.extend(losses);
            }
            Err(error) => written.failed.push(format!("{}: {error}", entry.name)),
        }
    }
    out.write_all(b"]\n").and_then(|()| out.flush()).map_err(failed)?;
    Ok(written)
}

fn result_rows(source: &dyn AnnotationSource, index: usize, image_id: u64) -> Result<(Vec<String>, Vec<String>)> {
    let image = source.read(index)?;
    let (mut rows, mut losses) = (Vec::with_capacity(image.annotations.len()), Vec::new());
    for annotation in &image.annotations {
        let at = || format!("object {}", annotation.id);
        let category = source.categories().get(annotation.category);
        let category = category.ok_or_else(|| Error::config("a category that the source does not list").at(at()))?;
        let score = annotation.score.filter(|score| score.is_finite()).ok_or_else(|| {
            Error::config("a result without score").at(at()).hint("results are predictions, each with its score")
        })?;
        let mask = mask_of(annotation, image.width, image.height)?;
        let Some(bounds) = mask.bounds() else {
            losses.push(format!("{}: {}: it has no pixel, so it is left out", source.images()[index].name, at()));
            continue;
        };
        rows.push(json_text(&ResultRow {
            image_id,
            category_id: category.id,
            segmentation: Segmentation::runs(&mask),
            bbox: bounds.map(|value| value as f64),
            score,
        })?);
    }
    Ok((rows, losses))
}
