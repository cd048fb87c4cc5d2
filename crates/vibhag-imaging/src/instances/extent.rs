//! Where each object of a map lies.

use std::collections::HashMap;

use super::targets::is_object;

/// Bounds and sums over the pixels of one object.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    pub(super) id: u32,
    pub(super) left: usize,
    pub(super) top: usize,
    /// One beyond the last column.
    pub(super) right: usize,
    /// One beyond the last row.
    pub(super) bottom: usize,
    pub(super) area: usize,
    pub(super) sum_x: u64,
    pub(super) sum_y: u64,
}

impl Extent {
    pub(super) fn width(&self) -> usize {
        self.right - self.left
    }

    pub(super) fn height(&self) -> usize {
        self.bottom - self.top
    }

    /// For each row of the bounds its number and the ids within the bounds.
    pub(super) fn rows<'a>(&self, ids: &'a [u32], width: usize) -> impl Iterator<Item = (usize, &'a [u32])> {
        let (left, right) = (self.left, self.right);
        (self.top..self.bottom).map(move |y| (y, &ids[y * width + left..y * width + right]))
    }
}

/// The objects of `ids`, in the order of their first pixels.
pub(super) fn extents(ids: &[u32], width: usize) -> Vec<Extent> {
    let mut found: Vec<Extent> = Vec::new();
    let mut numbers: HashMap<u32, usize> = HashMap::new();
    for (y, row) in ids.chunks_exact(width).enumerate() {
        let mut end = 0;
        for run in row.chunk_by(u32::eq) {
            let start = end;
            end += run.len();
            let id = run[0];
            if !is_object(id) {
                continue;
            }
            let number = *numbers.entry(id).or_insert(found.len());
            if number == found.len() {
                let (left, top) = (start, y);
                found.push(Extent { id, left, top, right: end, bottom: y + 1, area: 0, sum_x: 0, sum_y: 0 });
            }
            let extent = &mut found[number];
            extent.left = extent.left.min(start);
            extent.right = extent.right.max(end);
            extent.bottom = y + 1;
            extent.area += run.len();
            // start + ... + (end - 1); the product is even.
            extent.sum_x += ((start + end - 1) * run.len() / 2) as u64;
            extent.sum_y += (y * run.len()) as u64;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::VOID;

    #[test]
    fn bounds_and_sums_are_those_of_the_pixels() {
        #[rustfmt::skip]
        let ids = [
            0, 7, 7, 0,
            9, 9, 7, VOID,
            9, 0, 7, 7,
        ];
        let found = extents(&ids, 4);
        assert_eq!(found.iter().map(|e| e.id).collect::<Vec<_>>(), [7, 9]);
        let seven = &found[0];
        assert_eq!((seven.left, seven.top, seven.right, seven.bottom), (1, 0, 4, 3));
        assert_eq!((seven.area, seven.sum_x, seven.sum_y), (5, 1 + 2 + 2 + 2 + 3, 5));
        assert_eq!((found[1].area, found[1].sum_x, found[1].sum_y), (3, 1, 4));
    }
}
