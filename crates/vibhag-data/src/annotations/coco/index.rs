//! A COCO file as a list of places: one pass over it finds images, categories, and where each annotation begins, so that
//! a file of any size takes memory for its images and a few bytes for each annotation. Outlines are read when their image
//! is asked for.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use vibhag_core::{Error, ErrorKind, Result};

use super::super::Category;
use super::super::image_files::image_size;
use super::super::json::{JsonReader, json_error};
use super::record::Record;
use super::rows::{RawCategory, RawImage};
use crate::decode::check_size;
use crate::fault::{Fault, FaultKind};

/// An image of the file and the places of its annotations.
#[derive(Debug)]
pub(super) struct IndexedImage {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) path: Option<PathBuf>,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) annotations: Vec<u64>,
}

/// What is in a file.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) images: Vec<IndexedImage>,
    pub(super) categories: Vec<Category>,
    pub(super) faults: Vec<Fault>,
}

/// Indexes the file at `path`; `find` finds an image file by its name.
///
/// # Errors
/// When the file cannot be read, is no JSON, or not one with images.
pub(super) fn index(path: &Path, find: &dyn Fn(&str) -> Option<PathBuf>) -> Result<Index> {
    let position = Cell::new(0);
    let mut scan = Scan::new(path, find, &position);
    scan.pass()?;
    if !scan.images_seen {
        return Err(Error::new(ErrorKind::Decode, "there is no list of images in it").at_path(path).hint(
            "a COCO file has images, annotations and categories; a list of results needs the file with the truth",
        ));
    }
    if scan.late {
        // Annotations came before the images that they need.
        scan.pass()?;
    }
    Ok(scan.finish())
}

/// Reads the annotation at `place`, which [`index`] found.
///
/// # Errors
/// When the file cannot be read or has changed.
pub(super) fn read_at(file: &mut File, path: &Path, place: u64) -> Result<Record> {
    file.seek(SeekFrom::Start(place)).map_err(|error| Error::io(path, error))?;
    let position = Cell::new(place);
    let rest = JsonReader::new(BufReader::with_capacity(4096, file), &position);
    // The place is the one behind the opening brace.
    let mut deserializer = serde_json::Deserializer::from_reader(b"{".chain(rest));
    Record::deserialize(&mut deserializer).map_err(|error| json_error(path, error).at(format!("byte {place}")))
}

struct Row {
    place: u64,
    id: u64,
    image: usize,
    category: Option<u64>,
}

/// The state of a pass over the file.
struct Scan<'a> {
    path: &'a Path,
    find: &'a dyn Fn(&str) -> Option<PathBuf>,
    position: &'a Cell<u64>,
    images: Vec<IndexedImage>,
    /// Images by id; `None` for one that has a fault.
    by_id: HashMap<u64, Option<usize>>,
    images_seen: bool,
    categories: Vec<Category>,
    rows: Vec<Row>,
    ids: HashSet<u64>,
    annotations: usize,
    /// Annotations were passed over for want of images.
    late: bool,
    faults: Vec<Fault>,
}

impl<'a> Scan<'a> {
    fn new(path: &'a Path, find: &'a dyn Fn(&str) -> Option<PathBuf>, position: &'a Cell<u64>) -> Self {
        Self {
            path,
            find,
            position,
            images: Vec::new(),
            by_id: HashMap::new(),
            images_seen: false,
            categories: Vec::new(),
            rows: Vec::new(),
            ids: HashSet::new(),
            annotations: 0,
            late: false,
            faults: Vec::new(),
        }
    }

    fn pass(&mut self) -> Result<()> {
        let file = File::open(self.path).map_err(|error| Error::io(self.path, error))?;
        self.position.set(0);
        let mut reader = JsonReader::new(BufReader::with_capacity(1 << 16, file), self.position);
        reader.skip_mark().map_err(|error| Error::io(self.path, error))?;
        let path = self.path;
        let mut deserializer = serde_json::Deserializer::from_reader(reader);
        Part::Whole(self).deserialize(&mut deserializer).map_err(|error| json_error(path, error))?;
        deserializer.end().map_err(|error| json_error(path, error))
    }

    fn finish(mut self) -> Index {
        let known: HashSet<u64> = self.categories.iter().map(|category| u64::from(category.id)).collect();
        for row in std::mem::take(&mut self.rows) {
            match row.category {
                Some(category) if known.contains(&category) => self.images[row.image].annotations.push(row.place),
                Some(category) => self.fault(
                    Some(row.image),
                    FaultKind::MaskValue,
                    format!("annotation {}: no category has the id {category}", row.id),
                    "add the category to the file or delete the annotation",
                ),
                None => self.fault(
                    Some(row.image),
                    FaultKind::MaskValue,
                    format!("annotation {}: its category_id is no whole number", row.id),
                    "give it the id of one of the categories",
                ),
            }
        }
        Index { images: self.images, categories: self.categories, faults: self.faults }
    }

    fn fault(&mut self, image: Option<usize>, kind: FaultKind, message: String, hint: &str) {
        let sample = image.map(|image| self.images[image].name.clone());
        self.faults.push(Fault { sample, path: self.path.to_owned(), kind, message, hint: hint.to_owned() });
    }

    fn image(&mut self, raw: &RawImage) {
        let (Some(id), Some(name)) = (raw.id.whole(), raw.file_name.text()) else {
            let message = "an image without a whole number as id or without file_name".to_owned();
            return self.fault(
                None,
                FaultKind::Unreadable,
                message,
                "give every image both; its annotations wait for it",
            );
        };
        if self.by_id.contains_key(&id) {
            let message = format!("the image id {id} occurs again, for {name}");
            return self.fault(None, FaultKind::Ambiguous, message, "give every image its own id");
        }
        let path = (self.find)(name);
        let size = match (raw.size(), &path) {
            (Some(size), _) => Ok(size),
            (None, Some(path)) => image_size(path),
            _ => Err(Error::new(ErrorKind::MissingPair, "neither its size is stated nor is its file there")
                .hint("state width and height or add the file")),
        };
        let size = size.and_then(|(width, height)| {
            check_size(width as u64, height as u64, 0, self.path).map(|()| (width, height))
        });
        let (width, height) = match size {
            Ok(size) => size,
            Err(error) => {
                self.by_id.insert(id, None);
                return self.faults.push(Fault::from_error(Some(name), self.path, &error.at(format!("image {id}"))));
            }
        };
        self.by_id.insert(id, Some(self.images.len()));
        self.images.push(IndexedImage { id, name: name.to_owned(), path, width, height, annotations: Vec::new() });
    }

    fn category(&mut self, raw: &RawCategory) {
        match raw.category(&self.categories) {
            Ok(category) => self.categories.push(category),
            Err(error) => self.faults.push(Fault::from_error(None, self.path, &error)),
        }
    }

    fn annotation(&mut self, place: u64, record: &Record) {
        self.annotations += 1;
        let Some(id) = record.id.whole() else {
            let message = format!("annotation number {} of the file has no whole number as id", self.annotations);
            return self.fault(None, FaultKind::Unreadable, message, "give every annotation its own id");
        };
        let image = record.image_id.whole();
        let Some(image) = image.and_then(|image| self.by_id.get(&image).copied()) else {
            let image = image.map_or("that is no whole number".to_owned(), |image| image.to_string());
            let message = format!("annotation {id} is for the image {image}, which is not in the file");
            return self.fault(
                None,
                FaultKind::MissingImage,
                message,
                "add the image to the file or delete the annotation",
            );
        };
        // An image with a fault was reported, and its annotations go with it.
        let Some(image) = image else { return };
        if !self.ids.insert(id) {
            let message = format!("the annotation id {id} occurs again");
            return self.fault(Some(image), FaultKind::Ambiguous, message, "give every annotation its own id");
        }
        let IndexedImage { width, height, name, .. } = &self.images[image];
        match record.shape(*width, *height) {
            Ok(_) => self.rows.push(Row { place, id, image, category: record.category_id.whole() }),
            Err(mut error) => {
                error.what = format!("annotation {id}: {}", error.what);
                self.faults.push(Fault::from_error(Some(name), self.path, &error));
            }
        }
    }
}

/// The parts of the file that are looked into.
enum Part<'s, 'a> {
    Whole(&'s mut Scan<'a>),
    Annotations(&'s mut Scan<'a>),
    Annotation(&'s mut Scan<'a>),
}

impl<'de> DeserializeSeed<'de> for Part<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "an object with images, annotations and categories",
            Self::Annotations(_) => "a list of annotations",
            Self::Annotation(_) => "an annotation",
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<(), A::Error> {
        let scan = match self {
            Self::Annotations(scan) => scan,
            Self::Annotation(_) => return Err(serde::de::Error::custom("a list in place of an annotation")),
            Self::Whole(_) => {
                let what = "a list, such as of results, in place of an object with images, annotations and categories";
                return Err(serde::de::Error::custom(what));
            }
        };
        while list.next_element_seed(Part::Annotation(scan))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let scan = match self {
            Self::Whole(scan) => scan,
            Self::Annotation(scan) | Self::Annotations(scan) => {
                let place = scan.position.get();
                let record = Record::deserialize(MapAccessDeserializer::new(map))?;
                scan.annotation(place, &record);
                return Ok(());
            }
        };
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "images" if !scan.images_seen => {
                    scan.images_seen = true;
                    map.next_value::<Vec<RawImage>>()?.iter().for_each(|image| scan.image(image));
                }
                "categories" if scan.categories.is_empty() => {
                    map.next_value::<Vec<RawCategory>>()?.iter().for_each(|category| scan.category(category));
                }
                "annotations" if scan.images_seen => map.next_value_seed(Part::Annotations(scan))?,
                "annotations" => {
                    scan.late = true;
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}
