//! A part of the mask that several skeletons meet: square by square, as long as a square has more than one candidate.

use std::ops::Range;

use super::body::Body;

/// Squares of this side are decided pixel by pixel.
const SMALL: usize = 8;
/// Slack of the bounds, far above the rounding of distances and far below a difference that anybody could see.
const SLACK: f64 = 1e-9;

/// A part of a mask and the people who share it.
pub(super) struct Contest<'a> {
    /// The part of each pixel, row-major over `width` columns.
    pub(super) labels: &'a [u32],
    /// Width of the mask in pixels.
    pub(super) width: usize,
    /// The number of the part.
    pub(super) part: u32,
    /// Everybody.
    pub(super) bodies: &'a [Body],
    /// Takes the number of the person, from 1, of each pixel of the part.
    pub(super) ids: &'a mut [u32],
}

impl Contest<'_> {
    /// Gives each pixel of the part within the box to the nearest of `rivals` (rising), of equal ones to the first.
    ///
    /// No distance changes by more than one moves. Within a square, whoever is farther from its middle than the nearest
    /// one by more than twice the way to its corner, is nowhere in it the nearest.
    pub(super) fn settle(&mut self, columns: Range<usize>, rows: Range<usize>, rivals: &[usize]) {
        if columns.is_empty() || rows.is_empty() {
            return;
        }
        let middle = |range: &Range<usize>| (range.start + range.end - 1) as f64 / 2.0;
        let (x, y) = (middle(&columns), middle(&rows));
        let corner = (x - columns.start as f64).hypot(y - rows.start as f64);
        let bounds = rivals.iter().map(|&rival| {
            let body = &self.bodies[rival];
            let (distance, turn) = (body.distance(x, y), corner / body.size);
            (rival, distance - turn, distance + turn)
        });
        let bounds: Vec<(usize, f64, f64)> = bounds.collect();
        let surely = bounds.iter().fold(f64::INFINITY, |least, (.., most)| least.min(*most));
        let possible =
            |(rival, least, _): &(usize, f64, f64)| (*least <= surely * (1.0 + SLACK) + SLACK).then_some(*rival);
        let rivals: Vec<usize> = bounds.iter().filter_map(possible).collect();
        if let [only] = rivals[..] {
            self.fill(columns, rows, |_, _| only);
        } else if columns.len().max(rows.len()) <= SMALL {
            let bodies = self.bodies;
            self.fill(columns, rows, |x, y| nearest(bodies, &rivals, x as f64, y as f64));
        } else {
            let halves = |range: Range<usize>| {
                let middle = if range.len() > SMALL { range.start.midpoint(range.end) } else { range.end };
                [range.start..middle, middle..range.end]
            };
            for rows in halves(rows) {
                for columns in halves(columns.clone()) {
                    self.settle(columns, rows.clone(), &rivals);
                }
            }
        }
    }

    fn fill(&mut self, columns: Range<usize>, rows: Range<usize>, person: impl Fn(usize, usize) -> usize) {
        for y in rows {
            for x in columns.clone() {
                let index = y * self.width + x;
                if self.labels[index] == self.part {
                    self.ids[index] = person(x, y) as u32 + 1;
                }
            }
        }
    }
}

/// The nearest of `rivals`, of equal ones the first; 0 without any.
fn nearest(bodies: &[Body], rivals: &[usize], x: f64, y: f64) -> usize {
    let mut least = (f64::INFINITY, rivals.first().copied().unwrap_or_default());
    for &rival in rivals {
        let distance = bodies[rival].distance(x, y);
        if distance < least.0 {
            least = (distance, rival);
        }
    }
    least.1
}
