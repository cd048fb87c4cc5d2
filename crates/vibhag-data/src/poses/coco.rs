//! COCO keypoints (Lin et al., "Microsoft COCO: Common Objects in Context", 2014; format:
//! <https://cocodataset.org/#format-data>): a JSON file, or a folder with `annotations/person_keypoints_*.json` beside
//! folders of images, or with one such file beside `images/`.
//!
//! The skeleton is that of the category. Outlines are not read: where people are whom nobody labelled, their boxes say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use vibhag_core::skeleton::SkeletonSpec;
use vibhag_core::{Error, ErrorKind, Result, SKELETONS, Skeleton};

use super::record::RawPerson;
use super::{AnnotatedImage, Listing, PoseFormat};
use crate::annotations::coco::layout::Part;
use crate::annotations::coco::rows::RawImage;
use crate::annotations::image_files::image_size;
use crate::annotations::json::Value;
use crate::annotations::json_file::read_json;
use crate::decode::{check_size, read_bytes};
use crate::fault::{Fault, FaultKind};
use crate::formats::{entries, file_name, stem};

/// The format's row.
pub(super) const FORMAT: PoseFormat = PoseFormat {
    name: "coco-keypoints",
    summary: "COCO keypoints: a JSON file, annotations/person_keypoints_*.json, or one JSON file beside images/",
    detect: |path| find(path).is_ok_and(|parts| !parts.is_empty()),
    read,
};

/// JSON files that a folder may hold for one of them to be looked for.
const MOST: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    images: Option<Vec<RawImage>>,
    annotations: Vec<RawPerson>,
    categories: Vec<RawCategory>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawCategory {
    id: Value,
    name: Value,
    keypoints: Value,
    skeleton: Value,
}

/// The files at `path`.
fn find(path: &Path) -> Result<Vec<Part>> {
    let is_json = |file: &Path| file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json")) && file.is_file();
    if path.is_file() {
        return Ok(if is_json(path) && mentions_keypoints(path) { vec![part(path)] } else { Vec::new() });
    }
    for folder in [path.join("annotations"), path.to_owned()] {
        let mut files = entries(&folder).unwrap_or_default();
        files.retain(|file| is_json(file));
        let named: Vec<_> =
            files.iter().filter(|file| stem(file).to_ascii_lowercase().contains("keypoints")).cloned().collect();
        // One for each image is another format.
        let files = if named.is_empty() && files.len() <= MOST { files } else { named };
        let parts: Vec<Part> = files.iter().filter(|file| mentions_keypoints(file)).map(|file| part(file)).collect();
        if !parts.is_empty() {
            return unambiguous(path, parts);
        }
    }
    Ok(Vec::new())
}

fn part(json: &Path) -> Part {
    let name = stem(json);
    Part::new(json.to_owned(), name.strip_prefix("person_keypoints_").unwrap_or(name))
}

fn mentions_keypoints(path: &Path) -> bool {
    const WORD: &[u8] = b"\"keypoints\"";
    read_bytes(path).is_ok_and(|bytes| {
        bytes.trim_ascii_start().strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start().starts_with(b"{")
            && bytes.windows(WORD.len()).any(|window| window == WORD)
    })
}

/// Several files make one data set when each is for a split of its own.
fn unambiguous(root: &Path, parts: Vec<Part>) -> Result<Vec<Part>> {
    let splits: BTreeSet<&String> = parts.iter().filter_map(|part| part.split.as_ref()).collect();
    if parts.len() <= 1 || splits.len() == parts.len() {
        return Ok(parts);
    }
    let names: Vec<&str> = parts.iter().map(|part| file_name(&part.json)).collect();
    Err(Error::new(ErrorKind::MissingPair, format!("{} files could be meant: {}", names.len(), names.join(", ")))
        .at_path(root)
        .hint("name the JSON file itself"))
}

fn read(path: &Path) -> Result<Listing> {
    let parts = find(path)?;
    let mut whole: Option<Listing> = None;
    for part in &parts {
        let own =
            read_part(part).map_err(|error| if error.at.path.is_some() { error } else { error.at_path(&part.json) })?;
        match &mut whole {
            None => whole = Some(own),
            Some(whole) if whole.skeleton == own.skeleton => {
                whole.images.extend(own.images);
                whole.faults.extend(own.faults);
            }
            Some(_) => {
                return Err(Error::config("the files of the data set have different skeletons")
                    .at_path(&part.json)
                    .hint("name one of the files"));
            }
        }
    }
    whole.ok_or_else(|| {
        Error::new(ErrorKind::MissingPair, "there is no file of COCO keypoints")
            .at_path(path)
            .hint("put it into annotations/person_keypoints_train.json, or name the JSON file itself")
    })
}

fn read_part(part: &Part) -> Result<Listing> {
    let file: File = read_json(&part.json)?;
    let Some(rows) = file.images else {
        return Err(Error::new(ErrorKind::Decode, "there is no list of images in it").hint(
            "a COCO file has images, annotations and categories; a list of results needs the file with the truth",
        ));
    };
    let (category, skeleton, mut notes) = skeleton(&file.categories)?;
    let known: BTreeSet<u64> = file.categories.iter().filter_map(|row| row.id.whole()).collect();
    let people: BTreeSet<u64> = file
        .categories
        .iter()
        .filter(|row| !names(&row.keypoints).is_empty())
        .filter_map(|row| row.id.whole())
        .collect();
    let mut reader = Reader { part, images: Vec::new(), by_id: BTreeMap::new(), faults: Vec::new() };
    for row in &rows {
        reader.image(row);
    }
    let mut ids = BTreeSet::new();
    for (number, row) in file.annotations.iter().enumerate() {
        let name = row.id.whole().map_or_else(|| format!("number {} of the file", number + 1), |id| id.to_string());
        if row.id.whole().is_some_and(|id| !ids.insert(id)) {
            let what = format!("the annotation id {name} occurs again");
            reader.fault(FaultKind::Ambiguous, what, "give every annotation its own id");
            continue;
        }
        match row.category_id.whole() {
            Some(id) if people.contains(&id) => reader.person(&name, row, &skeleton),
            Some(id) if known.contains(&id) => {}
            _ => reader.fault(
                FaultKind::MaskValue,
                format!("annotation {name}: its category_id is that of no category"),
                "give it the id of one of the categories",
            ),
        }
    }
    if file.annotations.is_empty() {
        notes.push("nobody is annotated".to_owned());
    }
    let Reader { images, faults, .. } = reader;
    Ok(Listing { category, skeleton, images, faults, notes })
}

/// The words in a list.
fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::List(words) => words.iter().filter_map(Value::text).collect(),
        _ => Vec::new(),
    }
}

/// The category with keypoints and its skeleton, which goes by the name of a usual one where the keypoints are the same.
fn skeleton(categories: &[RawCategory]) -> Result<(String, Skeleton, Vec<String>)> {
    let mut found: Option<(String, Skeleton, Vec<String>)> = None;
    for row in categories {
        let keypoints = names(&row.keypoints);
        if keypoints.is_empty() {
            continue;
        }
        let usual = SKELETONS.iter().map(SkeletonSpec::skeleton).find(|usual| usual.keypoints == keypoints);
        let category = row.name.text().unwrap_or("person");
        let name = usual.as_ref().map_or(category, |usual| usual.name.as_str());
        let (limbs, mut notes) = (limbs(&row.skeleton)?, Vec::new());
        let own = match (limbs.is_empty(), &usual) {
            (false, _) => Skeleton::from_coco(name, &keypoints, &limbs)?,
            (true, Some(usual)) => {
                notes.push(format!("the category has no limbs: those of {name} are used"));
                usual.clone()
            }
            (true, None) => {
                return Err(Error::new(ErrorKind::Decode, format!("category {category:?} has keypoints but no limbs"))
                    .hint("list pairs of keypoints, counted from 1, in categories[].skeleton"));
            }
        };
        match &found {
            Some((_, first, _)) if first.keypoints != own.keypoints || first.limbs != own.limbs => {
                return Err(Error::new(ErrorKind::Unsupported, "the categories have different skeletons")
                    .hint("keep one category with keypoints in the file"));
            }
            Some(_) => {}
            None => found = Some((category.to_owned(), own, notes)),
        }
    }
    found.ok_or_else(|| {
        Error::new(ErrorKind::Decode, "no category has keypoints")
            .hint("categories[].keypoints names them, categories[].skeleton joins them")
    })
}

fn limbs(value: &Value) -> Result<Vec<[usize; 2]>> {
    let wrong = || {
        Error::new(ErrorKind::Decode, "a limb of the category is not a pair of numbers of keypoints")
            .hint("such as \"skeleton\": [[1, 2], [2, 3]]")
    };
    let list = match value {
        Value::List(list) => list,
        Value::Absent => return Ok(Vec::new()),
        Value::Numbers(none) if none.is_empty() => return Ok(Vec::new()),
        _ => return Err(wrong()),
    };
    list.iter()
        .map(|pair| match pair.numbers() {
            Some(&[a, b]) if a.fract() == 0.0 && b.fract() == 0.0 && a >= 0.0 && b >= 0.0 => {
                Ok([a as usize, b as usize])
            }
            _ => Err(wrong()),
        })
        .collect()
}

struct Reader<'a> {
    part: &'a Part,
    images: Vec<AnnotatedImage>,
    /// Images by id; `None` for one that has a fault.
    by_id: BTreeMap<u64, Option<usize>>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, kind: FaultKind, message: String, hint: &str) {
        self.faults.push(Fault { sample: None, path: self.part.json.clone(), kind, message, hint: hint.to_owned() });
    }

    fn image(&mut self, row: &RawImage) {
        let (Some(id), Some(name)) = (row.id.whole(), row.file_name.text()) else {
            let what = "an image without a whole number as id or without file_name".to_owned();
            return self.fault(FaultKind::Unreadable, what, "give every image both; its annotations wait for it");
        };
        if self.by_id.contains_key(&id) {
            let what = format!("the image id {id} occurs again, for {name}");
            return self.fault(FaultKind::Ambiguous, what, "give every image its own id");
        }
        let path = self.part.find(name);
        let size = match (row.size(), &path) {
            (Some(size), _) => Ok(size),
            (None, Some(path)) => image_size(path),
            _ => Err(Error::new(ErrorKind::MissingPair, "neither its size is stated nor is its file there")
                .hint("state width and height or add the file")),
        };
        let size = size.and_then(|(width, height)| {
            check_size(width as u64, height as u64, 0, &self.part.json).map(|()| (width, height))
        });
        match size {
            Ok((width, height)) => {
                self.by_id.insert(id, Some(self.images.len()));
                let (name, split) = (name.to_owned(), self.part.split.clone());
                self.images.push(AnnotatedImage { name, path, split, width, height, people: Vec::new() });
            }
            Err(error) => {
                self.by_id.insert(id, None);
                self.faults.push(Fault::from_error(None, &self.part.json, &error.at(format!("image {id}, {name}"))));
            }
        }
    }

    fn person(&mut self, id: &str, row: &RawPerson, skeleton: &Skeleton) {
        let image = row.image_id.whole();
        let Some(image) = image.and_then(|image| self.by_id.get(&image).copied()) else {
            let image = image.map_or("that is no whole number".to_owned(), |image| image.to_string());
            let what = format!("annotation {id} is for the image {image}, which is not in the file");
            return self.fault(FaultKind::MissingImage, what, "add the image to the file or delete the annotation");
        };
        // An image with a fault was reported, and its annotations go with it.
        let Some(image) = image.map(|image| &mut self.images[image]) else { return };
        let (person, faults) = row.person(skeleton, (image.width, image.height));
        let name = image.name.clone();
        image.people.extend(person);
        for what in faults {
            let what = format!("annotation {id} on {name}: {what}");
            self.fault(FaultKind::Unreadable, what, "correct it, or set the keypoint's visibility to 0");
        }
    }
}
