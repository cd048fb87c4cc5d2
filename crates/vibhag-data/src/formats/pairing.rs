//! Pairs images with masks by the stems of their names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{Listing, stem};
use crate::dataset::Sample;
use crate::decode::is_image_path;
use crate::fault::{Fault, FaultKind};
use crate::split::Split;

/// Endings that mask names have beyond the image's name.
pub const MASK_SUFFIXES: &[&str] = &[
    "_mask",
    "-mask",
    "_masks",
    "_segmentation",
    "_lesion",
    "_label",
    "_labels",
    "_annotation",
    "_seg",
    "_gt",
    "_groundtruth",
];

/// Endings that image names may have beyond the common name.
const IMAGE_SUFFIXES: &[&str] = &["_image", "-image", "_img"];

/// Every image file below `folder`, sorted, hidden files left out.
pub fn images_below(folder: &Path) -> Vec<PathBuf> {
    let visible =
        |entry: &walkdir::DirEntry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.');
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible);
    walk.filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file() && is_image_path(entry.path()))
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// `name` without the mask suffix it ends in.
pub fn without_mask_suffix(name: &str) -> &str {
    strip_any(name, MASK_SUFFIXES).unwrap_or(name)
}

/// Whether `name` ends in a mask suffix.
pub fn has_mask_suffix(name: &str) -> bool {
    strip_any(name, MASK_SUFFIXES).is_some()
}

fn strip_any<'a>(name: &'a str, suffixes: &[&str]) -> Option<&'a str> {
    let cut = |suffix: &&str| {
        let start = name.len().checked_sub(suffix.len()).filter(|&start| start > 0 && name.is_char_boundary(start))?;
        name[start..].eq_ignore_ascii_case(suffix).then(|| &name[..start])
    };
    suffixes.iter().find_map(cut)
}

/// Files to be paired, with the base folder that their keys are relative to.
pub struct Side<'a> {
    /// The base folder.
    pub base: &'a Path,
    /// The files below it.
    pub files: Vec<PathBuf>,
}

impl<'a> Side<'a> {
    /// Every image file below `base`.
    pub fn below(base: &'a Path) -> Self {
        Self { base, files: images_below(base) }
    }

    /// Folder below the base (without split folders) and stem, and the split that a folder names.
    fn key(&self, file: &Path) -> (String, Option<Split>) {
        let relative = file.strip_prefix(self.base).unwrap_or(file);
        let mut split = None;
        let mut key = String::new();
        for part in relative.parent().into_iter().flat_map(Path::components) {
            let part = part.as_os_str().to_string_lossy();
            match Split::from_name(&part) {
                Some(found) if split.is_none() => split = Some(found),
                _ => {
                    key.push_str(&part);
                    key.push('/');
                }
            }
        }
        if let Some(split) = split {
            key = format!("{split}/{key}");
        }
        (key + stem(file), split)
    }
}

/// Adds to `listing` a sample for every image, and a fault for every image without a mask, mask
/// without an image, and second file of one name. `split` is what the surrounding folder says.
pub fn pair(images: &Side<'_>, masks: &Side<'_>, split: Option<Split>, listing: &mut Listing) {
    let mut by_key: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in &masks.files {
        let key = masks.key(file).0;
        if let Some(first) = by_key.get(&key) {
            listing.faults.push(ambiguous(file, first));
            continue;
        }
        by_key.insert(key, file.clone());
    }
    // A mask without suffix takes precedence over the suffixed one of the same stem.
    let suffixed: BTreeMap<String, String> =
        by_key.keys().rev().map(|key| (without_mask_suffix(key).to_owned(), key.clone())).collect();
    let mut seen: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in &images.files {
        let (key, own_split) = images.key(file);
        if let Some(first) = seen.get(&key) {
            listing.faults.push(ambiguous(file, first));
            continue;
        }
        seen.insert(key.clone(), file.clone());
        let common = strip_any(&key, IMAGE_SUFFIXES).unwrap_or(&key);
        let mask_key = [key.as_str(), common].into_iter().find_map(|name| {
            by_key.contains_key(name).then(|| name.to_owned()).or_else(|| suffixed.get(name).cloned())
        });
        let mask = mask_key.and_then(|key| by_key.remove(&key));
        let split = own_split.or(split);
        listing.samples.push(Sample {
            id: sample_id(&key, own_split),
            image: file.clone(),
            mask,
            group: None,
            tags: BTreeMap::new(),
            split,
        });
    }
    for file in by_key.into_values() {
        listing.faults.push(Fault {
            sample: None,
            path: file,
            kind: FaultKind::MissingImage,
            message: "the mask has no image".into(),
            hint: "add the image under the same name or remove the mask".into(),
        });
    }
}

fn sample_id(key: &str, split: Option<Split>) -> String {
    match split {
        Some(split) => key.strip_prefix(&format!("{split}/")).unwrap_or(key).to_owned(),
        None => key.to_owned(),
    }
}

fn ambiguous(file: &Path, first: &Path) -> Fault {
    Fault {
        sample: None,
        path: file.to_owned(),
        kind: FaultKind::Ambiguous,
        message: format!("has the same name as {}", super::file_name(first)),
        hint: "rename or remove one of the two".into(),
    }
}

/// Makes ids unique by putting the split before those that occur in several, and reports
/// samples without a mask. Called once, after all folders were paired.
///
/// Without any mask at all there is nothing to report: it is a folder to predict on.
pub fn finish(listing: &mut Listing) {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for sample in &listing.samples {
        *uses.entry(sample.id.clone()).or_default() += 1;
    }
    for sample in &mut listing.samples {
        if uses[&sample.id] > 1
            && let Some(split) = sample.split
        {
            sample.id = format!("{split}/{}", sample.id);
        }
    }
    if listing.samples.iter().all(|sample| sample.mask.is_none()) {
        return;
    }
    let missing = listing.samples.iter().filter(|sample| sample.mask.is_none()).map(|sample| Fault {
        sample: Some(sample.id.clone()),
        path: sample.image.clone(),
        kind: FaultKind::MissingMask,
        message: "the image has no mask".into(),
        hint: "add a mask of the same name or remove the image".into(),
    });
    listing.faults.extend(missing.collect::<Vec<_>>());
}
