//! Pascal VOC (Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010): `JPEGImages/`,
//! `SegmentationClass/` and `SegmentationObject/` with palette PNGs, `ImageSets/Segmentation/` with the splits. 255 is void,
//! the border around objects, which belongs to none. Classes other than VOC's are named in `labels.txt` or `classes.txt`.

mod write;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use vibhag_core::color::voc_color;
use vibhag_core::{Error, ErrorKind, IdMap, ImageAnnotations, Result, Shape};

use super::flatten::objects_of;
use super::image_files::{expect_size, name_below};
use super::listed::{Listed, fault, nothing_found};
use super::{AnnotationFormat, AnnotationSource, Category, Holds, ImageEntry};
use crate::classes;
use crate::fault::FaultKind;
use crate::formats::pairing::images_below;
use crate::formats::{entries, file_name};
use crate::mask::{MaskPixels, read_mask};
use crate::split::Split;

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "voc",
    summary: "Pascal VOC: JPEGImages/, SegmentationClass/ and SegmentationObject/",
    holds: Holds {
        masks: true,
        polygons: false,
        holes: true,
        parts: true,
        overlap: false,
        crowd: false,
        categories: true,
        stuff: false,
        scores: false,
    },
    detect,
    open,
    write: write::write,
};

/// The classes of VOC 2012, from 1 on.
const CLASSES: [&str; 20] = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];
/// What the background is called in lists of classes.
const BACKGROUND: [&str; 3] = ["background", "_background_", "__background__"];
/// The value of pixels that belong to nothing that counts.
const VOID: u32 = 255;
const SETS: &str = "ImageSets/Segmentation";

/// The folder with `SegmentationObject` at `path`, or in it, as in `VOCdevkit/VOC2012`.
fn root_of(path: &Path) -> Option<PathBuf> {
    let is_root = |folder: &PathBuf| folder.join("SegmentationObject").is_dir();
    // By name first: a folder may hold a hundred thousand files.
    let inside = |folder: &Path| -> Vec<PathBuf> {
        entries(folder).unwrap_or_default().into_iter().filter(|path| file_name(path).starts_with("VOC")).collect()
    };
    let deeper = inside(path).into_iter().flat_map(|folder| inside(&folder));
    std::iter::once(path.to_owned()).chain(inside(path)).chain(deeper).find(is_root)
}

fn detect(path: &Path) -> bool {
    root_of(path).is_some()
}

/// The files of one image.
struct Item {
    objects: PathBuf,
    classes: PathBuf,
}

/// Opens the folder at `path`.
///
/// # Errors
/// When there is no annotation in it, or the list of classes cannot be understood.
fn open(path: &Path) -> Result<Box<dyn AnnotationSource>> {
    let hint = "put PNGs of objects into SegmentationObject/ and of classes into SegmentationClass/";
    let root = root_of(path).ok_or_else(|| nothing_found(path, "there is no SegmentationObject in it", hint))?;
    let categories = categories(&root)?;
    let by_stem = |folder: &str| -> BTreeMap<String, PathBuf> {
        let folder = root.join(folder);
        let files = if folder.is_dir() { images_below(&folder) } else { Vec::new() };
        files.into_iter().map(|file| (name_below(&folder, &file.with_extension("")), file)).collect()
    };
    let (objects, mut by_class, mut images) =
        (by_stem("SegmentationObject"), by_stem("SegmentationClass"), by_stem("JPEGImages"));
    let splits = splits(&root)?;
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    for (stem, object) in objects {
        let image = images.remove(&stem);
        let name = image.as_ref().map_or(format!("{stem}.jpg"), |image| name_below(&root.join("JPEGImages"), image));
        let Some(classes) = by_class.remove(&stem) else {
            let (message, hint) = ("the image has objects, but no classes", "add its PNG to SegmentationClass");
            faults.push(fault(&name, &object, FaultKind::MissingMask, message, hint));
            continue;
        };
        let entry = ImageEntry { id: None, name, path: image, split: splits.get(&stem).cloned() };
        items.push((entry, Item { objects: object, classes }));
    }
    for (stem, classes) in by_class {
        let (message, hint) = ("the image has classes, but no objects", "add its PNG to SegmentationObject");
        faults.push(fault(&stem, &classes, FaultKind::MissingMask, message, hint));
    }
    // VOC has many more images than segmentations; those that a split names should have one.
    let listed = splits.keys().filter(|stem| images.contains_key(*stem));
    for stem in listed {
        let (message, hint) = ("a split names the image, but it has no objects", "add its PNG to SegmentationObject");
        faults.push(fault(stem, &images[stem], FaultKind::MissingMask, message, hint));
    }
    let values: HashMap<u32, usize> =
        categories.iter().enumerate().map(|(index, category)| (category.id, index)).collect();
    let read = move |entry: &ImageEntry, item: &Item| read(entry, item, &values);
    Ok(Box::new(Listed::without_faults("voc", categories, items, faults, read)))
}

/// The classes, each with the value of its pixels.
fn categories(root: &Path) -> Result<Vec<Category>> {
    let category = |(value, name): (u32, String)| Category {
        color: Some(voc_color(value as usize)),
        ..Category::thing(value, name)
    };
    let numbered = |names: Vec<String>| -> Vec<Category> { (1..).zip(names).map(category).collect() };
    for name in ["labels.txt", "class_names.txt"] {
        let path = root.join(name);
        if path.is_file() {
            let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
            let names = text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "__ignore__");
            let names = names.filter(|name| !BACKGROUND.contains(name)).map(str::to_owned);
            return Ok(numbered(names.collect()));
        }
    }
    if let Some(declaration) = classes::read(root)? {
        let (table, values) = declaration.table()?;
        let named = values.into_iter().map(u32::from).zip(table.names());
        return Ok(named.filter(|(value, _)| *value != 0).map(category).collect());
    }
    Ok(numbered(CLASSES.map(str::to_owned).to_vec()))
}

/// The split of each image that a list names.
fn splits(root: &Path) -> Result<HashMap<String, String>> {
    let mut splits = HashMap::new();
    for split in [Split::Test, Split::Val, Split::Train] {
        let path = root.join(SETS).join(format!("{split}.txt"));
        if path.is_file() {
            let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
            let stems = text.lines().filter_map(|line| line.split_whitespace().next());
            splits.extend(stems.map(|stem| (stem.to_owned(), split.to_string())));
        }
    }
    Ok(splits)
}

fn read(entry: &ImageEntry, item: &Item, values: &HashMap<u32, usize>) -> Result<ImageAnnotations> {
    let (objects, classes) = (read_values(&item.objects)?, read_values(&item.classes)?);
    let (width, height) = (objects.width(), objects.height());
    if (classes.width(), classes.height()) != (width, height) {
        let what = format!("{width}x{height} pixels of objects, {}x{} of classes", classes.width(), classes.height());
        return Err(Error::new(ErrorKind::SizeMismatch, what).at_path(&item.classes).hint("export both anew"));
    }
    if let Some(image) = &entry.path {
        expect_size(image, (width, height))?;
    }
    let mut found = objects_of(&objects);
    for annotation in &mut found.annotations {
        let Shape::Mask(mask) = &annotation.shape else { continue };
        let mut class = None;
        let mut other = None;
        mask.for_each(|x, y| match (classes.ids()[y * width + x], class) {
            (0, _) => {}
            (value, None) => class = Some(value),
            (value, Some(class)) if value != class => other = Some(value),
            _ => {}
        });
        let wrong = |what: String| {
            Err(Error::new(ErrorKind::MaskValue, what)
                .at_path(&item.classes)
                .at(format!("object {}", annotation.id))
                .hint("an object has one class of the list"))
        };
        annotation.category = match (class.and_then(|class| values.get(&class)), class, other) {
            (_, Some(class), Some(other)) => return wrong(format!("an object has the classes {class} and {other}")),
            (Some(&category), _, _) => category,
            (None, Some(class), _) => return wrong(format!("no class has the value {class}")),
            (None, None, _) => return wrong("an object has no class".to_owned()),
        };
    }
    Ok(found)
}

/// The values of a PNG: indices into its palette, or in RGB the places of the colours in VOC's. Void becomes 0.
fn read_values(path: &Path) -> Result<IdMap> {
    let mask = read_mask(path)?;
    let values: Vec<u32> = match mask.pixels {
        MaskPixels::Values(values) => values.into_iter().map(u32::from).collect(),
        MaskPixels::Colors(colors) => {
            let places: HashMap<_, u32> = (0..=VOID).map(|value| (voc_color(value as usize), value)).collect();
            let place = |color| {
                places.get(color).copied().ok_or_else(|| {
                    Error::new(ErrorKind::MaskValue, format!("{color:?} is no colour of VOC's palette"))
                        .at_path(path)
                        .hint("save the PNG with its palette")
                })
            };
            colors.iter().map(place).collect::<Result<_>>()?
        }
    };
    let values = values.into_iter().map(|value| if value == VOID { 0 } else { value }).collect();
    IdMap::new(mask.width, mask.height, values)
}
