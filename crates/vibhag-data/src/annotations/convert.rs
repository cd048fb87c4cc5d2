//! From one format of annotations to another, with nothing lost in silence: what the target cannot hold is refused or
//! listed, and what was written is read back and compared.

mod round_trip;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use vibhag_core::{Annotation, Error, ErrorKind, ImageAnnotations, Polygon, Result, Shape};
use vibhag_imaging::outlines;

use super::{AnnotationFormat, AnnotationSource, Category, Holds, ImageEntry, Written};
use crate::fault::Fault;
pub use round_trip::RoundTrip;

/// How to convert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConvertOptions {
    /// Leave out what the target cannot hold, and list it, instead of refusing.
    pub drop: bool,
}

/// What became of a conversion.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversion {
    /// What was written, what was lost, and which images failed.
    pub written: Written,
    /// How well the annotations came back.
    pub round_trip: RoundTrip,
}

/// Writes `source`, which is of the format `from`, as the format `to` into the folder `out`, which must be new or empty;
/// reads it back and compares. An image that fails is listed and the others are converted. Faults of the source are not
/// repeated here: see [`AnnotationSource::faults`].
///
/// `progress` is called with the steps done and their number; there are three for each image.
///
/// # Errors
/// When `out` is not empty or cannot be written to; when `source` has what `to` cannot hold (stuff, crowds, categories,
/// scores, holes, parts) and `options.drop` is not set; when the result cannot be opened again.
pub fn convert(
    source: &dyn AnnotationSource,
    from: &AnnotationFormat,
    to: &AnnotationFormat,
    out: &Path,
    options: ConvertOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Conversion> {
    refuse_full(out)?;
    let source = Watched { source, progress, done: AtomicUsize::new(0) };
    if !options.drop {
        refuse_loss(&source, from, to)?;
    }
    source.done.store(source.images().len(), Ordering::Relaxed);
    let mut written = (to.write)(&source, out)?;
    source.done.store(2 * source.images().len(), Ordering::Relaxed);
    let round_trip = round_trip::check(&source, to, out, &mut written)?;
    Ok(Conversion { written, round_trip })
}

fn refuse_full(out: &Path) -> Result<()> {
    let mut entries = match std::fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io(out, error).hint("name a folder that does not exist")),
    };
    if entries.next().is_none() {
        return Ok(());
    }
    Err(Error::config("the folder is not empty").at_path(out).hint("name a folder that does not exist"))
}

/// Of each of [`LACKS`] how many annotations have it, and the id of the first one.
type Lacks = [(usize, Option<u64>); LACKS.len()];

/// What a target may be unable to hold of single annotations.
const LACKS: [&str; 5] = ["stuff", "crowds", "scores", "holes", "objects of several parts"];

fn refuse_loss(source: &Watched<'_>, from: &AnnotationFormat, to: &AnnotationFormat) -> Result<()> {
    // An image that cannot be read is listed when it is written.
    let found: Vec<(Lacks, Vec<usize>)> = (0..source.images().len())
        .into_par_iter()
        .map(|index| {
            source.read(index).map_or_else(|_| Default::default(), |image| lacks(&image, source.categories(), to.holds))
        })
        .collect();
    let mut refused = Vec::new();
    for (kind, what) in LACKS.into_iter().enumerate() {
        let count: usize = found.iter().map(|(lacks, _)| lacks[kind].0).sum();
        let first = found.iter().zip(source.images()).find_map(|((lacks, _), entry)| Some((entry, lacks[kind].1?)));
        if let Some((entry, id)) = first {
            refused.push(format!("{what} ({count}, the first is object {id} of {})", entry.name));
        }
    }
    let mut used: Vec<usize> = found.iter().flat_map(|(_, categories)| categories).copied().collect();
    used.sort_unstable();
    used.dedup();
    if !to.holds.categories && used.len() > 1 {
        refused.push(format!("{} categories, only one", used.len()));
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("{} cannot hold what this {} data has: {}", to.name, from.name, refused.join("; ")),
    )
    .hint("choose another format, or ask to drop what does not fit (--drop): each loss is then listed"))
}

/// How many annotations have each of [`LACKS`] that `holds` does not, with the first one's id, and the categories used.
fn lacks(image: &ImageAnnotations, categories: &[Category], holds: Holds) -> (Lacks, Vec<usize>) {
    let mut found: Lacks = Default::default();
    let mut used: Vec<usize> = image.annotations.iter().map(|annotation| annotation.category).collect();
    used.sort_unstable();
    used.dedup();
    for annotation in &image.annotations {
        let stuff = categories.get(annotation.category).is_some_and(|category| !category.thing);
        let (holes, parts) = if holds.holes && holds.parts { (false, false) } else { holes_and_parts(annotation) };
        let lost = [
            stuff && !holds.stuff,
            annotation.crowd && !holds.crowd,
            annotation.score.is_some() && !holds.scores,
            holes && !holds.holes,
            parts && !holds.parts,
        ];
        for (count, _) in found.iter_mut().zip(lost).filter(|(_, lost)| *lost) {
            count.0 += 1;
            count.1.get_or_insert(annotation.id);
        }
    }
    (found, used)
}

fn holes_and_parts(annotation: &Annotation) -> (bool, bool) {
    let of = |polygons: &[Polygon]| (polygons.iter().any(|polygon| !polygon.holes.is_empty()), polygons.len() > 1);
    match &annotation.shape {
        Shape::Polygons(polygons) => of(polygons),
        Shape::Mask(mask) => of(&outlines(mask)),
    }
}

/// A source that reports how many images were read.
struct Watched<'a> {
    source: &'a dyn AnnotationSource,
    progress: &'a (dyn Fn(usize, usize) + Sync),
    done: AtomicUsize,
}

impl fmt::Debug for Watched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl AnnotationSource for Watched<'_> {
    fn categories(&self) -> &[Category] {
        self.source.categories()
    }

    fn images(&self) -> &[ImageEntry] {
        self.source.images()
    }

    fn read(&self, index: usize) -> Result<ImageAnnotations> {
        let image = self.source.read(index);
        let total = 3 * self.images().len();
        (self.progress)((self.done.fetch_add(1, Ordering::Relaxed) + 1).min(total), total);
        image
    }

    fn faults(&self) -> &[Fault] {
        self.source.faults()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Rle;

    #[test]
    fn what_a_target_lacks_is_found_in_masks_and_outlines() {
        let annotation = |id, shape| Annotation {
            id,
            category: 0,
            shape,
            crowd: id == 2,
            area: None,
            bounds: None,
            score: (id == 3).then_some(0.5),
        };
        let ring =
            Shape::Mask(Rle::from_fn(9, 9, |x, y| (1..4).contains(&x) && (1..4).contains(&y) && (x, y) != (2, 2)));
        let two = Shape::Mask(Rle::from_fn(9, 9, |x, _| x % 4 == 1));
        let annotations = vec![annotation(1, ring), annotation(2, two.clone()), annotation(3, two)];
        let image = ImageAnnotations { width: 9, height: 9, annotations };
        let nothing = Holds {
            masks: true,
            polygons: false,
            holes: false,
            parts: false,
            overlap: false,
            crowd: false,
            categories: false,
            stuff: false,
            scores: false,
        };
        let stuff = [Category { thing: false, ..Category::thing(1, "sky") }];
        let (found, used) = lacks(&image, &stuff, nothing);
        assert_eq!(found, [(3, Some(1)), (1, Some(2)), (1, Some(3)), (1, Some(1)), (2, Some(2))]);
        assert_eq!(used, [0]);
    }
}
