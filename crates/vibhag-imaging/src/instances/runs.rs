//! Connected parts of an id map, over runs of equal ids instead of pixels.

/// A stretch of one row; positions are indices into the map.
#[derive(Debug, Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
    /// The first run of its part.
    part: u32,
}

/// The runs of the ids that `select` names, united where runs of one id touch from row to row.
fn runs(ids: &[u32], width: usize, select: impl Fn(u32) -> bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let (mut above, mut first) = (0, 0);
    for (y, row) in ids.chunks_exact(width).enumerate() {
        let mut end = y * width;
        for run in row.chunk_by(u32::eq) {
            let start = end;
            end += run.len();
            if !select(run[0]) {
                continue;
            }
            let number = runs.len();
            runs.push(Run { start, end, part: number as u32 });
            while above < first && runs[above].end + width <= start {
                above += 1;
            }
            let mut other = above;
            while other < first && runs[other].start + width < end {
                if ids[runs[other].start] == run[0] {
                    unite(&mut runs, other, number);
                }
                other += 1;
            }
        }
        above = first;
        first = runs.len();
    }
    // Every run points to an earlier one of its part, or to itself.
    for number in 0..runs.len() {
        runs[number].part = runs[runs[number].part as usize].part;
    }
    runs
}

fn unite(runs: &mut [Run], a: usize, b: usize) {
    let (a, b) = (find(runs, a), find(runs, b));
    runs[a.max(b)].part = a.min(b) as u32;
}

fn find(runs: &mut [Run], mut number: usize) -> usize {
    while runs[number].part as usize != number {
        runs[number].part = runs[runs[number].part as usize].part;
        number = runs[number].part as usize;
    }
    number
}

/// Gives each hole to the object around it: pixels of id 0, joined at edges, that touch one object only and not the
/// border of the map.
pub(super) fn fill_holes(ids: &mut [u32], width: usize) {
    /// The border, or several objects.
    const OPEN: u32 = u32::MAX;
    let height = ids.len() / width;
    let runs = runs(ids, width, |id| id == 0);
    let mut around = vec![0; runs.len()];
    for run in &runs {
        let holder = &mut around[run.part as usize];
        let (y, left, right) = (run.start / width, run.start % width, run.end - run.start / width * width);
        if y == 0 || y + 1 == height || left == 0 || right == width {
            *holder = OPEN;
        }
        if *holder == OPEN {
            continue;
        }
        let beside = [ids[run.start - 1], ids[run.end]];
        let (above, below) = (&ids[run.start - width..run.end - width], &ids[run.start + width..run.end + width]);
        for &id in beside.iter().chain(above).chain(below).filter(|id| **id != 0) {
            if *holder == 0 {
                *holder = id;
            } else if *holder != id {
                *holder = OPEN;
                break;
            }
        }
    }
    for run in &runs {
        let holder = around[run.part as usize];
        if holder != OPEN {
            ids[run.start..run.end].fill(holder);
        }
    }
}

/// Keeps of each object (ids up to `count`) its largest part whose pixels are joined at edges, of equals the first.
pub(super) fn keep_largest_parts(ids: &mut [u32], width: usize, count: usize) {
    let runs = runs(ids, width, |id| id != 0);
    let mut areas = vec![0; runs.len()];
    for run in &runs {
        areas[run.part as usize] += run.end - run.start;
    }
    let mut largest = vec![None; count + 1];
    for (number, run) in runs.iter().enumerate().filter(|(number, run)| run.part as usize == *number) {
        let best = &mut largest[ids[run.start] as usize];
        if best.is_none_or(|best| areas[number] > areas[best]) {
            *best = Some(number);
        }
    }
    for run in &runs {
        if largest[ids[run.start] as usize] != Some(run.part as usize) {
            ids[run.start..run.end].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::{Connectivity, label_components};
    use proptest::prelude::*;
    use vibhag_core::BinaryMask;

    #[test]
    fn a_hole_is_filled_only_by_the_one_object_around_it() {
        #[rustfmt::skip]
        let mut ids = [
            1, 1, 1, 2, 2, 2, 2,
            1, 0, 1, 2, 0, 0, 2,
            1, 1, 0, 0, 2, 2, 0,
            0, 1, 1, 2, 2, 2, 2,
        ];
        fill_holes(&mut ids, 7);
        #[rustfmt::skip]
        let expected = [
            1, 1, 1, 2, 2, 2, 2,
            1, 1, 1, 2, 2, 2, 2,
            1, 1, 0, 0, 2, 2, 0,
            0, 1, 1, 2, 2, 2, 2,
        ];
        assert_eq!(ids, expected);
    }

    #[test]
    fn the_largest_part_of_each_object_stays() {
        let mut ids = [1, 0, 1, 1, 2, 2, 0, 0, 2, 1, 0, 2];
        keep_largest_parts(&mut ids, 6, 3);
        assert_eq!(ids, [0, 0, 1, 1, 2, 2, 0, 0, 0, 1, 0, 2]);
    }

    proptest! {
        #[test]
        fn parts_are_connected_components(
            width in 1usize..14, bits in proptest::collection::vec(proptest::bool::weighted(0.55), 1..150)
        ) {
            let height = bits.len().div_ceil(width);
            let mut pixels = bits;
            pixels.resize(width * height, false);
            let ids: Vec<u32> = pixels.iter().map(|&pixel| u32::from(pixel)).collect();
            let components = label_components(&BinaryMask::new(width, height, pixels).unwrap(), Connectivity::Four);
            let mut labels = vec![0; ids.len()];
            let mut parts = Vec::new();
            for run in runs(&ids, width, |id| id == 1) {
                let number = parts.iter().position(|part| *part == run.part).unwrap_or(parts.len());
                if number == parts.len() {
                    parts.push(run.part);
                }
                labels[run.start..run.end].fill(number as u32 + 1);
            }
            prop_assert_eq!(labels, components.labels);
        }
    }
}
