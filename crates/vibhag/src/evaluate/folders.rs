//! Anybody's objects against the truth, from two folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vibhag_core::{ClassTable, Error, ErrorKind, Panoptic, Result, Segment, Task};
use vibhag_data::annotated::{self, Annotated};
use vibhag_data::{Truth, annotations, decode};

use crate::scores::{Scores, ScoresBuilder};

/// Segments by the name of their image, without extension.
enum Source {
    /// Label maps that number the objects.
    Maps(BTreeMap<String, PathBuf>),
    /// Annotations in one of the known formats, with each image's number.
    Annotations(Box<(Annotated, ClassTable)>, BTreeMap<String, usize>),
}

impl Source {
    fn open(folder: &Path) -> Result<Self> {
        if let Some(format) = annotations::recognise(folder) {
            let source: Arc<dyn annotations::AnnotationSource> = (format.open)(folder)?.into();
            let names = source.images().iter().enumerate().map(|(index, entry)| (stem(Path::new(&entry.name)), index));
            let names = names.collect();
            return Ok(Self::Annotations(Box::new(annotated::all(source)), names));
        }
        let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let maps: BTreeMap<String, PathBuf> =
            paths.filter(|path| decode::is_image_path(path)).map(|path| (stem(&path), path)).collect();
        if maps.is_empty() {
            return Err(Error::new(ErrorKind::MissingPair, "no label map and no known format of annotations")
                .at_path(folder)
                .hint(
                    "give a folder of label maps (a number for each object), or annotations that `vibhag models` lists",
                ));
        }
        Ok(Self::Maps(maps))
    }

    fn classes(&self) -> ClassTable {
        match self {
            Self::Maps(_) => ClassTable::binary("object").with_things(|class| class == 1),
            Self::Annotations(source, _) => source.1.clone(),
        }
    }

    fn names(&self) -> Vec<&str> {
        match self {
            Self::Maps(maps) => maps.keys().map(String::as_str).collect(),
            Self::Annotations(_, names) => names.keys().map(String::as_str).collect(),
        }
    }

    /// The segments of the image called `name`; `None` when there is no such image.
    fn read(&self, name: &str) -> Option<Result<Panoptic>> {
        match self {
            Self::Maps(maps) => Some(read_map(maps.get(name)?)),
            Self::Annotations(source, names) => Some(source.0.read(*names.get(name)?)),
        }
    }
}

/// Scores the objects in `pred` against those of equal image name in `truth`. Classes go by their names.
///
/// # Errors
/// When nothing pairs, or a class of the prediction is not one of the truth.
pub fn objects(truth: &Path, pred: &Path, task: Task) -> Result<(Scores, Vec<(String, String)>)> {
    let (truths, preds) = (Source::open(truth)?, Source::open(pred)?);
    let classes = truths.classes();
    let to_truth = class_map(&preds.classes(), &classes, pred)?;
    let mut builder = ScoresBuilder::new(task, &classes, None)?;
    let (mut failed, mut scored) = (Vec::new(), 0);
    for name in truths.names() {
        let Some(found) = preds.read(name) else {
            failed.push((name.to_owned(), "there is no prediction of this name".to_owned()));
            continue;
        };
        let Some(known) = truths.read(name) else { continue };
        let done = known.and_then(|known| {
            let mut found = found?;
            for segment in &mut found.segments {
                segment.class = to_truth.get(usize::from(segment.class)).copied().unwrap_or(segment.class);
            }
            builder.add(name, &BTreeMap::new(), &Truth::from(known), &Truth::from(found))
        });
        match done {
            Ok(()) => scored += 1,
            Err(error) => failed.push((name.to_owned(), error.to_string())),
        }
    }
    let known = truths.names();
    failed.extend(
        preds
            .names()
            .into_iter()
            .filter(|name| !known.contains(name))
            .map(|name| (name.to_owned(), "there is no truth of this name".to_owned())),
    );
    if scored == 0 {
        let first = failed.first().map_or_else(String::new, |(name, why)| format!("{name}: {why}"));
        return Err(Error::new(ErrorKind::MissingPair, "no pair of images could be scored").at_path(pred).hint(first));
    }
    Ok((builder.finish(), failed))
}

/// The truth's class of each class of the prediction, by name; two tables of one object class each agree by themselves.
fn class_map(from: &ClassTable, to: &ClassTable, pred: &Path) -> Result<Vec<u16>> {
    if from.len() == to.len() && from.classes.iter().zip(&to.classes).filter(|(a, b)| a.thing && b.thing).count() == 1 {
        return Ok((0..from.len() as u16).collect());
    }
    from.classes
        .iter()
        .map(|class| {
            to.classes.iter().position(|other| other.name == class.name).map(|label| label as u16).ok_or_else(|| {
                Error::config(format!("the truth has no class {:?}", class.name))
                    .at_path(pred)
                    .hint(format!("its classes are {}", to.names().join(", ")))
            })
        })
        .collect()
}

/// A label map as objects of the one class.
fn read_map(path: &Path) -> Result<Panoptic> {
    let mut ids = decode::read_id_map(path)?;
    let count = ids.make_dense().len();
    Panoptic::new(ids, vec![Segment::truth(1); count])
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
