//! Objects by following flows to where they end.

use rayon::prelude::*;
use vibhag_core::{Grouping, Result};

use super::extent::{Extent, extents};
use super::flow_targets;
use super::objects::{Objects, PARALLEL_FROM, check, finish, for_each_row, tally};
use super::sinks::{NOWHERE, group};

/// Flows are this many times a unit vector.
const SCALE: f32 = 5.0;
/// Fewest and most steps before a pixel is left where it is; between them, the longer side of the image.
const LIMITS: (usize, usize) = (200, 1000);
/// After so many steps a pixel is looked at.
const WATCH: usize = 8;
/// It has arrived if it moved less than this since the last look, in pixels.
const SETTLED: f32 = 0.5;

/// Objects by following flows (Stringer et al., "Cellpose", Nature Methods 2021). All planes have `width * height`
/// values.
///
/// - `foreground`: the probability that the pixel belongs to any object
/// - `flows`: down and right, five times a unit vector
///
/// Each pixel whose probability is at least `grouping.foreground` takes steps of a fifth of the flow, at most one pixel,
/// read bilinearly and zero outside the foreground, until it moves on no more. Pixels that end near each other are one
/// object. An object is dropped if the mean squared difference between those steps and its own flow targets is above
/// `grouping.flow_error`. The score is the mean probability of its pixels, times one minus that difference if that is
/// looked at. Objects are numbered by where they end, row by row.
///
/// Flows that are not finite count as zero.
///
/// # Errors
/// When a plane has another size, or a value of `grouping` is out of range.
pub fn decode_flow(
    width: usize,
    height: usize,
    foreground: &[f32],
    flows: [&[f32]; 2],
    grouping: &Grouping,
) -> Result<Objects> {
    let planes = [("foreground", foreground.len()), ("flows", flows[0].len()), ("flows", flows[1].len())];
    check(width, height, &planes, grouping)?;
    let ends = follow(width, height, foreground, flows, grouping.foreground);
    let (ids, count) = group(ends, width);
    let (areas, sums) = tally(&ids, foreground, count);
    let mut scores: Vec<Option<f32>> =
        areas.iter().zip(sums).map(|(&area, sum)| Some((sum / area as f64) as f32)).collect();
    if grouping.flow_error > 0.0 {
        let mut extents = extents(&ids, width);
        extents.retain(|extent| extent.area >= grouping.min_area);
        let error = |extent: &Extent| error(extent, &ids, width, flows);
        let errors: Vec<f32> = if ids.len() < PARALLEL_FROM {
            extents.iter().map(error).collect()
        } else {
            extents.par_iter().map(error).collect()
        };
        for (extent, error) in extents.iter().zip(errors) {
            let score = &mut scores[extent.id as usize - 1];
            *score = score.filter(|_| error <= grouping.flow_error).map(|score| score * (1.0 - error.min(1.0)));
        }
    }
    finish(width, height, ids, &scores, grouping)
}

/// The step that a flow stands for: `[down, right]`, at most one pixel long.
fn step(down: f32, right: f32) -> [f32; 2] {
    let length = (down * down + right * right).sqrt();
    if !length.is_finite() {
        return [0.0; 2];
    }
    let scale = 1.0 / length.max(SCALE);
    [down * scale, right * scale]
}

/// Mean squared difference between the steps of an object's pixels and its flow targets.
fn error(extent: &Extent, ids: &[u32], width: usize, [down, right]: [&[f32]; 2]) -> f32 {
    let mut sum = 0.0;
    flow_targets::for_each(extent, ids, width, |index, target| {
        let step = step(down[index], right[index]);
        sum += f64::from((step[0] - target[0]).powi(2) + (step[1] - target[1]).powi(2));
    });
    (sum / extent.area as f64) as f32
}

/// The index of the pixel where each pixel ends; [`NOWHERE`] for pixels of the background.
fn follow(width: usize, height: usize, foreground: &[f32], [down, right]: [&[f32]; 2], least: f32) -> Vec<u32> {
    let mut steps = vec![[0.0; 2]; foreground.len()];
    for_each_row(&mut steps, width, |y, row| {
        for (index, value) in (y * width..).zip(row) {
            if foreground[index] >= least {
                *value = step(down[index], right[index]);
            }
        }
    });
    let field = Field { steps, width, height };
    let mut ends = vec![NOWHERE; foreground.len()];
    for_each_row(&mut ends, width, |y, row| {
        for (x, end) in row.iter_mut().enumerate() {
            if foreground[y * width + x] >= least {
                *end = field.end(x, y);
            }
        }
    });
    ends
}

struct Field {
    steps: Vec<[f32; 2]>,
    width: usize,
    height: usize,
}

impl Field {
    fn end(&self, x: usize, y: usize) -> u32 {
        let (last_x, last_y) = ((self.width - 1) as f32, (self.height - 1) as f32);
        let mut at = [y as f32, x as f32];
        let mut seen = at;
        let mut step = self.steps[y * self.width + x];
        let limit = self.width.max(self.height).clamp(LIMITS.0, LIMITS.1);
        for n in 1..=limit {
            at = [(at[0] + step[0]).clamp(0.0, last_y), (at[1] + step[1]).clamp(0.0, last_x)];
            if n.is_multiple_of(WATCH) {
                if (at[0] - seen[0]).powi(2) + (at[1] - seen[1]).powi(2) < SETTLED * SETTLED {
                    break;
                }
                seen = at;
            }
            step = self.at(at);
        }
        let [y, x] = at.map(|value| (value + 0.5) as usize);
        (y * self.width + x) as u32
    }

    /// The step at a place between pixels.
    fn at(&self, [y, x]: [f32; 2]) -> [f32; 2] {
        let (top, left) = (y as usize, x as usize);
        let (down, right) = (y - top as f32, x - left as f32);
        let upper = top * self.width + left;
        let lower = if top + 1 < self.height { upper + self.width } else { upper };
        let beside = usize::from(left + 1 < self.width);
        let corners = [upper, upper + beside, lower, lower + beside].map(|index| self.steps[index]);
        std::array::from_fn(|axis| {
            let [a, b, c, d] = corners.map(|corner| corner[axis]);
            (a * (1.0 - right) + b * right) * (1.0 - down) + (c * (1.0 - right) + d * right) * down
        })
    }
}
