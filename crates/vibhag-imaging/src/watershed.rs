//! Watershed from seeds: each pixel goes to the seed whose flood reaches it first.
//!
//! Pixels are flooded in the order of their height, and of equal ones in the order in which the flood came to them
//! (Meyer, "Un algorithme optimal pour la ligne de partage des eaux", 1991; Barnes, Lehman and Mulla, "Priority-flood",
//! 2014), so that a plateau is shared out by the number of steps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::components::Connectivity;

/// Neighbours as steps right and down: the four, then the diagonals.
const STEPS: [(isize, isize); 8] = [(0, -1), (-1, 0), (1, 0), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1)];

/// Floods `landscape` from `seeds` (0 is none), within `mask` if there is one, and returns the seed that reaches each
/// pixel; 0 outside the mask and where no flood comes. Seeds outside the mask do not flow.
///
/// Low values are flooded first; to grow objects from the tops of a score, negate it. A value that is no number
/// counts as the highest. All slices are row-major and must hold at least `width * height` values, fewer than 2^32.
/// Deterministic: of seeds that compete on one level, the upper one, then the left one starts.
pub fn watershed(
    landscape: &[f32],
    seeds: &[u32],
    mask: Option<&[bool]>,
    (width, height): (usize, usize),
    connectivity: Connectivity,
) -> Vec<u32> {
    let size = width * height;
    let landscape = &landscape[..size];
    let mask = mask.map(|mask| &mask[..size]);
    let inside = |index: usize| mask.is_none_or(|mask| mask[index]);
    let mut labels = seeds[..size].to_vec();
    let mut queue = BinaryHeap::new();
    let mut age = 0u32;
    for (index, label) in labels.iter_mut().enumerate() {
        if !inside(index) {
            *label = 0;
        } else if *label != 0 {
            queue.push(Reverse((level(landscape[index]), age, index as u32)));
            age += 1;
        }
    }
    let steps = &STEPS[..if connectivity == Connectivity::Four { 4 } else { 8 }];
    while let Some(Reverse((_, _, index))) = queue.pop() {
        let index = index as usize;
        let (x, y) = (index % width, index / width);
        for &(dx, dy) in steps {
            let column = x.checked_add_signed(dx).filter(|&column| column < width);
            let row = y.checked_add_signed(dy).filter(|&row| row < height);
            let (Some(column), Some(row)) = (column, row) else { continue };
            let other = row * width + column;
            if labels[other] == 0 && inside(other) {
                labels[other] = labels[index];
                queue.push(Reverse((level(landscape[other]), age, other as u32)));
                age += 1;
            }
        }
    }
    labels
}

/// A number whose order is that of the values.
fn level(value: f32) -> u32 {
    if value.is_nan() {
        return u32::MAX;
    }
    // Adding zero makes the negative zero positive.
    let bits = (value + 0.0).to_bits();
    // The bits of negative floats fall as the values rise.
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plateau_is_shared_by_steps_and_a_ridge_divides() {
        let flood = |landscape: &[f32], seeds: &[u32]| {
            watershed(landscape, seeds, None, (landscape.len(), 1), Connectivity::Four)
        };
        assert_eq!(flood(&[0.0; 7], &[4, 0, 0, 0, 0, 0, 9]), [4, 4, 4, 4, 9, 9, 9]);
        assert_eq!(flood(&[0.0, 1.0, 2.0, 3.0, 9.0, 0.0], &[1, 0, 0, 0, 0, 2]), [1, 1, 1, 1, 2, 2]);
        assert_eq!(flood(&[0.0, 9.0, 2.0, 1.0, -1.0, -2.0], &[1, 0, 0, 0, 0, 2]), [1, 1, 2, 2, 2, 2]);
        assert_eq!(flood(&[f32::NAN, f32::INFINITY, 0.0, -0.0], &[0, 0, 0, 3]), [3, 3, 3, 3]);
        assert!(watershed(&[], &[], None, (0, 5), Connectivity::Eight).is_empty());
    }

    #[test]
    fn the_order_of_levels_is_that_of_the_values() {
        let values = [f32::NEG_INFINITY, -2.0, -1.0, -1e-40, 0.0, 1e-40, 1.0, f32::MAX, f32::INFINITY, f32::NAN];
        assert!(values.windows(2).all(|pair| level(pair[0]) < level(pair[1])));
        assert_eq!(level(-0.0), level(0.0));
    }

    #[test]
    fn the_flood_stays_inside_the_mask() {
        let mask = [true, true, false, true, true];
        let seeds = [0, 5, 7, 0, 0];
        let labels = watershed(&[0.0; 5], &seeds, Some(&mask), (5, 1), Connectivity::Eight);
        assert_eq!(labels, [5, 5, 0, 0, 0]);
    }

    /// The lowest highest point on a way from any seed of `label` to each pixel.
    fn passes(landscape: &[u8], seeds: &[u32], label: u32, width: usize, reach: isize) -> Vec<u8> {
        let height = landscape.len() / width;
        let mut best: Vec<u8> =
            seeds.iter().zip(landscape).map(|(&seed, &at)| if seed == label { at } else { u8::MAX }).collect();
        for _ in 0..best.len() {
            for index in 0..best.len() {
                for &(dx, dy) in &STEPS[..reach as usize] {
                    let (x, y) = ((index % width) as isize + dx, (index / width) as isize + dy);
                    if (0..width as isize).contains(&x) && (0..height as isize).contains(&y) {
                        let over = best[y as usize * width + x as usize].max(landscape[index]);
                        best[index] = best[index].min(over);
                    }
                }
            }
        }
        best
    }

    proptest! {
        #[test]
        fn every_pixel_goes_to_a_seed_with_the_lowest_pass(
            width in 1usize..8,
            cells in proptest::collection::vec((0u8..20, proptest::option::weighted(0.1, 1u32..4)), 1..50),
        ) {
            let height = cells.len() / width;
            let cells = &cells[..width * height];
            let landscape: Vec<u8> = cells.iter().map(|cell| cell.0).collect();
            let seeds: Vec<u32> = cells.iter().map(|cell| cell.1.unwrap_or(0)).collect();
            let heights: Vec<f32> = landscape.iter().map(|&value| f32::from(value) - 7.5).collect();
            for (connectivity, reach) in [(Connectivity::Four, 4), (Connectivity::Eight, 8)] {
                let labels = watershed(&heights, &seeds, None, (width, height), connectivity);
                let all: Vec<Vec<u8>> = (1..4).map(|label| passes(&landscape, &seeds, label, width, reach)).collect();
                for (index, &label) in labels.iter().enumerate() {
                    if seeds[index] != 0 {
                        prop_assert_eq!(label, seeds[index]);
                    } else if label == 0 {
                        prop_assert!(seeds.iter().all(|&seed| seed == 0));
                    } else {
                        let lowest = all.iter().map(|passes| passes[index]).min().unwrap();
                        prop_assert_eq!(all[label as usize - 1][index], lowest, "pixel {}", index);
                    }
                }
            }
        }
    }
}
