//! Where a panoptic data set keeps its JSON files, their PNGs and the images.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use vibhag_core::{Error, ErrorKind, Result};

use super::super::coco::layout;
use crate::decode::IMAGE_EXTENSIONS;
use crate::formats::{entries, stem};

/// One JSON file with its PNGs.
pub(super) struct Part {
    pub(super) json: PathBuf,
    /// The folder of PNGs.
    pub(super) pngs: PathBuf,
    /// Where the images are.
    pub(super) images: layout::Part,
}

impl Part {
    fn new(json: PathBuf) -> Self {
        let pngs = json.with_extension("");
        let tail = stem(&json).rsplit("panoptic_").next().unwrap_or_default().to_owned();
        let images = layout::Part::new(json.clone(), &tail).without(&pngs);
        Self { json, pngs, images }
    }

    /// The image that is called like the PNG, with any ending.
    pub(super) fn find_like(&self, png: &str) -> Option<PathBuf> {
        let stem = png.rsplit_once('.').map_or(png, |(stem, _)| stem);
        IMAGE_EXTENSIONS.iter().find_map(|extension| self.images.find(&format!("{stem}.{extension}")))
    }
}

/// The JSON files at `path`.
///
/// # Errors
/// When there is none, or the file has no folder of PNGs.
pub(super) fn parts(path: &Path) -> Result<Vec<Part>> {
    let parts = if path.is_file() { vec![Part::new(path.to_owned())] } else { find(path)? };
    if parts.is_empty() {
        return Err(Error::new(ErrorKind::MissingPair, "there is no panoptic JSON file in the folder")
            .at_path(path)
            .hint("put panoptic_train.json and the folder panoptic_train with its PNGs into annotations/"));
    }
    if let Some(part) = parts.iter().find(|part| !part.pngs.is_dir()) {
        return Err(Error::new(ErrorKind::MissingPair, "the folder of PNGs is missing")
            .at_path(&part.pngs)
            .hint("unpack the PNGs into a folder that is called like the JSON file"));
    }
    Ok(parts)
}

/// Whether there is a JSON file with segments beside a folder of its name. Where there are instances too, they go first:
/// the panoptic file can still be named.
pub(super) fn detect(path: &Path) -> bool {
    if path.is_file() {
        return is_panoptic(path);
    }
    let instances = entries(&path.join("annotations")).unwrap_or_default();
    path.is_dir()
        && !instances.iter().any(|file| stem(file).starts_with("instances_"))
        && find(path).is_ok_and(|parts| !parts.is_empty())
}

fn find(root: &Path) -> Result<Vec<Part>> {
    for folder in [root.join("annotations"), root.to_owned()] {
        if folder.is_dir() {
            let files = entries(&folder)?.into_iter().filter(|file| is_panoptic(file));
            let parts: Vec<Part> = files.map(Part::new).collect();
            if !parts.is_empty() {
                return Ok(parts);
            }
        }
    }
    Ok(Vec::new())
}

fn is_panoptic(json: &Path) -> bool {
    let is_json = json.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    is_json
        && json.with_extension("").is_dir()
        && (stem(json).contains("panoptic") || has_segments(json).unwrap_or(false))
}

/// Whether the file speaks of segments before it speaks of outlines.
fn has_segments(json: &Path) -> std::io::Result<bool> {
    const WORDS: [&[u8]; 2] = [b"\"segments_info\"", b"\"segmentation\""];
    let mut file = File::open(json)?;
    let mut buffer = vec![0; 1 << 20];
    let mut kept = 0;
    loop {
        let read = file.read(&mut buffer[kept..])?;
        let end = kept + read;
        let place = |word: &[u8]| buffer[..end].windows(word.len()).position(|window| window == word);
        match (place(WORDS[0]), place(WORDS[1])) {
            (Some(segments), Some(outlines)) => return Ok(segments < outlines),
            (Some(_), None) => return Ok(true),
            (None, Some(_)) => return Ok(false),
            (None, None) if read == 0 => return Ok(false),
            (None, None) => {}
        }
        // A word may be torn between two blocks.
        kept = end.min(WORDS[0].len());
        buffer.copy_within(end - kept..end, 0);
    }
}
