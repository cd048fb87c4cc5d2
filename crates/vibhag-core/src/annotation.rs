//! What people draw on an image: objects with outlines or masks, whatever file they came from.

use crate::id_map::{IdMap, Panoptic, Segment};
use crate::rle::Rle;

/// A closed polygon in pixel coordinates (x to the right, y down, the top left corner of the image is (0, 0)) with
/// holes. The last point joins the first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Polygon {
    /// The outline.
    pub exterior: Vec<[f64; 2]>,
    /// Outlines of the holes in it.
    pub holes: Vec<Vec<[f64; 2]>>,
}

/// The pixels of an object, in the form in which they were given.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Polygons, all of which belong to the object.
    Polygons(Vec<Polygon>),
    /// A mask of the image's size.
    Mask(Rle),
}

/// One annotated object, or all pixels of a stuff class.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// The number that its file gives it.
    pub id: u64,
    /// Its category, an index into the list of categories.
    pub category: usize,
    /// Its pixels.
    pub shape: Shape,
    /// A group of objects that nobody told apart (COCO's `iscrowd`).
    pub crowd: bool,
    /// The area that its file states, in pixels; it may differ from that of the mask.
    pub area: Option<f64>,
    /// The box that its file states: left, top, width, height.
    pub bounds: Option<[f64; 4]>,
    /// The score of a prediction.
    pub score: Option<f64>,
}

/// Everything annotated on one image. Later annotations lie above earlier ones where they overlap.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageAnnotations {
    /// Width of the image in pixels.
    pub width: usize,
    /// Height of the image in pixels.
    pub height: usize,
    /// The annotations, in the file's order.
    pub annotations: Vec<Annotation>,
}

/// Paints masks one over the other into a map of segments: of two that overlap, the smaller one is seen.
///
/// `masks` are masks of `width` x `height` and what they are.
pub fn paint(width: usize, height: usize, masks: &[(Rle, Segment)]) -> Panoptic {
    let mut order: Vec<usize> = (0..masks.len()).collect();
    // A crowd lies below everything; of equals the later one is on top.
    order.sort_by_key(|&index| (!masks[index].1.crowd, std::cmp::Reverse(masks[index].0.area())));
    let mut ids = IdMap::empty(width, height);
    for index in order {
        let id = index as u32 + 1;
        masks[index].0.for_each(|x, y| ids.ids_mut()[y * width + x] = id);
    }
    // An object that is wholly covered has no pixel left, so its number goes.
    let kept = ids.make_dense();
    let segments = kept.iter().map(|&id| masks[id as usize - 1].1.clone()).collect();
    Panoptic { ids, segments }
}

/// The masks of the segments 1..=`count` of `ids`, in one pass over the pixels.
pub fn masks_of(ids: &IdMap, count: usize) -> Vec<Rle> {
    let (width, height) = (ids.width(), ids.height());
    let mut ends: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut last = 0u32;
    for position in 0..width * height {
        let id = ids.ids()[position % height * width + position / height];
        if id != last {
            // A run of one segment ends where that of another begins.
            for change in [last, id] {
                if let Some(ends) = (change as usize).checked_sub(1).and_then(|index| ends.get_mut(index)) {
                    ends.push(position);
                }
            }
            last = id;
        }
    }
    if let Some(ends) = (last as usize).checked_sub(1).and_then(|index| ends.get_mut(index)) {
        ends.push(width * height);
    }
    ends.into_iter().map(|ends| Rle::from_ends(width, height, ends)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_segments_are_those_of_their_pixels() {
        let ids = IdMap::new(4, 3, vec![1, 1, 0, 2, 1, 3, 3, 2, 0, 0, 3, 2]).unwrap();
        for (index, mask) in masks_of(&ids, 4).iter().enumerate() {
            let id = index as u32 + 1;
            assert_eq!(*mask, Rle::from_fn(4, 3, |x, y| ids.ids()[y * 4 + x] == id), "{id}");
        }
    }

    #[test]
    fn the_smaller_object_is_seen_and_a_covered_one_vanishes() {
        let of = |from: usize, to: usize| Rle::from_fn(6, 1, |x, _| (from..to).contains(&x));
        let crowd = Segment { crowd: true, ..Segment::truth(1) };
        let masks = [
            (of(1, 3), Segment::truth(1)),
            (of(0, 6), Segment::truth(2)),
            (of(1, 3), Segment::truth(3)),
            (of(5, 6), crowd),
        ];
        let map = paint(6, 1, &masks);
        assert_eq!(map.ids.ids(), [1, 2, 2, 1, 1, 1]);
        assert_eq!(map.segments.iter().map(|s| s.class).collect::<Vec<_>>(), [2, 3]);
    }
}
