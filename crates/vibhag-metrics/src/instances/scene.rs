//! The objects of one image, true and predicted, and the pairs of them that may match.

use vibhag_core::error::ErrorKind;
use vibhag_core::{ClassTable, Error, IdMap, Panoptic, Result};

use crate::boundary::{boundary_distance, near_boundary};
use crate::overlaps::{Overlaps, ratio};

/// An object, or a crowd of the truth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object {
    /// Number of its segment.
    pub(crate) id: u32,
    pub(crate) class: u16,
    pub(crate) crowd: bool,
    pub(crate) score: f32,
    /// In pixels.
    pub(crate) area: u64,
    /// Left, top, right, bottom; the last two are beyond it.
    bounds: [u64; 4],
}

/// A true and a predicted object of the same class that overlap, by their places in the lists of a [`Scene`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) truth: usize,
    pub(crate) predicted: usize,
    /// Intersection over union; of a crowd, the share of the prediction that lies in it.
    pub(crate) iou: f64,
}

/// What matching needs to know of one image.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) truth: Vec<Object>,
    pub(crate) predicted: Vec<Object>,
    /// Pairs whose masks overlap, by (truth, predicted).
    pub(crate) pairs: Vec<Pair>,
}

impl Scene {
    /// Segments of thing classes that have pixels; those of the prediction are all taken for objects.
    pub(crate) fn new(truth: &Panoptic, prediction: &Panoptic, classes: &ClassTable) -> Result<Self> {
        if !classes.classes.iter().any(|class| class.thing) {
            return Err(Error::config("no class of the table is a thing, so there are no objects to match")
                .hint("mark the classes whose objects are told apart as things"));
        }
        let overlaps = Overlaps::new(truth, prediction)?;
        let truths = objects(truth, classes, |id| overlaps.truth_area(id), "truth")?;
        let mut predicted = objects(prediction, classes, |id| overlaps.predicted_area(id), "prediction")?;
        for object in &mut predicted {
            object.crowd = false;
        }
        let (of_truth, of_predicted) = (places(&truths, truth), places(&predicted, prediction));
        let pairs = overlaps
            .overlaps()
            .iter()
            .filter_map(|overlap| {
                let (t, p) = (of_truth[overlap.truth as usize]?, of_predicted[overlap.predicted as usize]?);
                let (a, b) = (&truths[t], &predicted[p]);
                (a.class == b.class).then(|| {
                    let whole = if a.crowd { b.area } else { a.area + b.area - overlap.pixels };
                    Pair { truth: t, predicted: p, iou: ratio(overlap.pixels, whole) }
                })
            })
            .collect();
        Ok(Self { truth: truths, predicted, pairs })
    }

    /// The pairs with an IoU of at least one half, with the smaller of mask IoU and boundary IoU.
    pub(crate) fn boundary_pairs(&self, truth: &Panoptic, prediction: &Panoptic) -> Vec<Pair> {
        let likely: Vec<Pair> = self.pairs.iter().copied().filter(|pair| pair.iou >= 0.5).collect();
        if likely.is_empty() {
            return likely;
        }
        let distance = boundary_distance(truth.ids.width(), truth.ids.height());
        let band = |map: &IdMap| -> Vec<u32> {
            let near = near_boundary(map.width(), map.ids(), distance);
            map.ids().iter().zip(near).map(|(&id, near)| if near { id } else { 0 }).collect()
        };
        let (t, p) = (band(&truth.ids), band(&prediction.ids));
        let bands = Overlaps::of_ids(&t, &p, truth.segments.len(), prediction.segments.len());
        likely
            .into_iter()
            .map(|pair| {
                let (a, b) = (&self.truth[pair.truth], &self.predicted[pair.predicted]);
                // What lies in a crowd does not depend on where the crowd ends.
                let iou = if a.crowd { pair.iou } else { bands.iou(a.id, b.id) };
                Pair { iou: iou.min(pair.iou), ..pair }
            })
            .filter(|pair| pair.iou >= 0.5)
            .collect()
    }

    /// The pairs of the same class whose bounding boxes have an IoU of at least one half.
    pub(crate) fn box_pairs(&self) -> Vec<Pair> {
        let (crowds, mut singles): (Vec<usize>, Vec<usize>) =
            (0..self.truth.len()).partition(|&truth| self.truth[truth].crowd);
        singles.sort_by_key(|&truth| self.truth[truth].bounds[0]);
        let mut pairs = Vec::new();
        for (predicted, object) in self.predicted.iter().enumerate() {
            let [left, _, right, _] = object.bounds;
            // Boxes whose left sides are further apart than this box is wide share less than half of their union.
            let from = singles.partition_point(|&t| self.truth[t].bounds[0] + (right - left) < left);
            let near = singles[from..].iter().take_while(|&&t| self.truth[t].bounds[0] <= right);
            for &truth in near.chain(&crowds) {
                let other = &self.truth[truth];
                if other.class == object.class {
                    pairs.push(Pair { truth, predicted, iou: box_iou(object, other) });
                }
            }
        }
        pairs.retain(|pair| pair.iou >= 0.5);
        pairs.sort_by_key(|pair| (pair.truth, pair.predicted));
        pairs
    }
}

/// Intersection over union of the boxes; of a crowd, the share of the prediction's box that lies in its box.
fn box_iou(predicted: &Object, truth: &Object) -> f64 {
    let (a, b) = (predicted.bounds, truth.bounds);
    let area = |[left, top, right, bottom]: [u64; 4]| right.saturating_sub(left) * bottom.saturating_sub(top);
    let shared = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    ratio(shared, if truth.crowd { area(a) } else { area(a) + area(b) - shared })
}

fn objects(map: &Panoptic, classes: &ClassTable, area: impl Fn(u32) -> u64, which: &str) -> Result<Vec<Object>> {
    let bounds = bounds(map);
    let mut objects = Vec::new();
    for (id, segment) in (1u32..).zip(&map.segments) {
        let place = || format!("segment {id} of the {which}");
        if usize::from(segment.class) >= classes.len() {
            return Err(Error::new(
                ErrorKind::MaskValue,
                format!("class {} in a table of {} classes", segment.class, classes.len()),
            )
            .at(place()));
        }
        if segment.score.is_nan() {
            return Err(Error::new(ErrorKind::MaskValue, "the score is not a number").at(place()));
        }
        let area = area(id);
        if area > 0 && classes.is_thing(segment.class) {
            let bounds = bounds[id as usize];
            objects.push(Object { id, class: segment.class, crowd: segment.crowd, score: segment.score, area, bounds });
        }
    }
    Ok(objects)
}

/// The box of each id: left, top, right, bottom.
fn bounds(map: &Panoptic) -> Vec<[u64; 4]> {
    let mut bounds = vec![[u64::MAX, u64::MAX, 0, 0]; map.segments.len() + 1];
    for (y, row) in (0u64..).zip(map.ids.ids().chunks_exact(map.ids.width())) {
        for (x, &id) in (0u64..).zip(row) {
            let [left, top, right, bottom] = &mut bounds[id as usize];
            (*left, *top) = ((*left).min(x), (*top).min(y));
            (*right, *bottom) = ((*right).max(x + 1), (*bottom).max(y + 1));
        }
    }
    bounds
}

/// The place of each id in the list of objects.
fn places(objects: &[Object], map: &Panoptic) -> Vec<Option<usize>> {
    let mut places = vec![None; map.segments.len() + 1];
    for (place, object) in objects.iter().enumerate() {
        places[object.id as usize] = Some(place);
    }
    places
}
