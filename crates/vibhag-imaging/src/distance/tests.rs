use super::*;
use proptest::prelude::*;

/// Squared distance and index of the nearest pixel for which `counts` holds.
fn search(index: usize, width: usize, size: usize, counts: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    let square = |other: usize| {
        let (dx, dy) = ((index % width).abs_diff(other % width), (index / width).abs_diff(other / width));
        dx * dx + dy * dy
    };
    (0..size).filter(|&other| counts(other)).map(|other| (square(other), other)).min()
}

#[test]
fn without_background_the_distance_is_infinite_unless_the_border_is() {
    assert_eq!(squared_distance(&[true; 6], 3, 2, false), [f32::INFINITY; 6]);
    assert_eq!(squared_distance(&[true; 15], 5, 3, true)[5..10], [1.0, 4.0, 4.0, 4.0, 1.0]);
    assert_eq!(label_distance(&[7; 6], 3, 2), [f32::INFINITY; 6]);
    assert_eq!(nearest(&[false; 6], 2, 3), [u32::MAX; 6]);
    assert!(squared_distance(&[], 0, 4, true).is_empty() && nearest(&[], 3, 0).is_empty());
}

#[test]
fn objects_that_touch_end_each_other() {
    assert_eq!(label_distance(&[0, 1, 1, 2, 2, 2, 2], 7, 1), [0.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn large_maps_are_computed_as_small_ones() {
    let (width, height) = (640, 300);
    let site = |index: usize| index.is_multiple_of(width * 97 + 131);
    let sites: Vec<bool> = (0..width * height).map(site).collect();
    let mask: Vec<bool> = sites.iter().map(|site| !site).collect();
    let (squares, nearest) = (squared_distance(&mask, width, height, false), nearest(&sites, width, height));
    for index in (0..width * height).step_by(977) {
        let (square, at) = search(index, width, width * height, site).unwrap();
        assert_eq!((squares[index], nearest[index]), (square as f32, at as u32), "pixel {index}");
    }
}

proptest! {
    #[test]
    fn distances_are_those_of_a_search(
        width in 1usize..19, density in 0.02f64..0.98, seeds in proptest::collection::vec(0.0f64..1.0, 1..200)
    ) {
        let height = seeds.len().div_ceil(width);
        let size = width * height;
        let mask: Vec<bool> = (0..size).map(|index| seeds[index % seeds.len()] < density).collect();
        let squares = squared_distance(&mask, width, height, false);
        let bordered = squared_distance(&mask, width, height, true);
        let sites = nearest(&mask, width, height);
        for index in 0..size {
            let found = search(index, width, size, |other| !mask[other]).map(|(square, _)| square);
            prop_assert_eq!(squares[index], found.map_or(f32::INFINITY, |square| square as f32));
            let (x, y) = (index % width, index / width);
            let border = (x + 1).min(width - x).min(y + 1).min(height - y).pow(2);
            prop_assert_eq!(bordered[index], found.map_or(border, |square| square.min(border)) as f32);
            let site = search(index, width, size, |other| mask[other]);
            prop_assert_eq!(sites[index], site.map_or(u32::MAX, |(_, site)| site as u32));
        }
    }

    #[test]
    fn distances_within_objects_are_those_of_a_search(
        width in 1usize..19, kinds in 1u32..6, seeds in proptest::collection::vec(0u32..60, 1..200)
    ) {
        // Blocks of two by two make objects with an inside.
        let height = seeds.len().div_ceil(width);
        let ids: Vec<u32> = (0..width * height)
            .map(|index| seeds[(index / width / 2 * width + index % width / 2) % seeds.len()] % kinds)
            .collect();
        let distances = label_distance(&ids, width, height);
        for (index, &id) in ids.iter().enumerate() {
            let found = search(index, width, ids.len(), |other| ids[other] != id);
            let expected = found.map_or(f32::INFINITY, |(square, _)| (square as f32).sqrt());
            prop_assert_eq!(distances[index], if id == 0 { 0.0 } else { expected });
        }
    }
}
