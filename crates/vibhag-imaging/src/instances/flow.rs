//! Objects by following flows to where they end.

use rayon::prelude::*;
use vibhag_core::{Grouping, Result};

use super::extent::{Extent, extents};
use super::flow_targets;
use super::objects::{Objects, PARALLEL_FROM, check, finish, for_each_row, tally};
use super::sinks::{NOWHERE, group};

/// Flows are this many times a unit vector.
const SCALE: f32 = 5.0;
/// Steps that are taken one by one, and how often what they lead to is doubled: ways of up to 1024 steps.
const STEPS: usize = 8;
const DOUBLINGS: usize = 7;
/// Pixels that step at the same time, as each of them waits for memory.
const TOGETHER: usize = 32;

/// Objects by following flows (Stringer et al., "Cellpose", Nature Methods 2021). All planes have `width * height`
/// values.
///
/// - `foreground`: the probability that the pixel belongs to any object
/// - `flows`: down and right, five times a unit vector
///
/// Each pixel whose probability is at least `grouping.foreground` takes steps of a fifth of the flow, at most one pixel,
/// read bilinearly and zero outside the foreground (but for gaps of a pixel), until it moves on no more. Pixels that end near each other are one
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
///
/// [`STEPS`] steps are taken one by one. From the pixel where they end the way is known likewise, so each doubling leads
/// twice as far: what that rounds is less than a pixel, at a place well inside the object, from where all ways lead to
/// one end.
fn follow(width: usize, height: usize, foreground: &[f32], flows: [&[f32]; 2], least: f32) -> Vec<u32> {
    let mut ends = first_ends(width, height, foreground, flows, least);
    let mut next = vec![NOWHERE; ends.len()];
    for _ in 0..DOUBLINGS {
        for_each_row(&mut next, width, |y, row| {
            for (next, &end) in row.iter_mut().zip(&ends[y * width..]) {
                if end != NOWHERE {
                    let further = ends[end as usize];
                    *next = if further == NOWHERE { end } else { further };
                }
            }
        });
        std::mem::swap(&mut ends, &mut next);
        if ends == next {
            break;
        }
    }
    ends
}

/// Where the first [`STEPS`] steps lead.
fn first_ends(width: usize, height: usize, foreground: &[f32], [down, right]: [&[f32]; 2], least: f32) -> Vec<u32> {
    let stride = width + 1;
    let mut steps = vec![[0.0; 2]; stride * (height + 1)];
    for_each_row(&mut steps, stride, |y, row| {
        if y < height {
            for (index, value) in (y * width..).zip(&mut row[..width]) {
                if is_way(foreground, width, index, least) {
                    *value = step(down[index], right[index]);
                }
            }
        }
    });
    let mut ends = vec![NOWHERE; foreground.len()];
    let last = [height - 1, width - 1].map(|last| last as f32);
    for_each_row(&mut ends, width, |y, row| {
        let mut pixels = (0..width).filter(|x| foreground[y * width + x] >= least).peekable();
        let mut places = [[0.0; 2]; TOGETHER];
        let mut columns = [0; TOGETHER];
        while pixels.peek().is_some() {
            let mut count = 0;
            for x in pixels.by_ref().take(TOGETHER) {
                columns[count] = x;
                places[count] = [y as f32, x as f32];
                count += 1;
            }
            for _ in 0..STEPS {
                for place in &mut places[..count] {
                    let step = interpolate(&steps, stride, *place);
                    *place = std::array::from_fn(|axis| (place[axis] + step[axis]).max(0.0).min(last[axis]));
                }
            }
            for (&x, place) in columns.iter().zip(&places[..count]) {
                let [end_y, end_x] = place.map(|value| (value + 0.5) as u32);
                row[x] = end_y * width as u32 + end_x;
            }
        }
    });
    ends
}

/// Whether pixels may pass: the foreground, and pixels with three of it beside them, as a gap of one pixel would hold up
/// everything behind it.
fn is_way(foreground: &[f32], width: usize, index: usize, least: f32) -> bool {
    let beside = || {
        let x = index % width;
        let sides = [x > 0, x + 1 < width, index >= width, index + width < foreground.len()];
        let others = [index.wrapping_sub(1), index + 1, index.wrapping_sub(width), index + width];
        others.iter().zip(sides).filter(|&(&other, inside)| inside && foreground[other] >= least).count()
    };
    foreground[index] >= least || beside() >= 3
}

/// The step at a place between pixels; `steps` has a row and a column more than places reach.
fn interpolate(steps: &[[f32; 2]], stride: usize, [y, x]: [f32; 2]) -> [f32; 2] {
    let (top, left) = (y as u32, x as u32);
    let (down, right) = (y - top as f32, x - left as f32);
    let upper = top as usize * stride + left as usize;
    let [a, b] = [steps[upper], steps[upper + 1]];
    let [c, d] = [steps[upper + stride], steps[upper + stride + 1]];
    std::array::from_fn(|axis| {
        let (above, below) = (a[axis] + right * (b[axis] - a[axis]), c[axis] + right * (d[axis] - c[axis]));
        above + down * (below - above)
    })
}
