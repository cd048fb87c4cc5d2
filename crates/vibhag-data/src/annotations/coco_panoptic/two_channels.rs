//! The panoptic format of two channels, as panopticapi's `converters/2channels2panoptic_coco_format.py` describes it: red is
//! the category, 0 for none, green the instance. Stuff has instance 0; 255 is a crowd, as in panopticapi's example.
//! Categories are a list in a JSON file beside the folder of PNGs, whose name ends in `2ch_format`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use vibhag_core::{Annotation, Error, ErrorKind, IdMap, ImageAnnotations, Result};

use super::super::coco::layout::split_of;
use super::super::coco::rows::{RawCategory, category_rows};
use super::super::export::{Export, Outgoing};
use super::super::flatten::{objects_of, stack, unite};
use super::super::image_files::{expect_size, name_below, write_text};
use super::super::json_file::read_json;
use super::super::listed::{Listed, nothing_found};
use super::super::placing::place_image;
use super::super::{AnnotationFormat, AnnotationSource, Category, ImageEntry, Written};
use super::write::{png_name, split_folders};
use super::{HOLDS, read_rgb};
use crate::fault::Fault;
use crate::formats::pairing::images_below;
use crate::formats::{entries, file_name, stem};

/// How the name of a folder of such PNGs ends.
const ENDING: &str = "2ch_format";
/// The instance of a crowd.
const CROWD: u32 = 255;
/// Instances of one category are told apart within this many numbers in the ids of annotations.
const OFFSET: u32 = 1000;

/// The format's row.
pub(in super::super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "coco-panoptic-2ch",
    summary: "COCO panoptic in two channels: PNGs with category and instance, and a JSON list of categories",
    holds: HOLDS,
    detect,
    open,
    write,
};

fn detect(path: &Path) -> bool {
    !folders(path).is_empty()
}

/// The folders of PNGs at or in `path`.
fn folders(path: &Path) -> Vec<PathBuf> {
    let is_one = |folder: &PathBuf| file_name(folder).ends_with(ENDING) && folder.is_dir();
    if is_one(&path.to_owned()) {
        return vec![path.to_owned()];
    }
    entries(path).unwrap_or_default().into_iter().filter(is_one).collect()
}

fn open(path: &Path) -> Result<Box<dyn AnnotationSource>> {
    let folders = folders(path);
    let Some(first) = folders.first() else {
        return Err(nothing_found(path, "there is no folder of PNGs in it", "call it panoptic_train_2ch_format"));
    };
    let root = first.parent().unwrap_or(Path::new("")).to_owned();
    let mut faults = Vec::new();
    let categories = read_categories(&root, &mut faults)?;
    let by_id: HashMap<u32, usize> =
        categories.iter().enumerate().map(|(index, category)| (category.id, index)).collect();
    let things: Vec<bool> = categories.iter().map(|category| category.thing).collect();
    let mut items = Vec::new();
    for folder in &folders {
        let tail = file_name(folder).trim_end_matches(ENDING).trim_end_matches('_');
        let split = split_of(tail.trim_start_matches("panoptic_"));
        let images = images_like(&root, split.as_deref(), folder);
        for png in images_below(folder) {
            let key = name_below(folder, &png.with_extension(""));
            let (name, path) = match images.get(&key) {
                Some((name, path)) => (name.clone(), Some(path.clone())),
                None => (name_below(folder, &png), None),
            };
            items.push((ImageEntry { id: None, name, path, split: split.clone() }, png));
        }
    }
    let read = move |entry: &ImageEntry, png: &PathBuf| read(entry, png, &by_id, &things);
    Ok(Box::new(Listed::without_faults("coco-panoptic-2ch", categories, items, faults, read)))
}

/// Images by their name without ending.
fn images_like(root: &Path, split: Option<&str>, pngs: &Path) -> HashMap<String, (String, PathBuf)> {
    let mut found = HashMap::new();
    for folder in split.into_iter().chain(["images", "input_images"]).map(|name| root.join(name)) {
        if folder != pngs && folder.is_dir() {
            for path in images_below(&folder) {
                let key = name_below(&folder, &path.with_extension(""));
                found.entry(key).or_insert_with(|| (name_below(&folder, &path), path));
            }
        }
    }
    found
}

fn read_categories(root: &Path, faults: &mut Vec<Fault>) -> Result<Vec<Category>> {
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut files = entries(root)?.into_iter().filter(is_json);
    let Some(path) = files.find(|path| stem(path).ends_with("categories")) else {
        let hint = "put the list of categories (id, name, isthing) into categories.json beside the folder of PNGs";
        return Err(nothing_found(root, "the list of categories is missing", hint));
    };
    let rows: Vec<RawCategory> = read_json(&path)?;
    let mut categories = Vec::new();
    for row in rows {
        match row.category(&categories) {
            Ok(category) => categories.push(category),
            Err(error) => faults.push(Fault::from_error(None, &path, &error)),
        }
    }
    Ok(categories)
}

fn read(entry: &ImageEntry, png: &Path, categories: &HashMap<u32, usize>, things: &[bool]) -> Result<ImageAnnotations> {
    let (width, height, samples) = read_rgb(png)?;
    if let Some(image) = &entry.path {
        expect_size(image, (width, height))?;
    }
    let (pixels, _) = samples.as_chunks::<3>();
    let number = |&[category, instance, _]: &[u8; 3]| match categories.get(&u32::from(category)) {
        _ if category == 0 => 0,
        // The instance of stuff is redundant.
        Some(&index) if !things[index] => u32::from(category) * OFFSET,
        _ => u32::from(category) * OFFSET + u32::from(instance),
    };
    let mut found = objects_of(&IdMap::new(width, height, pixels.iter().map(number).collect())?);
    for annotation in &mut found.annotations {
        let id = annotation.id as u32;
        annotation.crowd = id % OFFSET == CROWD;
        annotation.category = *categories.get(&(id / OFFSET)).ok_or_else(|| {
            Error::new(ErrorKind::MaskValue, format!("no category has the id {} of its red channel", id / OFFSET))
                .at_path(png)
                .hint("add the category to the list of categories, or export the PNG anew")
        })?;
    }
    Ok(found)
}

/// Writes `source` as `panoptic_SPLIT_2ch_format/` with PNGs, `SPLIT/` with images and `categories.json`.
///
/// # Errors
/// When `root` is not empty or cannot be written to, or there are more than 255 categories.
fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let categories = source.categories();
    if categories.len() > 255 {
        return Err(Error::new(ErrorKind::Unsupported, format!("{} categories, the format has 255", categories.len()))
            .hint("convert to coco-panoptic"));
    }
    let mut ids: Vec<u8> = categories.iter().filter_map(|category| u8::try_from(category.id).ok()).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    let fit = sorted.len() == categories.len() && sorted.first() != Some(&0);
    if !fit {
        ids = (1..=categories.len()).map(|id| id as u8).collect();
    }
    let mut written = Export::new(source, root, HOLDS)?.each(|outgoing| add(outgoing, root, categories, &ids));
    if !fit {
        written.losses.push("categories have new ids, since theirs are 0, doubled or above 255".to_owned());
    }
    let rows = category_rows(ids.iter().map(|&id| u64::from(id)).zip(categories), true)?;
    write_text(&root.join("categories.json"), &String::from_utf8_lossy(&rows))?;
    Ok(written)
}

fn add(outgoing: &mut Outgoing<'_>, root: &Path, categories: &[Category], ids: &[u8]) -> Result<()> {
    let (width, height) = (outgoing.image.width, outgoing.image.height);
    // Stuff has one segment of a category, and so have crowds.
    let whole = |annotation: &Annotation| annotation.crowd || !categories[annotation.category].thing;
    unite(outgoing, |annotation| {
        whole(annotation).then_some(annotation.category as u64 * 2 + u64::from(annotation.crowd))
    })?;
    let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
    let mut numbers = Vec::with_capacity(outgoing.image.annotations.len());
    for annotation in &outgoing.image.annotations {
        let category = annotation.category;
        let instance = if !categories[category].thing {
            0
        } else if annotation.crowd {
            CROWD
        } else {
            let count = counts.entry(category).or_default();
            *count += 1;
            *count - 1
        };
        if instance == CROWD && !annotation.crowd {
            let what = format!("more than {CROWD} objects of the category {}", categories[category].name);
            return Err(Error::new(ErrorKind::Unsupported, what).hint("convert to coco-panoptic"));
        }
        numbers.push(u32::from_le_bytes([ids[category], instance as u8, 0, 0]));
    }
    let mut losses = Vec::new();
    let map = stack(&outgoing.image, &outgoing.objects(), &numbers, &outgoing.entry.name, &mut losses)?;
    outgoing.losses.extend(losses);
    let (split, images) = split_folders(outgoing);
    let name = place_image(outgoing, &root.join(images))?;
    let png = root.join(format!("panoptic_{split}_{ENDING}")).join(png_name(&name));
    outgoing.claim(&png)?;
    let bytes: Vec<u8> = map.ids().iter().flat_map(|id| id.to_le_bytes().into_iter().take(3)).collect();
    crate::encode::write_rgb_png(&png, width, height, &bytes)
}
