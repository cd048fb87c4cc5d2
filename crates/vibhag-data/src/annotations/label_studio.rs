//! Label Studio's JSON export (labelstud.io/guide/export): a list of tasks, each with an image and the regions drawn on
//! it. Polygons, rectangles, ellipses and brush masks have an area; lengths are percentages of the image's sides.
//!
//! A region is one outline, so an object of several parts or with holes is written as a brush mask, and a mask stays
//! one. Beside the export, `config.xml` holds the labels, as Label Studio's project settings want them.

mod brush;
mod regions;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use vibhag_core::{Error, ErrorKind, ImageAnnotations, Result};

use super::image_files::{expect_size, image_size, relative};
use super::json::Value;
use super::json_file::read_json;
use super::listed::{Listed, fault, nothing_found};
use super::xml;
use super::{AnnotationFormat, AnnotationSource, Category, Holds, ImageEntry};
use crate::decode::{check_size, is_image_path};
use crate::fault::{Fault, FaultKind};
use crate::formats::{entries, file_name};
use crate::split::Split;

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "label-studio",
    summary: "Label Studio's JSON export: polygons, rectangles, ellipses and brush masks",
    holds: Holds {
        masks: true,
        polygons: true,
        holes: true,
        parts: true,
        overlap: true,
        crowd: false,
        categories: true,
        stuff: false,
        scores: true,
    },
    detect,
    open,
    write: write::write,
};

/// The labelling configuration beside the export.
const CONFIG: &str = "config.xml";

fn detect(root: &Path) -> bool {
    export_file(root).is_some()
}

/// JSON files that are looked at.
const LOOKED_AT: usize = 10;

/// `root`, or the first file in it, that begins as Label Studio's export does: a list of objects with an `annotations`
/// key and results or data.
fn export_file(root: &Path) -> Option<PathBuf> {
    use std::io::Read;
    let begins_so = |path: &PathBuf| {
        let mut start = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(1 << 16).read_to_end(&mut start));
        let text = String::from_utf8_lossy(&start);
        let has = |key: &str| text.contains(key);
        let list = text.trim_start_matches('\u{feff}').trim_start().starts_with('[');
        let regions = has("\"result\"") && (has("\"original_width\"") || has("\"annotations\""));
        read.is_ok() && list && (regions || (has("\"annotations\"") && has("\"data\"")))
    };
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let all = if root.is_file() { vec![root.to_owned()] } else { entries(root).unwrap_or_default() };
    all.into_iter().filter(is_json).take(LOOKED_AT).find(begins_so)
}

/// What is known of an image, or why its regions cannot be used.
type Content = Result<ImageAnnotations, (ErrorKind, String)>;

fn open(root: &Path) -> Result<Box<dyn AnnotationSource>> {
    let Some(path) = export_file(root) else {
        return Err(nothing_found(root, "no JSON export of Label Studio found", "export the project as JSON"));
    };
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let tasks: Vec<Value> = read_json(&path)?;
    let categories = categories(&folder, &tasks)?;
    let by_name: BTreeMap<String, usize> =
        categories.iter().enumerate().map(|(index, category)| (category.name.clone(), index)).collect();
    let (mut items, mut faults, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (number, task) in (1usize..).zip(&tasks) {
        let mut say = |name: &str, kind: FaultKind, what: &str, hint: &str| {
            faults.push(fault(name, &path, kind, format!("task {number}: {what}"), hint));
        };
        let Some(image) = image_of(task) else {
            say("", FaultKind::MissingImage, "it has no image", "its data needs the image's address");
            continue;
        };
        let split = task.field("data").field("split").text().and_then(Split::from_name).map(|split| split.to_string());
        let name = name_of(&image);
        let within = split.as_deref().and_then(|split| name.strip_prefix(split)?.strip_prefix('/'));
        let name = within.map(str::to_owned).unwrap_or(name);
        if !seen.insert((split.clone(), name.clone())) {
            say(&name, FaultKind::Ambiguous, "a second task with this image", "delete one of the two");
            continue;
        }
        let Some((results, others)) = results_of(task) else {
            let hint = "annotate it (submit it empty where it shows no object), or delete the task";
            say(&name, FaultKind::MissingMask, "nobody has annotated it", hint);
            continue;
        };
        if others > 0 {
            let what = format!("{} annotations, of which the latest is used", others + 1);
            say(&name, FaultKind::Ambiguous, &what, "delete the others");
        }
        let entry = ImageEntry { id: task.field("id").whole(), path: find(&folder, &image, &name), name, split };
        let content = content(task, results, &entry, number, &path, &by_name, &mut faults);
        items.push((entry, (path.clone(), number, content)));
    }
    if items.is_empty() {
        return Err(nothing_found(&path, "no annotated image in it", "annotate images and export again"));
    }
    Ok(Box::new(Listed::without_faults(FORMAT.name, categories, items, faults, read)))
}

fn read(entry: &ImageEntry, item: &(PathBuf, usize, Content)) -> Result<ImageAnnotations> {
    let (path, number, content) = item;
    let image = content.clone().map_err(|(kind, what)| {
        Error::new(kind, what).at_path(path).at(format!("task {number}")).hint("put the image beside the export")
    })?;
    if let Some(file) = &entry.path {
        expect_size(file, (image.width, image.height))?;
    }
    Ok(image)
}

/// The labels of `config.xml` in their order; without it, those that are used.
fn categories(folder: &Path, tasks: &[Value]) -> Result<Vec<Category>> {
    let mut names: Vec<String> = Vec::new();
    let config = folder.join(CONFIG);
    if let Ok(text) = std::fs::read_to_string(&config) {
        xml::visit(&text, &config, &["Label"], |element| {
            let name = element.attribute("alias").or(element.attribute("value")).unwrap_or_default();
            if names.iter().all(|known| known != name) {
                names.push(name.to_owned());
            }
            Ok(())
        })?;
    }
    if names.is_empty() {
        let results = tasks.iter().filter_map(results_of).flat_map(|(results, _)| results);
        let used: BTreeSet<&str> = results.flat_map(|result| regions::labels(result)).collect();
        names = used.into_iter().map(str::to_owned).collect();
    }
    Ok((1..).zip(names).map(|(id, name)| Category::thing(id, name)).collect())
}

/// The address of a task's image: `data.image`, or the first text in `data` that ends like an image's name.
fn image_of(task: &Value) -> Option<String> {
    let data = task.field("data");
    if let Some(text) = data.field("image").text() {
        return Some(text.to_owned());
    }
    let Value::Fields(fields) = data else { return task.field("file_upload").text().map(str::to_owned) };
    fields.iter().filter_map(|(_, value)| value.text()).find(|text| is_image_path(Path::new(text))).map(str::to_owned)
}

/// The name in an address such as `/data/local-files/?d=images/a.jpg` or `s3://bucket/a.jpg`.
fn name_of(address: &str) -> String {
    let Some((_, local)) = address.split_once("?d=") else {
        let path = address.split(['?', '#']).next().unwrap_or(address);
        return unescaped(path.rsplit('/').next().unwrap_or(path));
    };
    let path = unescaped(local);
    // Folders below the storage's images count as part of the name.
    match path.split_once("images/") {
        Some((_, name)) if !name.is_empty() => name.to_owned(),
        _ => path.trim_start_matches('/').to_owned(),
    }
}

/// `%20` and the like as characters.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = (byte == b'%').then(|| after.get(..2)).flatten().and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(code) = code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(code);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The image file: below the export's folder, or `images/` there, also without the characters that an upload puts before
/// the name.
fn find(folder: &Path, address: &str, name: &str) -> Option<PathBuf> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let original = last.split_once('-').filter(|(prefix, _)| prefix.len() == 8).map(|(_, original)| original);
    let local = address.split_once("?d=").map(|(_, path)| unescaped(path));
    let names = local.as_deref().into_iter().chain([name, last]).chain(original);
    let below = names.filter_map(|name| relative(name).ok());
    let mut paths = below.flat_map(|below| [folder.join(&below), folder.join("images").join(&below)]);
    paths.find(|path| path.is_file())
}

/// The results of the latest annotation that was not cancelled, and how many others there are.
fn results_of(task: &Value) -> Option<(&[Value], usize)> {
    let annotations = match task.field("annotations") {
        Value::List(list) => list,
        // Its name in the first versions.
        _ => match task.field("completions") {
            Value::List(list) => list,
            _ => return None,
        },
    };
    let valid: Vec<&Value> =
        annotations.iter().filter(|value| value.field("was_cancelled").whole() != Some(1)).collect();
    // Times are written so that they sort as texts; of equals the last one.
    let latest = valid.iter().max_by_key(|value| value.field("updated_at").text().unwrap_or(""))?;
    let results: &[Value] = match latest.field("result") {
        Value::List(list) => list,
        _ => &[],
    };
    Some((results, valid.len() - 1))
}

/// The objects of a task.
fn content(
    task: &Value,
    results: &[Value],
    entry: &ImageEntry,
    number: usize,
    path: &Path,
    categories: &BTreeMap<String, usize>,
    faults: &mut Vec<Fault>,
) -> Content {
    let (width, height) = size_of(task, results, entry)?;
    check_size(width as u64, height as u64, 0, path).map_err(|error| (error.kind, error.what))?;
    let (annotations, bad) = regions::objects(results, width, height, categories);
    for (region, error) in bad {
        let what = format!("task {number}: region {region}: {}", error.what);
        faults.push(Fault::from_error(Some(&entry.name), path, &Error { what, ..error }));
    }
    Ok(ImageAnnotations { width, height, annotations })
}

/// The size that a region states, or `data`, or the image file.
fn size_of(task: &Value, results: &[Value], entry: &ImageEntry) -> Result<(usize, usize), (ErrorKind, String)> {
    let pair = |value: &Value, names: [&str; 2]| {
        let [width, height] = names.map(|name| value.field(name).whole().filter(|side| *side > 0));
        Some((width? as usize, height? as usize))
    };
    let stated = results.iter().find_map(|result| pair(result, ["original_width", "original_height"]));
    if let Some(size) = stated.or_else(|| pair(task.field("data"), ["width", "height"])) {
        return Ok(size);
    }
    match &entry.path {
        Some(file) => image_size(file).map_err(|error| (error.kind, format!("{}: {}", file_name(file), error.what))),
        None => Err((ErrorKind::MissingPair, "neither a region nor the image says how large the image is".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_names() {
        for (address, name) in [
            ("/data/upload/1/0a1b2c3d-my%20photo.jpg", "0a1b2c3d-my photo.jpg"),
            ("/data/local-files/?d=images/train/a.jpg", "train/a.jpg"),
            ("/data/local-files/?d=a%2Fb.jpg", "a/b.jpg"),
            ("s3://bucket/folder/a.png", "a.png"),
            ("https://example.org/a.png?x=1#y", "a.png"),
            ("100%.png", "100%.png"),
        ] {
            assert_eq!(name_of(address), name, "{address}");
        }
    }
}
