use proptest::prelude::*;
use vibhag_core::BinaryMask;

use super::*;
use crate::components::{Connectivity, label_components};

/// A map from rows of digits; a dot is nothing.
fn map(rows: &[&str]) -> IdMap {
    let ids = rows.iter().flat_map(|row| row.bytes().map(|b| if b == b'.' { 0 } else { u32::from(b - b'0') }));
    IdMap::new(rows[0].len(), rows.len(), ids.collect()).unwrap()
}

#[test]
fn a_hole_is_filled_and_a_bay_is_not() {
    let mut holed = map(&["111.", "1.11", "11.1", ".111"]);
    assert_eq!(fill_holes(&mut holed), 2);
    assert_eq!(holed, map(&["111.", "1111", "1111", ".111"]));
    let mut bay = map(&["111", "1..", "111"]);
    assert_eq!(fill_holes(&mut bay), 0, "open to the image's border");
}

#[test]
fn nothing_between_two_objects_stays_nothing() {
    for rows in [["1122", "1..2", "1122"], ["1111", "1.21", "1111"]] {
        let mut holes = map(&rows);
        assert_eq!(fill_holes(&mut holes), 0);
        assert_eq!(holes, map(&rows));
    }
    // A hole within an object within a hole of another belongs to the inner one.
    let mut nested = map(&["11111111", "1......1", "1.2222.1", "1.2..2.1", "1.2222.1", "1......1", "11111111"]);
    assert_eq!(fill_holes(&mut nested), 2);
    assert_eq!(nested.ids()[3 * 8 + 3], 2);
}

#[test]
fn fragments_go_and_the_largest_part_stays() {
    let mut parts = map(&["11.22", "11..2", "..1.1", "2...1"]);
    assert_eq!(keep_largest_part(&mut parts), 4);
    assert_eq!(parts, map(&["11.22", "11..2", ".....", "....."]));
    let mut equals = map(&["3.3"]);
    assert_eq!(keep_largest_part(&mut equals), 1);
    assert_eq!(equals, map(&["3.."]), "the first of equals");
}

#[test]
fn specks_below_the_limit_go() {
    let mut specks = map(&["11.2", "1..2", "..1."]);
    assert_eq!(remove_specks(&mut specks, 2), 1);
    assert_eq!(remove_specks(&mut specks, 3), 2);
    assert_eq!(specks, map(&["11..", "1...", "...."]));
    assert_eq!(remove_specks(&mut IdMap::empty(3, 3), 9), 0);
}

/// The mask of one object, and its complement's or its own components.
fn components(map: &IdMap, pixels: impl Fn(u32) -> bool) -> (Vec<u32>, Vec<usize>) {
    let mask = BinaryMask::new(map.width(), map.height(), map.ids().iter().map(|&id| pixels(id)).collect()).unwrap();
    let components = label_components(&mask, Connectivity::Four);
    (components.labels, components.areas)
}

/// Holes by the definition for one object at a time: parts of its complement that do not reach the border and hold
/// no other object.
fn filled_one_by_one(map: &IdMap) -> Vec<u32> {
    let (width, height) = (map.width(), map.height());
    let mut out = map.ids().to_vec();
    for object in 1..=4 {
        let (labels, areas) = components(map, |id| id != object);
        for number in 1..=areas.len() as u32 {
            let pixels: Vec<usize> = (0..labels.len()).filter(|&index| labels[index] == number).collect();
            let inside = |&index: &usize| {
                let (x, y) = (index % width, index / width);
                x > 0 && y > 0 && x + 1 < width && y + 1 < height && map.ids()[index] == 0
            };
            if pixels.iter().all(inside) {
                for index in pixels {
                    out[index] = object;
                }
            }
        }
    }
    out
}

fn maps() -> impl Strategy<Value = IdMap> {
    (1usize..12, proptest::collection::vec(proptest::sample::select(vec![0, 1, 1, 1, 1, 2, 3, 4]), 1..120)).prop_map(
        |(width, mut ids)| {
            let height = ids.len().div_ceil(width);
            ids.resize(width * height, 0);
            IdMap::new(width, height, ids).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn holes_are_those_of_each_object_by_itself(map in maps()) {
        let mut filled = map.clone();
        let count = fill_holes(&mut filled);
        prop_assert_eq!(filled.ids(), filled_one_by_one(&map));
        let changed = filled.ids().iter().zip(map.ids()).filter(|(a, b)| a != b);
        prop_assert!(changed.clone().all(|(_, &old)| old == 0), "no object loses a pixel");
        prop_assert_eq!(changed.count(), count);
        prop_assert_eq!(fill_holes(&mut filled), 0, "once is enough");
    }

    #[test]
    fn every_object_keeps_one_part_and_it_is_the_largest(map in maps()) {
        let mut kept = map.clone();
        let removed = keep_largest_part(&mut kept);
        for object in 1..=4 {
            let (_, before) = components(&map, |id| id == object);
            let (_, after) = components(&kept, |id| id == object);
            prop_assert_eq!(after.first().copied(), before.iter().max().copied());
            prop_assert!(after.len() <= 1);
        }
        let gone = map.ids().iter().zip(kept.ids()).filter(|(a, b)| a != b);
        prop_assert!(gone.clone().all(|(_, &new)| new == 0));
        prop_assert_eq!(gone.count(), removed);
    }

    #[test]
    fn parts_stay_exactly_when_they_are_large_enough(map in maps(), min_area in 0usize..9) {
        let mut kept = map.clone();
        remove_specks(&mut kept, min_area);
        for object in 1..=4 {
            let (labels, areas) = components(&map, |id| id == object);
            for (index, &label) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
                let stays = areas[label as usize - 1] >= min_area;
                prop_assert_eq!(kept.ids()[index], if stays { object } else { 0 });
            }
        }
    }
}
