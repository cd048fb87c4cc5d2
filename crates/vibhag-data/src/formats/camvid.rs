//! CamVid, road scenes (Brostow et al., "Semantic object classes in video", Pattern Recognition
//! Letters 2009), in the layout and with the 11 classes of SegNet's tutorial.

use std::path::Path;

use vibhag_core::Result;
use vibhag_core::color::Rgb;

use super::folders::{find_pairs, unwrapped};
use super::pairing::images_below;
use super::{Listing, folders, stem};
use crate::classes::{Declaration, DeclaredClass};

/// Names and colours as SegNet's demonstration shows them.
const CLASSES: [(&str, Rgb); 11] = [
    ("sky", [128, 128, 128]),
    ("building", [128, 0, 0]),
    ("pole", [192, 192, 128]),
    ("road", [128, 64, 128]),
    ("pavement", [60, 40, 222]),
    ("tree", [128, 128, 0]),
    ("sign", [192, 128, 128]),
    ("fence", [64, 64, 128]),
    ("car", [64, 0, 128]),
    ("pedestrian", [64, 64, 0]),
    ("bicyclist", [0, 128, 192]),
];
const VOID: u16 = 11;

/// The film sequences that the frames are named after.
const SEQUENCES: [&str; 4] = ["0001TP_", "0006R0_", "0016E5_", "Seq05VD_"];

/// Whether there is `train/` with `trainannot/` and the frames are called like CamVid's.
pub fn detect(root: &Path) -> bool {
    let base = unwrapped(root);
    if !base.join("trainannot").is_dir() {
        return false;
    }
    let is_frame = |name: &str| SEQUENCES.iter().any(|sequence| name.starts_with(sequence));
    find_pairs(&base).iter().any(|pair| images_below(&pair.images).first().is_some_and(|image| is_frame(stem(image))))
}

/// Lists the frames below `root`. Each film sequence is a group; the given splits are kept.
///
/// # Errors
/// As [`folders::load`].
pub fn load(root: &Path) -> Result<Listing> {
    let mut listing = folders::load(root)?;
    let class = |&(name, color): &(&str, Rgb)| DeclaredClass { name: name.to_owned(), color: Some(color), index: None };
    listing.declaration =
        Declaration { classes: CLASSES.iter().map(class).collect(), ignore: Some(VOID), ..Declaration::default() };
    for sample in &mut listing.samples {
        let name = sample.id.rsplit('/').next().unwrap_or(&sample.id);
        sample.group = name.split_once('_').map(|(sequence, _)| sequence.to_owned());
    }
    Ok(listing)
}
