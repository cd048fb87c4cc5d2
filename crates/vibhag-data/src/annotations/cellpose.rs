//! Cellpose's folders (Stringer et al., "Cellpose: a generalist algorithm for cellular segmentation", Nature Methods 18,
//! 2021): `NAME.png` (or `NAME_img.png`) beside `NAME_masks.png` or `.tif`, in which each cell has a number. `train/`,
//! `val/` and `test/` are splits. The `NAME_seg.npy` that its window saves is not read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vibhag_core::{Error, ErrorKind, Result};

use super::export::Export;
use super::image_files::{entry_below, relative};
use super::instance_maps::missing_map;
use super::label_maps::{self, Depth, HOLDS, Places, numbers_objects};
use super::listed::{fault, nothing_found};
use super::{AnnotationFormat, AnnotationSource, Written};
use crate::decode::is_image_path;
use crate::fault::{Fault, FaultKind};
use crate::formats::pairing::images_below;
use crate::formats::{entries, file_name, stem, subfolders};
use crate::split::Split;

/// Ends of the names of label maps: by hand, and by Cellpose itself.
const MASKS: &[&str] = &["_masks", "_cp_masks"];
/// Ends of the names of other files that Cellpose writes beside the images.
const OTHERS: &[&str] = &["_flows", "_outlines", "_cp_outlines", "_dP", "_cellprob"];
/// The end that image names may have where label maps do not repeat it.
const IMAGE: &str = "_img";

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "cellpose",
    summary: "Cellpose: NAME.png and NAME_masks.png or .tif side by side, one number a cell",
    holds: HOLDS,
    detect,
    open,
    write,
};

fn detect(root: &Path) -> bool {
    if ["classes.txt", "classes.toml"].iter().any(|name| root.join(name).exists()) {
        return false;
    }
    // Names in the folder itself and in those of splits; a large tree is not walked through.
    let mut folders = subfolders(root);
    folders.retain(|folder| Split::from_name(file_name(folder)).is_some());
    folders.push(root.to_owned());
    folders.into_iter().any(|folder| {
        let mut files = Files::default();
        for path in entries(&folder).unwrap_or_default().into_iter().filter(|path| is_image_path(path)) {
            files.add(path);
        }
        let maps: Vec<PathBuf> = files.maps.into_values().collect();
        !files.images.is_empty() && numbers_objects(&maps)
    })
}

/// The image files of a folder by what they are.
#[derive(Default)]
struct Files {
    images: Vec<PathBuf>,
    /// By folder and name without the end.
    maps: BTreeMap<PathBuf, PathBuf>,
    ambiguous: Vec<Fault>,
}

impl Files {
    fn below(root: &Path) -> Self {
        let mut files = Self::default();
        for path in images_below(root) {
            files.add(path);
        }
        files
    }

    fn add(&mut self, path: PathBuf) {
        let name = stem(&path);
        // The longer end first: NAME_cp_masks also ends in _masks.
        let of = MASKS.iter().rev().find_map(|end| name.strip_suffix(end)).filter(|name| !name.is_empty());
        let Some(of) = of else {
            if !OTHERS.iter().any(|end| name.ends_with(end)) {
                self.images.push(path);
            }
            return;
        };
        let key = path.with_file_name(of);
        if let Some(first) = self.maps.get(&key) {
            let message = format!("a second label map beside {}", first.display());
            self.ambiguous.push(fault(of, &path, FaultKind::Ambiguous, message, "remove one of the two"));
        } else {
            self.maps.insert(key, path);
        }
    }
}

fn open(root: &Path) -> Result<Box<dyn AnnotationSource>> {
    let Files { images, mut maps, ambiguous: mut faults } = Files::below(root);
    let (mut items, mut unread) = (Vec::new(), 0);
    for path in images {
        let entry = entry_below(root, &path);
        let name = stem(&path);
        let short = name.strip_suffix(IMAGE).unwrap_or(name);
        let map = [name, short].into_iter().find_map(|name| maps.remove(&path.with_file_name(name)));
        let saved = path.with_file_name(format!("{name}_seg.npy"));
        if let Some(map) = map {
            items.push((entry, map));
        } else if saved.exists() {
            unread += 1;
            let message = "Cellpose's _seg.npy is not read";
            faults.push(fault(&entry.name, &saved, FaultKind::MissingMask, message, NPY_HINT));
        } else {
            faults.push(missing_map(entry.name, path));
        }
    }
    faults.extend(maps.into_values().map(|path| Fault {
        sample: None,
        path,
        kind: FaultKind::MissingImage,
        message: "the label map has no image".into(),
        hint: "add the image NAME.png for NAME_masks.png, or remove the label map".into(),
    }));
    if items.is_empty() && unread > 0 {
        return Err(Error::new(ErrorKind::Unsupported, "there are only _seg.npy files").at_path(root).hint(NPY_HINT));
    }
    if items.is_empty() {
        let hint = "put NAME_masks.png or NAME_masks.tif beside each image NAME.png";
        return Err(nothing_found(root, "no image with a label map found", hint));
    }
    Ok(label_maps::source(FORMAT.name, "cell", items, faults))
}

const NPY_HINT: &str = "in Cellpose choose File, Save masks as PNG/tif";

fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let export = Export::new(source, root, FORMAT.holds)?;
    Ok(label_maps::write(export, Depth::Deep, |entry| {
        let taken = |end: &&str| stem(Path::new(&entry.name)).ends_with(*end);
        if let Some(end) = MASKS.iter().chain(OTHERS).find(|end| taken(end)) {
            return Err(Error::config(format!("an image whose name ends in {end} would be taken for a label map"))
                .hint("rename the image"));
        }
        let path = root.join(entry.split.as_deref().unwrap_or("")).join(relative(&entry.name)?);
        // The label map is looked for under the name without this end.
        let map = match stem(&path).strip_suffix(IMAGE) {
            Some(short) => path.with_file_name(format!("{short}.png")),
            None => path.clone(),
        };
        Ok(Places { image: path, map, suffix: MASKS[0] })
    }))
}
