//! Data sets whose truth is annotated objects instead of masks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use vibhag_core::annotation::paint;
use vibhag_core::color::class_color;
use vibhag_core::error::ErrorKind;
use vibhag_core::{Annotation, Class, ClassTable, Error, ImageAnnotations, Panoptic, Result, Rle, Segment};

use crate::annotations::shape::mask_of;
use crate::annotations::{AnnotationFormat, AnnotationSource, Category};
use crate::coding::{CodingKind, MaskCoding};
use crate::dataset::{Dataset, Sample};
use crate::fault::Fault;
use crate::mask::MaskValue;
use crate::split::Split;

/// The void label where every pixel should have a segment.
const VOID_LABEL: u16 = 255;

/// The annotations of a data set's samples.
#[derive(Debug, Clone)]
pub struct Annotated {
    source: Arc<dyn AnnotationSource>,
    /// The source's image of each sample.
    images: Vec<usize>,
    /// Class of the first category: 1 where class 0 is the background.
    first_class: u16,
}

impl Annotated {
    /// The segments of sample `index`.
    ///
    /// # Errors
    /// When its annotation cannot be read.
    pub fn read(&self, index: usize) -> Result<Panoptic> {
        let image = *self.images.get(index).ok_or_else(|| Error::config(format!("there is no sample {index}")))?;
        let ImageAnnotations { width, height, annotations } = self.source.read(image)?;
        let segment = |annotation: &Annotation| Segment {
            class: self.first_class + annotation.category as u16,
            crowd: annotation.crowd,
            score: annotation.score.unwrap_or(1.0) as f32,
        };
        let masks: Vec<(Rle, Segment)> =
            annotations.iter().map(|one| Ok((mask_of(one, width, height)?, segment(one)))).collect::<Result<_>>()?;
        Ok(paint(width, height, &masks))
    }

    pub(crate) fn subset(&self, indices: &[usize]) -> Self {
        let images = indices.iter().filter_map(|&index| self.images.get(index).copied()).collect();
        Self { images, ..self.clone() }
    }
}

/// Opens the annotated images at `root`; samples are the images whose files are there.
///
/// # Errors
/// When the annotations cannot be read or name no image that is there.
pub(crate) fn open(root: &Path, format: &AnnotationFormat) -> Result<Dataset> {
    let source: Arc<dyn AnnotationSource> = (format.open)(root)?.into();
    from_source(root, format.name, source)
}

/// All images of `source`, in its order, and the classes of its categories.
pub fn all(source: Arc<dyn AnnotationSource>) -> (Annotated, ClassTable) {
    let background = source.categories().iter().all(|category| category.thing);
    let classes = class_table(source.categories(), background);
    let images = (0..source.images().len()).collect();
    (Annotated { source, images, first_class: u16::from(background) }, classes)
}

/// A data set over `source`.
///
/// # Errors
/// When it has no category or no image that is there.
pub fn from_source(root: &Path, format: &str, source: Arc<dyn AnnotationSource>) -> Result<Dataset> {
    let categories = source.categories();
    if categories.is_empty() {
        return Err(Error::new(ErrorKind::Decode, "the annotations name no category").at_path(root));
    }
    let background = categories.iter().all(|category| category.thing);
    let classes = class_table(categories, background);
    let (mut samples, mut images, mut faults) = (Vec::new(), Vec::new(), source.faults().to_vec());
    let mut taken = BTreeSet::new();
    for (index, entry) in source.images().iter().enumerate() {
        let name = Path::new(&entry.name).with_extension("").to_string_lossy().into_owned();
        let id = if taken.insert(name.clone()) { name } else { entry.name.clone() };
        let Some(path) = entry.path.clone() else {
            faults.push(Fault::image_is_not_there(root.join(&entry.name)));
            continue;
        };
        images.push(index);
        samples.push(Sample {
            id,
            image: path,
            mask: None,
            group: None,
            tags: BTreeMap::new(),
            split: entry.split.as_deref().and_then(Split::from_name),
        });
    }
    if samples.is_empty() {
        return Err(Error::new(ErrorKind::MissingPair, "no annotated image is there")
            .at_path(root)
            .hint("put the images where the annotations say that they are"));
    }
    faults.sort();
    let values = (0..classes.len() as u16).map(|class| (MaskValue::Value(class), class));
    let coding = MaskCoding::new(CodingKind::Objects, values, &classes);
    let annotated = Annotated { source, images, first_class: u16::from(background) };
    let masks = vec![None; samples.len()];
    Ok(Dataset {
        root: root.to_owned(),
        format: format.to_owned(),
        samples,
        classes,
        coding,
        notes: Vec::new(),
        faults,
        masks,
        annotated: Some(annotated),
        poses: None,
    })
}

/// The classes of `categories`; where all of them are things, what lies between is class 0.
fn class_table(categories: &[Category], background: bool) -> ClassTable {
    let first = usize::from(background);
    let mut table =
        if background { ClassTable::from_names(["background"]) } else { ClassTable::from_names::<&str>([]) };
    table.classes.extend(categories.iter().enumerate().map(|(index, category)| Class {
        name: category.name.clone(),
        color: category.color.unwrap_or_else(|| class_color((index + first).max(1))),
        thing: category.thing,
    }));
    let void = if table.len() > usize::from(VOID_LABEL) { u16::MAX } else { VOID_LABEL };
    table.with_ignore((!background).then_some(void))
}
