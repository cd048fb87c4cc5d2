//! Sliding windows over an image at its own resolution, blended by Gaussian weights
//! (Isensee et al., nnU-Net, Nature Methods 2021).
//!
//! Rows of windows are accumulated in a band as high as one window. A row of pixels is final as
//! soon as no later window reaches it, and then leaves the band: memory does not grow with the
//! image's height.

use vibhag_core::{Image, Preprocessing, Result};

use crate::input::{append_region, with_channels};
use crate::runner::Probabilities;
use crate::sink::Sink;

/// Width of the Gaussian against the window's side, as in nnU-Net.
const SIGMA: f32 = 1.0 / 8.0;

/// How windows are laid and run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiling {
    /// Share by which neighbours overlap, 0..=0.9.
    pub(crate) overlap: f32,
    /// Windows per run of the network.
    pub(crate) batch: usize,
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
    let rows = Axis::new(image.height(), height, tiling.overlap);
    let columns = Axis::new(image.width(), width, tiling.overlap);
    let column_sums = columns.weight_sums();
    let row_sums = rows.weight_sums();
    let mut band = Band::new(model.planes(), height, columns.padded);
    let windows = (rows.starts.len() * columns.starts.len()) as f64;
    let mut done = 0;
    for (index, &top) in rows.starts.iter().enumerate() {
        for lefts in columns.starts.chunks(tiling.batch) {
            let mut input = Vec::with_capacity(lefts.len() * height * width * preprocessing.channels);
            for &left in lefts {
                let corner = (rows.image_position(top), columns.image_position(left));
                append_region(&image, preprocessing, corner, (height, width), &mut input);
            }
            let output = model.run(input, [lefts.len(), preprocessing.channels, height, width])?;
            let window_len = model.planes() * height * width;
            for (&left, window) in lefts.iter().zip(output.chunks_exact(window_len)) {
                band.add(window, left, &rows.weights, &columns.weights);
            }
            done += lefts.len();
            progress(done as f64 / windows);
        }
        let next = rows.starts.get(index + 1).copied().unwrap_or(rows.padded);
        // Of the rows that no later window reaches, those inside the image.
        let first = top.max(rows.before);
        let end = next.min(rows.before + rows.size);
        sink.push(end.saturating_sub(first), |y, values| {
            let padded_row = y + rows.before;
            let scale = row_sums[padded_row].recip();
            for (plane, out) in values.chunks_exact_mut(columns.size).enumerate() {
                let sums = &band.row(padded_row - top, plane)[columns.before..];
                for ((value, sum), weight) in out.iter_mut().zip(sums).zip(&column_sums[columns.before..]) {
                    *value = sum * scale / weight;
                }
            }
        });
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

#[cfg(test)]
mod tests;
