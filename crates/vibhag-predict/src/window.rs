//! Sliding windows over an image at its own resolution or magnified, blended by Gaussian weights
//! (Isensee et al., nnU-Net, Nature Methods 2021).
//!
//! Rows of windows are accumulated in a band as high as one window. A row of pixels is final as
//! soon as no later window reaches it, and then leaves the band: memory does not grow with the
//! image's height.

use rayon::prelude::*;
use vibhag_core::{Image, Preprocessing, Result};

use crate::input::{append_region, with_channels};
use crate::runner::Probabilities;
use crate::sink::Sink;
use crate::zoom::{Zoom, add_shrunk, append_magnified};

/// Width of the Gaussian against the window's side, as in nnU-Net.
const SIGMA: f32 = 1.0 / 8.0;

/// How windows are laid and run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiling {
    /// Share by which neighbours overlap, 0..=0.9.
    pub(crate) overlap: f32,
    /// Windows per run of the network.
    pub(crate) batch: usize,
    /// The plane from which on all are lengths in the network's pixels.
    pub(crate) first_length: usize,
}

/// Predicts window by window into `sink`. An image smaller than a window is padded around by
/// reflection. `progress` is told the share that is done, after every run of the network.
pub(crate) fn predict(
    image: &Image,
    preprocessing: &Preprocessing,
    tiling: Tiling,
    model: &impl Probabilities,
    sink: &mut Sink,
    progress: &mut dyn FnMut(f64),
) -> Result<()> {
    let (height, width) = preprocessing.geometry.size();
    let image = with_channels(image, preprocessing.channels)?;
    let zooms = [image.height(), image.width()].map(|side| Zoom::new(side, preprocessing.scale));
    let rows = Axis::new(zooms[0].magnified, height, tiling.overlap);
    let columns = Axis::new(zooms[1].magnified, width, tiling.overlap);
    let mut band = Band::new(model.planes(), height, columns.padded);
    let mut finished = Finished::new(&rows, &columns, zooms, model.planes(), tiling.first_length);
    let windows = (rows.starts.len() * columns.starts.len()) as f64;
    let mut done = 0;
    for (index, &top) in rows.starts.iter().enumerate() {
        for lefts in columns.starts.chunks(tiling.batch) {
            let mut input = Vec::with_capacity(lefts.len() * height * width * preprocessing.channels);
            for &left in lefts {
                let corner = (rows.image_position(top), columns.image_position(left));
                if zooms.iter().all(|zoom| zoom.is_plain()) {
                    append_region(&image, preprocessing, corner, (height, width), &mut input);
                } else {
                    append_magnified(&image, preprocessing, zooms, corner, (height, width), &mut input);
                }
            }
            let output = model.run(input, [lefts.len(), preprocessing.channels, height, width])?;
            let window_len = model.planes() * height * width;
            for (&left, window) in lefts.iter().zip(output.chunks_exact(window_len)) {
                band.add(window, left, &rows.weights, &columns.weights);
            }
            done += lefts.len();
            progress(done as f64 / windows);
        }
        // Rows that no later window reaches.
        let next = rows.starts.get(index + 1).copied().unwrap_or(rows.padded);
        finished.take(&band, top, next, sink);
        band.advance(next - top);
    }
    Ok(())
}

/// Windows along one axis.
#[derive(Debug)]
struct Axis {
    /// The image's side.
    size: usize,
    /// The side after padding to at least one window.
    padded: usize,
    /// Padding before the image.
    before: usize,
    /// First positions of the windows on the padded axis, ascending.
    starts: Vec<usize>,
    /// The Gaussian along a window, 1 at its centre.
    weights: Vec<f32>,
}

impl Axis {
    fn new(size: usize, window: usize, overlap: f32) -> Self {
        let padded = size.max(window);
        Self {
            size,
            padded,
            before: (padded - size) / 2,
            starts: starts(padded, window, overlap),
            weights: gaussian(window),
        }
    }

    fn image_position(&self, padded: usize) -> isize {
        padded as isize - self.before as isize
    }

    /// The sum of all windows' weights at each position.
    fn weight_sums(&self) -> Vec<f32> {
        let mut sums = vec![0.0; self.padded];
        for &start in &self.starts {
            for (sum, weight) in sums[start..].iter_mut().zip(&self.weights) {
                *sum += weight;
            }
        }
        sums
    }
}

/// Evenly spread starts whose distance is at most `step`; the first window begins at 0 and the
/// last ends at `size`. The layout is its own mirror image as far as whole pixels allow, so that
/// a flipped image is cut alike.
fn starts(size: usize, window: usize, overlap: f32) -> Vec<usize> {
    let last = size.saturating_sub(window);
    let gaps = last.div_ceil(step(window, overlap));
    // Rounding towards the middle keeps every distance, that across the middle too, within the step.
    let rounded_up = |index: usize| (last * index).div_ceil(gaps.max(1));
    (0..=gaps)
        .map(|index| if 2 * index <= gaps { rounded_up(index) } else { last - rounded_up(gaps - index) })
        .collect()
}

/// The longest distance between the starts of neighbours.
fn step(window: usize, overlap: f32) -> usize {
    ((window as f32 * (1.0 - overlap)) as usize).clamp(1, window)
}

fn gaussian(window: usize) -> Vec<f32> {
    let centre = (window as f32 - 1.0) / 2.0;
    let sigma = window as f32 * SIGMA;
    (0..window).map(|i| (-0.5 * ((i as f32 - centre) / sigma).powi(2)).exp()).collect()
}

/// Weighted sums of the rows that windows still reach: rows x planes x width.
struct Band {
    values: Vec<f32>,
    planes: usize,
    rows: usize,
    width: usize,
}

impl Band {
    fn new(planes: usize, rows: usize, width: usize) -> Self {
        Self { values: vec![0.0; planes * rows * width], planes, rows, width }
    }

    fn row(&self, row: usize, plane: usize) -> &[f32] {
        &self.values[(row * self.planes + plane) * self.width..][..self.width]
    }

    /// Adds a window (planes x rows x its width) whose first column is `left`.
    fn add(&mut self, window: &[f32], left: usize, row_weights: &[f32], column_weights: &[f32]) {
        for (index, source) in window.chunks_exact(column_weights.len()).enumerate() {
            let (plane, row) = (index / self.rows, index % self.rows);
            let target = &mut self.values[(row * self.planes + plane) * self.width + left..];
            let row_weight = row_weights[row];
            for ((sum, value), weight) in target.iter_mut().zip(source).zip(column_weights) {
                *sum += value * (row_weight * weight);
            }
        }
    }

    /// Drops the first `rows` rows and appends as many empty ones.
    fn advance(&mut self, rows: usize) {
        let gone = (rows * self.planes * self.width).min(self.values.len());
        self.values.copy_within(gone.., 0);
        let kept = self.values.len() - gone;
        self.values[kept..].fill(0.0);
    }
}

/// Rows of the magnified image that are final, until an image row that they belong to is whole.
struct Finished<'a> {
    rows: &'a Axis,
    columns: &'a Axis,
    row_sums: Vec<f32>,
    column_sums: Vec<f32>,
    zooms: [Zoom; 2],
    cover: Vec<(usize, Vec<f32>)>,
    planes: usize,
    first_length: usize,
    /// Rows x planes x width.
    waiting: Vec<f32>,
    /// The magnified row that is the first of those.
    first: usize,
    /// Image rows that went into the sink.
    pushed: usize,
}

impl<'a> Finished<'a> {
    fn new(rows: &'a Axis, columns: &'a Axis, zooms: [Zoom; 2], planes: usize, first_length: usize) -> Self {
        Self {
            rows,
            columns,
            row_sums: rows.weight_sums(),
            column_sums: columns.weight_sums(),
            zooms,
            cover: (0..zooms[1].own).map(|x| zooms[1].cover(x)).collect(),
            planes,
            first_length,
            waiting: Vec::new(),
            first: 0,
            pushed: 0,
        }
    }

    /// Takes the padded rows `top..next` of `band`, whose first row is `top`, and passes on what is whole.
    fn take(&mut self, band: &Band, top: usize, next: usize, sink: &mut Sink) {
        // Of these rows, those inside the image.
        let begin = top.max(self.rows.before);
        let end = next.min(self.rows.before + self.rows.size);
        let (width, planes) = (self.columns.size, self.planes);
        let kept = self.waiting.len();
        self.waiting.resize(kept + end.saturating_sub(begin) * planes * width, 0.0);
        let weights = &self.column_sums[self.columns.before..];
        self.waiting[kept..].par_chunks_mut((planes * width).max(1)).enumerate().for_each(|(row, values)| {
            let padded = begin + row;
            let scale = self.row_sums[padded].recip();
            for (plane, out) in values.chunks_exact_mut(width).enumerate() {
                let sums = &band.row(padded - top, plane)[self.columns.before..];
                for ((value, sum), weight) in out.iter_mut().zip(sums).zip(weights) {
                    *value = sum * scale / weight;
                }
            }
        });
        let known = self.first + self.waiting.len() / (planes * width).max(1);
        let whole = self.zooms[0].covered(known);
        sink.push(whole - self.pushed, |y, values| self.shrink(y, values));
        self.pushed = whole;
        let needed = if whole < self.zooms[0].own { self.zooms[0].cover(whole).0 } else { known };
        self.waiting.drain(..(needed - self.first) * planes * width);
        self.first = needed;
    }

    /// Writes the planes of image row `y`.
    fn shrink(&self, y: usize, values: &mut [f32]) {
        let (width, row_len) = (self.columns.size, self.planes * self.columns.size);
        let (top, shares) = self.zooms[0].cover(y);
        let rows = self.waiting[(top - self.first) * row_len..].chunks_exact(row_len);
        if self.zooms.iter().all(|zoom| zoom.is_plain()) {
            rows.take(1).for_each(|row| values.copy_from_slice(row));
            return;
        }
        values.fill(0.0);
        let lengths = self.zooms[1].own as f32 / self.zooms[1].magnified as f32;
        for (row, &share) in rows.zip(&shares) {
            let planes = values.chunks_exact_mut(self.zooms[1].own).zip(row.chunks_exact(width));
            for (plane, (out, row)) in planes.enumerate() {
                let unit = if plane >= self.first_length { lengths } else { 1.0 };
                add_shrunk(row, &self.cover, share * unit, out);
            }
        }
    }
}

#[cfg(test)]
mod tests;
