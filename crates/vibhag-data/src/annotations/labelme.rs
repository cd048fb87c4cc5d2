//! LabelMe (github.com/wkentaro/labelme): one JSON file an image, beside it or not.
//!
//! Shapes of one `group_id` and label are parts of one object. Of its shapes, polygons, rectangles, circles and masks
//! have an area. It has no holes, so an object with holes is written as a mask, and a mask stays one. A crowd is marked
//! by the flag `crowd`.

mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;
use vibhag_core::{Error, ErrorKind, ImageAnnotations, Result};
use walkdir::WalkDir;

use super::export::Export;
use super::grouping::{Grouping, group_numbers};
use super::image_files::{entry_below, expect_size, image_size, name_below, relative, with_ending, write_text};
use super::json::Value;
use super::json_file::read_json;
use super::listed::{Listed, nothing_found};
use super::{AnnotationFormat, AnnotationSource, Category, Holds, ImageEntry, Written};
use crate::decode::IMAGE_EXTENSIONS;
use crate::fault::Fault;

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "labelme",
    summary: "LabelMe: one JSON file an image, with polygons, rectangles, circles and masks",
    holds: Holds {
        masks: true,
        polygons: true,
        holes: true,
        parts: true,
        overlap: true,
        crowd: true,
        categories: true,
        stuff: false,
        scores: false,
    },
    detect,
    open,
    write,
};

/// The list of labels that LabelMe is started with, one a line; these two do not name objects.
const LABEL_FILE: &str = "labels.txt";
const NO_LABELS: [&str; 2] = ["__ignore__", "_background_"];

/// Whether one of the first JSON files begins like LabelMe's.
fn detect(root: &Path) -> bool {
    const LOOKED_AT: usize = 5;
    let begins_so = |path: &PathBuf| {
        let mut start = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| {
            use std::io::Read;
            file.take(1 << 16).read_to_end(&mut start)
        });
        let has = |key: &[u8]| start.windows(key.len()).any(|window| window == key);
        read.is_ok() && has(b"\"shapes\"") && (has(b"\"imagePath\"") || has(b"\"shape_type\"") || has(b"\"imageData\""))
    };
    files_below(root).iter().take(LOOKED_AT).any(begins_so)
}

/// The JSON files below `root` (or itself), in order of name.
fn files_below(root: &Path) -> Vec<PathBuf> {
    let visible =
        |entry: &walkdir::DirEntry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.');
    let walk = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible);
    let is_json = |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let files = walk.filter_map(std::result::Result::ok).filter(|entry| entry.file_type().is_file());
    files.map(walkdir::DirEntry::into_path).filter(|path| is_json(path)).collect()
}

/// What of a file is used.
#[derive(Debug, Deserialize)]
struct File {
    shapes: Vec<Value>,
    #[serde(rename = "imagePath", default)]
    image_path: Value,
    #[serde(rename = "imageWidth", default)]
    width: Value,
    #[serde(rename = "imageHeight", default)]
    height: Value,
}

/// The image that the JSON file `path` states, or one of the file's own name.
fn image_of(path: &Path, stated: Option<&str>) -> Option<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = stated.filter(|text| !text.is_empty()).map(|text| folder.join(text.replace('\\', "/")));
    let beside = named.as_ref().and_then(|named| named.file_name()).map(|name| folder.join(name));
    let own = IMAGE_EXTENSIONS.iter().map(|extension| path.with_extension(extension));
    named.into_iter().chain(beside).chain(own).find(|image| image.is_file())
}

impl File {
    fn size(&self, path: &Path, image: Option<&Path>) -> Result<(usize, usize)> {
        match (self.width.whole(), self.height.whole(), image) {
            (Some(width), Some(height), _) if width > 0 && height > 0 => {
                let size = (width as usize, height as usize);
                crate::decode::check_size(width, height, 0, path)?;
                image.map_or(Ok(()), |image| expect_size(image, size))?;
                Ok(size)
            }
            (_, _, Some(image)) => image_size(image),
            _ => Err(Error::new(ErrorKind::Decode, "neither imageWidth and imageHeight nor the image itself is there")
                .at_path(path)
                .hint("put the image beside the JSON file")),
        }
    }
}

fn open(root: &Path) -> Result<Box<dyn AnnotationSource>> {
    let files = files_below(root);
    let base = if root.is_dir() { root } else { root.parent().unwrap_or(Path::new("")) };
    let parsed: Vec<(PathBuf, Result<File>)> =
        files.into_par_iter().map(|path| (path.clone(), read_json::<File>(&path))).collect();
    let (mut items, mut labels) = (Vec::new(), BTreeSet::new());
    let mut readable = false;
    for (path, file) in &parsed {
        let stated = file.as_ref().ok().and_then(|file| file.image_path.text()).map(str::to_owned);
        let image = image_of(path, stated.as_deref());
        readable |= file.is_ok();
        if let Ok(file) = file {
            labels.extend(file.shapes.iter().filter_map(|shape| shape.field("label").text()).map(str::to_owned));
        }
        items.push((entry_of(base, path, image, stated.as_deref()), path.clone()));
    }
    if !readable {
        // The first error says more than that nothing was found.
        if let Some((_, path)) = items.first() {
            read_json::<File>(path)?;
        }
        return Err(nothing_found(root, "no JSON file of LabelMe found", "name the folder of the JSON files"));
    }
    let names = match std::fs::read_to_string(base.join(LABEL_FILE)) {
        Ok(text) => text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect(),
        Err(_) => labels.into_iter().collect::<Vec<_>>(),
    };
    let names = names.into_iter().filter(|name| !NO_LABELS.contains(&name.as_str()));
    let categories: Vec<Category> = (1..).zip(names).map(|(id, name)| Category::thing(id, name)).collect();
    let by_name: BTreeMap<String, usize> =
        categories.iter().enumerate().map(|(index, category)| (category.name.clone(), index)).collect();
    let found = items.par_iter().zip(&parsed).map(|((entry, path), (_, file))| {
        let read = file.as_ref().ok().and_then(|file| content(entry, path, file, &by_name).ok());
        read.map_or(Vec::new(), |(_, faults)| faults)
    });
    let faults = found.collect::<Vec<_>>().concat();
    let read = move |entry: &ImageEntry, path: &PathBuf| {
        content(entry, path, &read_json(path)?, &by_name).map(|(annotations, _)| annotations)
    };
    Ok(Box::new(Listed::without_faults(FORMAT.name, categories, items, faults, read)))
}

/// The entry of the image that the JSON file `path` annotates. It is called like the image where that lies below `base`,
/// and like the JSON file with the ending of the image elsewhere.
fn entry_of(base: &Path, path: &Path, image: Option<PathBuf>, stated: Option<&str>) -> ImageEntry {
    if let Some(image) = image.as_ref().and_then(|image| below(base, image)) {
        return entry_below(base, &image);
    }
    let extension = stated.and_then(|text| text.rsplit_once('.')).map_or("", |(_, extension)| extension);
    let mut entry = entry_below(base, &path.with_extension(extension));
    entry.path = image;
    entry
}

/// `path` without `..`, if it lies below `base`.
fn below(base: &Path, path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    path.strip_prefix(base.canonicalize().ok()?).ok().map(|below| base.join(below))
}

/// What is annotated on an image, and the shapes that cannot be used.
fn content(
    entry: &ImageEntry,
    path: &Path,
    file: &File,
    categories: &BTreeMap<String, usize>,
) -> Result<(ImageAnnotations, Vec<Fault>)> {
    let (width, height) = file.size(path, entry.path.as_deref())?;
    let (mut grouping, mut faults) = (Grouping::default(), Vec::new());
    for (number, shape) in (1..).zip(&file.shapes) {
        match shapes::part_of(shape, width, height, categories) {
            Ok((category, part)) => {
                let crowd = shape.field("flags").field("crowd").whole() == Some(1);
                grouping.add(category, shape.field("group_id").whole(), part, crowd);
            }
            Err(error) => {
                let what = format!("shape {number}: {}", error.what);
                faults.push(Fault::from_error(Some(&entry.name), path, &Error { what, ..error }));
            }
        }
    }
    Ok((ImageAnnotations { width, height, annotations: grouping.into_annotations(width, height) }, faults))
}

fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let export = Export::new(source, root, FORMAT.holds)?;
    let names = source.categories().iter().map(|category| category.name.as_str());
    let lines: Vec<&str> = NO_LABELS.into_iter().chain(names).collect();
    write_text(&root.join(LABEL_FILE), &(lines.join("\n") + "\n"))?;
    Ok(export.each(|out| {
        let split = out.entry.split.clone().unwrap_or_default();
        let image = root.join(split).join(relative(&out.entry.name)?);
        let path = with_ending(&image, ".json");
        out.claim(&path)?;
        let numbers = group_numbers(out, i64::MAX as u64);
        let mut shapes = Vec::new();
        for (object, number) in std::mem::take(&mut out.image.annotations).into_iter().zip(numbers) {
            let parts = shapes::to_json(&object, &source.categories()[object.category].name, number, out)?;
            if !parts.is_empty() {
                shapes.extend(parts);
                out.image.annotations.push(object);
            }
        }
        let file = json!({
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": name_below(image.parent().unwrap_or(root), &image),
            "imageData": null,
            "imageHeight": out.image.height,
            "imageWidth": out.image.width,
        });
        write_text(&path, &(format!("{file:#}") + "\n"))?;
        out.copy_image(&image)
    }))
}
