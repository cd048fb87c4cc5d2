//! How many pixels the segments of two maps share: one pass over the pixels, then everything from the counts.

use std::collections::HashMap;

use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, IdMap, Panoptic, Result};

/// Pixels that one true and one predicted segment share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Number of the true segment; 0 is none.
    pub truth: u32,
    /// Number of the predicted segment; 0 is none.
    pub predicted: u32,
    /// Pixels in both.
    pub pixels: u64,
}

/// The areas of the segments of two maps and every overlap that is not empty.
///
/// Takes memory for the overlaps that occur, not for all pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlaps {
    truth_areas: Vec<u64>,
    predicted_areas: Vec<u64>,
    shared: Vec<Overlap>,
}

impl Overlaps {
    /// Counts the overlaps of two maps of one size.
    ///
    /// # Errors
    /// When the sizes differ or an id has no segment.
    pub fn new(truth: &Panoptic, prediction: &Panoptic) -> Result<Self> {
        let (t, p) = (&truth.ids, &prediction.ids);
        if (t.width(), t.height()) != (p.width(), p.height()) {
            return Err(Error::new(
                ErrorKind::SizeMismatch,
                format!("{}x{} against {}x{}", t.width(), t.height(), p.width(), p.height()),
            )
            .hint("truth and prediction are compared at the size of the truth"));
        }
        check_ids(t, truth.segments.len(), "truth")?;
        check_ids(p, prediction.segments.len(), "prediction")?;
        Ok(Self::of_ids(t.ids(), p.ids(), truth.segments.len(), prediction.segments.len()))
    }

    /// Counts the overlaps of maps whose ids are at most `truths` and `predictions`.
    pub(crate) fn of_ids(truth: &[u32], predicted: &[u32], truths: usize, predictions: usize) -> Self {
        let mut counts: HashMap<(u32, u32), u64> = HashMap::new();
        let (mut run, mut length) = ((0, 0), 0);
        for (&t, &p) in truth.iter().zip(predicted) {
            // Neighbours mostly share their pair: look up once a run.
            if (t, p) == run {
                length += 1;
                continue;
            }
            *counts.entry(run).or_default() += length;
            (run, length) = ((t, p), 1);
        }
        *counts.entry(run).or_default() += length;
        let mut shared: Vec<Overlap> = counts
            .into_iter()
            .filter(|&(_, pixels)| pixels > 0)
            .map(|((truth, predicted), pixels)| Overlap { truth, predicted, pixels })
            .collect();
        shared.sort_unstable_by_key(|overlap| (overlap.truth, overlap.predicted));
        let (mut truth_areas, mut predicted_areas) = (vec![0; truths + 1], vec![0; predictions + 1]);
        for overlap in &shared {
            truth_areas[overlap.truth as usize] += overlap.pixels;
            predicted_areas[overlap.predicted as usize] += overlap.pixels;
        }
        Self { truth_areas, predicted_areas, shared }
    }

    /// Every overlap that is not empty, by (truth, predicted); number 0 is what belongs to no segment.
    pub fn overlaps(&self) -> &[Overlap] {
        &self.shared
    }

    /// Pixels of the true segment `id`; 0 for one that does not exist.
    pub fn truth_area(&self, id: u32) -> u64 {
        self.truth_areas.get(id as usize).copied().unwrap_or(0)
    }

    /// Pixels of the predicted segment `id`; 0 for one that does not exist.
    pub fn predicted_area(&self, id: u32) -> u64 {
        self.predicted_areas.get(id as usize).copied().unwrap_or(0)
    }

    /// Pixels that the two segments share.
    pub fn pixels(&self, truth: u32, predicted: u32) -> u64 {
        let found = self.shared.binary_search_by_key(&(truth, predicted), |o| (o.truth, o.predicted));
        found.map_or(0, |index| self.shared[index].pixels)
    }

    /// Intersection over union of the two segments; 0 where both are empty.
    pub fn iou(&self, truth: u32, predicted: u32) -> f64 {
        let both = self.pixels(truth, predicted);
        ratio(both, self.truth_area(truth) + self.predicted_area(predicted) - both)
    }
}

/// `part / whole`; 0 of nothing.
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn check_ids(ids: &IdMap, segments: usize, which: &str) -> Result<()> {
    match ids.ids().iter().position(|&id| id as usize > segments) {
        None => Ok(()),
        Some(index) => Err(Error::new(
            ErrorKind::MaskValue,
            format!("the {which} holds id {} in a map of {segments} segments", ids.ids()[index]),
        )
        .at(format!("x {}, y {}", index % ids.width(), index / ids.width()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Segment;

    #[test]
    fn overlaps_are_counted_and_sorted() {
        let overlaps = Overlaps::of_ids(&[2, 2, 0, 1, 1, 2], &[1, 1, 1, 0, 2, 1], 2, 2);
        let all: Vec<_> = overlaps.overlaps().iter().map(|o| (o.truth, o.predicted, o.pixels)).collect();
        assert_eq!(all, [(0, 1, 1), (1, 0, 1), (1, 2, 1), (2, 1, 3)]);
        assert_eq!((overlaps.truth_area(2), overlaps.predicted_area(1)), (3, 4));
        assert_eq!((overlaps.iou(2, 1), overlaps.iou(1, 1), overlaps.iou(9, 9)), (0.75, 0.0, 0.0));
    }

    #[test]
    fn maps_that_do_not_belong_together_are_refused() {
        let map = |width, ids: &[u32], segments| Panoptic {
            ids: IdMap::new(width, ids.len() / width, ids.to_vec()).unwrap(),
            segments: vec![Segment::truth(1); segments],
        };
        let error = Overlaps::new(&map(2, &[0; 4], 0), &map(4, &[0; 4], 0)).unwrap_err();
        assert!(error.to_string().contains("2x2 against 4x1"), "{error}");
        let error = Overlaps::new(&map(2, &[0; 4], 0), &map(2, &[0, 1, 0, 3], 2)).unwrap_err();
        assert!(error.to_string().contains("the prediction holds id 3 in a map of 2 segments (x 1, y 1)"), "{error}");
    }
}
