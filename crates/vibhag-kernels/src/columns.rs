//! Planes as terms of outer products: eight channels at a time, transposed so that the channels of a pixel lie together.

use crate::gram;
use crate::lane::{Lane, lanes};
use crate::outer::{Sums, Terms};
use crate::product::PANEL;
use crate::simd::Shared;

/// Planes `[n, channels, pixels]`. As tiles, the pixels of every image are filled up to a multiple of eight.
#[derive(Clone, Copy)]
pub(crate) struct Planes<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) n: usize,
    pub(crate) channels: usize,
    pub(crate) pixels: usize,
}

impl Planes<'_> {
    pub(crate) fn tiles(&self) -> usize {
        self.n * self.pixels.next_multiple_of(8)
    }

    /// Image and first pixel of tiles `t..t + 8`; `None` past the last image.
    #[inline(always)]
    pub(crate) fn place(&self, t: usize) -> Option<[usize; 2]> {
        let per_image = self.pixels.next_multiple_of(8);
        let place = [t / per_image, t % per_image];
        (place[0] < self.n).then_some(place)
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn columns_body<L: Lane>(planes: Planes<'_>, c: usize, [t0, count]: [usize; 2], width: usize, out: Shared<'_>) {
    for at in (0..count).step_by(8) {
        let mut group = [L::zero(); 8];
        if let Some([n, first]) = planes.place(t0 + at) {
            for l in 0..8.min(planes.channels.saturating_sub(c)) {
                let plane = &planes.values[(n * planes.channels + c + l) * planes.pixels..][..planes.pixels];
                group[l] = if let Some(chunk) = plane[first..].first_chunk() {
                    L::load(chunk)
                } else {
                    let mut chunk = [0.0; 8];
                    let rest = &plane[first..];
                    chunk[..rest.len()].copy_from_slice(rest);
                    L::load(&chunk)
                };
            }
        }
        let rows = L::transpose(group);
        for r in 0..8 {
            let start = (c / width * count + at + r) * width + c % width;
            // SAFETY: the region check holds for the caller's `out`; these columns are the caller's own.
            unsafe { rows[r].store(&mut *out.region(start, start + 8).cast::<[f32; 8]>()) };
        }
    }
}

lanes! {
    /// Writes eight channels from `c` on at `count` pixels from `t0` on into `[channels / width][count][width]`; zeros
    /// past the last channel and pixel.
    ///
    /// # Safety
    /// No other live reference may overlap the columns of these channels in `out`.
    fn write(planes: Planes<'_>, c: usize, tiles: [usize; 2], width: usize, out: Shared<'_>) = columns_body
}

#[allow(unsafe_code)]
impl Planes<'_> {
    /// Panels of eight channels.
    ///
    /// # Safety
    /// As for [`write`].
    pub(crate) unsafe fn rows(&self, c: usize, tiles: [usize; 2], out: Shared<'_>) {
        // SAFETY: passed on.
        unsafe { write(*self, c, tiles, gram::ROWS, out) };
    }

    /// Panels of sixteen channels.
    ///
    /// # Safety
    /// As for [`write`].
    pub(crate) unsafe fn columns(&self, c: usize, tiles: [usize; 2], out: Shared<'_>) {
        // SAFETY: passed on.
        unsafe { write(*self, c, tiles, PANEL, out) };
    }
}

/// Copies sums of one point to weights `[rows, stride]`.
///
/// # Safety
/// No other live reference may overlap these weights in `dw`.
#[allow(unsafe_code)]
pub(crate) unsafe fn copy_sums(sums: Sums<'_>, rows: [usize; 2], columns: [usize; 2], stride: usize, dw: Shared<'_>) {
    for r in 0..rows[1] {
        // SAFETY: passed on.
        let out = unsafe { dw.part((rows[0] + r) * stride + columns[0], columns[1]) };
        out.copy_from_slice(&sums.values[r * sums.stride..][..columns[1]]);
    }
}

/// The products of two sets of planes, pixel by pixel.
pub(crate) struct Pixels<'a> {
    pub(crate) gradient: Planes<'a>,
    pub(crate) input: Planes<'a>,
}

#[allow(unsafe_code)]
impl Terms for Pixels<'_> {
    fn channels(&self) -> [usize; 2] {
        [self.gradient.channels, self.input.channels]
    }

    fn points(&self) -> usize {
        1
    }

    fn tiles(&self) -> usize {
        self.input.tiles()
    }

    unsafe fn gradient(&self, c: usize, t0: usize, count: usize, out: Shared<'_>) {
        // SAFETY: passed on.
        unsafe { self.gradient.rows(c, [t0, count], out) };
    }

    unsafe fn input(&self, c: usize, t0: usize, count: usize, out: Shared<'_>) {
        // SAFETY: passed on.
        unsafe { self.input.columns(c, [t0, count], out) };
    }

    unsafe fn finish(&self, sums: Sums<'_>, rows: [usize; 2], columns: [usize; 2], dw: Shared<'_>) {
        // SAFETY: passed on.
        unsafe { copy_sums(sums, rows, columns, self.input.channels, dw) };
    }
}
