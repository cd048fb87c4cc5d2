//! Pixels of a convex hull, in whole numbers.

/// The outermost pixels of an object in one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) y: usize,
    pub(super) left: usize,
    pub(super) right: usize,
}

/// A point in half pixels; the centre of pixel (x, y) is at (2x, 2y).
type Point = (i64, i64);

/// Pixels whose centre lies in the convex hull of the midpoints of the pixels' edges, or on its rim.
///
/// `rows` are those in which the object has pixels, from top to bottom.
pub(super) fn pixels(rows: &[Row]) -> usize {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return 0 };
    let left = chain(rows.iter().map(|row| (row.y as i64, row.left as i64)));
    // The right side is the left side of the mirrored object.
    let right = chain(rows.iter().map(|row| (row.y as i64, -(row.right as i64))));
    let (mut left, mut right) = (Side::new(&left), Side::new(&right));
    (first.y as i64..=last.y as i64).map(|y| (1 - left.first_pixel(y) - right.first_pixel(y)).max(0) as usize).sum()
}

/// The left side of the hull from top to bottom (Andrew's monotone chain), given the leftmost pixel (y, x) of each row.
fn chain(rows: impl Iterator<Item = (i64, i64)>) -> Vec<Point> {
    let mut chain: Vec<Point> = Vec::new();
    for (y, x) in rows {
        for point in [(2 * x, 2 * y - 1), (2 * x - 1, 2 * y), (2 * x, 2 * y + 1)] {
            match chain.last() {
                Some(last) if last.1 == point.1 && last.0 <= point.0 => continue,
                Some(last) if last.1 == point.1 => drop(chain.pop()),
                _ => {}
            }
            while let [.., a, b] = chain[..]
                && is_right_of(b, a, point)
            {
                chain.pop();
            }
            chain.push(point);
        }
    }
    chain
}

/// Whether `b` lies to the right of the line from `a` down to `c`, or on it.
fn is_right_of(b: Point, a: Point, c: Point) -> bool {
    (b.0 - a.0) * (c.1 - a.1) >= (c.0 - a.0) * (b.1 - a.1)
}

/// Walks down a side of the hull.
struct Side<'a> {
    rest: &'a [Point],
}

impl<'a> Side<'a> {
    fn new(chain: &'a [Point]) -> Self {
        Self { rest: chain }
    }

    /// The first pixel of row `y` whose centre is not left of the side. Rows must be asked from top to bottom.
    fn first_pixel(&mut self, y: i64) -> i64 {
        while let [_, b, _, ..] = self.rest
            && b.1 < 2 * y
        {
            self.rest = &self.rest[1..];
        }
        let [a, b, ..] = self.rest else { return 0 };
        let (numerator, denominator) = ((b.0 - a.0) * (2 * y - a.1) + a.0 * (b.1 - a.1), 2 * (b.1 - a.1));
        -(-numerator).div_euclid(denominator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pixel_and_a_line_are_their_own_hull() {
        assert_eq!(pixels(&[Row { y: 3, left: 4, right: 4 }]), 1);
        assert_eq!(pixels(&[Row { y: 0, left: 2, right: 9 }]), 8);
        let diagonal: Vec<Row> = (0..7).map(|i| Row { y: i, left: i, right: i }).collect();
        assert_eq!(pixels(&diagonal), 7);
    }

    #[test]
    fn rows_between_parts_are_filled() {
        assert_eq!(pixels(&[Row { y: 0, left: 0, right: 2 }, Row { y: 9, left: 0, right: 2 }]), 30);
        assert_eq!(pixels(&[]), 0);
    }

    /// Whether (x, y) is in the hull of `points`: no line through two of them has all of them on one side and (x, y)
    /// strictly on the other.
    fn within(points: &[Point], p: Point) -> bool {
        let side = |a: Point, b: Point, c: Point| (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0);
        points.iter().all(|&a| {
            points.iter().filter(|&&b| b != a).all(|&b| side(a, b, p) >= 0 || points.iter().any(|&c| side(a, b, c) < 0))
        })
    }

    proptest! {
        #[test]
        fn the_count_is_that_of_the_definition(
            rows in proptest::collection::vec(proptest::option::of((0usize..9, 0usize..9)), 1..7)
        ) {
            let rows: Vec<Row> = rows
                .iter()
                .enumerate()
                .filter_map(|(y, ends)| ends.map(|(a, b)| Row { y, left: a.min(b), right: a.max(b) }))
                .collect();
            let points: Vec<Point> = rows
                .iter()
                .flat_map(|row| [(row.left, row.y), (row.right, row.y)])
                .map(|(x, y)| (2 * x as i64, 2 * y as i64))
                .flat_map(|(x, y)| [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)])
                .collect();
            let expected = (0..7)
                .flat_map(|y| (0..9).map(move |x| (2 * x, 2 * y)))
                .filter(|&p| !points.is_empty() && within(&points, p))
                .count();
            prop_assert_eq!(pixels(&rows), expected);
        }
    }
}
