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
    /// For each row how many edges cross it, and where the first two of them do.
    crossings: Vec<(usize, [f32; 2])>,
    /// Row and place of all further crossings: few, as stars are mostly convex.
    further: Vec<(usize, f32)>,
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
        // The first row at or below each corner, in the image.
        let rows: [usize; RAYS] = std::array::from_fn(|ray| above(corners[ray][1], height));
        let (first, end) = rows.iter().fold((height, 0), |(first, end), &row| (first.min(row), end.max(row)));
        self.further.clear();
        self.crossings.clear();
        self.crossings.resize(end - first.min(end), (0, [0.0; 2]));
        for ray in 0..RAYS {
            let next = (ray + 1) % RAYS;
            let (upper, lower) = if rows[ray] < rows[next] { (ray, next) } else { (next, ray) };
            if rows[upper] == rows[lower] {
                continue;
            }
            let ([x, y], [end_x, end_y]) = (corners[upper], corners[lower]);
            let slope = (end_x - x) / (end_y - y);
            let crossed = &mut self.crossings[rows[upper] - first..rows[lower] - first];
            for (row, (count, columns)) in (rows[upper]..).zip(crossed) {
                let column = x + (row as f32 - y) * slope;
                if let Some(place) = columns.get_mut(*count) {
                    *place = column;
                } else {
                    self.further.push((row, column));
                }
                *count += 1;
            }
        }
        self.spans.clear();
        let mut area = 0;
        for (row, (count, [a, b])) in (first..).zip(&self.crossings) {
            let mut push = |left: f32, right: f32| {
                let [start, end] = [left, right].map(|column| above(column, width) as u32);
                if start < end {
                    self.spans.push(Span { y: row as u32, start, end });
                    area += (end - start) as usize;
                }
            };
            if *count > 2 {
                let further = self.further.iter().filter(|(other, _)| *other == row).map(|(_, column)| *column);
                let mut columns: Vec<f32> = [*a, *b].into_iter().chain(further).collect();
                columns.sort_unstable_by(f32::total_cmp);
                columns.chunks_exact(2).for_each(|pair| push(pair[0], pair[1]));
            } else {
                push(a.min(*b), a.max(*b));
            }
        }
        area
    }
}

/// The first whole number that is not below `value`, in `0..=side`.
fn above(value: f32, side: usize) -> usize {
    let whole = value as usize;
    (whole + usize::from(value > whole as f32)).min(side)
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
