//! Which predicted segment is which true one: same class and an IoU above one half, which leaves at most one partner
//! (Kirillov et al., "Panoptic Segmentation", CVPR 2019; rules for void and crowds as in `panopticapi`).

use std::collections::BTreeMap;

use vibhag_core::error::ErrorKind;
use vibhag_core::{ClassTable, Error, Panoptic, Result};

use super::quality::PanopticCounts;
use crate::instances::Matching;
use crate::overlaps::{Overlaps, ratio};

/// Matches the segments (those that have pixels) of one image, things and stuff alike.
///
/// Pixels of the prediction where the truth has no segment (void) belong to no union. A crowd of the truth is no
/// segment to be found. A prediction without a partner is left out when more than half of it lies in void and in
/// crowds of its class.
///
/// # Errors
/// When the sizes differ, an id has no segment, or a class is not in the table.
pub fn match_segments(truth: &Panoptic, prediction: &Panoptic, classes: &ClassTable) -> Result<Matching> {
    check_classes(truth, classes, "truth")?;
    check_classes(prediction, classes, "prediction")?;
    let overlaps = Overlaps::new(truth, prediction)?;
    let (of_truth, of_predicted) =
        (|id: u32| &truth.segments[id as usize - 1], |id: u32| &prediction.segments[id as usize - 1]);
    let mut matching = Matching::default();
    let mut found = vec![false; prediction.segments.len() + 1];
    // Pixels of each prediction in void and in crowds of its class.
    let mut nowhere = vec![0; prediction.segments.len() + 1];
    for overlap in overlaps.overlaps().iter().filter(|overlap| overlap.predicted > 0) {
        let (t, p) = (overlap.truth, overlap.predicted);
        if t == 0 {
            nowhere[p as usize] += overlap.pixels;
            continue;
        }
        if of_truth(t).class != of_predicted(p).class {
            continue;
        }
        if of_truth(t).crowd {
            nowhere[p as usize] += overlap.pixels;
            continue;
        }
        let union = overlaps.truth_area(t) + overlaps.predicted_area(p) - overlap.pixels - overlaps.pixels(0, p);
        let iou = ratio(overlap.pixels, union);
        if iou > 0.5 {
            matching.pairs.push((t, p, iou));
            found[p as usize] = true;
        }
    }
    let ids = |segments: usize| 1..=segments as u32;
    matching.missed = ids(truth.segments.len())
        .filter(|&id| overlaps.truth_area(id) > 0 && !of_truth(id).crowd)
        .filter(|id| matching.pairs.binary_search_by_key(id, |pair| pair.0).is_err())
        .collect();
    for id in ids(prediction.segments.len()) {
        let area = overlaps.predicted_area(id);
        if area == 0 || found[id as usize] {
            continue;
        }
        let list = if 2 * nowhere[id as usize] > area { &mut matching.ignored } else { &mut matching.false_objects };
        list.push(id);
    }
    Ok(matching)
}

/// Counts by class of a matched image.
pub(super) fn count(truth: &Panoptic, prediction: &Panoptic, matching: &Matching) -> BTreeMap<u16, PanopticCounts> {
    let mut counts: BTreeMap<u16, PanopticCounts> = BTreeMap::new();
    let class = |map: &Panoptic, id: u32| map.segments[id as usize - 1].class;
    for &(id, _, iou) in &matching.pairs {
        *counts.entry(class(truth, id)).or_default() += PanopticCounts { iou, tp: 1, fp: 0, fn_: 0 };
    }
    for &id in &matching.missed {
        counts.entry(class(truth, id)).or_default().fn_ += 1;
    }
    for &id in &matching.false_objects {
        counts.entry(class(prediction, id)).or_default().fp += 1;
    }
    counts
}

fn check_classes(map: &Panoptic, classes: &ClassTable, which: &str) -> Result<()> {
    match map.segments.iter().position(|segment| usize::from(segment.class) >= classes.len()) {
        None => Ok(()),
        Some(index) => Err(Error::new(
            ErrorKind::MaskValue,
            format!("class {} in a table of {} classes", map.segments[index].class, classes.len()),
        )
        .at(format!("segment {} of the {which}", index + 1))),
    }
}
