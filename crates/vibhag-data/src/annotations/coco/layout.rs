//! Where a COCO data set keeps its JSON files and the images of each.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use vibhag_core::{Error, ErrorKind, Result};

use crate::formats::{entries, file_name, stem};
use crate::split::Split;

/// What Roboflow calls the file beside the images.
const BESIDE: &str = "_annotations.coco.json";

/// JSON files that a folder may hold for one of them to be looked for.
const MOST: usize = 20;

/// One JSON file of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) json: PathBuf,
    pub(crate) split: Option<String>,
    /// Folders in which its images may lie, the likeliest first.
    folders: Vec<PathBuf>,
}

impl Part {
    /// The part of the file `json`, which is for the images of `tail`, such as `train2017`.
    pub(crate) fn new(json: PathBuf, tail: &str) -> Self {
        let base = json.parent().unwrap_or(Path::new("")).to_owned();
        let above = base.parent().filter(|_| file_name(&base) == "annotations").map(Path::to_owned);
        let mut folders = Vec::new();
        for root in above.into_iter().chain([base]) {
            folders.extend([
                root.join(tail),
                root.join("images").join(tail),
                root.join("images"),
                root.join("data"),
                root.join("input_images"),
                root,
            ]);
        }
        folders.retain(|folder| folder.is_dir());
        Self { json, split: split_of(tail), folders }
    }

    /// The same without images in `folder`.
    pub(in super::super) fn without(mut self, folder: &Path) -> Self {
        self.folders.retain(|other| other != folder);
        self
    }

    /// The file of the image that is called `name`.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let name = name.replace('\\', "/");
        let last = name.rsplit('/').next().unwrap_or(&name);
        let in_folders = |name: &str| self.folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        in_folders(&name).or_else(|| if last == name { None } else { in_folders(last) })
    }
}

/// The split that a name such as `train2017` or `instances_val` is for.
pub(in super::super) fn split_of(name: &str) -> Option<String> {
    let word = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '-' || letter == '_');
    Split::from_name(word).map(|split| split.to_string())
}

/// The JSON files at `path`.
///
/// # Errors
/// When there is none, or it is not clear which one is meant.
pub(super) fn parts(path: &Path) -> Result<Vec<Part>> {
    if path.is_file() {
        return Ok(vec![single(path)]);
    }
    let found = find(path)?;
    if found.is_empty() {
        return Err(Error::new(ErrorKind::MissingPair, "there is no COCO file in the folder")
            .at_path(path)
            .hint("put it into annotations/instances_train.json, or name the JSON file itself"));
    }
    Ok(found)
}

/// Whether [`parts`] finds any.
pub(super) fn detect(path: &Path) -> bool {
    if path.is_file() { is_coco(path) } else { path.is_dir() && find(path).is_ok_and(|parts| !parts.is_empty()) }
}

fn single(json: &Path) -> Part {
    let name = stem(json);
    let mut part = Part::new(json.to_owned(), name.strip_prefix("instances_").unwrap_or(name));
    if file_name(json) == BESIDE {
        part.split = json.parent().and_then(|folder| split_of(file_name(folder)));
    }
    part
}

fn find(root: &Path) -> Result<Vec<Part>> {
    let json = |folder: &Path| -> Result<Vec<PathBuf>> {
        let mut files = entries(folder)?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json") && file.is_file());
        Ok(files)
    };
    let listed = root.join("annotations");
    if listed.is_dir() {
        let files = json(&listed)?;
        let instances: Vec<&PathBuf> = files.iter().filter(|file| stem(file).starts_with("instances_")).collect();
        let files = if instances.is_empty() { files.iter().filter(|file| is_coco(file)).collect() } else { instances };
        if !files.is_empty() {
            return unambiguous(root, files.into_iter().map(|file| single(file)).collect());
        }
    }
    let beside: Vec<PathBuf> = std::iter::once(root.to_owned())
        .chain(["train", "val", "valid", "test"].map(|split| root.join(split)))
        .map(|folder| folder.join(BESIDE))
        .filter(|file| file.is_file())
        .collect();
    if !beside.is_empty() {
        return Ok(beside.iter().map(|file| single(file)).collect());
    }
    let files = json(root)?;
    // One for each image is another format.
    if files.len() > MOST {
        return Ok(Vec::new());
    }
    unambiguous(root, files.iter().filter(|file| is_coco(file)).map(|file| single(file)).collect())
}

/// Several files make one data set when each is for a split of its own, or all are called `instances_...`.
fn unambiguous(root: &Path, parts: Vec<Part>) -> Result<Vec<Part>> {
    let named = |part: &Part| stem(&part.json).starts_with("instances_");
    let mut splits: Vec<&Option<String>> = parts.iter().map(|part| &part.split).collect();
    splits.sort();
    splits.dedup();
    let distinct = splits.len() == parts.len() && splits.iter().all(|split| split.is_some());
    if parts.len() <= 1 || distinct || parts.iter().all(named) {
        return Ok(parts);
    }
    let names: Vec<&str> = parts.iter().map(|part| file_name(&part.json)).collect();
    Err(Error::new(ErrorKind::MissingPair, format!("{} files could be meant: {}", names.len(), names.join(", ")))
        .at_path(root)
        .hint("name the JSON file itself"))
}

/// Whether the file begins like a COCO file: with its lists of images, annotations or categories.
fn is_coco(path: &Path) -> bool {
    let mut head = Vec::new();
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let read = is_json.then(|| File::open(path).and_then(|file| file.take(1 << 16).read_to_end(&mut head)));
    if !matches!(read, Some(Ok(_)))
        || !head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start().starts_with(b"{")
    {
        return false;
    }
    let has = |word: &str| head.windows(word.len()).any(|window| window == word.as_bytes());
    let lists = has("\"images\"") || has("\"categories\"") || (has("\"annotations\"") && has("\"image_id\""));
    lists && !has("\"segments_info\"") && !has("\"shapes\"")
}
