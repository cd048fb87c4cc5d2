//! COCO instances (Lin et al., "Microsoft COCO: Common Objects in Context", 2014; format: <https://cocodataset.org/#format-data>):
//! a JSON file, or a folder with `annotations/instances_*.json` beside folders of images, or with
//! `_annotations.coco.json` among the images, or with one JSON file.
//!
//! Outlines of several parts, run lengths as text or list, crowds and scores are read; a file that knows stuff
//! (`isthing` is 0) is too. COCO's outlines have no holes, so what has holes is written as run lengths.

mod index;
pub(crate) mod layout;
mod record;
pub(crate) mod rows;
mod write;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use vibhag_core::{Annotation, Error, ErrorKind, ImageAnnotations, Result};

use super::image_files::expect_size;
use super::listed::Listed;
use super::{AnnotationFormat, AnnotationSource, Category, Holds, ImageEntry};
pub use write::write_results;

/// The format's row.
pub(super) const FORMAT: AnnotationFormat = AnnotationFormat {
    name: "coco",
    summary: "COCO instances: a JSON file, annotations/instances_*.json, or _annotations.coco.json among the images",
    holds: Holds {
        masks: true,
        polygons: true,
        holes: true,
        parts: true,
        overlap: true,
        crowd: true,
        categories: true,
        stuff: false,
        scores: true,
    },
    detect: layout::detect,
    open,
    write: write::write,
};

/// A file of the data set.
struct Source {
    json: PathBuf,
    /// Length and time of the last change when the places in it were noted.
    stamp: (u64, Option<SystemTime>),
    /// The category of each id.
    categories: HashMap<u64, usize>,
}

/// An image of it.
struct Item {
    source: usize,
    width: usize,
    height: usize,
    /// Where its annotations begin.
    places: Vec<u64>,
}

/// Opens the file or folder at `path`.
///
/// # Errors
/// When there is no COCO file, it is not clear which one is meant, one is no JSON (with line and column), or two give one
/// id to different categories.
fn open(path: &Path) -> Result<Box<dyn AnnotationSource>> {
    let (mut categories, mut sources, mut items, mut faults) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for part in layout::parts(path)? {
        let stamp = stamp(&part.json)?;
        let found = index::index(&part.json, &|name| part.find(name))?;
        let source = Source {
            categories: merge(&mut categories, found.categories).map_err(|error| error.at_path(&part.json))?,
            json: part.json,
            stamp,
        };
        for image in found.images {
            let (width, height, places) = (image.width, image.height, image.annotations);
            let entry =
                ImageEntry { id: Some(image.id), name: image.name, path: image.path, split: part.split.clone() };
            items.push((entry, Item { source: sources.len(), width, height, places }));
        }
        sources.push(source);
        faults.extend(found.faults);
    }
    let read = move |entry: &ImageEntry, item: &Item| read(&sources[item.source], entry, item);
    Ok(Box::new(Listed::without_faults("coco", categories, items, faults, read)))
}

fn stamp(path: &Path) -> Result<(u64, Option<SystemTime>)> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    Ok((metadata.len(), metadata.modified().ok()))
}

/// Adds the categories of a further file, and says which one each of its ids is.
pub(super) fn merge(all: &mut Vec<Category>, own: Vec<Category>) -> Result<HashMap<u64, usize>> {
    let mut places = HashMap::new();
    for category in own {
        let known = all.iter().position(|other| other.id == category.id);
        if let Some(other) = known.map(|known| &all[known])
            && other.name != category.name
        {
            return Err(Error::config(format!(
                "the category id {} stands for {:?} here and for {:?} in another file of the data set",
                category.id, category.name, other.name
            ))
            .hint("give each file the same categories, or name one file"));
        }
        let place = known.unwrap_or(all.len());
        places.insert(u64::from(category.id), place);
        if known.is_none() {
            all.push(category);
        }
    }
    Ok(places)
}

fn read(source: &Source, entry: &ImageEntry, item: &Item) -> Result<ImageAnnotations> {
    let (width, height, path) = (item.width, item.height, source.json.as_path());
    let changed = || {
        Error::new(ErrorKind::Decode, "the file has changed since it was opened").at_path(path).hint("open it again")
    };
    if stamp(path)? != source.stamp {
        return Err(changed());
    }
    if let Some(image) = &entry.path {
        expect_size(image, (width, height))?;
    }
    let mut file = File::open(path).map_err(|error| Error::io(path, error))?;
    let annotation = |&place: &u64| {
        let record = index::read_at(&mut file, path, place)?;
        let category = record.category_id.whole().and_then(|id| source.categories.get(&id).copied());
        Ok(Annotation {
            id: record.id.whole().ok_or_else(changed)?,
            category: category.ok_or_else(changed)?,
            shape: record.shape(width, height)?,
            crowd: record.iscrowd.whole().is_some_and(|crowd| crowd != 0),
            area: record.area.number(),
            bounds: record.bounds(),
            score: record.score.number(),
        })
    };
    let annotations = item.places.iter().map(annotation).collect::<Result<_>>()?;
    Ok(ImageAnnotations { width, height, annotations })
}
