//! Exact Euclidean distances between pixel centres, in time linear in the number of pixels.
//!
//! Distances within columns first, then the lower envelope of parabolas along each row (Meijster, Roerdink and
//! Hesselink, "A general algorithm for computing distance transforms in linear time", 2000; Felzenszwalb and
//! Huttenlocher, "Distance transforms of sampled functions", 2012), in integers. A map of many objects takes one pass
//! as well: along a row, a pixel of an object sees only the object's own columns around it and the pixels that end
//! them.

use rayon::prelude::*;

/// Pixels below which a transform stays on the calling thread.
const PARALLEL_FROM: usize = 1 << 17;
/// A distance within a column that is none; every side of an image is shorter.
const FAR: u32 = 1 << 30;

/// The squared distance from each pixel to the nearest one at which `mask` (row-major) is false; 0 where it is false.
/// Infinite everywhere if it is false nowhere. With `border_is_background`, the pixels around the image count as
/// false.
///
/// Exact up to 2^24 (a distance of 4096), rounded to `f32` above. `mask` must hold at least `width * height` values.
pub fn squared_distance(mask: &[bool], width: usize, height: usize, border_is_background: bool) -> Vec<f32> {
    let mut squares = distances(mask, false, (width, height), |square| square as f32);
    if border_is_background {
        for (index, square) in squares.iter_mut().enumerate() {
            let (x, y) = (index % width, index / width);
            let steps = (x + 1).min(width - x).min(y + 1).min(height - y) as f32;
            *square = square.min(steps * steps);
        }
    }
    squares
}

/// The distance from each pixel of an object to the nearest pixel of another id, be that 0 or another object; 0 where
/// there is no object (id 0). The image's border does not count: if the whole map is one object, its distances are
/// infinite.
///
/// The squares are exact up to 2^24. `ids` (row-major) must hold at least `width * height` values.
pub fn label_distance(ids: &[u32], width: usize, height: usize) -> Vec<f32> {
    distances(ids, 0, (width, height), |square| (square as f32).sqrt())
}

/// The index of the nearest site for every pixel (a site is its own); of several at one distance, the smallest index.
/// `u32::MAX` if there is no site.
///
/// `sites` (row-major) must hold at least `width * height` values, fewer than 2^32.
pub fn nearest(sites: &[bool], width: usize, height: usize) -> Vec<u32> {
    let mut nearest = vec![u32::MAX; width * height];
    if nearest.is_empty() {
        return nearest;
    }
    let rows = nearest_rows(&sites[..width * height], width);
    let fill = |envelope: &mut Envelope, (y, (out, rows)): (usize, (&mut [u32], &[u32]))| {
        envelope.parts.clear();
        for (x, &row) in rows.iter().enumerate() {
            if row != FAR {
                let site = Part::new(x, row.abs_diff(y as u32), row * width as u32 + x as u32);
                envelope.push(site, width);
            }
        }
        envelope.walk(0..width, |x, site| out[x] = site.rank);
    };
    for_each_row(&mut nearest, &rows, width, fill);
    nearest
}

/// For each pixel the row of the nearest site in its column (of two the upper), [`FAR`] without any.
fn nearest_rows(sites: &[bool], width: usize) -> Vec<u32> {
    let mut rows = vec![FAR; sites.len()];
    let mut last = vec![FAR; width];
    for (y, (rows, sites)) in (0u32..).zip(rows.chunks_exact_mut(width).zip(sites.chunks_exact(width))) {
        for ((row, last), &site) in rows.iter_mut().zip(&mut last).zip(sites) {
            *last = if site { y } else { *last };
            *row = *last;
        }
    }
    last.fill(2 * FAR);
    let height = (sites.len() / width) as u32;
    for (y, rows) in (0..height).rev().zip(rows.chunks_exact_mut(width).rev()) {
        for (row, last) in rows.iter_mut().zip(&mut last) {
            *last = if *row == y { y } else { *last };
            // FAR above is farther than any row below and nearer than the 2 FAR of none.
            *row = if row.abs_diff(y) <= *last - y { *row } else { *last };
        }
    }
    rows
}

/// The distances to the nearest pixel of another label, as `finish` makes them from squares; 0 at `nothing`.
fn distances<T: Copy + PartialEq + Sync>(
    labels: &[T],
    nothing: T,
    (width, height): (usize, usize),
    finish: impl Fn(i64) -> f32 + Sync,
) -> Vec<f32> {
    let mut out = vec![0.0; width * height];
    if out.is_empty() {
        return out;
    }
    let labels = &labels[..width * height];
    let steps = column_steps(labels, width);
    let fill = |envelope: &mut Envelope, (y, (out, steps)): (usize, (&mut [f32], &[u32]))| {
        let labels = &labels[y * width..][..width];
        let mut end = 0;
        for run in labels.chunk_by(T::eq) {
            let start = end;
            end += run.len();
            if run[0] == nothing {
                continue;
            }
            envelope.parts.clear();
            if start > 0 {
                envelope.push(Part::new(start - 1, 0, 0), width);
            }
            for (x, &steps) in (start..end).zip(&steps[start..end]) {
                if steps < FAR {
                    envelope.push(Part::new(x, steps, 0), width);
                }
            }
            if end < width {
                envelope.push(Part::new(end, 0, 0), width);
            }
            out[start..end].fill(f32::INFINITY);
            envelope.walk(start..end, |x, part| out[x] = finish(part.at(x as i64)));
        }
    };
    for_each_row(&mut out, &steps, width, fill);
    out
}

/// For each pixel the steps along its column to the nearest pixel of another label, at least [`FAR`] without any.
fn column_steps<T: Copy + PartialEq>(labels: &[T], width: usize) -> Vec<u32> {
    let mut steps = vec![0; labels.len()];
    let mut carry = vec![FAR; width];
    let mut above = &labels[..width];
    for (steps, labels) in steps.chunks_exact_mut(width).zip(labels.chunks_exact(width)) {
        count_steps(&mut carry, above, labels);
        steps.copy_from_slice(&carry);
        above = labels;
    }
    carry.fill(FAR);
    let mut below = above;
    for (steps, labels) in steps.chunks_exact_mut(width).zip(labels.chunks_exact(width)).rev() {
        count_steps(&mut carry, below, labels);
        for (steps, &other) in steps.iter_mut().zip(&carry) {
            *steps = other.min(*steps);
        }
        below = labels;
    }
    steps
}

fn count_steps<T: Copy + PartialEq>(carry: &mut [u32], before: &[T], labels: &[T]) {
    for ((steps, before), label) in carry.iter_mut().zip(before).zip(labels) {
        *steps = if before == label { *steps + 1 } else { 1 };
    }
}

fn for_each_row<T: Send>(
    out: &mut [T],
    columns: &[u32],
    width: usize,
    fill: impl Fn(&mut Envelope, (usize, (&mut [T], &[u32]))) + Send + Sync,
) {
    if out.len() < PARALLEL_FROM {
        let mut envelope = Envelope::default();
        for row in out.chunks_exact_mut(width).zip(columns.chunks_exact(width)).enumerate() {
            fill(&mut envelope, row);
        }
    } else {
        let rows = out.par_chunks_exact_mut(width).zip(columns.par_chunks_exact(width)).enumerate();
        rows.for_each_init(Envelope::default, fill);
    }
}

/// The parabola of one column in a row's lower envelope: `(x - column)^2 + height`.
#[derive(Debug, Clone, Copy)]
struct Part {
    column: i64,
    height: i64,
    /// Of two parabolas that meet, the one of lower rank counts there; of equal ranks, the left one.
    rank: u32,
    /// Where it becomes the lowest.
    start: i64,
}

impl Part {
    fn new(column: usize, steps: u32, rank: u32) -> Self {
        Self { column: column as i64, height: i64::from(steps).pow(2), rank, start: 0 }
    }

    fn at(&self, x: i64) -> i64 {
        (x - self.column).pow(2) + self.height
    }

    /// The first position at which `right`, of a later column, is lower than this one.
    fn beaten_from(&self, right: &Self) -> i64 {
        let rise = right.column * right.column - self.column * self.column + right.height - self.height;
        let run = 2 * (right.column - self.column);
        let meet = rise.div_euclid(run);
        if right.rank < self.rank && meet * run == rise { meet } else { meet + 1 }
    }
}

/// The parabolas that are the lowest somewhere, from left to right.
#[derive(Debug, Default)]
struct Envelope {
    parts: Vec<Part>,
}

impl Envelope {
    /// Adds the parabola of a column right of all so far; positions end before `width`.
    fn push(&mut self, mut part: Part, width: usize) {
        while let Some(last) = self.parts.last() {
            part.start = last.beaten_from(&part);
            if part.start > last.start {
                break;
            }
            self.parts.pop();
            part.start = 0;
        }
        if part.start < width as i64 {
            self.parts.push(part);
        }
    }

    /// Visits the positions with the parabola that is the lowest there; none if the envelope is empty.
    fn walk(&self, positions: std::ops::Range<usize>, mut visit: impl FnMut(usize, &Part)) {
        let mut from = positions.start;
        for (index, part) in self.parts.iter().enumerate() {
            let next = self.parts.get(index + 1).map_or(positions.end, |next| next.start as usize);
            let until = next.min(positions.end);
            (from..until).for_each(|x| visit(x, part));
            from = from.max(until);
        }
    }
}

#[cfg(test)]
mod tests;
