//! Which predicted object is which true one, at one IoU threshold: the matching of StarDist
//! (`stardist.matching.matching`) and of the 2018 Data Science Bowl, for each class by itself.

use std::collections::{BTreeMap, BTreeSet};

use vibhag_core::{ClassTable, Error, Panoptic, Result};

use super::assignment::assign;
use super::scene::{Pair, Scene};

/// The objects of one image, matched. All numbers are those of segments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matching {
    /// True object, predicted object, their IoU; by true object.
    pub pairs: Vec<(u32, u32, f64)>,
    /// True objects without a partner.
    pub missed: Vec<u32>,
    /// Predicted objects without a partner.
    pub false_objects: Vec<u32>,
    /// Predicted objects without a partner that lie in a crowd of the truth, which count as nothing.
    pub ignored: Vec<u32>,
}

/// Matches the objects (segments of thing classes with pixels) of one image at an IoU of at least `threshold`.
///
/// Only objects of the same class match. As many pairs as possible are made, and of all ways to do so the one with the
/// largest sum of IoUs is taken. A crowd of the truth is no object: a prediction without a partner of which at least
/// `threshold` lies in a crowd of its class is left out.
///
/// # Errors
/// When `threshold` is not in (0, 1], no class is a thing, the sizes differ, an id has no segment, a class is not in
/// the table, or a score is not a number.
pub fn match_objects(
    truth: &Panoptic,
    prediction: &Panoptic,
    classes: &ClassTable,
    threshold: f64,
) -> Result<Matching> {
    if !(threshold > 0.0 && threshold <= 1.0) {
        return Err(Error::config(format!("objects cannot be matched at an IoU of {threshold}"))
            .hint("the threshold lies above 0 and is at most 1, usually 0.5"));
    }
    let scene = Scene::new(truth, prediction, classes)?;
    let matched = match_scene(&scene, threshold);
    let mut matching = Matching {
        pairs: matched
            .pairs
            .iter()
            .map(|pair| (scene.truth[pair.truth].id, scene.predicted[pair.predicted].id, pair.iou))
            .collect(),
        ..Matching::default()
    };
    let found: Vec<u32> = matching.pairs.iter().map(|&(truth, _, _)| truth).collect();
    let objects = scene.truth.iter().filter(|object| !object.crowd).map(|object| object.id);
    matching.missed = objects.filter(|id| found.binary_search(id).is_err()).collect();
    for (object, fate) in scene.predicted.iter().zip(&matched.predicted) {
        match fate {
            Fate::Matched => {}
            Fate::False => matching.false_objects.push(object.id),
            Fate::Ignored => matching.ignored.push(object.id),
        }
    }
    Ok(matching)
}

/// What became of a predicted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Matched,
    False,
    Ignored,
}

/// The result of matching a [`Scene`].
#[derive(Debug)]
pub(crate) struct MatchedScene {
    /// By true object.
    pub(crate) pairs: Vec<Pair>,
    /// In the order of the scene's predicted objects.
    pub(crate) predicted: Vec<Fate>,
}

/// Matches at an IoU of at least `threshold` in (0, 1].
pub(crate) fn match_scene(scene: &Scene, threshold: f64) -> MatchedScene {
    let objects: Vec<Pair> = scene.pairs.iter().copied().filter(|pair| !scene.truth[pair.truth].crowd).collect();
    let pairs = if threshold >= 0.5 { only_partners(&objects, threshold) } else { best_partners(&objects, threshold) };
    let mut predicted = vec![Fate::False; scene.predicted.len()];
    for pair in scene.pairs.iter().filter(|pair| scene.truth[pair.truth].crowd && pair.iou >= threshold) {
        predicted[pair.predicted] = Fate::Ignored;
    }
    for pair in &pairs {
        predicted[pair.predicted] = Fate::Matched;
    }
    MatchedScene { pairs, predicted }
}

/// Regions of one map do not overlap, so that an object has at most one partner above one half. At exactly one half it
/// can have two, each half of it, which have no other partner: then either will do, and the first is taken.
fn only_partners(pairs: &[Pair], threshold: f64) -> Vec<Pair> {
    let mut chosen: Vec<Pair> = Vec::new();
    let mut taken = BTreeSet::new();
    for pair in pairs.iter().filter(|pair| pair.iou >= threshold) {
        if chosen.last().is_none_or(|last| last.truth != pair.truth) && taken.insert(pair.predicted) {
            chosen.push(*pair);
        }
    }
    chosen
}

/// The assignment of largest weight, one for each group of objects that overlap one another. As in StarDist, pairs
/// below the threshold take part in choosing, with their IoU alone.
fn best_partners(pairs: &[Pair], threshold: f64) -> Vec<Pair> {
    let mut chosen = Vec::new();
    for group in groups(pairs) {
        let (truths, predictions) =
            (distinct(group.iter().map(|p| p.truth)), distinct(group.iter().map(|p| p.predicted)));
        // A match weighs 1 and all IoUs together at most one half: the number of matches comes first.
        let scale = 2.0 * truths.len().min(predictions.len()) as f64;
        let place = |list: &[usize], item: usize| list.partition_point(|&other| other < item);
        let mut weights = vec![0.0; truths.len() * predictions.len()];
        let mut index = vec![None; weights.len()];
        for (at, pair) in group.iter().enumerate() {
            let cell = place(&truths, pair.truth) * predictions.len() + place(&predictions, pair.predicted);
            weights[cell] = f64::from(u8::from(pair.iou >= threshold)) + pair.iou / scale;
            index[cell] = Some(at);
        }
        for (row, column) in assign(truths.len(), predictions.len(), &weights).into_iter().enumerate() {
            let pair = column.and_then(|column| index[row * predictions.len() + column]).map(|at| group[at]);
            chosen.extend(pair.filter(|pair| pair.iou >= threshold));
        }
    }
    chosen.sort_by_key(|pair| pair.truth);
    chosen
}

/// The pairs, in groups that have no object in common.
fn groups(pairs: &[Pair]) -> Vec<Vec<Pair>> {
    fn root(parents: &mut [usize], mut node: usize) -> usize {
        while parents[node] != node {
            parents[node] = parents[parents[node]];
            node = parents[node];
        }
        node
    }
    let truths = pairs.iter().map(|pair| pair.truth + 1).max().unwrap_or(0);
    let nodes = truths + pairs.iter().map(|pair| pair.predicted + 1).max().unwrap_or(0);
    let mut parents: Vec<usize> = (0..nodes).collect();
    for pair in pairs {
        let (a, b) = (root(&mut parents, pair.truth), root(&mut parents, truths + pair.predicted));
        parents[a.max(b)] = a.min(b);
    }
    let mut groups: BTreeMap<usize, Vec<Pair>> = BTreeMap::new();
    for pair in pairs {
        groups.entry(root(&mut parents, pair.truth)).or_default().push(*pair);
    }
    groups.into_values().collect()
}

fn distinct(items: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut items: Vec<usize> = items.collect();
    items.sort_unstable();
    items.dedup();
    items
}
