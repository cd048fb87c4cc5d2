//! A synthetic set as annotated images, and as image files.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use vibhag_core::annotation::masks_of;
use vibhag_core::{Annotation, Error, ImageAnnotations, Result, Rle, Segment, Shape};

use super::SyntheticConfig;
use crate::annotations::{AnnotationSource, Category, ImageEntry};
use crate::encode::write_rgb_png;

/// Scenes beyond have names of another length.
const SCENES: u64 = 100_000;
/// An annotation's number is that of its image in the set times this, plus that of its segment: panoptic PNGs hold no
/// numbers beyond 16777215.
const SEGMENTS: u64 = 1000;

/// Scenes of a synthetic set with their annotations. Nothing is on disk: scene 7 is called `synthetic-00007.png`, and
/// [`write_images`] writes it under this name.
#[derive(Debug, Clone)]
pub struct SyntheticSource {
    config: SyntheticConfig,
    first: u64,
    categories: Vec<Category>,
    images: Vec<ImageEntry>,
}

impl SyntheticSource {
    /// The scenes of `range`. Categories are numbered from 1, in the order of [`super::classes`].
    ///
    /// # Errors
    /// When the configuration is not valid or the range goes beyond 100000.
    pub fn new(config: SyntheticConfig, range: Range<u64>) -> Result<Self> {
        config.validate()?;
        check_range(&range)?;
        let categories = (1..).zip(super::classes().classes).map(|(id, class)| Category {
            id,
            supercategory: Some(if class.thing { "shape" } else { "ground" }.to_owned()),
            name: class.name,
            thing: class.thing,
            color: Some(class.color),
        });
        let image = |index: u64| ImageEntry { id: Some(index), name: name(index), path: None, split: None };
        let (categories, images) = (categories.collect(), range.clone().map(image).collect());
        Ok(Self { config, first: range.start, categories, images })
    }

    /// The same scenes, whose images are in `folder` as [`write_images`] puts them there.
    #[must_use]
    pub fn with_images_in(mut self, folder: &Path) -> Self {
        for image in &mut self.images {
            image.path = Some(folder.join(&image.name));
        }
        self
    }

    /// The same scenes, those of `range` in the split called `name`.
    #[must_use]
    pub fn with_split(mut self, range: Range<u64>, name: &str) -> Self {
        for (index, image) in (self.first..).zip(&mut self.images) {
            if range.contains(&index) {
                image.split = Some(name.to_owned());
            }
        }
        self
    }
}

impl AnnotationSource for SyntheticSource {
    fn categories(&self) -> &[Category] {
        &self.categories
    }

    fn images(&self) -> &[ImageEntry] {
        &self.images
    }

    fn read(&self, index: usize) -> Result<ImageAnnotations> {
        if index >= self.images.len() {
            return Err(Error::config(format!("image {index} of a synthetic set of {}", self.images.len())));
        }
        let scene = self.first + index as u64;
        let truth = super::truth(&self.config, scene)?;
        let annotation = |((number, segment), mask): ((u64, Segment), Rle)| Annotation {
            id: index as u64 * SEGMENTS + number,
            category: usize::from(segment.class),
            shape: Shape::Mask(mask),
            crowd: false,
            area: None,
            bounds: None,
            score: None,
        };
        let masks = masks_of(&truth.ids, truth.segments.len());
        Ok(ImageAnnotations {
            width: self.config.width,
            height: self.config.height,
            annotations: (1..).zip(truth.segments).zip(masks).map(annotation).collect(),
        })
    }
}

/// Writes the images of the scenes of `range` into the existing `folder` as PNG files, named as
/// [`SyntheticSource`] names them, and returns their paths in order.
///
/// # Errors
/// As [`SyntheticSource::new`], and when a file cannot be written.
pub fn write_images(config: &SyntheticConfig, range: Range<u64>, folder: &Path) -> Result<Vec<PathBuf>> {
    check_range(&range)?;
    range
        .into_par_iter()
        .map(|index| {
            let (image, _) = super::sample(config, index)?;
            let path = folder.join(name(index));
            write_rgb_png(&path, image.width(), image.height(), &image.to_rgb8())?;
            Ok(path)
        })
        .collect()
}

fn name(index: u64) -> String {
    format!("synthetic-{index:05}.png")
}

fn check_range(range: &Range<u64>) -> Result<()> {
    if range.end > SCENES {
        return Err(Error::config(format!("scenes {} to {} of a synthetic set", range.start, range.end))
            .hint(format!("{} is the last; other scenes come from another seed", SCENES - 1)));
    }
    Ok(())
}
