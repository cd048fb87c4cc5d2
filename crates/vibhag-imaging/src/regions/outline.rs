//! Border pixels of objects and the length of the line through them.

use std::f64::consts::SQRT_2;
use std::ops::Range;

use vibhag_core::IdMap;

/// Which pixels of an id map lie on the border of their object.
pub(super) struct Outline<'a> {
    ids: &'a IdMap,
    border: Vec<bool>,
}

impl<'a> Outline<'a> {
    /// A pixel is on the border when it touches another id, or the outside of the image, by an edge.
    pub(super) fn of(map: &'a IdMap) -> Self {
        let (width, height, ids) = (map.width(), map.height(), map.ids());
        let mut border = vec![false; ids.len()];
        for y in 0..height {
            for x in 0..width {
                let index = y * width + x;
                let id = ids[index];
                let at_edge = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
                border[index] = id != 0
                    && (at_edge
                        || ids[index - 1] != id
                        || ids[index + 1] != id
                        || ids[index - width] != id
                        || ids[index + width] != id);
            }
        }
        Self { ids: map, border }
    }

    /// Border pixels of the same object that touch pixel `index` by an edge, and by a corner.
    fn neighbours(&self, index: usize) -> (usize, usize) {
        let (width, height, ids) = (self.ids.width(), self.ids.height(), self.ids.ids());
        let (x, y) = (index % width, index / width);
        let (mut edges, mut corners) = (0, 0);
        for ny in y.saturating_sub(1)..(y + 2).min(height) {
            for nx in x.saturating_sub(1)..(x + 2).min(width) {
                let other = ny * width + nx;
                if other == index || !self.border[other] || ids[other] != ids[index] {
                    continue;
                }
                if nx == x || ny == y { edges += 1 } else { corners += 1 }
            }
        }
        (edges, corners)
    }
}

/// Border pixels of an object by the length that stands for each.
#[derive(Clone, Default)]
pub(super) struct Steps {
    straight: u64,
    diagonal: u64,
    /// Where a straight piece meets a diagonal one.
    bent: u64,
}

impl Steps {
    /// Adds the border pixels among `pixels`.
    pub(super) fn add(&mut self, outline: &Outline<'_>, pixels: Range<usize>) {
        for index in pixels.filter(|&index| outline.border[index]) {
            match outline.neighbours(index) {
                (2 | 3, 0..=2) => self.straight += 1,
                (0, 2) | (1, 3) => self.diagonal += 1,
                (1, 1 | 2) => self.bent += 1,
                _ => {}
            }
        }
    }

    pub(super) fn length(&self) -> f64 {
        self.straight as f64 + self.diagonal as f64 * SQRT_2 + self.bent as f64 * f64::midpoint(1.0, SQRT_2)
    }
}
