//! Reading the windows of eight tiles from a plane.

use super::filter::Filter;
use super::grid::Grid;
use crate::lane::Lane;

/// Columns that one load of eight tiles may touch.
pub(super) const MOST: usize = 36;

/// A plane that is read with zeros around it.
pub(super) struct Source<'a> {
    /// `[images, channels, height, width]`.
    pub(super) values: &'a [f32],
    /// How many channels there are, and which one this is.
    pub(super) channel: [usize; 2],
    pub(super) size: [usize; 2],
    /// Zero rows above and zero columns to the left.
    pub(super) before: [usize; 2],
}

impl<'a> Source<'a> {
    /// Row `y` of the padded plane of image `n`; `None` where it is all zeros.
    #[inline(always)]
    fn row(&self, n: usize, y: usize) -> Option<&'a [f32]> {
        let ([channels, c], [h, w]) = (self.channel, self.size);
        let y = y.checked_sub(self.before[0]).filter(|&y| y < h)?;
        Some(&self.values[((n * channels + c) * h + y) * w..][..w])
    }

    /// Columns from `x` on of a row, with zeros outside. Whole registers, because a call to copy a few floats takes
    /// longer than the floats.
    #[inline(always)]
    fn copy<L: Lane>(&self, row: &[f32], x: usize, out: &mut [f32]) {
        let skip = self.before[1].saturating_sub(x).min(out.len());
        let from = (x + skip).saturating_sub(self.before[1]).min(row.len());
        let count = (row.len() - from).min(out.len() - skip);
        let (from, to) = (&row[from..from + count], &mut out[skip..skip + count]);
        if count < 8 {
            for i in 0..8 {
                if let (Some(from), Some(to)) = (from.get(i), to.get_mut(i)) {
                    *to = *from;
                }
            }
            return;
        }
        for i in (0..count).step_by(8) {
            let i = i.min(count - 8);
            if let (Some(from), Some(to)) = (from[i..].first_chunk(), to[i..].first_chunk_mut()) {
                L::load(from).store(to);
            }
        }
    }
}

/// Eight windows of `ROWS x R` values, one per lane, from tile `t` on; zeros outside the plane and past the last tile.
#[inline(always)]
pub(super) fn gather<L: Lane, F: Filter<M, R>, const M: usize, const R: usize, const ROWS: usize>(
    grid: &Grid,
    source: &Source<'_>,
    t: usize,
) -> [[L; R]; ROWS] {
    let mut rows = [[L::zero(); R]; ROWS];
    if t >= grid.tiles() {
        return rows;
    }
    if grid.in_a_row(t, 8) {
        let [n, y0, x0] = grid.place(t);
        if x0 >= source.before[1] && x0 - source.before[1] + F::SPAN <= source.size[1] {
            for i in 0..ROWS {
                if let Some(row) = source.row(n, y0 + i) {
                    let line = &row[x0 - source.before[1]..][..F::SPAN];
                    rows[i] = F::split(&line[..F::SPAN - 4 * M], &line[4 * M..]);
                }
            }
            return rows;
        }
        // What lies outside the plane is the same for every row and stays zero.
        let mut line = [0.0; MOST];
        for i in 0..ROWS {
            if let Some(row) = source.row(n, y0 + i) {
                source.copy::<L>(row, x0, &mut line[..F::SPAN]);
                rows[i] = F::split(&line[..F::SPAN - 4 * M], &line[4 * M..F::SPAN]);
            }
        }
        return rows;
    }
    if grid.in_a_row(t, 4) && grid.in_a_row(t + 4, 4) {
        let places = [grid.place(t), grid.place(t + 4)];
        let mut lines = [[0.0; MOST / 2 + 2]; 2];
        for i in 0..ROWS {
            for (line, [n, y0, x0]) in lines.iter_mut().zip(places) {
                match source.row(n, y0 + i) {
                    Some(row) => source.copy::<L>(row, x0, &mut line[..F::SPAN - 4 * M]),
                    None => *line = [0.0; MOST / 2 + 2],
                }
            }
            rows[i] = F::split(&lines[0][..F::SPAN - 4 * M], &lines[1][..F::SPAN - 4 * M]);
        }
        return rows;
    }
    let mut lanes = [[[0.0f32; 8]; R]; ROWS];
    for l in 0..8.min(grid.tiles() - t) {
        let [n, y0, x0] = grid.place(t + l);
        for (i, lanes) in lanes.iter_mut().enumerate() {
            let Some(row) = source.row(n, y0 + i) else { continue };
            for j in 0..R {
                if let Some(v) = row.get((x0 + j).wrapping_sub(source.before[1])) {
                    lanes[j][l] = *v;
                }
            }
        }
    }
    for i in 0..ROWS {
        for j in 0..R {
            rows[i][j] = L::load(&lanes[i][j]);
        }
    }
    rows
}
