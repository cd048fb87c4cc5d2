//! Penn-Fudan pedestrians (Wang et al., "Object Detection Combining Recognition and Segmentation", ACCV 2007):
//! `PNGImages/NAME.png` and `PedMasks/NAME_mask.png`, in which each person has a number.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vibhag_core::Result;

use super::export::Export;
use super::image_files::{entry_below, name_below, relative, with_ending};
use super::instance_maps::missing_map;
use super::label_maps::{self, Depth, HOLDS, Places};
use super::listed::nothing_found;
use super::{AnnotationFormat, AnnotationSource, Written};
use crate::fault::{Fault, FaultKind};
use crate::formats::folders::unwrapped;
use crate::formats::pairing::images_below;

const IMAGES: &str = "PNGImages";
const MASKS: &str = "PedMasks";
const CATEGORY: &str = "pedestrian";

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "penn-fudan",
    summary: "Penn-Fudan pedestrians: PNGImages/ and PedMasks/NAME_mask.png, one number a person",
    holds: HOLDS,
    detect,
    open,
    write,
};

fn detect(root: &Path) -> bool {
    let base = unwrapped(root);
    base.join(IMAGES).is_dir() && base.join(MASKS).is_dir()
}

fn open(root: &Path) -> Result<Box<dyn AnnotationSource>> {
    let base = unwrapped(root);
    let (images, masks) = (base.join(IMAGES), base.join(MASKS));
    let map_of = |path: &PathBuf| (name_below(&masks, path), path.clone());
    let mut maps: BTreeMap<String, PathBuf> = images_below(&masks).iter().map(map_of).collect();
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    for path in images_below(&images) {
        let mut entry = entry_below(&images, &path);
        entry.split = None;
        let name = name_below(&images, &path);
        let map = name_below(Path::new(""), &with_ending(Path::new(&name), "_mask.png"));
        match maps.remove(&map) {
            Some(map) => items.push((entry, map)),
            None => faults.push(missing_map(entry.name, path)),
        }
    }
    faults.extend(maps.into_values().map(|path| Fault {
        sample: None,
        path,
        kind: FaultKind::MissingImage,
        message: "the mask has no image".into(),
        hint: "add the image NAME.png for NAME_mask.png, or remove the mask".into(),
    }));
    if items.is_empty() {
        let hint = "put images into PNGImages/ and masks called NAME_mask.png into PedMasks/";
        return Err(nothing_found(root, "no image with a mask found", hint));
    }
    Ok(label_maps::source(FORMAT.name, CATEGORY, items, faults))
}

fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let mut export = Export::new(source, root, FORMAT.holds)?;
    export.splits = false;
    Ok(label_maps::write(export, Depth::Narrow, |entry| {
        let name = relative(&entry.name)?;
        Ok(Places { image: root.join(IMAGES).join(&name), map: root.join(MASKS).join(&name), suffix: "_mask" })
    }))
}
