//! Planes kept at a fraction of the image's size, and read back at the full one.

use rayon::prelude::*;

use crate::resample::{Tap, bilinear_taps};

/// Values at one point for every block of `step` x `step` pixels; blocks at the right and lower border may be cut.
pub(super) struct Grid<const N: usize> {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) step: usize,
    pub(super) values: Vec<[f32; N]>,
}

impl<const N: usize> Grid<N> {
    /// The size of the grid over `width` x `height` pixels.
    pub(super) fn size((width, height): (usize, usize), step: usize) -> (usize, usize) {
        (width.div_ceil(step), height.div_ceil(step))
    }

    /// The mean of each block; `read(y, row)` fills one row of pixels. A block is at most as large as the longer side.
    pub(super) fn shrink(size: (usize, usize), step: usize, read: impl Fn(usize, &mut [[f32; N]]) + Sync) -> Self {
        let step = step.clamp(1, size.0.max(size.1).max(1));
        let (width, height) = Self::size(size, step);
        let mut values = vec![[0.0; N]; width * height];
        if values.is_empty() {
            return Self { width, height, step, values };
        }
        values.par_chunks_exact_mut(width).enumerate().for_each(|(block, sums)| {
            let mut row = vec![[0.0; N]; size.0];
            let lines = block * step..((block + 1) * step).min(size.1);
            for y in lines.clone() {
                read(y, &mut row);
                for (sum, pixels) in sums.iter_mut().zip(row.chunks(step)) {
                    for pixel in pixels {
                        sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
                    }
                }
            }
            for (sum, pixels) in sums.iter_mut().zip(row.chunks(step)) {
                let count = (lines.len() * pixels.len()) as f32;
                *sum = sum.map(|sum| sum / count);
            }
        });
        Self { width, height, step, values }
    }

    /// Reads rows of `width` pixels back, bilinearly between the centres of blocks.
    pub(super) fn enlarged(&self, (width, height): (usize, usize)) -> Enlarged<'_, N> {
        // Taps over whole blocks, so that a cut block does not shift the others.
        let taps = |blocks: usize, pixels: usize| {
            let mut taps = bilinear_taps(blocks, blocks * self.step);
            taps.truncate(pixels);
            taps
        };
        Enlarged { grid: self, columns: taps(self.width, width), rows: taps(self.height, height) }
    }
}

/// A [`Grid`] seen at the size of its image.
pub(super) struct Enlarged<'a, const N: usize> {
    grid: &'a Grid<N>,
    columns: Vec<Tap>,
    rows: Vec<Tap>,
}

impl<const N: usize> Enlarged<'_, N> {
    /// Fills row `y`.
    pub(super) fn row(&self, y: usize, out: &mut [[f32; N]]) {
        let (grid, tap) = (self.grid, self.rows[y]);
        let upper = &grid.values[tap.low * grid.width..][..grid.width];
        let lower = &grid.values[tap.high * grid.width..][..grid.width];
        if grid.step == 1 {
            out.copy_from_slice(upper);
            return;
        }
        for (pixel, column) in out.iter_mut().zip(&self.columns) {
            for (n, value) in pixel.iter_mut().enumerate() {
                let mix =
                    |row: &[[f32; N]]| row[column.low][n] + column.weight * (row[column.high][n] - row[column.low][n]);
                let (above, below) = (mix(upper), mix(lower));
                *value = above + tap.weight * (below - above);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_survives_being_shrunk_and_enlarged() {
        let (width, height) = (23, 17);
        let ramp = |y: usize, row: &mut [[f32; 2]]| {
            row.iter_mut().enumerate().for_each(|(x, pixel)| *pixel = [x as f32, y as f32]);
        };
        for step in [1, 2, 4] {
            let grid = Grid::shrink((width, height), step, ramp);
            assert_eq!((grid.width, grid.height), (width.div_ceil(step), height.div_ceil(step)));
            let enlarged = grid.enlarged((width, height));
            let mut row = vec![[0.0; 2]; width];
            for y in step..height - 2 * step {
                enlarged.row(y, &mut row);
                for (x, pixel) in row.iter().enumerate().take(width - 2 * step).skip(step) {
                    assert!(
                        (pixel[0] - x as f32).abs() < 1e-4 && (pixel[1] - y as f32).abs() < 1e-4,
                        "{x} {y} {pixel:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn cut_blocks_hold_the_mean_of_what_they_cover() {
        let read = |y: usize, row: &mut [[f32; 1]]| {
            row.iter_mut().enumerate().for_each(|(x, pixel)| *pixel = [(10 * y + x) as f32]);
        };
        let grid = Grid::shrink((3, 3), 2, read);
        assert_eq!(grid.values, [[5.5], [7.0], [20.5], [22.0]]);
    }
}
