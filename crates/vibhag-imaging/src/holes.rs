//! Repairs of the objects of an id map: holes filled, fragments and specks removed. Parts of an object are its
//! 4-connected components; all of them are labelled at once, so that the cost does not grow with the number of objects.

use std::collections::HashMap;

use vibhag_core::IdMap;

use crate::components::{find, unite};

/// Fills the holes of each object and returns how many pixels were filled.
///
/// A hole is a 4-connected part of nothing (0) that touches one object only and not the image's border. What lies
/// between objects, or around an object inside another, stays as it is, and no pixel of an object changes.
pub fn fill_holes(map: &mut IdMap) -> usize {
    #[derive(Clone, Copy)]
    enum Around {
        Nothing,
        Only(u32),
        Open,
    }
    let parts = Parts::of(map);
    let (width, height) = (map.width(), map.height());
    let mut around = vec![Around::Nothing; parts.areas.len()];
    for index in 0..map.ids().len() {
        if map.ids()[index] != 0 {
            continue;
        }
        let (x, y) = (index % width, index / width);
        let part = &mut around[parts.labels[index] as usize];
        if x == 0 || y == 0 || x + 1 == width || y + 1 == height {
            *part = Around::Open;
            continue;
        }
        for id in [index - 1, index + 1, index - width, index + width].map(|neighbour| map.ids()[neighbour]) {
            *part = match *part {
                _ if id == 0 => continue,
                Around::Nothing => Around::Only(id),
                Around::Only(other) if other == id => continue,
                _ => Around::Open,
            };
        }
    }
    let mut filled = 0;
    for (id, &label) in map.ids_mut().iter_mut().zip(&parts.labels) {
        if *id == 0
            && let Around::Only(object) = around[label as usize]
        {
            *id = object;
            filled += 1;
        }
    }
    filled
}

/// Keeps the largest part of each object, the first of equals in reading order, and returns how many pixels of others
/// became nothing (0).
pub fn keep_largest_part(map: &mut IdMap) -> usize {
    let parts = Parts::of(map);
    let mut largest: HashMap<u32, u32> = HashMap::new();
    for (label, &id) in (0..).zip(&parts.ids) {
        let best = largest.entry(id).or_insert(label);
        if parts.areas[label as usize] > parts.areas[*best as usize] {
            *best = label;
        }
    }
    remove(map, &parts, |label| largest.get(&parts.ids[label as usize]) != Some(&label))
}

/// Removes each part of an object that has fewer than `min_area` pixels, and returns how many pixels became nothing
/// (0). An object all of whose parts are small vanishes.
pub fn remove_specks(map: &mut IdMap, min_area: usize) -> usize {
    let parts = Parts::of(map);
    remove(map, &parts, |label| parts.areas[label as usize] < min_area)
}

fn remove(map: &mut IdMap, parts: &Parts, unwanted: impl Fn(u32) -> bool) -> usize {
    let unwanted: Vec<bool> = (0..parts.ids.len() as u32).map(unwanted).collect();
    let mut removed = 0;
    for (id, &label) in map.ids_mut().iter_mut().zip(&parts.labels) {
        if *id != 0 && unwanted[label as usize] {
            *id = 0;
            removed += 1;
        }
    }
    removed
}

/// The 4-connected parts of equal ids, those of 0 too.
struct Parts {
    /// The part of each pixel, numbered in the order of their first pixels.
    labels: Vec<u32>,
    /// The id that all pixels of a part have.
    ids: Vec<u32>,
    /// Pixels of each part.
    areas: Vec<usize>,
}

impl Parts {
    /// Two passes with union-find.
    fn of(map: &IdMap) -> Self {
        let (width, ids) = (map.width(), map.ids());
        let mut labels = vec![0u32; ids.len()];
        let mut parents = Vec::new();
        for (index, &id) in ids.iter().enumerate() {
            let left = (!index.is_multiple_of(width) && ids[index - 1] == id).then(|| labels[index - 1]);
            let above = (index >= width && ids[index - width] == id).then(|| labels[index - width]);
            labels[index] = match (left, above) {
                (Some(left), Some(above)) if left != above => unite(&mut parents, left, above),
                (Some(label), _) | (None, Some(label)) => label,
                (None, None) => {
                    parents.push(parents.len() as u32);
                    parents.len() as u32 - 1
                }
            };
        }
        let mut numbers = vec![u32::MAX; parents.len()];
        let mut parts = Self { labels: Vec::new(), ids: Vec::new(), areas: Vec::new() };
        for (label, &id) in labels.iter_mut().zip(ids) {
            let root = find(&mut parents, *label) as usize;
            if numbers[root] == u32::MAX {
                numbers[root] = parts.ids.len() as u32;
                parts.ids.push(id);
                parts.areas.push(0);
            }
            *label = numbers[root];
            parts.areas[*label as usize] += 1;
        }
        parts.labels = labels;
        parts
    }
}

#[cfg(test)]
mod tests;
