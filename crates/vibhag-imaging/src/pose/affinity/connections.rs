//! Which two keypoints a limb joins: the line integral of its field, and greedy matching.

use vibhag_core::AffinityDecoding;

use super::peaks::Peak;
use crate::pose::Grid;

/// A part affinity field.
#[derive(Debug, Clone, Copy)]
pub(in crate::pose) struct Field<'a> {
    /// To the right.
    pub(in crate::pose) x: &'a [f32],
    /// Down.
    pub(in crate::pose) y: &'a [f32],
    pub(in crate::pose) grid: &'a Grid,
}

/// Two keypoints that a limb joins, by their places among the peaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Connection {
    pub(super) limb: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    /// The mean of the field along the line.
    pub(super) score: f32,
    /// What connections are ordered by: the score and a tenth of the keypoints'.
    pub(super) rank: f32,
}

impl Connection {
    /// The best first; of equal ones any fixed order.
    pub(super) fn order(a: &Self, b: &Self) -> std::cmp::Ordering {
        b.rank.total_cmp(&a.rank).then((a.limb, a.from, a.to).cmp(&(b.limb, b.from, b.to)))
    }
}

/// The connections of one limb: each keypoint has at most one, better ones come first.
pub(super) fn connect(
    limb: usize,
    field: &Field<'_>,
    from: &[Peak],
    to: &[Peak],
    parameters: &AffinityDecoding,
) -> Vec<Connection> {
    let mut candidates = Vec::new();
    for (a, start) in from.iter().enumerate() {
        for (b, end) in to.iter().enumerate() {
            if let Some(score) = line_score(field, *start, *end, parameters) {
                let rank = score + 0.1 * (start.score + end.score);
                candidates.push(Connection { limb, from: a, to: b, score, rank });
            }
        }
    }
    candidates.sort_by(Connection::order);
    let (mut started, mut ended) = (vec![false; from.len()], vec![false; to.len()]);
    candidates.retain(|connection| {
        let free = !started[connection.from] && !ended[connection.to];
        if free {
            started[connection.from] = true;
            ended[connection.to] = true;
        }
        free
    });
    candidates
}

/// How well the field agrees with a limb from `a` to `b`; `None` if it does not.
fn line_score(field: &Field<'_>, a: Peak, b: Peak, parameters: &AffinityDecoding) -> Option<f32> {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length = dx.hypot(dy);
    if length <= 1e-6 {
        return None;
    }
    let (unit_x, unit_y) = (dx / length, dy / length);
    let stride = field.grid.stride as f32;
    let wanted = (5.0 * stride * dx.abs().max(dy.abs())).sqrt().round() as usize;
    let samples = wanted.clamp(parameters.min_samples, parameters.max_samples);
    let (mut counted, mut sum) = (samples, 0.0);
    let enough = |counted: usize| counted as f32 / samples as f32 > parameters.inter_min_above;
    for sample in 0..samples {
        let along = sample as f32 / samples as f32;
        let [x, y] = field.at(a.x + along * dx, a.y + along * dy);
        let agreement = unit_x * x + unit_y * y;
        if agreement > parameters.inter_threshold {
            sum += agreement;
        } else {
            counted -= 1;
            // Most pairs are of two people and fail at once.
            if !enough(counted) {
                let side = stride * (field.grid.cells() as f32).sqrt();
                let close = stride * length < parameters.close * side;
                return close.then_some(parameters.nms_threshold + 1e-6);
            }
        }
    }
    enough(counted).then(|| sum / counted as f32).filter(|score| score.is_finite())
}

impl Field<'_> {
    /// The mean over `samples` points from one peak to another of the field in that direction; 0 where they are one point
    /// or the field is no number.
    pub(in crate::pose) fn mean_along(&self, from: Peak, to: Peak, samples: usize) -> f32 {
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let length = dx.hypot(dy);
        if length <= 1e-6 || samples == 0 {
            return 0.0;
        }
        let sum: f32 = (0..samples)
            .map(|sample| {
                let along = (sample as f32 + 0.5) / samples as f32;
                let [x, y] = self.at(from.x + along * dx, from.y + along * dy);
                (dx * x + dy * y) / length
            })
            .sum();
        if sum.is_finite() { sum / samples as f32 } else { 0.0 }
    }

    /// The field between the four cells around a position.
    fn at(&self, x: f32, y: f32) -> [f32; 2] {
        let (width, height) = (self.grid.width, self.grid.height);
        let (x, y) = (x.clamp(0.0, (width - 1) as f32), y.clamp(0.0, (height - 1) as f32));
        let (column, row) = (x as usize, y as usize);
        let (right, below) = ((column + 1).min(width - 1), (row + 1).min(height - 1));
        let (fx, fy) = (x - column as f32, y - row as f32);
        let corners = [row * width + column, row * width + right, below * width + column, below * width + right];
        let weights = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
        let mut sums = [0.0; 2];
        for (corner, weight) in corners.into_iter().zip(weights) {
            sums[0] += weight * self.x[corner];
            sums[1] += weight * self.y[corner];
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peak(x: f32, y: f32) -> Peak {
        Peak { x, y, score: 0.5 }
    }

    fn grid(width: usize, height: usize) -> Grid {
        Grid { width, height, stride: 8.0, origin: 3.5 }
    }

    #[test]
    fn the_score_is_the_mean_of_the_samples_that_count() {
        // 0.8 to the right in the first half of the row, then nothing.
        let grid = grid(40, 1);
        let x: Vec<f32> = (0..40).map(|cell| if cell < 20 { 0.8 } else { 0.0 }).collect();
        let y = vec![0.0; 40];
        let field = Field { x: &x, y: &y, grid: &grid };
        let usual = AffinityDecoding::default();
        let score = line_score(&field, peak(2.0, 0.0), peak(18.0, 0.0), &usual).unwrap();
        assert!((score - 0.8).abs() < 1e-6);
        assert_eq!(line_score(&field, peak(18.0, 0.0), peak(2.0, 0.0), &usual), None);
        // Of the 25 samples from 0 to 38.4 thirteen lie at most at 19, all others at 20 or beyond.
        let half = AffinityDecoding { inter_min_above: 0.5, ..usual };
        let score = line_score(&field, peak(0.0, 0.0), peak(39.0, 0.0), &half).unwrap();
        assert!((score - 0.8).abs() < 1e-6);
        assert_eq!(line_score(&field, peak(0.0, 0.0), peak(39.0, 0.0), &usual), None);
        assert_eq!(line_score(&field, peak(3.0, 0.0), peak(3.0, 0.0), &usual), None);
    }

    #[test]
    fn keypoints_side_by_side_may_be_joined_without_a_field() {
        let grid = grid(100, 100);
        let zeros = vec![0.0; 10_000];
        let field = Field { x: &zeros, y: &zeros, grid: &grid };
        let usual = AffinityDecoding::default();
        // The image has 800 x 800 pixels, so that 5.3 pixels are close.
        assert_eq!(line_score(&field, peak(5.0, 5.0), peak(5.6, 5.0), &usual), Some(0.05 + 1e-6));
        assert_eq!(line_score(&field, peak(5.0, 5.0), peak(5.7, 5.0), &usual), None);
    }

    #[test]
    fn a_keypoint_is_joined_once_and_the_better_pair_wins() {
        let grid = grid(30, 1);
        let x = vec![1.0; 30];
        let y = vec![0.0; 30];
        let field = Field { x: &x, y: &y, grid: &grid };
        let from = [Peak { score: 0.2, ..peak(1.0, 0.0) }, Peak { score: 0.9, ..peak(5.0, 0.0) }];
        let found = connect(4, &field, &from, &[peak(20.0, 0.0)], &AffinityDecoding::default());
        assert_eq!(found.iter().map(|c| (c.limb, c.from, c.to)).collect::<Vec<_>>(), [(4, 1, 0)]);
    }
}
