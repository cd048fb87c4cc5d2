//! A segment number for every pixel, and what each segment is.

use serde::{Deserialize, Serialize};

use crate::class_table::ClassTable;
use crate::error::{Error, ErrorKind, Result};
use crate::label_map::LabelMap;

/// A number for every pixel, row-major; 0 is no segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMap {
    width: usize,
    height: usize,
    ids: Vec<u32>,
}

impl IdMap {
    /// A map over `ids` in row-major order.
    ///
    /// # Errors
    /// When the number of ids is not `width * height` or the map is empty.
    pub fn new(width: usize, height: usize, ids: Vec<u32>) -> Result<Self> {
        if ids.is_empty() || ids.len() != width * height {
            return Err(Error::new(ErrorKind::Decode, format!("{} ids do not make a {width}x{height} map", ids.len())));
        }
        Ok(Self { width, height, ids })
    }

    /// A map without any segment.
    pub fn empty(width: usize, height: usize) -> Self {
        Self { width, height, ids: vec![0; width * height] }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The ids, row-major.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The ids, row-major and mutable.
    pub fn ids_mut(&mut self) -> &mut [u32] {
        &mut self.ids
    }

    /// Numbers the ids that occur 1, 2, ... in rising order of the old ids, and returns the old id of each new
    /// one: the old id of `n` is at `n - 1`.
    pub fn make_dense(&mut self) -> Vec<u32> {
        let mut old: Vec<u32> = self.ids.iter().copied().filter(|&id| id != 0).collect();
        old.sort_unstable();
        old.dedup();
        let mut last = (0, 0);
        for id in &mut self.ids {
            if *id == 0 {
                continue;
            }
            // Neighbours mostly share their id.
            if *id != last.0 {
                last = (*id, old.partition_point(|other| other < id) as u32 + 1);
            }
            *id = last.1;
        }
        old
    }
}

/// One object, or all pixels of one stuff class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Its class, an index into the class table.
    pub class: u16,
    /// A group of objects that nobody told apart (COCO's `iscrowd`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub crowd: bool,
    /// How sure a model is of it, 0..=1; 1 for truth.
    pub score: f32,
}

impl Segment {
    /// A segment of truth.
    pub fn truth(class: u16) -> Self {
        Self { class, crowd: false, score: 1.0 }
    }
}

/// An image divided into segments: objects of the things, one segment for each stuff class, nothing (0) elsewhere.
/// Also an instance segmentation, which has things only.
#[derive(Debug, Clone, PartialEq)]
pub struct Panoptic {
    /// The segment of each pixel; segment `n` is `segments[n - 1]`.
    pub ids: IdMap,
    /// What the segments are.
    pub segments: Vec<Segment>,
}

impl Panoptic {
    /// Checks that every id has its segment.
    ///
    /// # Errors
    /// When an id is larger than the number of segments.
    pub fn new(ids: IdMap, segments: Vec<Segment>) -> Result<Self> {
        let largest = ids.ids().iter().copied().max().unwrap_or(0) as usize;
        if largest > segments.len() {
            return Err(Error::new(
                ErrorKind::MaskValue,
                format!("id {largest} in a map of {} segments", segments.len()),
            ));
        }
        Ok(Self { ids, segments })
    }

    /// Pixels of each segment, in the order of `segments`.
    pub fn areas(&self) -> Vec<usize> {
        let mut areas = vec![0; self.segments.len() + 1];
        for &id in self.ids.ids() {
            areas[id as usize] += 1;
        }
        areas.remove(0);
        areas
    }

    /// Numbers of the segments that are objects: of a thing class, and no crowd.
    pub fn objects<'a>(&'a self, classes: &'a ClassTable) -> impl Iterator<Item = u32> + 'a {
        let is_object = |segment: &Segment| classes.is_thing(segment.class) && !segment.crowd;
        (1u32..).zip(&self.segments).filter(move |(_, segment)| is_object(segment)).map(|(id, _)| id)
    }

    /// The class of every pixel; pixels of no segment get `nothing`.
    pub fn class_map(&self, nothing: u16) -> LabelMap {
        let mut map = LabelMap::filled(self.ids.width(), self.ids.height(), nothing);
        for (label, &id) in map.labels_mut().iter_mut().zip(self.ids.ids()) {
            if let Some(segment) = (id as usize).checked_sub(1).and_then(|index| self.segments.get(index)) {
                *label = segment.class;
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_ids_keep_their_order() {
        let mut map = IdMap::new(3, 2, vec![0, 70_000, 5, 5, 0, 9]).unwrap();
        assert_eq!(map.make_dense(), [5, 9, 70_000]);
        assert_eq!(map.ids(), [0, 3, 1, 1, 0, 2]);
    }

    #[test]
    fn every_id_has_a_segment() {
        let ids = IdMap::new(2, 1, vec![1, 2]).unwrap();
        assert!(Panoptic::new(ids.clone(), vec![Segment::truth(1)]).is_err());
        let map = Panoptic::new(ids, vec![Segment::truth(3), Segment::truth(0)]).unwrap();
        assert_eq!(map.class_map(9).labels(), [3, 0]);
        assert_eq!(map.areas(), [1, 1]);
    }
}
