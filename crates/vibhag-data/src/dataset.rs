//! A data set: samples, classes and the meaning of mask values, decoded on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use vibhag_core::error::ErrorKind;
use vibhag_core::{ClassTable, Error, Foreground, Image, LabelMap, Panoptic, Result, Task};

use crate::annotated::{self, Annotated};
use crate::annotations::{self, ANNOTATION_FORMATS, AnnotationFormat};
use crate::classes;
use crate::coding::MaskCoding;
use crate::decide::decide;
use crate::decode::{read_bytes, read_image};
use crate::fault::Fault;
use crate::formats::{self, Listing};
use crate::mask::{MaskValue, read_mask};
use crate::poses::{self, PoseSet};
use crate::split::Split;
use crate::survey::{self, MaskRecord, hash};
use crate::truth::People;

/// One image with its optional truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Unique within the data set; the file name without extension where that is unique.
    pub id: String,
    /// The image file.
    pub image: PathBuf,
    /// The mask file.
    pub mask: Option<PathBuf>,
    /// Samples of one group (a patient, a film sequence) never part between splits.
    pub group: Option<String>,
    /// What else is known, such as `diagnosis`.
    pub tags: BTreeMap<String, String>,
    /// The split that the data set itself assigns.
    pub split: Option<Split>,
}

/// A data set in any of the known formats.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The folder that was opened.
    pub root: PathBuf,
    /// Name of the format, one of [`formats::FORMATS`].
    pub format: String,
    /// The samples, sorted by id.
    pub samples: Vec<Sample>,
    /// The classes.
    pub classes: ClassTable,
    /// How mask values become labels.
    pub coding: MaskCoding,
    /// Remarks for the user, such as where the diagnosis came from.
    pub notes: Vec<String>,
    /// What is wrong with single files, known without decoding the images.
    pub faults: Vec<Fault>,
    /// What was learned from each sample's mask, in the order of `samples`.
    pub(crate) masks: Vec<Option<MaskRecord>>,
    /// Annotated objects, where the data set has them instead of masks.
    pub(crate) annotated: Option<Annotated>,
    /// People's keypoints, likewise.
    pub(crate) poses: Option<PoseSet>,
}

/// What the user may prescribe when opening a data set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Name of the format; recognised from the files when absent.
    pub format: Option<String>,
    /// Name of the mask coding (see [`crate::CodingKind::NAMES`]); decided from the masks when absent.
    pub coding: Option<String>,
    /// Mask value of void pixels, over what the format or `classes.toml` says.
    pub ignore: Option<u16>,
    /// Take the nearest expected mask value instead of refusing an unexpected one.
    pub snap: bool,
    /// What the data is wanted for; decides which formats are tried first.
    pub task: Task,
    /// Mask values that are one foreground class together; every other one is background.
    pub foreground: Option<Foreground>,
    /// What the one foreground class is called where neither a class file nor the format says.
    pub subject: Option<String>,
    /// Take every value above 0 for the foreground where masks hold more than one class and `foreground` is not given; a
    /// note of the data set says so.
    pub merge: bool,
}

/// Opens the data set in folder `root`: recognises the format, pairs images with masks, looks
/// at every mask once and decides what their values mean. Bad files become faults.
///
/// # Errors
/// When the folder cannot be read, no format fits, there is no image in it, or no mask can be
/// understood.
pub fn open(root: &Path, options: &OpenOptions) -> Result<Dataset> {
    if options.task == Task::Pose {
        return poses::open(root, options.format.as_deref());
    }
    if let Some(format) = annotation_format(root, options)? {
        if let Some(values) = &options.foreground {
            return Err(Error::config(format!(
                "the foreground {values} names values of masks, and {} has objects",
                format.name
            ))
            .at_path(root)
            .hint("leave --foreground out, or give label masks"));
        }
        return annotated::open(root, format);
    }
    if !root.is_dir() {
        let what = if root.exists() { "not a folder" } else { "no such folder" };
        return Err(Error::new(ErrorKind::Io, what).at_path(root).hint("give the folder that holds images and masks"));
    }
    let format = formats::choose(root, options.format.as_deref())?;
    let listing = (format.load)(root)?;
    assemble(root, format.name, listing, options)
}

/// The annotation format to open `root` with, if any: asked for by name, or recognised where objects are wanted or no
/// format of masks fits.
fn annotation_format(root: &Path, options: &OpenOptions) -> Result<Option<&'static AnnotationFormat>> {
    let known = |name: &str| ANNOTATION_FORMATS.iter().find(|format| format.name == name);
    if let Some(name) = &options.format {
        let found = known(name);
        return match found {
            None if options.task.has_objects() => annotations::named(name).map(Some),
            found => Ok(found),
        };
    }
    if !root.exists() {
        return Ok(None);
    }
    let masks_fit = || root.is_dir() && formats::FORMATS.iter().any(|format| (format.detect)(root));
    if !options.task.has_objects() && masks_fit() {
        return Ok(None);
    }
    let found = annotations::recognise(root);
    if found.is_none() && options.task.has_objects() {
        let names: Vec<&str> = ANNOTATION_FORMATS.iter().map(|format| format.name).collect();
        return Err(Error::config(format!("no format that tells objects apart fits, as {} needs", options.task))
            .at_path(root)
            .hint(format!("name it with --format ({})", names.join(", "))));
    }
    Ok(found)
}

/// Names of a foreground that say nothing of what it is.
const GENERIC: [&str; 2] = ["foreground", "object"];

fn assemble(root: &Path, format: &str, listing: Listing, options: &OpenOptions) -> Result<Dataset> {
    let Listing { mut samples, mut declaration, mut foreground, mut notes, mut faults, .. } = listing;
    if let Some(subject) = options.subject.as_ref().filter(|_| GENERIC.contains(&foreground.as_str())) {
        foreground.clone_from(subject);
    }
    if samples.is_empty() {
        return Err(Error::new(ErrorKind::MissingPair, "no image found")
            .at_path(root)
            .hint("put images into images/ and masks of the same names into masks/"));
    }
    samples.sort_by(|a, b| (&a.id, &a.image).cmp(&(&b.id, &b.image)));
    if let Some(own) = classes::read(root)? {
        declaration = own;
    }
    declaration.coding = options.coding.clone().or(declaration.coding);
    declaration.ignore = options.ignore.or(declaration.ignore);
    declaration.snap |= options.snap;
    declaration.foreground = options.foreground.clone().or(declaration.foreground);

    let with_mask: Vec<(usize, PathBuf)> =
        samples.iter().enumerate().filter_map(|(i, sample)| Some((i, sample.mask.clone()?))).collect();
    let paths: Vec<PathBuf> = with_mask.iter().map(|(_, path)| path.clone()).collect();
    let mut masks: Vec<Option<MaskRecord>> = vec![None; samples.len()];
    for ((index, path), record) in with_mask.into_iter().zip(survey::survey(&paths)) {
        match record {
            Ok(record) => masks[index] = Some(record),
            Err(error) => faults.push(Fault::from_error(Some(&samples[index].id), path, &error)),
        }
    }
    let records: Vec<MaskRecord> = masks.iter().flatten().cloned().collect();
    let placed = |error: Error| if error.at.path.is_some() { error } else { error.at_path(root) };
    let (mut coding, mut classes) = decide(&records, &declaration, &foreground).map_err(placed)?;
    if options.merge && !records.is_empty() && !classes.is_binary() {
        let note = format!(
            "the masks hold {} classes; every value above 0 is taken for {foreground}. Name the values with --foreground, \
             such as --foreground 1..{}",
            classes.len(),
            classes.len() - 1
        );
        // The whole result depends on it, so it is not left to those who read notes.
        tracing::warn!("{note}");
        notes.push(note);
        let void = coding.entries.iter().find(|entry| Some(entry.label) == classes.ignore);
        let void = match void.map(|entry| entry.value) {
            Some(MaskValue::Color(color)) => {
                let what =
                    format!("the masks are colours, of which {color:?} is void: what the {foreground} is is unclear");
                return Err(Error::config(what)
                    .at_path(root)
                    .hint(format!("list background and {foreground} with their colours in classes.toml")));
            }
            Some(MaskValue::Value(value)) => Some(value),
            None => None,
        };
        let values = Foreground::above_zero();
        declaration.foreground = Some(void.map_or(values.clone(), |void| values.without(void)));
        declaration.ignore = void;
        (coding, classes) = decide(&records, &declaration, &foreground).map_err(placed)?;
    }
    classes.validate().map_err(|error| error.at_path(root))?;
    for (sample, record) in samples.iter().zip(&masks) {
        if let (Some(record), Some(path)) = (record, &sample.mask) {
            let strays = coding.strays_among(&record.in_domain_of(&coding));
            if !strays.is_empty() {
                let error = coding.stray_error(&strays, record.width, record.lossy);
                faults.push(Fault::from_error(Some(&sample.id), path, &error));
            }
        }
    }
    faults.sort();
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
        poses: None,
    })
}

impl Dataset {
    /// Number of samples, faulty ones included.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    fn sample(&self, index: usize) -> Result<&Sample> {
        self.samples.get(index).ok_or_else(|| {
            Error::config(format!("sample {index} of {}", self.samples.len())).hint("samples are counted from 0")
        })
    }

    /// The image of sample `index`, upright.
    ///
    /// # Errors
    /// When there is no such sample or the file cannot be decoded.
    pub fn load_image(&self, index: usize) -> Result<Image> {
        read_image(&self.sample(index)?.image)
    }

    /// The label map of sample `index`.
    ///
    /// # Errors
    /// When the mask is missing, cannot be decoded or holds an unexpected value.
    pub fn load_mask(&self, index: usize) -> Result<LabelMap> {
        let sample = self.sample(index)?;
        if self.annotated.is_some() {
            return Ok(self.read_segments(index)?.class_map(self.classes.nothing()));
        }
        let Some(path) = &sample.mask else {
            return Err(Error::new(ErrorKind::MissingPair, "the image has no mask")
                .at_path(&sample.image)
                .hint("add the mask or remove the image"));
        };
        self.coding.decode(&read_mask(path)?).map_err(|error| error.at_path(path))
    }

    /// Image and label map of sample `index`, of the same size.
    ///
    /// # Errors
    /// As [`Dataset::load_image`] and [`Dataset::load_mask`], or when the sizes differ.
    pub fn load(&self, index: usize) -> Result<(Image, LabelMap)> {
        let image = self.load_image(index)?;
        let labels = self.load_mask(index)?;
        let mask = self.samples[index].mask.as_deref().unwrap_or(Path::new(""));
        check_sizes((image.width(), image.height()), (labels.width(), labels.height()), mask)?;
        Ok((image, labels))
    }

    /// Whether objects are told apart.
    pub fn has_objects(&self) -> bool {
        self.annotated.is_some()
    }

    /// The segments of sample `index`.
    ///
    /// # Errors
    /// When they cannot be read, or the data set does not tell objects apart.
    pub fn read_segments(&self, index: usize) -> Result<Panoptic> {
        let sample = self.sample(index)?;
        let Some(annotated) = &self.annotated else {
            return Err(Error::new(ErrorKind::Unsupported, format!("{} does not tell objects apart", self.format))
                .at_path(&self.root)
                .hint("open it for an instance or panoptic task, or give data with annotated objects"));
        };
        annotated
            .read(index)
            .map_err(|error| if error.at.path.is_some() { error } else { error.at_path(&sample.image) })
    }

    /// Image and segments of sample `index`, of the same size.
    ///
    /// # Errors
    /// As [`Dataset::load_image`] and [`Dataset::read_segments`], or when the sizes differ.
    pub fn load_segments(&self, index: usize) -> Result<(Image, Panoptic)> {
        let image = self.load_image(index)?;
        let map = self.read_segments(index)?;
        let sizes = ((image.width(), image.height()), (map.ids.width(), map.ids.height()));
        check_sizes(sizes.0, sizes.1, &self.samples[index].image)?;
        Ok((image, map))
    }

    /// The people's keypoints, where the data set has them.
    pub fn poses(&self) -> Option<&PoseSet> {
        self.poses.as_ref()
    }

    /// The people on sample `index`.
    ///
    /// # Errors
    /// When there is no such sample, or the data set has no keypoints.
    pub fn read_people(&self, index: usize) -> Result<People> {
        let sample = self.sample(index)?;
        let Some(poses) = &self.poses else {
            return Err(Error::new(ErrorKind::Unsupported, format!("{} has no people's keypoints", self.format))
                .at_path(&self.root)
                .hint("open it for task pose, or give data with annotated keypoints"));
        };
        poses.read(index).map_err(|error| error.at_path(&sample.image))
    }

    /// Image and people of sample `index`, of the same size.
    ///
    /// # Errors
    /// As [`Dataset::load_image`] and [`Dataset::read_people`], or when the sizes differ.
    pub fn load_people(&self, index: usize) -> Result<(Image, People)> {
        let image = self.load_image(index)?;
        let people = self.read_people(index)?;
        check_people_size((image.width(), image.height()), &people, &self.samples[index].image)?;
        Ok((image, people))
    }

    /// The data set with the samples at `indices` only, in that order.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Self {
        let kept: BTreeSet<&str> =
            indices.iter().filter_map(|&index| self.samples.get(index)).map(|sample| sample.id.as_str()).collect();
        let concerns = |fault: &&Fault| fault.sample.as_deref().is_none_or(|id| kept.contains(id));
        let valid = || indices.iter().copied().filter(|&index| index < self.samples.len());
        Self {
            samples: valid().map(|index| self.samples[index].clone()).collect(),
            masks: valid().map(|index| self.masks[index].clone()).collect(),
            faults: self.faults.iter().filter(concerns).cloned().collect(),
            annotated: self.annotated.as_ref().map(|annotated| annotated.subset(indices)),
            poses: self.poses.as_ref().map(|poses| poses.subset(indices)),
            ..self.clone()
        }
    }

    /// A hash over the bytes of every file, the sample ids and the coding: equal hashes mean
    /// that a fingerprint or a result can be reused. Unreadable files count as such.
    pub fn content_hash(&self) -> String {
        let hashes: Vec<(String, String)> = self
            .samples
            .par_iter()
            .enumerate()
            .zip(&self.masks)
            .map(|((index, sample), record)| {
                let of = |path: &Path| read_bytes(path).map_or_else(|_| String::new(), |bytes| hash(&bytes));
                let mask = match (record, &sample.mask) {
                    (Some(record), _) => record.hash.clone(),
                    (None, Some(path)) => of(path),
                    (None, None) if self.annotated.is_some() => {
                        self.read_segments(index).map_or_else(|_| String::new(), |map| segments_hash(&map))
                    }
                    (None, None) if self.poses.is_some() => {
                        self.read_people(index).map_or_else(|_| String::new(), |people| people_hash(&people))
                    }
                    (None, None) => String::new(),
                };
                (of(&sample.image), mask)
            })
            .collect();
        self.combined_hash(&hashes)
    }

    pub(crate) fn combined_hash(&self, hashes: &[(String, String)]) -> String {
        let mut text = format!("{:?}{}{:?}", self.classes, self.coding, self.coding.entries);
        if let Some(poses) = &self.poses {
            let _ = write!(text, "{:?}", poses.skeleton());
        }
        for (sample, (image, mask)) in self.samples.iter().zip(hashes) {
            let Sample { id, group, tags, split, .. } = sample;
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{id:?} {image} {mask} {group:?} {tags:?} {split:?}");
        }
        hash(text.as_bytes())
    }
}

/// A hash over the pixels and classes of segments.
pub(crate) fn segments_hash(map: &Panoptic) -> String {
    let mut bytes: Vec<u8> = Vec::with_capacity(4 * map.ids.ids().len());
    bytes.extend(map.ids.ids().iter().flat_map(|id| id.to_le_bytes()));
    bytes.extend(
        map.segments.iter().flat_map(|segment| [segment.class, u16::from(segment.crowd)]).flat_map(u16::to_le_bytes),
    );
    hash(&bytes)
}

/// A hash over people's keypoints, boxes and areas.
pub(crate) fn people_hash(people: &People) -> String {
    hash(format!("{people:?}").as_bytes())
}

/// Fails unless an image (at `path`) has the size that its people are annotated for.
pub(crate) fn check_people_size(image: (usize, usize), people: &People, path: &Path) -> Result<()> {
    if image == (people.width, people.height) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::SizeMismatch,
        format!("the image is {}x{}, its keypoints are for {}x{}", image.0, image.1, people.width, people.height),
    )
    .at_path(path)
    .hint("put the image back in the size in which it was annotated, or annotate it again"))
}

/// Fails unless an image and its mask (at `path`) have the same width and height.
pub(crate) fn check_sizes(image: (usize, usize), mask: (usize, usize), path: &Path) -> Result<()> {
    if image == mask {
        return Ok(());
    }
    let hint = if (image.1, image.0) == mask {
        "the image is rotated by its EXIF orientation and the mask is not: rotate the mask too"
    } else {
        "resize one of them (masks with nearest-neighbour interpolation) or correct the pairing"
    };
    Err(Error::new(
        ErrorKind::SizeMismatch,
        format!("the mask is {}x{} but its image is {}x{}", mask.0, mask.1, image.0, image.1),
    )
    .at_path(path)
    .hint(hint))
}
