//! Gradient of the weights: `sum over tiles of (A dy A^T) x (B^T x B)` for every point, then back through the kernels'
//! transform.

use super::grid::{Grid, Layout};
use super::kernels::kernel_gradients;
use super::tiles::{gradient_columns, input_columns};
use crate::gram;
use crate::outer::{self, Sums, Terms};
use crate::product::PANEL;
use crate::simd::Shared;

struct Tiles<'a> {
    grid: &'a Grid,
    x: &'a [f32],
    dy: &'a [f32],
    /// Output and input channels.
    channels: [usize; 2],
}

#[allow(unsafe_code)]
impl Terms for Tiles<'_> {
    fn channels(&self) -> [usize; 2] {
        self.channels
    }

    fn points(&self) -> usize {
        self.grid.tile.points()
    }

    fn tiles(&self) -> usize {
        self.grid.tiles()
    }

    unsafe fn gradient(&self, c: usize, t0: usize, count: usize, out: Shared<'_>) {
        let layout = Layout::columns([self.channels[0], count], gram::ROWS);
        // SAFETY: passed on.
        unsafe { gradient_columns(self.grid.tile, self.grid, self.dy, c, t0, &layout, out) };
    }

    unsafe fn input(&self, c: usize, t0: usize, count: usize, out: Shared<'_>) {
        let layout = Layout::columns([self.channels[1], count], PANEL);
        // SAFETY: passed on.
        unsafe { input_columns(self.grid.tile, self.grid, self.x, c, t0, &layout, out) };
    }

    unsafe fn finish(&self, sums: Sums<'_>, rows: [usize; 2], columns: [usize; 2], dw: Shared<'_>) {
        let stride = 9 * self.channels[1];
        let place = [rows[0] * stride + 9 * columns[0], stride];
        // SAFETY: passed on.
        unsafe { kernel_gradients(self.grid.tile, sums, [rows[1], columns[1]], dw, place) };
    }
}

/// Gradient `[k, c, 3, 3]` of the weights, from inputs with `c` channels and output gradients with `k`.
pub(super) fn backward(grid: &Grid, channels: [usize; 2], x: &[f32], dy: &[f32], dw: &mut [f32]) {
    outer::weights(&Tiles { grid, x, dy, channels }, dw);
}
