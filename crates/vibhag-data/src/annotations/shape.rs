//! The pixels of annotations.

use vibhag_core::{Annotation, Error, ErrorKind, Result, Rle, Shape};
use vibhag_imaging::rasterize;

/// The mask of `annotation` in an image of `width` x `height`; outlines become masks as in pycocotools.
///
/// # Errors
/// When it has a mask of another size.
pub fn mask_of(annotation: &Annotation, width: usize, height: usize) -> Result<Rle> {
    match &annotation.shape {
        Shape::Polygons(polygons) => Ok(rasterize(polygons, width, height)),
        Shape::Mask(mask) if (mask.width(), mask.height()) == (width, height) => Ok(mask.clone()),
        Shape::Mask(mask) => Err(Error::new(
            ErrorKind::SizeMismatch,
            format!("a mask of {}x{} pixels on an image of {width}x{height}", mask.width(), mask.height()),
        )
        .at(format!("object {}", annotation.id))
        .hint("masks have the size of their image")),
    }
}
