//! Images with 16-bit label maps that number the instances, as the nuclei of the Data Science
//! Bowl 2018 are distributed. For semantic segmentation every number above 0 is foreground.

use std::path::Path;

use vibhag_core::Result;

use super::folders::{self, find_pairs, unwrapped};
use super::pairing::images_below;
use super::{Listing, file_name};
use crate::mask::{MaskPixels, read_mask};

/// Label files that are looked at before giving up on finding one with instances.
const LOOKED_AT: usize = 5;

/// Whether there is `labels/` with 16-bit grey files that number instances, and no class file.
pub fn detect(root: &Path) -> bool {
    if root.join("classes.txt").exists() || root.join("classes.toml").exists() {
        return false;
    }
    find_pairs(&unwrapped(root)).iter().any(|pair| {
        let files = images_below(&pair.masks);
        files.iter().take(LOOKED_AT).any(|file| numbers_instances(file))
    })
}

/// Whether the file is 16 bits deep and holds small numbers beyond a binary mask.
fn numbers_instances(file: &Path) -> bool {
    let Ok(mask) = read_mask(file) else { return false };
    let MaskPixels::Values(values) = &mask.pixels else { return false };
    let largest = values.iter().copied().max().unwrap_or(0);
    mask.deep && largest > 0 && largest != u16::MAX
}

/// Lists the samples below `root`.
///
/// # Errors
/// As [`folders::load`].
pub fn load(root: &Path) -> Result<Listing> {
    let mut listing = folders::load(root)?;
    listing.declaration.coding = Some("foreground".to_owned());
    let known_nuclei = file_name(root).to_ascii_lowercase().contains("dsb");
    listing.foreground = String::from(if known_nuclei { "nucleus" } else { "object" });
    listing.notes.push("labels number the instances; every number above 0 counts as foreground".to_owned());
    Ok(listing)
}
