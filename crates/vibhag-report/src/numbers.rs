//! The numbers of objects, written where there is room.

use vibhag_core::{IdMap, Result};
use vibhag_imaging::{Region, measure};

use crate::digits;
use crate::picture::Picture;

/// Writes the id of each object of `ids` (of the picture's size) that `is_object` accepts at the object's centre. An
/// object that is too small for its number stays without.
pub(crate) fn number_objects(picture: &mut Picture, ids: &IdMap, is_object: impl Fn(u32) -> bool) -> Result<()> {
    let largest = (picture.width().max(picture.height()) / 512).clamp(1, 4);
    for region in measure(ids, None)?.iter().filter(|region| is_object(region.id)) {
        let place = (1..=largest).rev().find_map(|scale| Some((room(ids, region, scale)?, scale)));
        if let Some(((x, y), scale)) = place {
            digits::draw(picture, region.id, x, y, scale);
        }
    }
    Ok(())
}

/// Where the middle of the object's number can be, within the object.
fn room(ids: &IdMap, region: &Region, scale: usize) -> Option<(usize, usize)> {
    let (width, height) = digits::size(region.id, scale);
    let y = region.centroid[1].round() as usize;
    let [left, _, across, _] = region.bounds;
    let row = y * ids.width() + left;
    let (start, end) = longest_run(&ids.ids()[row..row + across], region.id)?;
    if end - start < width {
        return None;
    }
    // The centre of mass where the number fits there, else the nearest place in the run.
    let x = (region.centroid[0].round() as usize).clamp(left + start + width / 2, left + end - width.div_ceil(2));
    let own = |y: usize| ids.ids().get(y * ids.width() + x) == Some(&region.id);
    (1..=height / 2).all(|offset| y.checked_sub(offset).is_some_and(own) && own(y + offset)).then_some((x, y))
}

/// The longest run of `id` in a row of pixels: its start and the end after it.
fn longest_run(row: &[u32], id: u32) -> Option<(usize, usize)> {
    let mut start = 0;
    let mut longest = None;
    for run in row.chunk_by(|a, b| a == b) {
        let end = start + run.len();
        if run[0] == id && longest.is_none_or(|(from, to)| end - start > to - from) {
            longest = Some((start, end));
        }
        start = end;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(side: usize, from: usize, to: usize, id: u32) -> IdMap {
        let ids = (0..side * side).map(|index| {
            let inside = |v: usize| (from..to).contains(&v);
            if inside(index % side) && inside(index / side) { id } else { 0 }
        });
        IdMap::new(side, side, ids.collect()).unwrap()
    }

    fn white(picture: &Picture) -> usize {
        picture.rgb().chunks_exact(3).filter(|pixel| pixel == &[255; 3]).count()
    }

    #[test]
    fn a_number_stands_within_an_object_that_is_large_enough() {
        for (to, written) in [(20, true), (12, false)] {
            let mut picture = Picture::filled(30, 30, [90; 3]).unwrap();
            let ids = square(30, 4, to, 27);
            number_objects(&mut picture, &ids, |_| true).unwrap();
            assert_eq!(white(&picture) > 0, written);
            let outside = |(pixel, id): (&[u8], &u32)| *id != 0 || pixel == [90; 3];
            assert!(picture.rgb().chunks_exact(3).zip(ids.ids()).all(outside));
            number_objects(&mut picture, &ids, |_| false).unwrap();
        }
    }

    #[test]
    fn the_number_of_a_ring_stands_on_the_ring() {
        let mut ids = square(60, 0, 60, 3);
        for index in 0..3600 {
            if (15..45).contains(&(index % 60)) && (15..45).contains(&(index / 60)) {
                ids.ids_mut()[index] = 0;
            }
        }
        let mut picture = Picture::filled(60, 60, [90; 3]).unwrap();
        number_objects(&mut picture, &ids, |_| true).unwrap();
        assert!(white(&picture) > 0);
        assert!(picture.rgb().chunks_exact(3).zip(ids.ids()).all(|(pixel, &id)| id != 0 || pixel == [90; 3]));
    }
}
