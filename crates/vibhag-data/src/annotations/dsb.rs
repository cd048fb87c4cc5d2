//! The 2018 Data Science Bowl's layout (Caicedo et al., "Nucleus segmentation across imaging experiments", Nature Methods
//! 16, 2019): `stage1_train/NAME/images/NAME.png` and one PNG an object in `stage1_train/NAME/masks/`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use vibhag_core::{Annotation, Error, ErrorKind, ImageAnnotations, Result, Rle, Shape};
use walkdir::WalkDir;

use super::export::{Export, Outgoing};
use super::flatten::{mask_of, object};
use super::image_files::{image_size, name_below, relative, with_ending};
use super::listed::{Listed, fault, nothing_found};
use super::{AnnotationFormat, AnnotationSource, Category, Holds, ImageEntry, Written};
use crate::encode::write_gray8_png;
use crate::fault::{Fault, FaultKind};
use crate::formats::pairing::images_below;
use crate::formats::{file_name, stem, subfolders};
use crate::mask::{MaskPixels, read_mask};
use crate::split::Split;

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "dsb2018",
    summary: "Data Science Bowl 2018: NAME/images/NAME.png and one PNG an object in NAME/masks/",
    holds: Holds {
        masks: true,
        polygons: false,
        holes: true,
        parts: true,
        overlap: true,
        crowd: false,
        categories: false,
        stuff: false,
        scores: false,
    },
    detect,
    open,
    write,
};

/// How deep below the data set's folder the folders of images lie at most.
const DEPTH: usize = 4;

/// Whether there is a folder with one image of its own name and a folder of masks beside it.
fn detect(root: &Path) -> bool {
    const LOOKED_AT: usize = 20;
    let folders = WalkDir::new(root).min_depth(1).max_depth(DEPTH).into_iter().filter_map(std::result::Result::ok);
    let folders = folders.filter(|entry| entry.file_type().is_dir()).map(walkdir::DirEntry::into_path);
    let fits = |folder: PathBuf| {
        let images = images_below(&folder.join("images"));
        matches!(&images[..], [image] if stem(image) == file_name(&folder))
    };
    let pairs = folders.filter(|folder| folder.join("images").is_dir() && folder.join("masks").is_dir());
    pairs.take(LOOKED_AT).any(fits)
}

/// The folders below `root` that hold `images/`, in order of name.
fn sample_folders(root: &Path, depth: usize) -> Vec<PathBuf> {
    let below = |folder: PathBuf| match folder.join("images").is_dir() {
        true => vec![folder],
        false if depth > 1 => sample_folders(&folder, depth - 1),
        false => Vec::new(),
    };
    subfolders(root).into_iter().flat_map(below).collect()
}

/// `stage1_train` and `train` are for training.
fn split_of(folder: &str) -> Option<Split> {
    let rest = folder.strip_prefix("stage").and_then(|rest| rest.split_once('_')).map(|(_, rest)| rest);
    Split::from_name(rest.unwrap_or(folder))
}

fn open(root: &Path) -> Result<Box<dyn AnnotationSource>> {
    // The folder of a split may have been opened itself.
    let (mut items, mut faults, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    let mut annotated: BTreeSet<Option<Split>> = BTreeSet::new();
    for folder in sample_folders(root, DEPTH) {
        let name = name_below(root, &folder);
        let first = name.split('/').next().unwrap_or("");
        let split = split_of(first).or_else(|| split_of(file_name(root)));
        let name =
            if split_of(first).is_some() { name[first.len()..].trim_start_matches('/').to_owned() } else { name };
        let images = images_below(&folder.join("images"));
        let [path] = &images[..] else {
            let message = format!("{} images where one belongs", images.len());
            let hint = "keep one image in each images/ folder";
            faults.push(fault(&name, &folder.join("images"), FaultKind::Ambiguous, message, hint));
            continue;
        };
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let entry = ImageEntry {
            id: None,
            name: format!("{name}.{extension}"),
            path: Some(path.clone()),
            split: split.map(|split| split.to_string()),
        };
        if folder.join("masks").is_dir() {
            annotated.insert(split);
            items.push((entry, folder.join("masks")));
        } else {
            bare.push((split, entry.name, path.clone()));
        }
    }
    // A split without any mask is there to be predicted, and nothing is missing in it.
    for (_, name, path) in bare.into_iter().filter(|(split, ..)| annotated.contains(split)) {
        let hint = "add masks/ beside images/ (empty where there is no object), or remove the folder";
        faults.push(fault(&name, &path, FaultKind::MissingMask, "the image has no folder of masks", hint));
    }
    if items.is_empty() {
        let hint = "the layout is NAME/images/NAME.png with one PNG an object in NAME/masks/";
        return Err(nothing_found(root, "no image with a folder of masks found", hint));
    }
    let categories = vec![Category::thing(1, "nucleus")];
    Ok(Box::new(Listed::new(FORMAT.name, categories, items, faults, |entry, masks: &PathBuf| read(entry, masks))))
}

fn read(entry: &ImageEntry, folder: &Path) -> Result<(ImageAnnotations, Vec<Fault>)> {
    let (width, height) = image_size(entry.path.as_deref().unwrap_or(folder))?;
    let files = images_below(folder);
    // Names that are numbers are the objects' numbers.
    let own: Option<BTreeSet<u64>> = files.iter().map(|file| stem(file).parse().ok()).collect();
    let own = own.filter(|ids| ids.len() == files.len());
    let masks: Vec<Result<Rle>> = files.par_iter().map(|file| object_mask(file, width, height)).collect();
    let (mut annotations, mut faults): (Vec<Annotation>, Vec<Fault>) = (Vec::new(), Vec::new());
    for (index, (file, mask)) in files.iter().zip(masks).enumerate() {
        let id = own.as_ref().and_then(|_| stem(file).parse().ok()).unwrap_or(index as u64 + 1);
        match mask {
            Ok(mask) => annotations.push(object(id, 0, Shape::Mask(mask))),
            Err(error) => faults.push(Fault::from_error(Some(&entry.name), file, &error)),
        }
    }
    Ok((ImageAnnotations { width, height, annotations }, faults))
}

fn object_mask(file: &Path, width: usize, height: usize) -> Result<Rle> {
    let mask = read_mask(file)?;
    if (mask.width, mask.height) != (width, height) {
        return Err(Error::new(
            ErrorKind::SizeMismatch,
            format!("a mask of {}x{} pixels for an image of {width}x{height}", mask.width, mask.height),
        )
        .hint("export the mask again in the size of its image, or delete it"));
    }
    let mask = match &mask.pixels {
        MaskPixels::Values(values) => Rle::from_fn(width, height, |x, y| values[y * width + x] != 0),
        MaskPixels::Colors(colors) => Rle::from_fn(width, height, |x, y| colors[y * width + x] != [0; 3]),
    };
    if mask.area() == 0 {
        return Err(Error::new(ErrorKind::MaskValue, "the mask has no pixel above 0").hint("draw it, or delete it"));
    }
    Ok(mask)
}

fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let mut export = Export::new(source, root, FORMAT.holds)?;
    export.objects_only = true;
    export.needs_images = true;
    Ok(export.each(|out| {
        let split = out.entry.split.as_deref().map(|split| format!("stage1_{split}")).unwrap_or_default();
        let name = relative(&out.entry.name)?;
        let folder = root.join(split).join(with_ending(&name, ""));
        out.claim(&folder)?;
        let masks = folder.join("masks");
        std::fs::create_dir_all(&masks).map_err(|error| Error::io(&masks, error))?;
        write_masks(out, &masks)?;
        out.copy_image(&folder.join("images").join(name.file_name().unwrap_or_default()))
    }))
}

fn write_masks(out: &mut Outgoing<'_>, folder: &Path) -> Result<()> {
    let (width, height) = (out.image.width, out.image.height);
    let ids: BTreeSet<u64> = out.image.annotations.iter().map(|object| object.id).collect();
    let differ = ids.len() == out.image.annotations.len();
    if !differ {
        out.losses.push(format!("{}: objects are numbered anew: their ids are doubled", out.entry.name));
    }
    let annotations = std::mem::take(&mut out.image.annotations);
    for (index, object) in annotations.into_iter().enumerate() {
        let mask = mask_of(&object, width, height)?;
        if mask.area() == 0 {
            out.loss(object.id, "it has no pixel, so it is left out");
            continue;
        }
        let mut pixels = vec![0; width * height];
        mask.for_each(|x, y| pixels[y * width + x] = 255);
        // As many digits as keep files in the order of numbers.
        let number = if differ { object.id } else { index as u64 + 1 };
        write_gray8_png(&folder.join(format!("{number:020}.png")), width, height, &pixels)?;
        out.image.annotations.push(object);
    }
    Ok(())
}
