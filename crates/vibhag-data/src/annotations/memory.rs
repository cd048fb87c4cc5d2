//! Annotations that are in memory: predictions, generated scenes, tests.

use vibhag_core::{Error, ImageAnnotations, Result};

use super::{AnnotationSource, Category, ImageEntry};

/// Annotated images in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    categories: Vec<Category>,
    images: Vec<ImageEntry>,
    annotations: Vec<ImageAnnotations>,
}

impl Memory {
    /// The annotations of each of `images`, in their order.
    pub fn new(categories: Vec<Category>, images: Vec<ImageEntry>, annotations: Vec<ImageAnnotations>) -> Self {
        Self { categories, images, annotations }
    }
}

impl AnnotationSource for Memory {
    fn categories(&self) -> &[Category] {
        &self.categories
    }

    fn images(&self) -> &[ImageEntry] {
        &self.images
    }

    fn read(&self, index: usize) -> Result<ImageAnnotations> {
        self.annotations.get(index).cloned().ok_or_else(|| Error::config(format!("there is no image {index}")))
    }
}
