//! Reads back what was written and compares the masks.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rayon::prelude::*;
use vibhag_core::{Annotation, Error, ImageAnnotations, Result, Rle};

use super::super::shape::mask_of;
use super::super::{AnnotationFormat, AnnotationSource, ImageEntry, Written};

/// How well the annotations came back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoundTrip {
    /// Annotations whose mask was compared with the original.
    pub annotations: usize,
    /// Annotations that did not come back; each is among the losses.
    pub missing: usize,
    /// Mean of the intersections over unions; 1 where nothing was compared.
    pub mean_iou: f64,
    /// The smallest of them.
    pub min_iou: f64,
    /// The annotation that has it, where it is below 1.
    pub worst: Option<String>,
}

/// What of one image came back: the IoU of each annotation (with its id), and the ids of those that are missing.
#[derive(Default)]
struct Compared {
    ious: Vec<(u64, f64)>,
    missing: Vec<u64>,
}

/// Opens `out` as the format `to` and compares it with `source`. What is missing without being listed is added to the
/// losses of `written`, and what cannot be read back to its failures.
///
/// # Errors
/// When `out` cannot be opened.
pub(super) fn check(
    source: &dyn AnnotationSource,
    to: &AnnotationFormat,
    out: &Path,
    written: &mut Written,
) -> Result<RoundTrip> {
    let back = (to.open)(out)?;
    for fault in back.faults() {
        written.losses.push(format!("written, but faulty when read back: {fault}"));
    }
    let places = places(source.images(), back.images());
    let category = |of: &dyn AnnotationSource, annotation: &Annotation| {
        to.holds.categories.then(|| of.categories().get(annotation.category).map(|category| category.name.clone()))
    };
    let compared: Vec<Option<Result<Compared>>> = (0..source.images().len())
        .into_par_iter()
        .map(|index| {
            // An image that cannot be read is among the failures already.
            let own = source.read(index).ok()?;
            let Some(place) = places[index] else {
                let missing = own.annotations.iter().map(|annotation| annotation.id).collect();
                return Some(Ok(Compared { ious: Vec::new(), missing }));
            };
            let same = |a: &Annotation, b: &Annotation| category(source, a) == category(&*back, b);
            Some(back.read(place).and_then(|other| compare(&own, &other, &same)))
        })
        .collect();
    let mut result = RoundTrip { min_iou: 1.0, ..RoundTrip::default() };
    let (mut sum, mut silent) = (0.0, Vec::new());
    let listed: HashSet<String> = written.losses.iter().filter_map(|line| subject(line)).map(str::to_owned).collect();
    for (entry, compared) in source.images().iter().zip(compared) {
        let failed = written.failed.iter().any(|line| line.starts_with(&format!("{}: ", entry.name)));
        match compared {
            None => {}
            Some(_) if failed => {}
            Some(Err(error)) => written.failed.push(format!("{}: cannot be read back: {error}", entry.name)),
            Some(Ok(compared)) => {
                for (id, iou) in compared.ious {
                    result.annotations += 1;
                    sum += iou;
                    if iou < result.min_iou {
                        result.min_iou = iou;
                        result.worst = Some(format!("{}: object {id} (IoU {iou:.4})", entry.name));
                    }
                }
                result.missing += compared.missing.len();
                let lines = compared.missing.iter().map(|id| format!("{}: object {id}:", entry.name));
                silent.extend(lines.filter(|line| !listed.contains(line)));
            }
        }
    }
    written.losses.extend(silent.into_iter().map(|line| line + " it did not come back"));
    result.mean_iou = if result.annotations == 0 { 1.0 } else { sum / result.annotations as f64 };
    Ok(result)
}

/// Which object a line of loss is about: `a.jpg: object 7:`.
fn subject(line: &str) -> Option<&str> {
    let number = line.find(": object ")? + ": object ".len();
    Some(&line[..=number + line[number..].find(':')?])
}

/// Pairs each annotation with the one of `other` that fits it best and no earlier one took.
fn compare(
    own: &ImageAnnotations,
    other: &ImageAnnotations,
    same: &dyn Fn(&Annotation, &Annotation) -> bool,
) -> Result<Compared> {
    if (own.width, own.height) != (other.width, other.height) {
        return Err(Error::config(format!(
            "it came back with {}x{} pixels instead of {}x{}",
            other.width, other.height, own.width, own.height
        )));
    }
    let mut candidates: Vec<(&Annotation, Rle, Option<[usize; 4]>)> = Vec::with_capacity(other.annotations.len());
    for annotation in &other.annotations {
        let mask = mask_of(annotation, other.width, other.height)?;
        let bounds = mask.bounds();
        candidates.push((annotation, mask, bounds));
    }
    let mut result = Compared::default();
    for annotation in &own.annotations {
        let mask = mask_of(annotation, own.width, own.height)?;
        let bounds = mask.bounds();
        let best = candidates
            .iter()
            .enumerate()
            .filter(|(_, (candidate, _, others))| meet(bounds, *others) && same(annotation, candidate))
            .map(|(index, (candidate, other, _))| (mask.iou(other, false), candidate.id == annotation.id, index))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(b.2.cmp(&a.2)));
        match best {
            Some((iou, _, index)) if iou > 0.0 => {
                result.ious.push((annotation.id, iou));
                candidates.remove(index);
            }
            _ => result.missing.push(annotation.id),
        }
    }
    Ok(result)
}

/// Whether two boxes share a pixel.
fn meet(a: Option<[usize; 4]>, b: Option<[usize; 4]>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    (0..2).all(|axis| a[axis] < b[axis] + b[axis + 2] && b[axis] < a[axis] + a[axis + 2])
}

/// For each image its place among those that came back. Formats keep names more or less: with folder and extension,
/// without, or with an ending of their own; the most of it that is unmistakable decides.
fn places(own: &[ImageEntry], back: &[ImageEntry]) -> Vec<Option<usize>> {
    let mut places = vec![None; own.len()];
    let mut taken = vec![false; back.len()];
    for depth in 0..3 {
        for with_split in [true, false] {
            let key = |entry: &ImageEntry| {
                let split = entry.split.as_deref().filter(|_| with_split).unwrap_or_default();
                format!("{split}:{}", part_of(&entry.name, depth))
            };
            let mut ours: HashMap<String, Vec<usize>> = HashMap::new();
            for index in (0..own.len()).filter(|&index| places[index].is_none()) {
                ours.entry(key(&own[index])).or_default().push(index);
            }
            let mut theirs: HashMap<String, Vec<usize>> = HashMap::new();
            for index in (0..back.len()).filter(|&index| !taken[index]) {
                theirs.entry(key(&back[index])).or_default().push(index);
            }
            for (name, indices) in ours {
                if let ([index], Some([place])) = (indices.as_slice(), theirs.get(&name).map(Vec::as_slice)) {
                    places[*index] = Some(*place);
                    taken[*place] = true;
                }
            }
        }
    }
    places
}

/// The whole name, the name without its extension, or the last part of that without Cityscapes' ending.
fn part_of(name: &str, depth: usize) -> &str {
    if depth == 0 {
        return name;
    }
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name[last..].rfind('.').filter(|&dot| dot > 0).map_or(name.len(), |dot| last + dot);
    if depth == 1 { &name[..end] } else { name[last..end].trim_end_matches("_leftImg8bit") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &[(&str, Option<&str>)]) -> Vec<ImageEntry> {
        let entry = |(name, split): &(&str, Option<&str>)| ImageEntry {
            id: None,
            name: (*name).to_owned(),
            path: None,
            split: split.map(str::to_owned),
        };
        names.iter().map(entry).collect()
    }

    #[test]
    fn images_are_found_again_under_changed_names() {
        let own = entries(&[("a/x.jpg", None), ("b/x.jpg", None), ("y.png", Some("train")), ("z.v1.png", None)]);
        let back =
            entries(&[("z.v1_leftImg8bit.png", None), ("y.jpg", Some("train")), ("b/x.jpg", None), ("a/x.png", None)]);
        assert_eq!(places(&own, &back), [Some(3), Some(2), Some(1), Some(0)]);
    }

    #[test]
    fn one_name_in_two_splits_is_two_images() {
        let own = entries(&[("x.jpg", Some("train")), ("x.jpg", Some("val"))]);
        let back = entries(&[("x.jpg", Some("val")), ("x.jpg", Some("train"))]);
        assert_eq!(places(&own, &back), [Some(1), Some(0)]);
    }
}
