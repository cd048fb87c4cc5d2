//! Cutting planes into 4x4 tiles and the transforms of F(4x4, 3x3) on eight tiles at a time.

use super::POINTS;
use super::lane::Lane;
use crate::epilogue::Epilogue;
use crate::simd::Shared;

/// Tiles that a product takes at once.
pub(super) const PANEL: usize = 16;

/// Where the transformed values of a block of tiles lie.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    channels: usize,
    /// Tiles of the block, a multiple of [`PANEL`].
    count: usize,
    channel: usize,
    panel: usize,
}

impl Layout {
    /// `[36][channels][tiles]`.
    pub(super) fn rows([channels, count]: [usize; 2]) -> Self {
        Self { channels, count, channel: count, panel: PANEL }
    }

    /// `[36][tiles / 16][channels][16]`.
    pub(super) fn panels([channels, count]: [usize; 2]) -> Self {
        Self { channels, count, channel: PANEL, panel: PANEL * channels }
    }

    /// Floats of one of the 36 points.
    fn point(&self) -> usize {
        self.channels * self.count
    }

    /// Where eight tiles from tile `at` (a multiple of eight) of channel `c` lie within a point.
    fn start(&self, c: usize, at: usize) -> usize {
        c * self.channel + at / PANEL * self.panel + at % PANEL
    }
}

/// The tiles of a convolution; every output tile is 4x4 and reads 6x6 inputs.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) n: usize,
    pub(super) input: [usize; 2],
    pub(super) output: [usize; 2],
    /// Zero rows above and zero columns left of the input.
    pub(super) before: [usize; 2],
}

impl Grid {
    fn rows(&self) -> usize {
        self.output[0].div_ceil(4)
    }

    fn columns(&self) -> usize {
        self.output[1].div_ceil(4)
    }

    pub(super) fn tiles(&self) -> usize {
        self.n * self.rows() * self.columns()
    }

    /// Image, first output row and first output column of a tile.
    fn place(&self, t: usize) -> [usize; 3] {
        let (rows, columns) = (self.rows(), self.columns());
        [t / (rows * columns), t / columns % rows * 4, t % columns * 4]
    }

    /// Whether tiles `t..t + 8` exist and lie side by side.
    fn in_a_row(&self, t: usize) -> bool {
        t % self.columns() + 8 <= self.columns()
    }
}

/// `B^T d` of the paper's equation for F(4, 3).
#[inline(always)]
fn input_pass<L: Lane>(d: [L; 6]) -> [L; 6] {
    let (p, q) = (d[3].sub(d[1]), d[4].sub(d[2]));
    let (a, b) = (d[2].scale_add(-4.0, d[4]), d[1].scale_add(-4.0, d[3]));
    [
        d[0].scale_add(4.0, d[2].scale_add(-5.0, d[4])),
        a.add(b),
        a.sub(b),
        p.scale_add(2.0, q),
        p.scale_add(-2.0, q),
        d[1].scale_add(4.0, d[3].scale_add(-5.0, d[5])),
    ]
}

/// `A^T m`.
#[inline(always)]
fn output_pass<L: Lane>(m: [L; 6]) -> [L; 4] {
    let (s1, d1) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (s2, d2) = (m[3].add(m[4]), m[3].sub(m[4]));
    [m[0].add(s1.add(s2)), d2.scale_add(2.0, d1), s2.scale_add(4.0, s1), d2.scale_add(8.0, d1).add(m[5])]
}

/// `A y`.
#[inline(always)]
fn gradient_pass<L: Lane>(y: [L; 4]) -> [L; 6] {
    let (e, o) = (y[0].add(y[2]), y[1].add(y[3]));
    let (e2, o2) = (y[2].scale_add(4.0, y[0]), y[3].scale_add(8.0, y[1].add(y[1])));
    [y[0], e.add(o), e.sub(o), e2.add(o2), e2.sub(o2), y[3]]
}

/// Rows of `R x C` windows, one per lane, gathered with zeros outside the plane.
#[inline(always)]
fn gather<L: Lane, const R: usize>(
    grid: &Grid,
    src: &[f32],
    [channels, c]: [usize; 2],
    [h, w]: [usize; 2],
    before: [usize; 2],
    t: usize,
) -> [[L; 6]; R] {
    let plane = |n: usize| &src[(n * channels + c) * h * w..][..h * w];
    let mut rows = [[L::zero(); 6]; R];
    if t >= grid.tiles() {
        return rows;
    }
    if grid.in_a_row(t) {
        let [n, y0, x0] = grid.place(t);
        let plane = plane(n);
        for i in 0..R {
            if y0 + i < before[0] || y0 + i - before[0] >= h {
                continue;
            }
            let y = y0 + i - before[0];
            let line = &plane[y * w..(y + 1) * w];
            if x0 >= before[1] && x0 - before[1] + 36 <= w {
                if let Some(chunk) = line[x0 - before[1]..].first_chunk::<36>() {
                    rows[i] = L::split(chunk);
                }
                continue;
            }
            let mut chunk = [0.0; 36];
            let skip = before[1].saturating_sub(x0);
            let from = (x0 + skip - before[1]).min(w);
            let count = (w - from).min(36 - skip);
            chunk[skip..skip + count].copy_from_slice(&line[from..from + count]);
            rows[i] = L::split(&chunk);
        }
        return rows;
    }
    let mut lanes = [[[0.0f32; 8]; 6]; R];
    for l in 0..8.min(grid.tiles() - t) {
        let [n, y0, x0] = grid.place(t + l);
        let plane = plane(n);
        for (i, row) in lanes.iter_mut().enumerate() {
            let Some(y) = (y0 + i).checked_sub(before[0]).filter(|&y| y < h) else { continue };
            let line = &plane[y * w..(y + 1) * w];
            for (j, lane) in row.iter_mut().enumerate() {
                if let Some(v) = (x0 + j).checked_sub(before[1]).and_then(|x| line.get(x)) {
                    lane[l] = *v;
                }
            }
        }
    }
    for i in 0..R {
        for j in 0..6 {
            rows[i][j] = L::load(&lanes[i][j]);
        }
    }
    rows
}

/// Writes 6x6 transformed values of eight tiles.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn scatter<L: Lane>(values: &[[L; 6]; 6], out: Shared<'_>, layout: &Layout, c: usize, at: usize) {
    let size = layout.point();
    assert!(
        out.len() >= POINTS * size && c < layout.channels && at + 8 <= layout.count,
        "transformed tiles do not fit"
    );
    let first = layout.start(c, at);
    for i in 0..6 {
        for j in 0..6 {
            let start = (i * 6 + j) * size + first;
            // SAFETY: `first + 8 <= size` in both layouts by the assertion, so the region check holds; the rows of channel `c` are the caller's
            // own by the contract of the callers.
            unsafe { values[i][j].store(&mut *out.region(start, start + 8).cast::<[f32; 8]>()) };
        }
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn input_body<L: Lane>(grid: &Grid, x: &[f32], c: usize, t0: usize, layout: &Layout, v: Shared<'_>) {
    let of = [layout.channels, c];
    for at in (0..layout.count).step_by(8) {
        let d: [[L; 6]; 6] = gather(grid, x, of, grid.input, grid.before, t0 + at);
        let mut half = d;
        for i in 0..6 {
            half[i] = input_pass(d[i]);
        }
        let mut values = [[L::zero(); 6]; 6];
        for j in 0..6 {
            let column = input_pass([half[0][j], half[1][j], half[2][j], half[3][j], half[4][j], half[5][j]]);
            for i in 0..6 {
                values[i][j] = column[i];
            }
        }
        // SAFETY: passed on.
        unsafe { scatter(&values, v, layout, c, at) };
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn gradient_body<L: Lane>(grid: &Grid, dy: &[f32], c: usize, t0: usize, layout: &Layout, m: Shared<'_>) {
    let of = [layout.channels, c];
    for at in (0..layout.count).step_by(8) {
        let d: [[L; 6]; 4] = gather(grid, dy, of, grid.output, [0, 0], t0 + at);
        let mut half = d;
        for i in 0..4 {
            half[i] = gradient_pass([d[i][0], d[i][1], d[i][2], d[i][3]]);
        }
        let mut values = [[L::zero(); 6]; 6];
        for j in 0..6 {
            let column = gradient_pass([half[0][j], half[1][j], half[2][j], half[3][j]]);
            for i in 0..6 {
                values[i][j] = column[i];
            }
        }
        // SAFETY: passed on.
        unsafe { scatter(&values, m, layout, c, at) };
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn output_body<L: Lane>(
    grid: &Grid,
    m: &[f32],
    c: usize,
    t0: usize,
    layout: &Layout,
    epilogue: &Epilogue<'_>,
    y: Shared<'_>,
) {
    let [h, w] = grid.output;
    let (channels, size) = (layout.channels, layout.point());
    assert!(m.len() >= POINTS * size && c < channels, "transformed outputs missing");
    let (low, high) = (L::splat(epilogue.low), L::splat(epilogue.high));
    let bias = L::splat(epilogue.bias_of(c));
    // With a residual the bounds apply after it was added.
    let bounded = epilogue.residual.is_none();
    for at in (0..layout.count.min(grid.tiles() - t0)).step_by(8) {
        let first = layout.start(c, at);
        let mut half = [[L::zero(); 6]; 4];
        for j in 0..6 {
            let mut column = [L::zero(); 6];
            for i in 0..6 {
                if let Some(chunk) = m[(i * 6 + j) * size + first..].first_chunk::<8>() {
                    column[i] = L::load(chunk);
                }
            }
            let column = output_pass(column);
            for i in 0..4 {
                half[i][j] = column[i];
            }
        }
        let mut tile = [[L::zero(); 4]; 4];
        for i in 0..4 {
            tile[i] = output_pass(half[i]);
            for j in 0..4 {
                tile[i][j] = tile[i][j].add(bias);
                if bounded {
                    tile[i][j] = tile[i][j].clamp(low, high);
                }
            }
        }
        let t = t0 + at;
        if grid.in_a_row(t) {
            let [n, y0, x0] = grid.place(t);
            for i in 0..4.min(h - y0) {
                let start = ((n * channels + c) * h + y0 + i) * w + x0;
                // SAFETY: these tiles of channel `c` are the caller's own.
                let line = unsafe { y.part(start, 32.min(w - x0)) };
                if let Some(chunk) = line.first_chunk_mut() {
                    L::join(tile[i], chunk);
                } else {
                    let mut chunk = [0.0; 32];
                    L::join(tile[i], &mut chunk);
                    line.copy_from_slice(&chunk[..line.len()]);
                }
                epilogue.add_residual(start, line);
            }
            continue;
        }
        for i in 0..4 {
            let mut chunk = [0.0; 32];
            L::join(tile[i], &mut chunk);
            for (l, values) in chunk.chunks_exact(4).enumerate().take(grid.tiles() - t) {
                let [n, y0, x0] = grid.place(t + l);
                if y0 + i < h {
                    let start = ((n * channels + c) * h + y0 + i) * w + x0;
                    // SAFETY: these tiles of channel `c` are the caller's own.
                    let line = unsafe { y.part(start, 4.min(w - x0)) };
                    line.copy_from_slice(&values[..line.len()]);
                    epilogue.add_residual(start, line);
                }
            }
        }
    }
}

/// A transform for the running CPU.
macro_rules! transform {
    ($(#[$meta:meta])* $name:ident, $body:ident, ($($arg:ident : $ty:ty),*)) => {
        $(#[$meta])*
        #[allow(unsafe_code)]
        pub(super) unsafe fn $name($($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                unsafe fn wide($($arg: $ty),*) {
                    // SAFETY: passed on.
                    unsafe { $body::<super::lane::Avx2>($($arg),*) }
                }
                if crate::simd::has_avx2() {
                    // SAFETY: the features were just detected; the rest is passed on.
                    return unsafe { wide($($arg),*) };
                }
            }
            // SAFETY: passed on.
            unsafe { $body::<[f32; 8]>($($arg),*) }
        }
    };
}

transform! {
    /// `B^T d B` of channel `c` for the layout's tiles from tile `t0` on; tiles past the last one become zero.
    ///
    /// # Safety
    /// No other live reference may overlap the rows of channel `c` in `v`.
    input_tiles, input_body, (grid: &Grid, x: &[f32], c: usize, t0: usize, layout: &Layout, v: Shared<'_>)
}

transform! {
    /// `A dy A^T`, otherwise as [`input_tiles`].
    ///
    /// # Safety
    /// No other live reference may overlap the rows of channel `c` in `m`.
    gradient_tiles, gradient_body, (grid: &Grid, dy: &[f32], c: usize, t0: usize, layout: &Layout, m: Shared<'_>)
}

transform! {
    /// `A^T m A` with the epilogue, into the planes.
    ///
    /// # Safety
    /// No other live reference may overlap these tiles of channel `c` in the output.
    output_tiles, output_body, (
        grid: &Grid, m: &[f32], c: usize, t0: usize, layout: &Layout, epilogue: &Epilogue<'_>, y: Shared<'_>
    )
}
