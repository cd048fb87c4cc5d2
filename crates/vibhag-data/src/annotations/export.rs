//! What the writers of formats share: they go through a source image by image, leave out what the format cannot hold,
//! and say so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use vibhag_core::{Annotation, Error, ErrorKind, ImageAnnotations, Result, Shape};

use super::image_files::{copy_image, make_parent};
use super::{AnnotationSource, Category, Holds, ImageEntry, Written};

/// How a format is written.
pub(super) struct Export<'a> {
    source: &'a dyn AnnotationSource,
    holds: Holds,
    /// Stuff is left out, rather than written like an object.
    pub(super) objects_only: bool,
    /// The format is of no use without its image files.
    pub(super) needs_images: bool,
    /// The format says which images are for training.
    pub(super) splits: bool,
    claimed: BTreeSet<PathBuf>,
    /// How often something happened that is said once for all.
    notes: BTreeMap<&'static str, usize>,
    written: Written,
}

/// One image on its way out.
pub(super) struct Outgoing<'a> {
    /// The image.
    pub(super) entry: &'a ImageEntry,
    /// Its annotations without those that the format cannot hold.
    pub(super) image: ImageAnnotations,
    /// What is lost on it is added here.
    pub(super) losses: Vec<String>,
    /// What happens often is said once for all images.
    notes: BTreeMap<&'static str, usize>,
    claimed: &'a mut BTreeSet<PathBuf>,
}

impl<'a> Export<'a> {
    /// An export of `source` into the folder `root`, which must be new or empty.
    pub(super) fn new(source: &'a dyn AnnotationSource, root: &Path, holds: Holds) -> Result<Self> {
        let failed = |error| Error::io(root, error).hint("check the path, free space and permissions");
        std::fs::create_dir_all(root).map_err(failed)?;
        if std::fs::read_dir(root).map_err(failed)?.next().is_some() {
            return Err(Error::config("the folder is not empty")
                .at_path(root)
                .hint("name a folder that does not exist"));
        }
        let (claimed, notes, written) = (BTreeSet::new(), BTreeMap::new(), Written::default());
        Ok(Self { source, holds, objects_only: false, needs_images: false, splits: true, claimed, notes, written })
    }

    /// Calls `write` for every image that can be read; one that fails is listed and the others are written.
    pub(super) fn each(mut self, mut write: impl FnMut(&mut Outgoing<'_>) -> Result<()>) -> Written {
        self.note_categories();
        for (index, entry) in self.source.images().iter().enumerate() {
            let mut claimed = std::mem::take(&mut self.claimed);
            let result = self.incoming(index, entry).and_then(|(image, losses)| {
                let mut outgoing = Outgoing { entry, image, losses, notes: BTreeMap::new(), claimed: &mut claimed };
                write(&mut outgoing)?;
                Ok((outgoing.image.annotations.len(), outgoing.losses, outgoing.notes))
            });
            self.claimed = claimed;
            match result {
                Ok((annotations, losses, notes)) => {
                    self.written.images += 1;
                    self.written.annotations += annotations;
                    self.written.losses.extend(losses);
                    for (what, count) in notes {
                        *self.notes.entry(what).or_default() += count;
                    }
                }
                Err(error) => self.written.failed.push(format!("{}: {error}", entry.name)),
            }
        }
        let notes = self.notes.into_iter().map(|(what, count)| format!("{what} ({count} in all)"));
        self.written.losses.extend(notes);
        self.written
    }

    fn incoming(&mut self, index: usize, entry: &ImageEntry) -> Result<(ImageAnnotations, Vec<String>)> {
        if self.needs_images && entry.path.is_none() {
            return Err(Error::new(ErrorKind::MissingPair, "its image file is not known")
                .hint("this format needs the images beside the annotations: name their folder"));
        }
        let mut image = self.source.read(index)?;
        let mut losses = Vec::new();
        let categories = self.source.categories();
        let (holds, objects_only) = (self.holds, self.objects_only);
        image.annotations.retain(|annotation| {
            let stuff = categories.get(annotation.category).is_some_and(|category| !category.thing);
            let reason = if annotation.crowd && !holds.crowd {
                "a crowd"
            } else if stuff && objects_only {
                "stuff, no object"
            } else {
                return true;
            };
            losses.push(format!("{}: object {}: it is {reason}, so it is left out", entry.name, annotation.id));
            false
        });
        for annotation in &image.annotations {
            if annotation.category >= categories.len() {
                return Err(Error::config(format!("category {} of {}", annotation.category, categories.len()))
                    .hint("the source counts its categories wrongly"));
            }
            if annotation.score.is_some() && !holds.scores {
                self.note("a score is not held");
            }
            if matches!(annotation.shape, Shape::Polygons(_)) && !holds.polygons {
                self.note("an outline is held as the pixels inside it");
            }
        }
        if entry.split.is_some() && !self.splits {
            self.note("the split of an image is not held");
        }
        Ok((image, losses))
    }

    fn note(&mut self, what: &'static str) {
        *self.notes.entry(what).or_default() += 1;
    }

    /// What the format cannot say of the categories.
    fn note_categories(&mut self) {
        let names: Vec<&str> = self.source.categories().iter().map(|category| category.name.as_str()).collect();
        if !self.holds.categories && !names.is_empty() {
            self.written.losses.push(format!("names of categories are not held: {}", names.join(", ")));
        }
        let stuff = |category: &&Category| !category.thing && !self.objects_only && !self.holds.stuff;
        for category in self.source.categories().iter().filter(stuff) {
            let line = format!("category {}: that it is stuff is not held, so it comes back as a thing", category.name);
            self.written.losses.push(line);
        }
    }
}

impl Outgoing<'_> {
    /// Takes the path `to` for this image, with the folders that lead there.
    ///
    /// # Errors
    /// When another image has taken it (names that differ in case count as equal), or the folders cannot be made.
    pub(super) fn claim(&mut self, to: &Path) -> Result<()> {
        let folded = PathBuf::from(to.to_string_lossy().to_lowercase());
        if !self.claimed.insert(folded) {
            return Err(Error::config("another image has the same name in this format")
                .at_path(to)
                .hint("rename one of the two images"));
        }
        make_parent(to)
    }

    /// Copies the image file, where it is known, to `to`.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub(super) fn copy_image(&self, to: &Path) -> Result<()> {
        copy_image(self.entry.path.as_deref(), to)
    }

    /// Adds a line on what is lost of object `id`.
    pub(super) fn loss(&mut self, id: u64, what: &str) {
        self.losses.push(format!("{}: object {id}: {what}", self.entry.name));
    }

    /// Counts that `what` happened; it is said once for all images.
    pub(super) fn note(&mut self, what: &'static str) {
        *self.notes.entry(what).or_default() += 1;
    }

    /// The annotations.
    pub(super) fn objects(&self) -> Vec<&Annotation> {
        self.image.annotations.iter().collect()
    }
}
