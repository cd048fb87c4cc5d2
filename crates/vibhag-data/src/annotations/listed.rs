//! A source whose images are listed when it is opened, and annotated by a function of its format.

use std::fmt;
use std::path::Path;

use rayon::prelude::*;
use vibhag_core::{Error, ErrorKind, ImageAnnotations, Result};

use super::{AnnotationSource, Category, ImageEntry};
use crate::fault::{Fault, FaultKind};

/// Reads what is annotated on the image of this number.
pub(super) type Reader = Box<dyn Fn(usize) -> Result<ImageAnnotations> + Send + Sync>;

/// See the module.
pub(super) struct Listed {
    format: &'static str,
    categories: Vec<Category>,
    images: Vec<ImageEntry>,
    faults: Vec<Fault>,
    reader: Reader,
}

impl Listed {
    /// A source over `items`, each an image and what its annotations are read from, brought into the order of names.
    /// `read` makes annotations of such an item; what it reports as faults is collected now.
    pub(super) fn new<T: Send + Sync + 'static>(
        format: &'static str,
        categories: Vec<Category>,
        mut items: Vec<(ImageEntry, T)>,
        mut faults: Vec<Fault>,
        read: impl Fn(&ImageEntry, &T) -> Result<(ImageAnnotations, Vec<Fault>)> + Send + Sync + 'static,
    ) -> Self {
        items.sort_by(|(a, _), (b, _)| (&a.name, &a.split).cmp(&(&b.name, &b.split)));
        // An image that cannot be read says so when it is asked for.
        let found: Vec<Vec<Fault>> =
            items.par_iter().map(|(entry, item)| read(entry, item).map_or(Vec::new(), |(_, faults)| faults)).collect();
        faults.extend(found.into_iter().flatten());
        Self::without_faults(format, categories, items, faults, move |entry, item| {
            read(entry, item).map(|(all, _)| all)
        })
    }

    /// As [`Listed::new`], where single annotations have no faults, so that nothing need be read now.
    pub(super) fn without_faults<T: Send + Sync + 'static>(
        format: &'static str,
        categories: Vec<Category>,
        mut items: Vec<(ImageEntry, T)>,
        faults: Vec<Fault>,
        read: impl Fn(&ImageEntry, &T) -> Result<ImageAnnotations> + Send + Sync + 'static,
    ) -> Self {
        items.sort_by(|(a, _), (b, _)| (&a.name, &a.split).cmp(&(&b.name, &b.split)));
        let images = items.iter().map(|(entry, _)| entry.clone()).collect();
        let reader: Reader = Box::new(move |index| {
            let (entry, item) = items.get(index).ok_or_else(|| {
                Error::config(format!("there is no image {index}"))
                    .hint(format!("choose one of the {} images by a number from 0 on", items.len()))
            })?;
            read(entry, item)
        });
        Self { format, categories, images, faults, reader }
    }
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} images and {} categories", self.format, self.images.len(), self.categories.len())
    }
}

impl AnnotationSource for Listed {
    fn categories(&self) -> &[Category] {
        &self.categories
    }

    fn images(&self) -> &[ImageEntry] {
        &self.images
    }

    fn read(&self, index: usize) -> Result<ImageAnnotations> {
        (self.reader)(index)
    }

    fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

/// A fault of one annotation of the image called `image`.
pub(super) fn fault(image: &str, path: &Path, kind: FaultKind, message: impl Into<String>, hint: &str) -> Fault {
    Fault {
        sample: Some(image.to_owned()),
        path: path.to_owned(),
        kind,
        message: message.into(),
        hint: hint.to_owned(),
    }
}

/// The error for a folder or file without anything annotated in it.
pub(super) fn nothing_found(path: &Path, what: &str, hint: &str) -> Error {
    Error::new(ErrorKind::MissingPair, what).at_path(path).hint(hint)
}
