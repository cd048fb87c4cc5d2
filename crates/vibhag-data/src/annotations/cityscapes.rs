//! Cityscapes (Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016):
//! `gtFine/SPLIT/CITY/*_gtFine_instanceIds.png` (or `gtCoarse`) beside `leftImg8bit/SPLIT/CITY/*_leftImg8bit.png`.
//!
//! A pixel of `instanceIds` is label * 1000 + number for an object, and the bare label for stuff and for groups of
//! objects. Where that file is missing, `polygons.json` is drawn as `cityscapesscripts` does: later objects above earlier
//! ones.

mod labels;
mod polygons;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vibhag_core::{Error, ErrorKind, IdMap, ImageAnnotations, Result};

use super::flatten::objects_of;
use super::image_files::{expect_size, name_below};
use super::listed::{Listed, fault, nothing_found};
use super::{AnnotationFormat, AnnotationSource, Holds, ImageEntry};
use crate::fault::FaultKind;
use crate::formats::pairing::images_below;
use crate::formats::{entries, file_name, subfolders};
use crate::mask::{MaskPixels, read_mask};
use crate::split::Split;

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "cityscapes",
    summary: "Cityscapes: gtFine/ with instanceIds, labelIds and polygons beside leftImg8bit/",
    holds: Holds {
        masks: true,
        polygons: false,
        holes: true,
        parts: true,
        overlap: false,
        crowd: true,
        categories: true,
        stuff: true,
        scores: false,
    },
    detect,
    open,
    write: write::write,
};

/// Folders of annotations, the better ones first.
const TRUTHS: [&str; 2] = ["gtFine", "gtCoarse"];
/// The folder of images, and the ending of their names.
const IMAGES: &str = "leftImg8bit";
/// Objects of one label are told apart within this many numbers.
const OFFSET: u32 = 1000;

/// The folder of annotations at or in `path`, and its name.
fn truth(path: &Path) -> Option<(PathBuf, &'static str)> {
    TRUTHS.into_iter().find_map(|name| {
        let folder = if file_name(path) == name { path.to_owned() } else { path.join(name) };
        folder.is_dir().then_some((folder, name))
    })
}

fn detect(path: &Path) -> bool {
    truth(path).is_some()
}

/// The files of one image.
#[derive(Default)]
struct Item {
    ids: Option<PathBuf>,
    polygons: Option<PathBuf>,
}

/// Opens the folder at `path`, which has `gtFine/`, or is it.
///
/// # Errors
/// When there is no annotation in it.
fn open(path: &Path) -> Result<Box<dyn AnnotationSource>> {
    let hint = "put gtFine/train/CITY/*_gtFine_instanceIds.png beside leftImg8bit/train/CITY/";
    let (truth, kind) = truth(path).ok_or_else(|| nothing_found(path, "there is no folder gtFine in it", hint))?;
    let images = truth.parent().unwrap_or(Path::new("")).join(IMAGES);
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    for folder in subfolders(&truth) {
        let split = Split::from_name(file_name(&folder)).map(|split| split.to_string());
        let images = images.join(file_name(&folder));
        let mut pictures = BTreeMap::new();
        if images.is_dir() {
            for picture in images_below(&images) {
                let stem = name_below(&images, &picture.with_extension(""));
                pictures.insert(stem.trim_end_matches(&format!("_{IMAGES}")).to_owned(), picture);
            }
        }
        for (key, item) in truths(&folder, kind)? {
            let picture = pictures.remove(&key);
            let name = match &picture {
                Some(picture) => name_below(&images, picture),
                None => format!("{key}_{IMAGES}.png"),
            };
            items.push((ImageEntry { id: None, name, path: picture, split: split.clone() }, item));
        }
        for picture in pictures.into_values() {
            let (name, hint) = (name_below(&images, &picture), "annotate it or remove it");
            faults.push(fault(&name, &picture, FaultKind::MissingMask, "the image has no annotation", hint));
        }
    }
    if items.is_empty() {
        return Err(nothing_found(&truth, "there is no annotation in it", hint));
    }
    Ok(Box::new(Listed::without_faults("cityscapes", labels::categories(), items, faults, read)))
}

/// The files of each image below a split's folder, by the common part of their names.
fn truths(folder: &Path, kind: &str) -> Result<BTreeMap<String, Item>> {
    let mut items: BTreeMap<String, Item> = BTreeMap::new();
    let (ids, polygons) = (format!("_{kind}_instanceIds.png"), format!("_{kind}_polygons.json"));
    for city in std::iter::once(folder.to_owned()).chain(subfolders(folder)) {
        for file in entries(&city)?.into_iter().filter(|file| file.is_file()) {
            let name = name_below(folder, &file);
            if let Some(key) = name.strip_suffix(&ids) {
                items.entry(key.to_owned()).or_default().ids = Some(file);
            } else if let Some(key) = name.strip_suffix(&polygons) {
                items.entry(key.to_owned()).or_default().polygons = Some(file);
            }
        }
    }
    Ok(items)
}

fn read(entry: &ImageEntry, item: &Item) -> Result<ImageAnnotations> {
    let (map, file) = match (&item.ids, &item.polygons) {
        (Some(file), _) => (read_ids(file)?, file),
        (None, Some(file)) => (polygons::read(file)?, file),
        (None, None) => return Err(Error::new(ErrorKind::MissingPair, "the image has no annotation")),
    };
    if let Some(image) = &entry.path {
        expect_size(image, (map.width(), map.height()))?;
    }
    let mut found = objects_of(&map);
    for annotation in &mut found.annotations {
        let value = annotation.id as u32;
        let (label, is_object) = if value < OFFSET { (value, false) } else { (value / OFFSET, true) };
        if label == 0 || label as usize >= labels::LABELS.len() {
            return Err(Error::new(ErrorKind::MaskValue, format!("{value} is no value that Cityscapes has"))
                .at_path(file)
                .hint("a value is a label from 0 to 33, or label * 1000 + number"));
        }
        annotation.category = label as usize - 1;
        annotation.crowd = labels::is_thing(label) && !is_object;
    }
    Ok(found)
}

fn read_ids(path: &Path) -> Result<IdMap> {
    let mask = read_mask(path)?;
    let MaskPixels::Values(values) = mask.pixels else {
        return Err(Error::new(ErrorKind::Unsupported, "instanceIds in colours")
            .at_path(path)
            .hint("instanceIds are grey values of 16 bits"));
    };
    IdMap::new(mask.width, mask.height, values.into_iter().map(u32::from).collect())
}
