//! The general layout: a folder of images and a folder of masks.
//!
//! Understood are `images/` + `masks/` (under the usual names, with train/val/test folders inside
//! or around them), `train/` + `trainannot/`, and `X.jpg` + `X_mask.png` side by side. A folder
//! that only wraps another one is looked through.

use std::path::{Path, PathBuf};

use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result};

use super::pairing::{Side, finish, has_mask_suffix, images_below, pair};
use super::{Listing, file_name, subfolders};
use crate::split::Split;

const IMAGE_FOLDERS: &[&str] = &["images", "image", "imgs", "img", "jpegimages"];
const MASK_FOLDERS: &[&str] =
    &["masks", "mask", "labels", "label", "segmentationclass", "annotations", "annotation", "groundtruth", "gt"];
const ANNOTATION_ENDINGS: &[&str] = &["annot", "_annot", "_labels", "_masks", "_mask", "_annotations"];

/// How many wrapping folders are looked through.
const MAX_WRAPPERS: usize = 3;

/// A folder of images, the folder of their masks, and the split that the folders name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderPair {
    pub(crate) images: PathBuf,
    pub(crate) masks: PathBuf,
    pub(crate) split: Option<Split>,
}

/// Whether `root` has one of the layouts.
pub fn detect(root: &Path) -> bool {
    let base = unwrapped(root);
    !find_pairs(&base).is_empty() || is_side_by_side(&base)
}

/// Lists the samples below `root`.
///
/// # Errors
/// When none of the layouts is found.
pub fn load(root: &Path) -> Result<Listing> {
    let base = unwrapped(root);
    let mut listing = Listing { foreground: "foreground".into(), ..Listing::default() };
    let pairs = find_pairs(&base);
    for FolderPair { images, masks, split } in &pairs {
        pair(&Side::below(images), &Side::below(masks), *split, &mut listing);
    }
    if pairs.is_empty() {
        let (masks, images): (Vec<PathBuf>, Vec<PathBuf>) =
            images_below(&base).into_iter().partition(|path| has_mask_suffix(super::stem(path)));
        if images.is_empty() {
            return Err(Error::new(ErrorKind::MissingPair, "no image found")
                .at_path(root)
                .hint("put images into images/ and masks of the same names into masks/"));
        }
        pair(&Side { base: &base, files: images }, &Side { base: &base, files: masks }, None, &mut listing);
    }
    finish(&mut listing);
    Ok(listing)
}

/// `root`, or the folder that it wraps.
pub(crate) fn unwrapped(root: &Path) -> PathBuf {
    let mut base = root.to_owned();
    for _ in 0..MAX_WRAPPERS {
        let inner = subfolders(&base);
        let [only] = &inner[..] else { break };
        if !find_pairs(&base).is_empty() || Split::from_name(file_name(only)).is_some() {
            break;
        }
        base.clone_from(only);
    }
    base
}

/// The pairs of folders directly in `base` or in its split folders.
pub(crate) fn find_pairs(base: &Path) -> Vec<FolderPair> {
    let folders = subfolders(base);
    if let (Some(images), Some(masks)) = (named(&folders, IMAGE_FOLDERS), named(&folders, MASK_FOLDERS)) {
        return vec![FolderPair { images, masks, split: None }];
    }
    let mut pairs = Vec::new();
    for folder in &folders {
        let Some(split) = Split::from_name(file_name(folder)) else { continue };
        let inside = subfolders(folder);
        let annotated = folders.iter().find(|other| {
            let name = file_name(other).to_ascii_lowercase();
            let ending = name.strip_prefix(&file_name(folder).to_ascii_lowercase());
            ending.is_some_and(|ending| ANNOTATION_ENDINGS.contains(&ending))
        });
        if let Some(masks) = annotated {
            pairs.push(FolderPair { images: folder.clone(), masks: masks.clone(), split: Some(split) });
        } else if let (Some(images), Some(masks)) = (named(&inside, IMAGE_FOLDERS), named(&inside, MASK_FOLDERS)) {
            pairs.push(FolderPair { images, masks, split: Some(split) });
        }
    }
    pairs
}

fn named(folders: &[PathBuf], names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| folders.iter().find(|folder| file_name(folder).eq_ignore_ascii_case(name)).cloned())
}

fn is_side_by_side(base: &Path) -> bool {
    let files = images_below(base);
    let masks = files.iter().filter(|path| has_mask_suffix(super::stem(path))).count();
    masks > 0 && masks < files.len()
}
