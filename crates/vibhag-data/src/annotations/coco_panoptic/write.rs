//! Writes COCO panoptic.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use vibhag_core::{Annotation, Error, IdMap, Result, Shape};

use super::super::coco::rows::{Ids, ImageRow, category_rows, json_text};
use super::super::export::{Export, Outgoing};
use super::super::flatten::{numbers, objects_of, stack, unite};
use super::super::placing::place_image;
use super::super::{AnnotationSource, Category, Written};
use super::HOLDS;
use super::rows::{PngOut, SegmentOut};
use crate::encode::write_rgb_png;
use crate::split::Split;

/// The rows of one JSON file.
#[derive(Default)]
struct Rows {
    images: Vec<String>,
    annotations: Vec<String>,
    ids: Ids,
}

/// Writes `source` as `annotations/panoptic_SPLIT.json` and the PNGs in `annotations/panoptic_SPLIT/`, beside `SPLIT/`
/// with the images; `default` and `images/` where no split is given.
///
/// # Errors
/// When `root` is not empty or cannot be written to.
pub(super) fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let export = Export::new(source, root, HOLDS)?;
    let mut ids = Ids::default();
    let category_ids: Vec<u64> =
        source.categories().iter().map(|category| ids.take(Some(u64::from(category.id)))).collect();
    let categories = category_rows(category_ids.iter().copied().zip(source.categories()), true)?;
    let folder = root.join("annotations");
    let mut files: BTreeMap<String, Rows> = BTreeMap::new();
    let mut written = export.each(|outgoing| {
        let (name, images) = split_folders(outgoing);
        let rows = files.entry(name.clone()).or_default();
        let pngs = folder.join(format!("panoptic_{name}"));
        add(outgoing, &root.join(images), &pngs, rows, source.categories(), &category_ids)
    });
    if files.is_empty() {
        files.insert("default".to_owned(), Rows::default());
    }
    let mut refused = ids.refused;
    for (name, rows) in files {
        refused += rows.ids.refused;
        let pngs = folder.join(format!("panoptic_{name}"));
        std::fs::create_dir_all(&pngs).map_err(|error| Error::io(&pngs, error))?;
        let path = pngs.with_extension("json");
        let mut text = format!("{{\"images\":[\n{}],\n\"categories\":", rows.images.join(",\n")).into_bytes();
        text.extend(&categories);
        let result = writeln!(text, ",\n\"annotations\":[\n{}]}}", rows.annotations.join(",\n"));
        result.and_then(|()| std::fs::write(&path, text)).map_err(|error| Error::io(&path, error))?;
    }
    if refused > 0 {
        written.losses.push(format!("{refused} categories or images have new ids, since theirs were taken"));
    }
    Ok(written)
}

/// What the files of the image's split are called, and the folder of its images.
pub(super) fn split_folders(outgoing: &Outgoing<'_>) -> (String, String) {
    let split = outgoing.entry.split.as_deref().filter(|split| Split::from_name(split).is_some());
    split.map_or(("default".to_owned(), "images".to_owned()), |split| (split.to_owned(), split.to_owned()))
}

/// `name` with the ending of a PNG.
pub(super) fn png_name(name: &str) -> String {
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name[last..].rfind('.').filter(|&dot| dot > 0).map_or(name.len(), |dot| last + dot);
    format!("{}.png", &name[..end])
}

fn add(
    outgoing: &mut Outgoing<'_>,
    images: &Path,
    pngs: &Path,
    rows: &mut Rows,
    categories: &[Category],
    category_ids: &[u64],
) -> Result<()> {
    let (width, height) = (outgoing.image.width, outgoing.image.height);
    unite(outgoing, |annotation| {
        let stuff = categories.get(annotation.category).is_some_and(|category| !category.thing);
        (stuff && !annotation.crowd).then_some(annotation.category as u64)
    })?;
    let objects = outgoing.objects();
    let mut losses = Vec::new();
    let numbers = numbers(&objects, (1 << 24) - 1, &outgoing.entry.name, &mut losses)?;
    let map = stack(&outgoing.image, &objects, &numbers, &outgoing.entry.name, &mut losses)?;
    let seen: HashMap<u64, [u64; 5]> = extents(&map);
    let segment = |(object, &id): (&&Annotation, &u32)| {
        let [area, left, top, width, height] = *seen.get(&u64::from(id))?;
        let bbox = [left, top, width, height].map(|value| value as usize);
        let category_id = category_ids[object.category];
        Some(SegmentOut { id, category_id, area, bbox, iscrowd: u8::from(object.crowd) })
    };
    let segments_info = objects.iter().zip(&numbers).filter_map(segment).collect();
    outgoing.losses.extend(losses);
    let name = place_image(outgoing, images)?;
    let file_name = png_name(&name);
    let png = pngs.join(&file_name);
    outgoing.claim(&png)?;
    let bytes: Vec<u8> = map.ids().iter().flat_map(|id| id.to_le_bytes().into_iter().take(3)).collect();
    write_rgb_png(&png, width, height, &bytes)?;
    let image_id = rows.ids.take(outgoing.entry.id);
    rows.images.push(json_text(&ImageRow { id: image_id, width, height, file_name: &name })?);
    rows.annotations.push(json_text(&PngOut { image_id, file_name: &file_name, segments_info })?);
    Ok(())
}

/// Area and box of each number in the map.
fn extents(map: &IdMap) -> HashMap<u64, [u64; 5]> {
    let extent = |annotation: Annotation| {
        let Shape::Mask(mask) = annotation.shape else { return None };
        let [left, top, width, height] = mask.bounds()?.map(|value| value as u64);
        Some((annotation.id, [mask.area(), left, top, width, height]))
    };
    objects_of(map).annotations.into_iter().filter_map(extent).collect()
}
