//! Objects by following flows to where they end.

use rayon::prelude::*;
use vibhag_core::{Grouping, Result};

use super::extent::{Extent, extents};
use super::flow_targets;
use super::objects::{Objects, PARALLEL_FROM, check, finish, for_each_row, tally};
use super::sinks::{NOWHERE, group};

/// A flow of this length and any longer one is a step of a pixel. Where a network doubts, its flows are short and still
/// point the right way, above all in objects of a few pixels; with short steps they would not arrive.
const FULL_STEP: f32 = 2.0;
/// Steps that are taken one by one, and how often what they lead to is doubled: ways of up to 1024 steps.
const STEPS: usize = 8;
const DOUBLINGS: usize = 7;
/// Most steps that a pixel takes after these to leave where it began, as it does at an edge with little flow.
const PATIENCE: usize = 56;
/// Pixels that step at the same time, as each of them waits for memory.
const TOGETHER: usize = 32;

/// Objects by following flows (Stringer et al., "Cellpose", Nature Methods 2021). All planes have `width * height`
/// values.
///
/// - `foreground`: the probability that the pixel belongs to any object
/// - `flows`: down and right, five times a unit vector
///
/// Each pixel whose probability is at least `grouping.foreground` takes steps of half the flow, at most one pixel, read
/// bilinearly and zero outside the foreground (but for gaps of a pixel), until it moves on no more. Pixels that end near
/// each other are one object. An object is dropped if the mean squared difference between those steps and its own flow
/// targets is above `grouping.flow_error`. The score is the mean probability of its pixels, times one minus that
/// difference if that is looked at. Objects are numbered by where they end, row by row.
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
    let scale = 1.0 / length.max(FULL_STEP);
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
    let is_foreground = |index: usize| foreground[index] >= least;
    let last = [height - 1, width - 1].map(|last| last as f32);
    for_each_row(&mut ends, width, |y, row| {
        let mut pixels = (0..width).filter(|x| is_foreground(y * width + x)).peekable();
        let mut places = [[0.0; 2]; TOGETHER];
        let mut columns = [0; TOGETHER];
        while pixels.peek().is_some() {
            let mut count = 0;
            for x in pixels.by_ref().take(TOGETHER) {
                columns[count] = x;
                places[count] = [y as f32, x as f32];
                count += 1;
            }
            let advance = |place: [f32; 2]| {
                let step = interpolate(&steps, stride, place);
                std::array::from_fn(|axis| (place[axis] + step[axis]).max(0.0).min(last[axis]))
            };
            for _ in 0..STEPS {
                for place in &mut places[..count] {
                    *place = advance(*place);
                }
            }
            for (&x, &place) in columns.iter().zip(&places[..count]) {
                let (own, mut place, mut patience) = (y * width + x, place, PATIENCE);
                let mut end = pixel_of(place, width, is_foreground);
                while end == own && patience > 0 {
                    patience -= 1;
                    place = advance(place);
                    end = pixel_of(place, width, is_foreground);
                }
                row[x] = end as u32;
            }
        }
    });
    ends
}

/// The pixel nearest to a place: of the four around it the nearest that is in the foreground, as ways do not lead on from
/// the background, or the nearest of all.
fn pixel_of([y, x]: [f32; 2], width: usize, is_foreground: impl Fn(usize) -> bool) -> usize {
    let index = |y: f32, x: f32| y as usize * width + x as usize;
    let nearest = [(y + 0.5).floor(), (x + 0.5).floor()];
    // The other side in each direction; the same where the place is on a row or column of pixels.
    let other = [if nearest[0] > y { y.floor() } else { y.ceil() }, if nearest[1] > x { x.floor() } else { x.ceil() }];
    let down_first = (y - nearest[0]).abs() >= (x - nearest[1]).abs();
    let [second, third] = if down_first {
        [index(other[0], nearest[1]), index(nearest[0], other[1])]
    } else {
        [index(nearest[0], other[1]), index(other[0], nearest[1])]
    };
    let first = index(nearest[0], nearest[1]);
    let all = [first, second, third, index(other[0], other[1])];
    all.into_iter().find(|&index| is_foreground(index)).unwrap_or(first)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::targets;
    use vibhag_core::{Head, Purpose, Rng};

    /// Every step one by one.
    fn plain(width: usize, height: usize, foreground: &[f32], [down, right]: [&[f32]; 2]) -> Vec<u32> {
        let stride = width + 1;
        let mut steps = vec![[0.0; 2]; stride * (height + 1)];
        for index in (0..foreground.len()).filter(|&index| is_way(foreground, width, index, 0.5)) {
            steps[index / width * stride + index % width] = step(down[index], right[index]);
        }
        let end = |index: usize| {
            let mut place = [(index / width) as f32, (index % width) as f32];
            for _ in 0..300 {
                let [down, right] = interpolate(&steps, stride, place);
                place = [
                    (place[0] + down).clamp(0.0, (height - 1) as f32),
                    (place[1] + right).clamp(0.0, (width - 1) as f32),
                ];
            }
            ((place[0] + 0.5) as usize * width + (place[1] + 0.5) as usize) as u32
        };
        (0..foreground.len()).map(|index| if foreground[index] >= 0.5 { end(index) } else { NOWHERE }).collect()
    }

    #[test]
    fn doubled_ways_end_where_single_steps_do() {
        // Four touching discs of different sizes.
        let (width, height) = (150usize, 120usize);
        let discs = [(40.0, 40.0, 38.0f32), (100.0, 35.0, 24.0), (95.0, 85.0, 30.0), (40.0, 97.0, 20.0)];
        let ids: Vec<u32> = (0..width * height)
            .map(|index| {
                let (x, y) = ((index % width) as f32, (index / width) as f32);
                let inside = discs.iter().position(|(cx, cy, r)| (x - cx).hypot(y - cy) <= *r);
                inside.map_or(0, |n| n as u32 + 1)
            })
            .collect();
        let mut planes = vec![0.0; 3 * ids.len()];
        targets(Head::Flow, &ids, width, height, &mut planes);
        let foreground: Vec<f32> = ids.iter().map(|&id| f32::from(id != 0)).collect();
        let mut rng = Rng::new(1, 0, 0, Purpose::Synthesis);
        for noise in [0.0, 0.3] {
            let disturbed: Vec<f32> = planes.iter().map(|value| 5.0 * (value + noise * rng.normal())).collect();
            let flows = [&disturbed[..ids.len()], &disturbed[ids.len()..2 * ids.len()]];
            let (single, single_count) = group(plain(width, height, &foreground, flows), width);
            let (doubled, doubled_count) = group(follow(width, height, &foreground, flows, 0.5), width);
            assert_eq!((single_count, doubled_count), (4, 4), "noise {noise}");
            let differing = single.iter().zip(&doubled).filter(|(a, b)| a != b).count();
            assert!(differing * 500 < ids.len(), "{differing} pixels differ with noise {noise}");
        }
    }
}
