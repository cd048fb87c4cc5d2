//! The formats in which objects and panoptic segments are annotated. Each is one file here that recognises, reads and
//! writes it; every one of them becomes an [`AnnotationSource`].
//!
//! To add one: write a file with `detect`, `open` and `write`, add its row to [`ANNOTATION_FORMATS`], and test that
//! what it can hold comes back as it was.

mod cellpose;
mod cityscapes;
pub mod coco;
mod coco_panoptic;
pub mod convert;
mod cvat;
mod dsb;
mod export;
mod flatten;
mod grouping;
pub(crate) mod id_map_file;
pub(crate) mod image_files;
mod instance_maps;
pub(crate) mod json;
pub(crate) mod json_file;
mod label_maps;
mod label_studio;
mod labelme;
mod listed;
pub mod memory;
mod outline;
mod penn_fudan;
mod placing;
pub mod shape;
mod voc;
mod xml;
mod yaml;
mod yolo_seg;

use std::path::{Path, PathBuf};

use vibhag_core::{Error, ImageAnnotations, Result, Rgb};

use crate::fault::Fault;

pub use convert::{Conversion, ConvertOptions, RoundTrip, convert};
pub use shape::mask_of;

/// A kind of object or stuff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// The number that the files give it.
    pub id: u32,
    /// What people call it.
    pub name: String,
    /// A wider kind that it belongs to.
    pub supercategory: Option<String>,
    /// Whether it has objects that can be counted; stuff has one segment an image.
    pub thing: bool,
    /// Its colour where the format states one.
    pub color: Option<Rgb>,
}

impl Category {
    /// A thing without more than its name.
    pub fn thing(id: u32, name: impl Into<String>) -> Self {
        Self { id, name: name.into(), supercategory: None, thing: true, color: None }
    }
}

/// One image of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// The number that the files give it, where they do.
    pub id: Option<u64>,
    /// Its name below the data set's images, as the files write it (with extension, `/` between folders).
    pub name: String,
    /// The image file; `None` where only its name is known.
    pub path: Option<PathBuf>,
    /// The split that the data set assigns: `train`, `val` or `test`.
    pub split: Option<String>,
}

/// Annotated images, decoded one at a time.
pub trait AnnotationSource: Send + Sync + std::fmt::Debug {
    /// The categories, in the order in which [`vibhag_core::Annotation::category`] counts them.
    fn categories(&self) -> &[Category];

    /// The images, sorted by name.
    fn images(&self) -> &[ImageEntry];

    /// What is annotated on image `index`.
    ///
    /// # Errors
    /// When its annotation cannot be read or understood.
    fn read(&self, index: usize) -> Result<ImageAnnotations>;

    /// Single annotations that could not be used (an unknown category, an empty outline, a doubled id), each with the
    /// file and its number. The rest of their image is in use.
    fn faults(&self) -> &[Fault] {
        &[]
    }
}

/// What a format can hold. What it cannot is listed by `convert`, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holds {
    /// Exact masks, pixel by pixel.
    pub masks: bool,
    /// Outlines with fractions of pixels.
    pub polygons: bool,
    /// Holes in polygons.
    pub holes: bool,
    /// Objects of several parts.
    pub parts: bool,
    /// Objects that overlap.
    pub overlap: bool,
    /// Crowds.
    pub crowd: bool,
    /// More than one category.
    pub categories: bool,
    /// Stuff beside things.
    pub stuff: bool,
    /// Scores of predictions.
    pub scores: bool,
}

/// A format.
pub struct AnnotationFormat {
    /// What `--format` calls it.
    pub name: &'static str,
    /// One line for the help.
    pub summary: &'static str,
    /// What it can hold.
    pub holds: Holds,
    /// Whether the folder or file looks like this format; looks at names and, where those do not decide, at the first
    /// bytes of one file.
    pub detect: fn(&Path) -> bool,
    /// Opens the folder or file.
    pub open: fn(&Path) -> Result<Box<dyn AnnotationSource>>,
    /// Writes everything of a source into a new folder.
    pub write: fn(&dyn AnnotationSource, &Path) -> Result<Written>,
}

impl std::fmt::Debug for AnnotationFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Images.
    pub images: usize,
    /// Annotations.
    pub annotations: usize,
    /// What the format could not hold, one line each, such as `a.jpg: object 7: a hole was filled`.
    pub losses: Vec<String>,
    /// Images that could not be converted, with the reason; the others were.
    pub failed: Vec<String>,
}

/// All formats, the most particular first: the first that fits is taken.
pub const ANNOTATION_FORMATS: &[AnnotationFormat] = &[
    penn_fudan::FORMAT,
    dsb::FORMAT,
    cellpose::FORMAT,
    instance_maps::FORMAT,
    cvat::FORMAT,
    label_studio::FORMAT,
    cityscapes::FORMAT,
    voc::FORMAT,
    coco_panoptic::FORMAT,
    coco_panoptic::two_channels::FORMAT,
    coco::FORMAT,
    yolo_seg::FORMAT,
    labelme::FORMAT,
];

/// The format called `name`.
///
/// # Errors
/// When there is none of this name.
pub fn named(name: &str) -> Result<&'static AnnotationFormat> {
    ANNOTATION_FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
        let names: Vec<&str> = ANNOTATION_FORMATS.iter().map(|format| format.name).collect();
        Error::config(format!("unknown annotation format {name:?}")).hint(format!("choose one of {}", names.join(", ")))
    })
}

/// The first format that fits `path`.
pub fn recognise(path: &Path) -> Option<&'static AnnotationFormat> {
    ANNOTATION_FORMATS.iter().find(|format| (format.detect)(path))
}
