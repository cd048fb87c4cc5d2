//! COCO panoptic (Kirillov et al., "Panoptic Segmentation", CVPR 2019; format: <https://cocodataset.org/#format-data>): a
//! JSON file with `segments_info` beside a folder of its name with PNGs, in which a pixel's segment is
//! R + 256 G + 65536 B and 0 is none. Also its variant of two channels, category and instance ([`two_channels`]).

mod layout;
mod rows;
pub(super) mod two_channels;
mod write;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vibhag_core::{Annotation, Error, ErrorKind, IdMap, ImageAnnotations, Result, Rle, Samples, Shape};

use super::flatten::objects_of;
use super::image_files::expect_size;
use super::json::{JsonReader, json_error};
use super::listed::{Listed, fault};
use super::{AnnotationFormat, AnnotationSource, Category, Holds, ImageEntry};
use crate::decode::read_image;
use crate::fault::{Fault, FaultKind};
use layout::Part;
use rows::{File as Whole, PngRow, Segment};

/// What both variants hold.
const HOLDS: Holds = Holds {
    masks: true,
    polygons: false,
    holes: true,
    parts: true,
    overlap: false,
    crowd: true,
    categories: true,
    stuff: true,
    scores: false,
};

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "coco-panoptic",
    summary: "COCO panoptic: a JSON file with segments_info beside a folder of its name with PNGs",
    holds: HOLDS,
    detect: layout::detect,
    open,
    write: write::write,
};

/// An image of the data set.
struct Item {
    png: PathBuf,
    /// Its size where the file states it.
    size: Option<(usize, usize)>,
    segments: Vec<(Segment, usize)>,
    /// Ids of segments that have a fault.
    faulty: HashSet<u32>,
}

/// Opens the JSON file or the folder at `path`.
///
/// # Errors
/// When there is no such file, or one is no JSON (with line and column).
fn open(path: &Path) -> Result<Box<dyn AnnotationSource>> {
    let (mut categories, mut items, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for part in layout::parts(path)? {
        let file = parse(&part.json)?;
        let own = categories_of(&file, &part.json, &mut faults);
        let places = super::coco::merge(&mut categories, own).map_err(|error| error.at_path(&part.json))?;
        list(&part, file, &places, &mut items, &mut faults);
    }
    Ok(Box::new(Listed::without_faults("coco-panoptic", categories, items, faults, read)))
}

fn parse(path: &Path) -> Result<Whole> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let position = Cell::new(0);
    let mut reader = JsonReader::new(BufReader::with_capacity(1 << 16, file), &position);
    reader.skip_mark().map_err(|error| Error::io(path, error))?;
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    Whole::deserialize(&mut deserializer).map_err(|error| json_error(path, error))
}

fn categories_of(file: &Whole, path: &Path, faults: &mut Vec<Fault>) -> Vec<Category> {
    let mut categories = Vec::new();
    for row in &file.categories {
        match row.category(&categories) {
            Ok(category) => categories.push(category),
            Err(error) => faults.push(Fault::from_error(None, path, &error)),
        }
    }
    categories
}

/// Adds the images of one file to `items`.
fn list(
    part: &Part,
    file: Whole,
    categories: &HashMap<u64, usize>,
    items: &mut Vec<(ImageEntry, Item)>,
    faults: &mut Vec<Fault>,
) {
    let mut images = HashMap::new();
    for image in &file.images {
        if let (Some(id), Some(name)) = (image.id.whole(), image.file_name.text()) {
            images.insert(id, (name, image.size()));
        } else {
            let message = "an image without a whole number as id or without file_name";
            faults.push(fault("", &part.json, FaultKind::Unreadable, message, "give every image both"));
        }
    }
    let mut seen = HashSet::new();
    for annotation in file.annotations {
        let PngRow { image_id, file_name, segments_info } = annotation;
        let (id, png) = (image_id.whole(), file_name.text().unwrap_or_default().replace('\\', "/"));
        let image = id.and_then(|id| images.get(&id).copied());
        let name = image.map_or(png.as_str(), |(name, _)| name);
        let problem = if png.is_empty() {
            Some((FaultKind::MissingMask, "its annotation names no PNG".to_owned(), "state file_name"))
        } else if image.is_none() && !images.is_empty() {
            Some((FaultKind::MissingImage, format!("{png} is for an image that is not in the file"), "add the image"))
        } else if id.is_some_and(|id| !seen.insert(id)) {
            Some((FaultKind::Ambiguous, format!("the image has a second annotation, {png}"), "remove one of the two"))
        } else {
            None
        };
        if let Some((kind, message, hint)) = problem {
            faults.push(fault(name, &part.json, kind, message, hint));
            continue;
        }
        let mut item = Item {
            png: part.pngs.join(&png),
            size: image.and_then(|(_, size)| size),
            segments: Vec::new(),
            faulty: HashSet::new(),
        };
        for segment in segments_info {
            item.add(segment, categories, |kind, message, hint| {
                faults.push(fault(name, &part.json, kind, message, hint));
            });
        }
        let path = part.images.find(name).or_else(|| part.find_like(&png));
        let entry = ImageEntry { id, name: name.to_owned(), path, split: part.images.split.clone() };
        items.push((entry, item));
    }
    let mut missing: Vec<_> = images.iter().filter(|(id, _)| !seen.contains(id)).map(|(_, (name, _))| *name).collect();
    missing.sort_unstable();
    for name in missing {
        let hint = "annotate it or remove it from the file";
        faults.push(fault(name, &part.json, FaultKind::MissingMask, "the image has no annotation", hint));
    }
}

impl Item {
    fn add(
        &mut self,
        segment: Segment,
        categories: &HashMap<u64, usize>,
        mut fault: impl FnMut(FaultKind, String, &str),
    ) {
        let Some(id) = segment.id.filter(|&id| id > 0) else {
            let hint = "give every segment the number that its pixels have, from 1 to 16777215";
            return fault(FaultKind::Unreadable, "a segment without a number as id".to_owned(), hint);
        };
        if self.segments.iter().any(|(other, _)| other.id == Some(id)) {
            let message = format!("segment {id} occurs again");
            return fault(FaultKind::Ambiguous, message, "give every segment its own number");
        }
        if let Some(&category) = segment.category.and_then(|category| categories.get(&category)) {
            return self.segments.push((segment, category));
        }
        self.faulty.insert(id);
        let stated = segment.category.map_or("none".to_owned(), |category| category.to_string());
        let message = format!("segment {id}: no category has its category_id ({stated})");
        fault(FaultKind::MaskValue, message, "add the category to the file or repair the segment");
    }
}

/// The red, green and blue values of the PNG at `path`.
///
/// # Errors
/// When it cannot be read or has no three channels of 8 bits.
fn read_rgb(path: &Path) -> Result<(usize, usize, Vec<u8>)> {
    let image = read_image(path)?;
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    match image.samples() {
        Samples::U8(samples) if channels == 3 => Ok((width, height, samples.clone())),
        _ => Err(Error::new(ErrorKind::Unsupported, format!("a segment PNG of {channels} channels, or of 16 bits"))
            .at_path(path)
            .hint("segments are stored in three channels of 8 bits")),
    }
}

fn read(entry: &ImageEntry, item: &Item) -> Result<ImageAnnotations> {
    let (width, height, samples) = read_rgb(&item.png)?;
    if let Some((own_width, own_height)) = item.size.filter(|size| *size != (width, height)) {
        let what = format!("the PNG has {width}x{height} pixels, its image {own_width}x{own_height}");
        return Err(Error::new(ErrorKind::SizeMismatch, what).at_path(&item.png).hint("export it in the image's size"));
    }
    if let Some(image) = &entry.path {
        expect_size(image, (width, height))?;
    }
    let (pixels, _) = samples.as_chunks::<3>();
    let ids = pixels.iter().map(|&[r, g, b]| u32::from_le_bytes([r, g, b, 0])).collect();
    let found = objects_of(&IdMap::new(width, height, ids)?);
    let mut masks: HashMap<u64, Rle> = HashMap::with_capacity(found.annotations.len());
    for annotation in found.annotations {
        if let Shape::Mask(mask) = annotation.shape {
            masks.insert(annotation.id, mask);
        }
    }
    let annotation = |(segment, category): &(Segment, usize)| {
        let id = u64::from(segment.id.unwrap_or_default());
        let mask = masks.remove(&id).unwrap_or_else(|| Rle::from_box((width, height), (0, 0), 0, &[]));
        Annotation {
            id,
            category: *category,
            shape: Shape::Mask(mask),
            crowd: segment.crowd,
            area: segment.area,
            bounds: segment.bounds,
            score: None,
        }
    };
    let annotations = item.segments.iter().map(annotation).collect();
    let unknown = masks.into_keys().filter(|&id| !item.faulty.contains(&(id as u32))).min();
    match unknown {
        None => Ok(ImageAnnotations { width, height, annotations }),
        Some(id) => {
            Err(Error::new(ErrorKind::MaskValue, format!("the PNG has a segment {id} that segments_info lacks"))
                .at_path(&item.png)
                .hint("describe the segment in the JSON file, or export both anew"))
        }
    }
}
