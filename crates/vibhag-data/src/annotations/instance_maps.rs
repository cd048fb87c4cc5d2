//! Images with label maps that number the objects: `images/` and `labels/` (or `masks/`, and the other usual names), as
//! StarDist, Cellpose's converters and scikit-image use them. PNG or TIFF of 8, 16 or 32 bits a pixel; numbers may have
//! gaps. `train/`, `val/` and `test/` may lie inside or outside.

use std::path::{Path, PathBuf};

use vibhag_core::Result;

use super::export::Export;
use super::image_files::{entry_below, relative};
use super::label_maps::{self, Depth, HOLDS, Places, numbers_objects};
use super::listed::nothing_found;
use super::{AnnotationFormat, AnnotationSource, Written};
use crate::fault::{Fault, FaultKind};
use crate::formats::folders::{FolderPair, find_pairs, unwrapped};
use crate::formats::pairing::{Side, images_below, pair};
use crate::formats::{Listing, file_name};

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "instance-maps",
    summary: "images/ and labels/ or masks/ of 8-, 16- or 32-bit PNG or TIFF that number the objects",
    holds: HOLDS,
    detect,
    open,
    write,
};

/// Whether there are folders of images and of label maps whose numbers are surely those of objects. A class file says
/// that they are classes.
fn detect(root: &Path) -> bool {
    let classes = ["classes.txt", "classes.toml"].iter().any(|name| root.join(name).exists());
    !classes && find_pairs(&unwrapped(root)).iter().any(|pair| numbers_objects(&images_below(&pair.masks)))
}

fn open(root: &Path) -> Result<Box<dyn AnnotationSource>> {
    let pairs = find_pairs(&unwrapped(root));
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    for FolderPair { images, masks, split } in &pairs {
        let mut listing = Listing::default();
        pair(&Side::below(images), &Side::below(masks), *split, &mut listing);
        faults.append(&mut listing.faults);
        for sample in listing.samples {
            let mut entry = entry_below(images, &sample.image);
            entry.split = sample.split.map(|split| split.to_string());
            match sample.mask {
                Some(map) => items.push((entry, map)),
                None => faults.push(missing_map(entry.name, sample.image)),
            }
        }
    }
    if items.is_empty() {
        let hint = "put images into images/ and label maps of the same names into labels/";
        return Err(nothing_found(root, "no image with a label map found", hint));
    }
    let category = if file_name(root).to_ascii_lowercase().contains("dsb") { "nucleus" } else { "object" };
    Ok(label_maps::source(FORMAT.name, category, items, faults))
}

/// The fault of an image that nobody annotated.
pub(super) fn missing_map(name: String, path: PathBuf) -> Fault {
    Fault {
        sample: Some(name),
        path,
        kind: FaultKind::MissingMask,
        message: "the image has no label map".into(),
        hint: "add one (all 0 where the image shows no object) or remove the image".into(),
    }
}

fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let export = Export::new(source, root, FORMAT.holds)?;
    Ok(label_maps::write(export, Depth::Deep, |entry| {
        let name = Path::new(entry.split.as_deref().unwrap_or("")).join(relative(&entry.name)?);
        Ok(Places { image: root.join("images").join(&name), map: root.join("labels").join(&name), suffix: "" })
    }))
}
