//! Data sets of people's keypoints: one file here for each format that recognises and reads it. Every one of them becomes
//! a [`PoseSet`].

mod coco;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vibhag_core::{ClassTable, Error, ErrorKind, Person, Result, Skeleton};

use crate::coding::{CodingKind, MaskCoding};
use crate::dataset::{Dataset, Sample};
use crate::fault::Fault;
use crate::mask::MaskValue;
use crate::split::Split;
use crate::truth::People;

/// A format of keypoints.
pub struct PoseFormat {
    /// What `--format` calls it.
    pub name: &'static str,
    /// One line for the help.
    pub summary: &'static str,
    /// Whether the folder or file looks like this format.
    pub detect: fn(&Path) -> bool,
    /// Reads the folder or file.
    read: fn(&Path) -> Result<Listing>,
}

impl std::fmt::Debug for PoseFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All formats: the first that fits is taken.
pub const POSE_FORMATS: &[PoseFormat] = &[coco::FORMAT];

/// What a format found.
struct Listing {
    /// What the people are called.
    category: String,
    skeleton: Skeleton,
    images: Vec<AnnotatedImage>,
    faults: Vec<Fault>,
    notes: Vec<String>,
}

/// An image and the people on it.
#[derive(Debug, Clone)]
struct AnnotatedImage {
    /// Its name, with extension, `/` between folders.
    name: String,
    /// `None` where only its name is known.
    path: Option<PathBuf>,
    split: Option<String>,
    width: usize,
    height: usize,
    people: Vec<Person>,
}

/// The people on a data set's samples.
#[derive(Debug, Clone)]
pub struct PoseSet {
    skeleton: Arc<Skeleton>,
    images: Arc<Vec<AnnotatedImage>>,
    /// The image of each sample.
    of_sample: Vec<usize>,
}

impl PoseSet {
    /// The skeleton of all people.
    pub fn skeleton(&self) -> &Skeleton {
        &self.skeleton
    }

    /// The people on sample `index`, in pixels of its image.
    ///
    /// # Errors
    /// When there is no such sample.
    pub fn read(&self, index: usize) -> Result<People> {
        let image = self.of_sample.get(index).and_then(|&image| self.images.get(image));
        let image = image.ok_or_else(|| Error::config(format!("there is no sample {index}")))?;
        Ok(People { width: image.width, height: image.height, people: image.people.clone() })
    }

    pub(crate) fn subset(&self, indices: &[usize]) -> Self {
        let of_sample = indices.iter().filter_map(|&index| self.of_sample.get(index).copied()).collect();
        Self { of_sample, ..self.clone() }
    }
}

/// Opens the keypoints at `root`, in the format called `format` or the first that fits; samples are the images whose files
/// are there.
///
/// # Errors
/// When no format fits, the file cannot be read, or it names no image that is there.
pub(crate) fn open(root: &Path, format: Option<&str>) -> Result<Dataset> {
    let names = || POSE_FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
    let found = match format {
        Some(name) => POSE_FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
            Error::config(format!("{name:?} is no format of keypoints")).hint(format!("choose one of {}", names()))
        })?,
        None if !root.exists() => {
            return Err(Error::new(ErrorKind::Io, "no such file or folder").at_path(root));
        }
        None => POSE_FORMATS.iter().find(|format| (format.detect)(root)).ok_or_else(|| {
            Error::config("no format of keypoints fits, as pose needs")
                .at_path(root)
                .hint(format!("name it with --format ({})", names()))
        })?,
    };
    let listing = (found.read)(root)?;
    from_listing(root, found.name, listing)
}

fn from_listing(root: &Path, format: &str, listing: Listing) -> Result<Dataset> {
    let Listing { category, skeleton, mut images, mut faults, notes } = listing;
    images.sort_by(|a, b| (&a.name, &a.split).cmp(&(&b.name, &b.split)));
    let (mut samples, mut of_sample, mut taken) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (index, image) in images.iter().enumerate() {
        let Some(path) = image.path.clone() else {
            faults.push(Fault::image_is_not_there(root.join(&image.name)));
            continue;
        };
        let name = Path::new(&image.name).with_extension("").to_string_lossy().into_owned();
        let id = if taken.insert(name.clone()) { name } else { image.name.clone() };
        of_sample.push(index);
        samples.push(Sample {
            id,
            image: path,
            mask: None,
            group: None,
            tags: BTreeMap::new(),
            split: image.split.as_deref().and_then(Split::from_name),
        });
    }
    if samples.is_empty() {
        return Err(Error::new(ErrorKind::MissingPair, "no annotated image is there")
            .at_path(root)
            .hint("put the images where the annotations say that they are"));
    }
    faults.sort();
    let classes = ClassTable::binary(&category).with_things(|class| class == 1);
    let values = (0..classes.len() as u16).map(|class| (MaskValue::Value(class), class));
    let coding = MaskCoding::new(CodingKind::Keypoints, values, &classes);
    let masks = vec![None; samples.len()];
    Ok(Dataset {
        root: root.to_owned(),
        format: format.to_owned(),
        samples,
        classes,
        coding,
        notes,
        faults,
        masks,
        annotated: None,
        poses: Some(PoseSet { skeleton: Arc::new(skeleton), images: Arc::new(images), of_sample }),
    })
}
