//! Smooth random displacement fields for elastic deformation.
//!
//! Control vectors on a coarse grid, interpolated by uniform cubic B-splines: the look of a
//! Gaussian-filtered field (Simard et al., "Best practices for convolutional neural networks",
//! ICDAR 2003) at a cost that does not grow with its smoothness.

/// A displacement for every pixel of a destination, in pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Displacement {
    columns: usize,
    rows: usize,
    spacing: f32,
    /// Row-major control vectors `[dx, dy]`.
    control: Vec<[f32; 2]>,
}

/// Standard deviation of a 2-D cubic B-spline whose control values have deviation 1: the mean
/// of the squared weights is 151/315 per axis.
const SPLINE_DEVIATION: f32 = 151.0 / 315.0;

impl Displacement {
    /// A field over `width` x `height` pixels with control points every `spacing` pixels (at
    /// least one) and vectors of about `magnitude` pixels standard deviation per axis. `normal`
    /// gives standard normal numbers.
    pub fn random(width: usize, height: usize, spacing: f32, magnitude: f32, mut normal: impl FnMut() -> f32) -> Self {
        let spacing = spacing.max(1.0);
        let points = |side: usize| (side as f32 / spacing) as usize + 4;
        let (columns, rows) = (points(width), points(height));
        let scale = magnitude / SPLINE_DEVIATION;
        let control = (0..columns * rows).map(|_| [normal() * scale, normal() * scale]).collect();
        Self { columns, rows, spacing, control }
    }

    /// What [`Self::row`] needs for rows of `width` pixels.
    pub fn scratch(&self, width: usize) -> RowScratch {
        let taps = (0..width).map(|column| spline(column as f32 / self.spacing, self.columns)).collect();
        RowScratch { taps, line: vec![[0.0; 2]; self.columns] }
    }

    /// Writes the displacements `[dx, dy]` of destination row `row` into `out`, one per column.
    pub fn row(&self, row: usize, scratch: &mut RowScratch, out: &mut [[f32; 2]]) {
        let (first, weights) = spline(row as f32 / self.spacing, self.rows);
        let RowScratch { taps, line } = scratch;
        line.fill([0.0; 2]);
        for (offset, weight) in weights.into_iter().enumerate() {
            let source = &self.control[(first + offset) * self.columns..][..self.columns];
            for (sum, vector) in line.iter_mut().zip(source) {
                sum[0] += weight * vector[0];
                sum[1] += weight * vector[1];
            }
        }
        for (vector, &(first, weights)) in out.iter_mut().zip(taps.iter()) {
            let control = &line[first..first + 4];
            let along = |axis: usize| (0..4).map(|tap| weights[tap] * control[tap][axis]).sum();
            *vector = [along(0), along(1)];
        }
    }
}

/// Weights of the columns and one row of control vectors, reused between rows.
#[derive(Debug, Clone)]
pub struct RowScratch {
    taps: Vec<(usize, [f32; 4])>,
    line: Vec<[f32; 2]>,
}

/// First control point and the four weights at `position` (in grid steps).
fn spline(position: f32, points: usize) -> (usize, [f32; 4]) {
    let first = (position as usize).min(points - 4);
    let t = position - first as f32;
    let u = 1.0 - t;
    let (t2, t3) = (t * t, t * t * t);
    let weights = [u * u * u, 3.0 * t3 - 6.0 * t2 + 4.0, -3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0, t3];
    (first, weights.map(|weight| weight / 6.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::{Purpose, Rng};

    #[test]
    fn the_field_is_smooth_and_of_the_asked_magnitude() {
        let mut rng = Rng::new(3, 0, 0, Purpose::Geometry);
        let field = Displacement::random(400, 300, 10.0, 2.0, || rng.normal());
        let mut row = vec![[0.0; 2]; 400];
        let mut scratch = field.scratch(400);
        let (mut squares, mut jump) = (0.0f64, 0.0f32);
        for y in 0..300 {
            field.row(y, &mut scratch, &mut row);
            squares += row.iter().map(|v| f64::from(v[0]).powi(2)).sum::<f64>();
            jump = row.windows(2).fold(jump, |most, pair| most.max((pair[1][0] - pair[0][0]).abs()));
        }
        let deviation = (squares / 120_000.0).sqrt();
        assert!((deviation - 2.0).abs() < 0.2, "deviation {deviation}");
        assert!(jump < 1.5, "neighbours differ by {jump}");
    }

    #[test]
    fn weights_sum_to_one() {
        for position in [0.0, 0.3, 1.99, 5.5, 7.0] {
            let (_, weights) = spline(position, 11);
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }
}
