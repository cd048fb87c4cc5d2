//! The pixels of a star polygon, as stretches of rows.

use vibhag_core::RAYS;

/// Pixels `start..end` of row `y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) y: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Fills star polygons; keeps its buffers from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Row below the first, and column.
    crossings: Vec<(u32, f32)>,
    /// How many crossings lie in earlier rows.
    starts: Vec<u32>,
    columns: Vec<f32>,
    /// Those of the last polygon, from top to bottom and left to right.
    pub(super) spans: Vec<Span>,
}

impl Scanner {
    /// Fills the polygon whose corners lie at `distances` from `(x, y)` in the `directions`: the pixels whose centres it
    /// holds, by the even-odd rule, cut off at the image. Returns how many they are.
    pub(super) fn fill(
        &mut self,
        [x, y]: [usize; 2],
        distances: &[f32; RAYS],
        directions: &[[f32; 2]; RAYS],
        [width, height]: [usize; 2],
    ) -> usize {
        let corners: [[f32; 2]; RAYS] = std::array::from_fn(|ray| {
            let [right, down] = directions[ray];
            [x as f32 + distances[ray] * right, y as f32 + distances[ray] * down]
        });
        let (low, high) =
            corners.iter().fold((f32::INFINITY, 0.0f32), |(low, high), c| (low.min(c[1]), high.max(c[1])));
        let first = low.max(0.0).ceil() as usize;
        let rows = (high.ceil() as usize).min(height).saturating_sub(first);
        self.crossings.clear();
        self.starts.clear();
        self.starts.resize(rows + 1, 0);
        for ray in 0..RAYS {
            let (from, to) = (corners[ray], corners[(ray + 1) % RAYS]);
            let (upper, lower) = if from[1] < to[1] { (from, to) } else { (to, from) };
            let begin = (upper[1].max(0.0).ceil() as usize).max(first);
            let end = (lower[1].max(0.0).ceil() as usize).min(first + rows);
            let slope = (lower[0] - upper[0]) / (lower[1] - upper[1]);
            for row in begin..end {
                let column = upper[0] + (row as f32 - upper[1]) * slope;
                self.crossings.push(((row - first) as u32, column));
                self.starts[row - first + 1] += 1;
            }
        }
        self.sort(rows);
        self.spans.clear();
        let mut area = 0;
        for row in 0..rows {
            let columns = &mut self.columns[self.starts[row] as usize..self.starts[row + 1] as usize];
            columns.sort_unstable_by(f32::total_cmp);
            for pair in columns.chunks_exact(2) {
                let [start, end] = [pair[0], pair[1]].map(|column| (column.max(0.0).ceil() as usize).min(width) as u32);
                if start < end {
                    self.spans.push(Span { y: (first + row) as u32, start, end });
                    area += (end - start) as usize;
                }
            }
        }
        area
    }

    /// Brings the crossings into the order of their rows.
    fn sort(&mut self, rows: usize) {
        for row in 0..rows {
            self.starts[row + 1] += self.starts[row];
        }
        self.columns.clear();
        self.columns.resize(self.crossings.len(), 0.0);
        // From the end, so that each start serves as the place of its row's next crossing and ends as the start.
        let mut places = self.starts.clone();
        for &(row, column) in &self.crossings {
            let place = &mut places[row as usize];
            self.columns[*place as usize] = column;
            *place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rays::directions;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_small_star_holds_its_center_and_a_large_one_the_image() {
        let mut scanner = Scanner::default();
        assert_eq!(scanner.fill([3, 2], &[0.5; RAYS], &directions(), [9, 9]), 1);
        assert_eq!(scanner.spans, [Span { y: 2, start: 3, end: 4 }]);
        assert_eq!(scanner.fill([3, 2], &[100.0; RAYS], &directions(), [9, 7]), 63);
    }

    proptest! {
        #[test]
        fn spans_are_the_pixels_whose_centers_lie_inside(
            distances in proptest::collection::vec(0.5f32..9.0, RAYS), x in 0usize..20, y in 0usize..15
        ) {
            let distances: [f32; RAYS] = distances.try_into().unwrap();
            let mut scanner = Scanner::default();
            let area = scanner.fill([x, y], &distances, &directions(), [20, 15]);
            let mut filled = [[false; 20]; 15];
            for span in &scanner.spans {
                filled[span.y as usize][span.start as usize..span.end as usize].fill(true);
            }
            prop_assert_eq!(filled.iter().flatten().filter(|inside| **inside).count(), area);
            for (row, line) in filled.iter().enumerate() {
                for (column, &inside) in line.iter().enumerate() {
                    // Inside the triangle of the centre and the two corners between which the pixel lies.
                    let (dx, dy) = (column as f64 - x as f64, row as f64 - y as f64);
                    let radius = dx.hypot(dy);
                    if radius < 0.4 {
                        prop_assert!(inside);
                        continue;
                    }
                    let turn = dy.atan2(dx).rem_euclid(std::f64::consts::TAU) / std::f64::consts::TAU * RAYS as f64;
                    let ray = turn as usize % RAYS;
                    let corner = |ray: usize| {
                        let ray = ray % RAYS;
                        directions()[ray].map(|step| f64::from(step) * f64::from(distances[ray]))
                    };
                    let ([ax, ay], [bx, by]) = (corner(ray), corner(ray + 1));
                    let side = (bx - ax) * (dy - ay) - (by - ay) * (dx - ax);
                    if side.abs() > 1e-3 {
                        prop_assert_eq!(inside, side > 0.0, "({}, {}) from ({}, {})", column, row, x, y);
                    }
                }
            }
        }
    }
}
