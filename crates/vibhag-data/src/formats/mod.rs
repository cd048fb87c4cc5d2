//! The formats that data sets come in. Every one of them ends as a list of samples.
//!
//! To add one: write a file here with `detect` and `load`, add its row to [`FORMATS`] above the
//! formats that would also accept it, and test it on a small tree of files.

pub mod camvid;
pub mod folders;
pub mod label_pairs;
pub mod mads;
pub mod pairing;
pub mod ph2;

use std::path::{Path, PathBuf};

use vibhag_core::{Error, Result};

use crate::classes::Declaration;
use crate::dataset::Sample;
use crate::fault::Fault;

/// A format.
pub struct Format {
    /// What `--format` calls it.
    pub name: &'static str,
    /// One line for the help.
    pub summary: &'static str,
    /// Whether the folder looks like this format.
    pub detect: fn(&Path) -> bool,
    /// Lists the samples in the folder.
    pub load: fn(&Path) -> Result<Listing>,
}

/// What a format finds in a folder.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The samples, in any order.
    pub samples: Vec<Sample>,
    /// What the format knows of the classes; a class file of the user's replaces it.
    pub declaration: Declaration,
    /// Name of the foreground class of binary masks.
    pub foreground: String,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// Files that could not be paired.
    pub faults: Vec<Fault>,
}

/// All formats, the most particular first: the first that fits is taken.
pub const FORMATS: &[Format] = &[
    Format {
        name: "ph2",
        summary: "PH2 dermoscopy: IMDnnn folders at any depth, diagnosis from the xlsx or a csv",
        detect: ph2::detect,
        load: ph2::load,
    },
    Format {
        name: "mads",
        summary: "MADS full body: images/ and masks/ with equal names, sequences kept together",
        detect: mads::detect,
        load: mads::load,
    },
    Format {
        name: "camvid",
        summary: "CamVid in SegNet's layout: train/ and trainannot/, 11 classes and void",
        detect: camvid::detect,
        load: camvid::load,
    },
    Format {
        name: "label-pairs",
        summary: "images/ and 16-bit labels/ with an instance number a pixel; above 0 is foreground",
        detect: label_pairs::detect,
        load: label_pairs::load,
    },
    Format {
        name: "folders",
        summary: "image(s)/ and mask(s)/, label(s)/ or annotation(s)/; train/val/test inside or outside; or X and X_mask side by side",
        detect: folders::detect,
        load: folders::load,
    },
];

/// The format called `name`, or the first that fits `root`.
///
/// # Errors
/// When there is no format of this name, or none fits.
pub fn choose(root: &Path, name: Option<&str>) -> Result<&'static Format> {
    let names = || FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
    match name {
        Some(name) => FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
            Error::config(format!("unknown format {name:?}")).hint(format!("choose one of {}", names()))
        }),
        None => FORMATS.iter().find(|format| (format.detect)(root)).ok_or_else(|| {
            let what = if is_empty(root) { "the folder is empty" } else { "no data set recognised in this folder" };
            Error::config(what).at_path(root).hint(format!(
                "put images into images/ and masks of the same names into masks/, or name the format with --format ({})",
                names()
            ))
        }),
    }
}

fn is_empty(root: &Path) -> bool {
    std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_none())
}

/// The entries of `folder` in order of name, hidden ones left out.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))?;
    let mut paths: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| !file_name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

/// The subfolders of `folder` in order of name; none when it cannot be read.
pub(crate) fn subfolders(folder: &Path) -> Vec<PathBuf> {
    entries(folder).unwrap_or_default().into_iter().filter(|path| path.is_dir()).collect()
}

/// The last part of `path`, or "".
pub(crate) fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

/// The last part of `path` without its extension, or "".
pub(crate) fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|name| name.to_str()).unwrap_or("")
}
