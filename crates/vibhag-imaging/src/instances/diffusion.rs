//! The flow of one object towards its middle: the gradient of heat that spreads within it (Stringer et al., "Cellpose: a
//! generalist algorithm for cellular segmentation", Nature Methods 2021).

use std::collections::VecDeque;

/// Sides up to which heat spreads at full resolution.
const FULL_UP_TO: usize = 80;
/// Steps that repair the heat of the half resolution.
const REPAIRS: usize = 8;
/// Most steps for a large object that half the resolution would lose, and most pixels that they may visit.
const THIN_STEPS: usize = 100;
const THIN_WORK: usize = 1 << 22;
/// Heat that every pixel receives in each step: numbers never become so small that arithmetic slows down.
const TRACE: f32 = 1e-29;
/// Below this, heat says nothing, as in the ends of long thin objects.
const COLD: f32 = 1e-24;

/// Visits each pixel of an object with the unit vector `[down, right]` along which it flows; zero where the gradient is.
///
/// `inside` are the pixels of the object, `width` of them in a row. In each piece of the object (pixels that touch at
/// edges or corners) one unit of heat enters in each of `2 (width + height)` steps at the pixel nearest to the medians of
/// the coordinates (shared if several are), every pixel becomes the mean of itself and its eight neighbours, pixels
/// outside stay cold, and the flow is the direction of the gradient of `ln(1 + heat)`.
///
/// Objects with a side above 80 pixels get their heat from half the resolution, recursively, and a few steps at the
/// full one; thin ones, which half the resolution would lose, take fewer steps. Where no heat arrives the flow follows the
/// shortest way.
pub(super) fn for_each_flow(inside: &[bool], width: usize, mut visit: impl FnMut(usize, [f32; 2])) {
    let sources = sources(inside, width);
    let mut heat = spread(inside, width, &sources);
    for value in &mut heat {
        *value = ln_1p(*value);
    }
    let stride = width + 2;
    let framed = |index: usize| (index / width + 1) * stride + index % width + 1;
    let is_cold = |index: usize| heat[framed(index)] < COLD;
    let own = || (0..inside.len()).filter(|&index| inside[index]);
    let ways = own().any(is_cold).then(|| shortest_ways(inside, width, &sources));
    for index in own() {
        let at = framed(index);
        visit(
            index,
            match &ways {
                Some(ways) if is_cold(index) => ways[index],
                _ => unit([heat[at + stride] - heat[at - stride], heat[at + 1] - heat[at - 1]]),
            },
        );
    }
}

/// A pixel where heat enters, and how much.
type Source = (u32, f32);

/// The heat in a frame of one cold pixel.
fn spread(inside: &[bool], width: usize, sources: &[Source]) -> Vec<f32> {
    let height = inside.len() / width;
    let cold = || vec![0.0; (width + 2) * (height + 2)];
    if width.max(height) <= FULL_UP_TO {
        return step(cold(), inside, width, sources, 2 * (width + height));
    }
    let half_width = width.div_ceil(2);
    let half = |index: usize| index / width / 2 * half_width + index % width / 2;
    // Only what is wholly inside, so that heat crosses no gap; thin parts that are lost to this stay cold.
    let mut half_inside = vec![true; half_width * height.div_ceil(2)];
    for (index, _) in inside.iter().enumerate().filter(|(_, inside)| !**inside) {
        half_inside[half(index)] = false;
    }
    let area = |inside: &[bool]| inside.iter().filter(|inside| **inside).count();
    if 8 * area(&half_inside) < area(inside) {
        return step(cold(), inside, width, sources, (THIN_WORK / inside.len()).clamp(REPAIRS, THIN_STEPS));
    }
    // One unit a step is right there too: a step takes four times as long, and a pixel holds four times as much.
    let half_sources: Vec<Source> =
        sources.iter().map(|&(index, share)| (half(index as usize) as u32, share)).collect();
    let heat = double(&spread(&half_inside, half_width, &half_sources), half_width, width, height);
    step(heat, inside, width, sources, REPAIRS)
}

/// Heat at twice the resolution, bilinearly.
fn double(heat: &[f32], half_width: usize, width: usize, height: usize) -> Vec<f32> {
    let (half_stride, stride) = (half_width + 2, width + 2);
    let mut doubled = vec![0.0; stride * (height + 2)];
    // Nearest and next nearest pixel in the frame.
    let pair = |at: usize| (at / 2 + 1, if at.is_multiple_of(2) { at / 2 } else { at / 2 + 2 });
    let mut blended = vec![0.0; half_stride];
    for y in 0..height {
        let (near, far) = pair(y);
        let (near, far) = (&heat[near * half_stride..], &heat[far * half_stride..]);
        for ((value, near), far) in blended.iter_mut().zip(near).zip(far) {
            *value = 0.75 * near + 0.25 * far;
        }
        for (x, value) in doubled[(y + 1) * stride + 1..][..width].iter_mut().enumerate() {
            let (near, far) = pair(x);
            *value = 0.75 * blended[near] + 0.25 * blended[far];
        }
    }
    doubled
}

/// `steps` steps of spreading.
fn step(mut heat: Vec<f32>, inside: &[bool], width: usize, sources: &[Source], steps: usize) -> Vec<f32> {
    let height = inside.len() / width;
    let stride = width + 2;
    let mut weights = vec![0.0f32; heat.len()];
    for (weights, inside) in weights[stride..].chunks_exact_mut(stride).zip(inside.chunks_exact(width)) {
        for (weight, &inside) in weights[1..].iter_mut().zip(inside) {
            *weight = if inside { 1.0 / 9.0 } else { 0.0 };
        }
    }
    // What lies outside after doubling must not spread inwards.
    for (heat, &weight) in heat.iter_mut().zip(&weights) {
        *heat = if weight > 0.0 { *heat } else { 0.0 };
    }
    let (mut above, mut here, mut below) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
    for _ in 0..steps {
        for &(index, share) in sources {
            let index = index as usize;
            heat[(index / width + 1) * stride + index % width + 1] += share;
        }
        above.fill(0.0);
        sum_of_three(&heat[stride..2 * stride], &mut here);
        for y in 1..=height {
            sum_of_three(&heat[(y + 1) * stride..(y + 2) * stride], &mut below);
            let row = y * stride + 1..y * stride + 1 + width;
            let sums = above.iter().zip(&here).zip(&below);
            for ((heat, weight), ((above, here), below)) in heat[row.clone()].iter_mut().zip(&weights[row]).zip(sums) {
                // In this order, the sum is the same for the mirrored object.
                *heat = ((above + below) + here + TRACE) * weight;
            }
            (above, here, below) = (here, below, above);
        }
    }
    heat
}

/// The sums of each pixel and its neighbours, of a row in its frame.
fn sum_of_three(row: &[f32], sums: &mut [f32]) {
    for (((sum, left), middle), right) in sums.iter_mut().zip(row).zip(&row[1..]).zip(&row[2..]) {
        *sum = (left + right) + middle;
    }
}

/// The middle of each piece: the pixels nearest to the medians of its coordinates, sharing one unit of heat.
fn sources(inside: &[bool], width: usize) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut seen: Vec<bool> = inside.iter().map(|inside| !inside).collect();
    let mut piece: Vec<u32> = Vec::new();
    for start in 0..inside.len() {
        if seen[start] {
            continue;
        }
        piece.clear();
        piece.push(start as u32);
        seen[start] = true;
        let mut next = 0;
        while let Some(&index) = piece.get(next) {
            next += 1;
            for_neighbours(index as usize, width, inside.len(), |neighbour| {
                if !std::mem::replace(&mut seen[neighbour], true) {
                    piece.push(neighbour as u32);
                }
            });
        }
        let place = |index: u32| (index as usize % width, index as usize / width);
        let mut counts = (vec![0; width], vec![0; inside.len() / width]);
        for (x, y) in piece.iter().map(|&index| place(index)) {
            counts.0[x] += 1;
            counts.1[y] += 1;
        }
        let middle = (twice_median(&counts.0, piece.len()), twice_median(&counts.1, piece.len()));
        let square = |index: u32| {
            let (x, y) = place(index);
            (2 * x).abs_diff(middle.0).pow(2) + (2 * y).abs_diff(middle.1).pow(2)
        };
        let least = piece.iter().map(|&index| square(index)).min().unwrap_or(0);
        piece.retain(|&index| square(index) == least);
        let first = sources.len();
        sources.extend(piece.iter().map(|&index| (index, 1.0 / piece.len() as f32)));
        sources[first..].sort_unstable_by_key(|&(index, _)| index);
    }
    sources
}

/// The sum of the two middle ones of `total` values that occur `counts` times.
fn twice_median(counts: &[usize], total: usize) -> usize {
    let nth = |n: usize| {
        let mut before = 0;
        counts.iter().position(|count| {
            before += count;
            before > n
        })
    };
    nth((total - 1) / 2).unwrap_or(0) + nth(total / 2).unwrap_or(0)
}

fn for_neighbours(index: usize, width: usize, pixels: usize, mut visit: impl FnMut(usize)) {
    let x = index % width;
    for row in [index.wrapping_sub(width), index, index + width] {
        if row >= pixels {
            continue;
        }
        if x > 0 {
            visit(row - 1);
        }
        if row != index {
            visit(row);
        }
        if x + 1 < width {
            visit(row + 1);
        }
    }
}

/// For each pixel the direction to those of its neighbours that are one step nearer to a source.
fn shortest_ways(inside: &[bool], width: usize, sources: &[Source]) -> Vec<[f32; 2]> {
    let mut ways = vec![[0.0; 2]; inside.len()];
    let mut steps = vec![u32::MAX; inside.len()];
    let mut queue: VecDeque<usize> = sources.iter().map(|&(index, _)| index as usize).collect();
    for &index in &queue {
        steps[index] = 0;
    }
    while let Some(index) = queue.pop_front() {
        let (mut all, mut last) = ([0.0; 2], [0.0; 2]);
        for_neighbours(index, width, inside.len(), |neighbour| {
            if !inside[neighbour] {
                return;
            }
            if steps[neighbour] == u32::MAX {
                steps[neighbour] = steps[index] + 1;
                queue.push_back(neighbour);
            } else if steps[neighbour] < steps[index] {
                let down = (neighbour / width) as f32 - (index / width) as f32;
                let right = (neighbour % width) as f32 - (index % width) as f32;
                all = [all[0] + down, all[1] + right];
                last = [down, right];
            }
        });
        // Two ways of one length may cancel.
        ways[index] = unit(if all == [0.0; 2] { last } else { all });
    }
    ways
}

fn unit([down, right]: [f32; 2]) -> [f32; 2] {
    let largest = down.abs().max(right.abs());
    if largest == 0.0 {
        return [0.0; 2];
    }
    // The squares of small numbers would vanish.
    let (down, right) = (down / largest, right / largest);
    let length = (down * down + right * right).sqrt();
    [down / length, right / length]
}

fn ln_1p(value: f32) -> f32 {
    if value < 0.01 { value * (1.0 - value * (0.5 - value / 3.0)) } else { (1.0 + value).ln() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(inside: &[bool], width: usize) -> Vec<[f32; 2]> {
        let mut flow = vec![[0.0; 2]; inside.len()];
        for_each_flow(inside, width, |index, vector| flow[index] = vector);
        flow
    }

    fn shape(width: usize, height: usize, inside: impl Fn(f32, f32) -> bool) -> Vec<bool> {
        (0..width * height).map(|index| inside((index % width) as f32, (index / width) as f32)).collect()
    }

    #[test]
    fn a_disc_flows_to_its_middle() {
        let disc = shape(21, 21, |x, y| (x - 10.0).powi(2) + (y - 10.0).powi(2) <= 100.0);
        for (index, [down, right]) in flow(&disc, 21).into_iter().enumerate() {
            let (dx, dy) = (10.0 - (index % 21) as f32, 10.0 - (index / 21) as f32);
            let distance = dx.hypot(dy);
            if disc[index] && distance > 0.0 {
                let cosine = (right * dx + down * dy) / distance;
                assert!((right.hypot(down) - 1.0).abs() < 1e-5 && cosine > 0.94, "{index}: {cosine}");
            } else {
                assert_eq!([down, right], [0.0; 2]);
            }
        }
    }

    #[test]
    fn half_the_resolution_tells_nearly_the_same_flow() {
        // A bean: round, with a bay.
        let bean = |x: f32, y: f32| {
            let out = ((x - 78.0) / 76.0).powi(2) + ((y - 60.0) / 58.0).powi(2);
            out <= 1.0 && (x - 80.0).powi(2) + (y - 125.0).powi(2) > 55.0f32.powi(2)
        };
        let inside = shape(157, 121, bean);
        let found = flow(&inside, 157);
        let sources = sources(&inside, 157);
        // As often as half the resolution does in time.
        let heat = step(vec![0.0; 159 * 123], &inside, 157, &sources, 2 * 4 * (79 + 61));
        let (mut sum, mut worst, mut count) = (0.0, 1.0f32, 0.0);
        for index in (0..inside.len()).filter(|&index| inside[index]) {
            let at = (index / 157 + 1) * 159 + index % 157 + 1;
            let [up, down, left, right] = [at - 159, at + 159, at - 1, at + 1].map(|at| ln_1p(heat[at]));
            let exact = unit([down - up, right - left]);
            let cosine = exact[0] * found[index][0] + exact[1] * found[index][1];
            let (x, y) = (index % 157, index / 157);
            let near =
                sources.iter().any(|&(s, _)| (s as usize % 157).abs_diff(x) < 4 && (s as usize / 157).abs_diff(y) < 4);
            if !near {
                worst = worst.min(cosine);
            }
            sum += cosine;
            count += 1.0;
        }
        assert!(sum / count > 0.999 && worst > 0.98, "mean {} worst {worst}", sum / count);
    }

    #[test]
    fn a_long_thin_object_flows_along_itself() {
        // A ring of which a quarter is missing, six pixels wide: the middle is opposite of the gap.
        let ring = |x: f32, y: f32| {
            let (dx, dy) = (x - 100.0, y - 100.0);
            (92.0..98.0).contains(&dx.hypot(dy)) && !(dx > 0.0 && dy.abs() < dx)
        };
        let inside = shape(201, 201, ring);
        let flow = flow(&inside, 201);
        for (index, [down, right]) in flow.into_iter().enumerate().filter(|(index, _)| inside[*index]) {
            let (dx, dy) = ((index % 201) as f32 - 100.0, (index / 201) as f32 - 100.0);
            // Along the ring, away from the gap; at its edges mostly towards the ridge.
            let along = (right * -dy.abs() + down * dx * dy.signum()) / dx.hypot(dy);
            let least = if (dx.hypot(dy) - 94.75).abs() < 1.0 { 0.4 } else { -0.5 };
            assert!(along > least || dy.abs() < 8.0, "({dx}, {dy}): {along}");
        }
    }

    #[test]
    fn pieces_flow_each_to_its_own_middle_and_thin_ends_along_the_line() {
        // A line of 300 pixels, whose ends no heat reaches, and a square apart.
        let inside = shape(300, 9, |x, y| y == 0.0 || (x < 5.0 && y > 3.0));
        let flow = flow(&inside, 300);
        for (x, &vector) in flow[..300].iter().enumerate() {
            let expected = if x < 149 { 1.0 } else { -1.0 };
            assert!(vector == [0.0, expected] || x.abs_diff(149) < 3, "{x}: {vector:?}");
        }
        assert!(flow[4 * 300][0] > 0.5 && flow[4 * 300][1] > 0.5);
        assert!(flow[8 * 300 + 4][0] < -0.5 && flow[8 * 300 + 4][1] < -0.5);
    }
}
