//! The table of predicted objects, collected image by image.

use vibhag_core::{ClassTable, Image, Panoptic, Result, Segment};
use vibhag_imaging::{Region, measure};
use vibhag_report::{ImageObjects, objects_csv};

/// Measured objects of images; the images themselves are not kept.
#[derive(Debug, Default)]
pub struct ObjectTable {
    images: Vec<(String, Vec<Region>, Vec<Segment>)>,
}

impl ObjectTable {
    /// Measures the objects of the image called `name`.
    ///
    /// # Errors
    /// When image and segments have different sizes.
    pub fn add(&mut self, name: &str, image: &Image, segments: &Panoptic) -> Result<()> {
        self.images.push((name.to_owned(), measure(&segments.ids, Some(image))?, segments.segments.clone()));
        Ok(())
    }

    /// The table as comma-separated values.
    ///
    /// # Errors
    /// When a segment has no class.
    pub fn csv(&self, classes: &ClassTable) -> Result<String> {
        let images: Vec<ImageObjects<'_>> =
            self.images.iter().map(|(image, regions, segments)| ImageObjects { image, regions, segments }).collect();
        objects_csv(&images, classes)
    }
}
