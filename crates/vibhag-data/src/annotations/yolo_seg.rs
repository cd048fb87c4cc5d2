//! Ultralytics' YOLO segmentation: `images/train/NAME.jpg` and `labels/train/NAME.txt` with a line `class x1 y1 x2 y2 ...`
//! for each object, in fractions of the image's sides, and `data.yaml` with the classes and splits. Roboflow's order of
//! folders (`train/images/`, `valid/images/`) is understood too.
//!
//! A line holds one closed outline. Several parts and holes are written as Ultralytics' converters do: as one outline
//! that runs from part to part and back. Filled by the even-odd rule these ways enclose nothing, so all pixels come back.

mod config;
mod labels;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use vibhag_core::{Error, Result};

use self::config::Config;
use super::export::Export;
use super::image_files::{name_below, relative, with_ending, write_text};
use super::listed::{Listed, nothing_found};
use super::{AnnotationFormat, AnnotationSource, Category, Holds, ImageEntry, Written};
use crate::decode::is_image_path;
use crate::fault::{Fault, FaultKind};
use crate::formats::pairing::images_below;
use crate::split::Split;

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "yolo",
    summary: "Ultralytics YOLO segmentation: data.yaml, images/ and labels/ of text files with one outline a line",
    holds: Holds {
        masks: true,
        polygons: true,
        holes: true,
        parts: true,
        overlap: true,
        crowd: false,
        categories: true,
        stuff: false,
        scores: false,
    },
    detect,
    open,
    write,
};

/// Whether there are folders of images and of labels, and the first object found has an outline and not only a box.
fn detect(root: &Path) -> bool {
    const LOOKED_AT: usize = 50;
    let Ok(config) = Config::find(root) else { return false };
    let images = config.splits.iter().flat_map(|(_, folder)| images_below(folder).into_iter().take(LOOKED_AT));
    let mut texts = images.filter_map(|image| std::fs::read_to_string(label_path(&image)).ok());
    let first = texts.find_map(|text| text.lines().find(|line| !line.trim().is_empty()).map(str::to_owned));
    first.is_some_and(|line| labels::is_outline(&line))
}

/// The label file of an image: `labels` for the last folder called `images`.
fn label_path(image: &Path) -> PathBuf {
    let text = image.with_extension("txt");
    let parts: Vec<_> = text.components().collect();
    let last = parts.iter().rposition(|part| part.as_os_str() == "images");
    parts
        .iter()
        .enumerate()
        .map(|(at, part)| if Some(at) == last { "labels".as_ref() } else { part.as_os_str() })
        .collect()
}

/// The name of an image: what follows the last folder called `images`, without the folder of its split.
fn image_name(image: &Path, base: &Path) -> String {
    let parts: Vec<_> = image.components().collect();
    let last = parts.iter().rposition(|part| part.as_os_str() == "images");
    let name = match last {
        Some(at) => name_below(&parts[..=at].iter().collect::<PathBuf>(), image),
        None => name_below(base, image),
    };
    match name.split_once('/') {
        Some((folder, rest)) if Split::from_name(folder).is_some() => rest.to_owned(),
        _ => name,
    }
}

fn open(root: &Path) -> Result<Box<dyn AnnotationSource>> {
    let Config { names, splits, mut faults } = Config::find(root)?;
    // An image listed for several splits is not assigned to any.
    let mut images: BTreeMap<PathBuf, (String, BTreeSet<Option<Split>>)> = BTreeMap::new();
    for (split, place) in &splits {
        let (base, found) = config::images(place, &mut faults);
        for image in found {
            let name = image_name(&image, &base);
            images.entry(image).or_insert_with(|| (name, BTreeSet::new())).1.insert(*split);
        }
    }
    let mut items = Vec::new();
    for (path, (name, splits)) in images {
        let split = splits.first().copied().flatten().filter(|_| splits.len() == 1).map(|split| split.to_string());
        let label = label_path(&path);
        items.push((ImageEntry { id: None, name, path: Some(path), split }, label));
    }
    if items.is_empty() {
        let hint = "put images into images/train/ and images/val/, and labels into labels/train/ and labels/val/";
        return Err(nothing_found(root, "no image found", hint));
    }
    faults.extend(labels_without_image(items.iter().map(|(_, label)| label)));
    let names = match names {
        Some(names) => names,
        None => labels::numbers_used(items.iter().map(|(_, label)| label.as_path())),
    };
    let numbers: BTreeMap<u32, usize> = names.iter().enumerate().map(|(index, (number, _))| (*number, index)).collect();
    let categories = names.into_iter().map(|(number, name)| Category::thing(number, name)).collect();
    let read = move |entry: &ImageEntry, label: &PathBuf| labels::read(entry, label, &numbers);
    Ok(Box::new(Listed::new(FORMAT.name, categories, items, faults, read)))
}

/// Label files beside those of the images that no image has.
fn labels_without_image<'a>(labels: impl Iterator<Item = &'a PathBuf>) -> Vec<Fault> {
    let known: BTreeSet<&PathBuf> = labels.collect();
    let folders: BTreeSet<&Path> = known.iter().filter_map(|label| label.parent()).collect();
    let texts = folders.into_iter().flat_map(|folder| crate::formats::entries(folder).unwrap_or_default());
    let is_label = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "txt")
            && !config::CLASS_FILES.iter().any(|n| path.ends_with(n))
    };
    let lost = texts.filter(|path| is_label(path) && !known.contains(path));
    lost.filter(|path| !["train.txt", "val.txt", "test.txt"].iter().any(|name| path.ends_with(name)))
        .map(|path| Fault {
            sample: None,
            path,
            kind: FaultKind::MissingImage,
            message: "the labels have no image".into(),
            hint: "add the image under the same name or remove the labels".into(),
        })
        .collect()
}

fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let mut export = Export::new(source, root, FORMAT.holds)?;
    export.objects_only = true;
    export.needs_images = true;
    let split_known = source.images().iter().any(|entry| entry.split.is_some());
    write_config(source, root, split_known)?;
    let written = export.each(|out| {
        let split = match (&out.entry.split, split_known) {
            (Some(split), _) => split.clone(),
            (None, false) => String::new(),
            (None, true) => {
                out.note("an image of no split is written to train");
                "train".to_owned()
            }
        };
        let name = Path::new(&split).join(relative(&out.entry.name)?);
        if !is_image_path(&name) {
            return Err(Error::config("the name does not end like an image's").hint("name images .jpg or .png"));
        }
        let label = root.join("labels").join(with_ending(&name, ".txt"));
        out.claim(&label)?;
        let text = labels::text(out)?;
        write_text(&label, &text)?;
        out.copy_image(&root.join("images").join(&name))
    });
    Ok(written)
}

fn write_config(source: &dyn AnnotationSource, root: &Path, split_known: bool) -> Result<()> {
    let has = |split: &str| source.images().iter().any(|entry| entry.split.as_deref() == Some(split));
    let mut text = String::from("path: .\n");
    // Ultralytics needs both; the same images for both mean that they are not divided.
    if !split_known {
        text.push_str("train: images\nval: images\n");
    }
    for split in ["train", "val", "test"].into_iter().filter(|split| split_known && (*split != "test" || has("test"))) {
        let _ = writeln!(text, "{split}: images/{split}");
        let folder = root.join("images").join(split);
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
    }
    text.push_str("names:\n");
    for (index, category) in source.categories().iter().enumerate() {
        // YAML reads the quoted texts of JSON.
        let _ = writeln!(text, "  {index}: {}", serde_json::Value::from(category.name.as_str()));
    }
    write_text(&root.join("data.yaml"), &text)
}
