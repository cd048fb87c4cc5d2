//! Which images belong to a YOLO data set, and what its classes are called: from `data.yaml`, or from the folders.

use std::path::{Path, PathBuf};

use vibhag_core::{Error, ErrorKind, Result};

use crate::annotations::image_files::name_below;
use crate::annotations::listed::nothing_found;
use crate::annotations::yaml::{self, Data, Node};
use crate::decode::is_image_path;
use crate::fault::{Fault, FaultKind};
use crate::formats::pairing::images_below;
use crate::formats::{entries, file_name};
use crate::split::Split;

/// Files with one class name a line that labelling tools put beside the labels.
pub(super) const CLASS_FILES: &[&str] = &["classes.txt", "obj.names"];

/// What is known of a data set before its labels are read.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// Number and name of the classes, in rising order of the numbers; `None` where nothing names them.
    pub(super) names: Option<Vec<(u32, String)>>,
    /// Splits, each with a folder of images or a text file that lists them.
    pub(super) splits: Vec<(Option<Split>, PathBuf)>,
    /// Places that are not there.
    pub(super) faults: Vec<Fault>,
}

impl Config {
    /// The configuration of the data set in folder `root`, or that the YAML file `root` describes.
    pub(super) fn find(root: &Path) -> Result<Self> {
        if root.is_file() && is_yaml(root) {
            return Self::from_yaml(root);
        }
        let yaml = entries(root)?.into_iter().filter(|path| is_yaml(path) && describes_images(path));
        // A file called data.yaml goes before any other.
        if let Some(path) = yaml.min_by_key(|path| file_name(path) != "data.yaml") {
            return Self::from_yaml(&path);
        }
        Self::from_folders(root)
    }

    fn from_folders(root: &Path) -> Result<Self> {
        let mut splits = Vec::new();
        let holds_images = root.join("images").is_dir() && root.join("labels").is_dir();
        let inside = if holds_images { entries(&root.join("images"))? } else { Vec::new() };
        for folder in inside.iter().filter(|path| path.is_dir()) {
            splits.extend(Split::from_name(file_name(folder)).map(|split| (Some(split), folder.clone())));
        }
        if holds_images && splits.is_empty() {
            splits.push((None, root.join("images")));
        }
        for folder in entries(root)?.into_iter().filter(|path| path.join("images").is_dir()) {
            let labelled = folder.join("labels").is_dir();
            splits.extend(
                Split::from_name(file_name(&folder)).filter(|_| labelled).map(|s| (Some(s), folder.join("images"))),
            );
        }
        if splits.is_empty() {
            let hint = "put images into images/train/ and labels into labels/train/, or name the data.yaml";
            return Err(nothing_found(root, "neither data.yaml nor images/ with labels/ found", hint));
        }
        let places = [root.to_owned(), root.join("labels")];
        let file =
            places.iter().flat_map(|place| CLASS_FILES.iter().map(|name| place.join(name))).find(|path| path.is_file());
        let names = file.map(|path| class_file(&path)).transpose()?;
        Ok(Self { names, splits, faults: Vec::new() })
    }

    fn from_yaml(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        let node = yaml::parse(&text, path)?;
        let names = node.get("names").map(|names| class_names(names, path)).transpose()?;
        let home = path.parent().unwrap_or(Path::new("")).to_owned();
        let stated = node.get("path").and_then(Node::text).map(|text| home.join(text));
        // A path of the machine on which the file was written is of no use here.
        let base = stated.filter(|path| path.is_dir()).unwrap_or_else(|| home.clone());
        let mut config = Self { names, ..Self::default() };
        for (key, split) in [("train", Split::Train), ("val", Split::Val), ("test", Split::Test)] {
            let Some(node) = node.get(key) else { continue };
            for place in places(node, path)? {
                match locate(&place, &base, &home) {
                    Some(found) => config.splits.push((Some(split), found)),
                    None => config.faults.push(Fault {
                        sample: None,
                        path: path.to_owned(),
                        kind: FaultKind::MissingImage,
                        message: format!("{key}: there is no {place} (line {})", node.line),
                        hint: "correct the path, which counts from `path`, or from the file's own folder".into(),
                    }),
                }
            }
        }
        if config.splits.is_empty() {
            return match Self::from_folders(&base) {
                Ok(found) => Ok(Self { names: config.names.or(found.names), faults: config.faults, ..found }),
                Err(_) => Err(Error::new(ErrorKind::MissingPair, "none of its folders of images is there")
                    .at_path(path)
                    .hint("correct path, train and val in it")),
            };
        }
        Ok(config)
    }
}

fn is_yaml(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Whether the YAML file names classes or places of images.
fn describes_images(path: &Path) -> bool {
    let keys = ["names:", "train:"];
    std::fs::read_to_string(path)
        .is_ok_and(|text| text.lines().any(|line| keys.iter().any(|key| line.starts_with(key))))
}

/// The folder or list that `place` means; also without the `../` that Roboflow writes too many.
fn locate(place: &str, base: &Path, home: &Path) -> Option<PathBuf> {
    let short = place.strip_prefix("../").unwrap_or(place);
    let candidates = [base.join(place), home.join(place), base.join(short), home.join(short)];
    candidates.into_iter().find(|path| path.exists())
}

fn wrong(path: &Path, line: usize, what: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Decode, what.to_owned()).at_path(path).at(format!("line {line}")).hint(hint)
}

/// The text or texts of `train`, `val` or `test`; none where it is empty.
fn places(node: &Node, path: &Path) -> Result<Vec<String>> {
    let text = |node: &Node| {
        let hint = "write a folder, a text file with a list of images, or a list of these";
        node.text().map(str::to_owned).ok_or_else(|| wrong(path, node.line, "no path", hint))
    };
    let all = match &node.data {
        Data::List(list) => list.iter().map(text).collect::<Result<Vec<_>>>()?,
        _ => vec![text(node)?],
    };
    Ok(all.into_iter().filter(|text| !["", "null", "~"].contains(&text.as_str())).collect())
}

/// The classes: a list, or a map from numbers.
fn class_names(node: &Node, path: &Path) -> Result<Vec<(u32, String)>> {
    const HINT: &str = "write names as a list, or as a map such as 0: person";
    let name = |node: &Node| {
        node.text().map(str::to_owned).ok_or_else(|| wrong(path, node.line, "a class name is no text", HINT))
    };
    let mut names: Vec<(u32, String)> = match &node.data {
        Data::List(list) => (0..).zip(list).map(|(number, node)| Ok((number, name(node)?))).collect::<Result<_>>()?,
        Data::Map(entries) => {
            let entry = |(key, node): &(Node, Node)| {
                let number = key.text().and_then(|text| text.parse().ok());
                let number = number.ok_or_else(|| wrong(path, key.line, "the number of a class is no number", HINT))?;
                Ok((number, name(node)?))
            };
            entries.iter().map(entry).collect::<Result<_>>()?
        }
        Data::Scalar(_) => return Err(wrong(path, node.line, "names is neither list nor map", HINT)),
    };
    names.sort_by_key(|(number, _)| *number);
    if let Some(pair) = names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(wrong(path, node.line, &format!("class {} has two names", pair[0].0), "keep one of them"));
    }
    Ok(names)
}

fn class_file(path: &Path) -> Result<Vec<(u32, String)>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let names = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok((0..).zip(names.map(str::to_owned)).collect())
}

/// The images of a place, and the folder that their names count from.
pub(super) fn images(place: &Path, faults: &mut Vec<Fault>) -> (PathBuf, Vec<PathBuf>) {
    if place.is_dir() {
        return (place.to_owned(), images_below(place));
    }
    let base = place.parent().unwrap_or(Path::new("")).to_owned();
    if is_image_path(place) {
        return (base, vec![place.to_owned()]);
    }
    let text = std::fs::read_to_string(place).unwrap_or_default();
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let path = base.join(line.trim().trim_start_matches("./"));
        if path.is_file() {
            found.push(path);
            continue;
        }
        faults.push(Fault {
            sample: Some(name_below(&base, &path)),
            path: place.to_owned(),
            kind: FaultKind::MissingImage,
            message: format!("line {number}: there is no image {}", line.trim()),
            hint: "add the image or remove the line".into(),
        });
    }
    (base, found)
}
