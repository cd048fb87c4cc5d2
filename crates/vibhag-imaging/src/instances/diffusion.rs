//! The flow of one object towards its middle: the gradient of heat that spreads within it (Stringer et al., "Cellpose: a
//! generalist algorithm for cellular segmentation", Nature Methods 2021).

/// Sides up to which heat spreads at full resolution.
const FULL_UP_TO: usize = 80;
/// Steps that repair the heat of the half resolution.
const REPAIRS: usize = 8;
/// Heat that every pixel receives in each step: numbers never become so small that arithmetic slows down.
const TRACE: f32 = 1e-29;
/// Below this, heat says nothing, as in the ends of long thin objects.
const COLD: f32 = 1e-24;

/// The unit vectors `[down, right]` along which each pixel of an object flows; zero outside, and where the gradient is.
///
/// `inside` are the pixels of the object, `width` of them in a row. In each piece of the object (pixels that touch at
/// edges or corners) one unit of heat enters in each of `2 (width + height)` steps at the pixel nearest to the medians of
/// the coordinates (shared if several are), every pixel becomes the mean of itself and its eight neighbours, pixels
/// outside stay cold, and the flow is the direction of the gradient of `ln(1 + heat)`.
///
/// Objects with a side above 80 pixels get their heat from half the resolution, recursively, and a few steps at the
/// full one. Where no heat arrives the flow follows the shortest way.
pub(super) fn flow(inside: &[bool], width: usize) -> Vec<[f32; 2]> {
    let height = inside.len() / width;
    let sources = sources(inside, width);
    let heat = spread(inside, width, &sources);
    let stride = width + 2;
    let mut logs = vec![0.0; heat.len()];
    for (y, row) in inside.chunks_exact(width).enumerate() {
        let from = (y + 1) * stride + 1;
        for ((log, &heat), _) in logs[from..].iter_mut().zip(&heat[from..]).zip(row).filter(|(_, inside)| **inside) {
            *log = ln_1p(heat);
        }
    }
    let mut flow = vec![[0.0; 2]; width * height];
    let mut any_cold = false;
    for (y, (row, flow)) in inside.chunks_exact(width).zip(flow.chunks_exact_mut(width)).enumerate() {
        for (x, flow) in flow.iter_mut().enumerate().filter(|(x, _)| row[*x]) {
            let at = (y + 1) * stride + x + 1;
            *flow = unit([logs[at + stride] - logs[at - stride], logs[at + 1] - logs[at - 1]]);
            any_cold |= heat[at] < COLD;
        }
    }
    if any_cold {
        let cold = |index: usize| heat[(index / width + 1) * stride + index % width + 1] < COLD;
        follow_steps(inside, width, &sources, cold, &mut flow);
    }
    flow
}

/// A pixel where heat enters, and how much.
type Source = (usize, f32);

/// The heat in a frame of one cold pixel.
fn spread(inside: &[bool], width: usize, sources: &[Source]) -> Vec<f32> {
    let height = inside.len() / width;
    let (heat, steps) = if width.max(height) <= FULL_UP_TO {
        (vec![0.0; (width + 2) * (height + 2)], 2 * (width + height))
    } else {
        let half_width = width.div_ceil(2);
        let half = |index: usize| index / width / 2 * half_width + index % width / 2;
        let mut half_inside = vec![false; half_width * height.div_ceil(2)];
        for (index, _) in inside.iter().enumerate().filter(|(_, inside)| **inside) {
            half_inside[half(index)] = true;
        }
        // One unit a step is right there too: a step takes four times as long, and a pixel holds four times as much.
        let half_sources: Vec<Source> = sources.iter().map(|&(index, share)| (half(index), share)).collect();
        (double(&spread(&half_inside, half_width, &half_sources), half_width, width, height), REPAIRS)
    };
    step(heat, inside, width, sources, steps)
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
    let mut piece = Vec::new();
    for start in 0..inside.len() {
        if seen[start] {
            continue;
        }
        piece.clear();
        piece.push(start);
        seen[start] = true;
        let mut next = 0;
        while let Some(&index) = piece.get(next) {
            next += 1;
            for_neighbours(index, width, inside.len(), |neighbour| {
                if !std::mem::replace(&mut seen[neighbour], true) {
                    piece.push(neighbour);
                }
            });
        }
        let mut counts = (vec![0; width], vec![0; inside.len() / width]);
        for &index in &piece {
            counts.0[index % width] += 1;
            counts.1[index / width] += 1;
        }
        let (x, y) = (twice_median(&counts.0, piece.len()), twice_median(&counts.1, piece.len()));
        let square = |index: usize| (2 * (index % width)).abs_diff(x).pow(2) + (2 * (index / width)).abs_diff(y).pow(2);
        let least = piece.iter().map(|&index| square(index)).min().unwrap_or(0);
        piece.retain(|&index| square(index) == least);
        sources.extend(piece.iter().map(|&index| (index, 1.0 / piece.len() as f32)));
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

/// Cold pixels flow to those of their neighbours that are one step nearer to a source.
fn follow_steps(
    inside: &[bool],
    width: usize,
    sources: &[Source],
    cold: impl Fn(usize) -> bool,
    flow: &mut [[f32; 2]],
) {
    let mut steps = vec![usize::MAX; inside.len()];
    let mut queue: Vec<usize> = sources.iter().map(|&(index, _)| index).collect();
    for &index in &queue {
        steps[index] = 0;
    }
    let mut next = 0;
    while let Some(&index) = queue.get(next) {
        next += 1;
        let mut toward = [[0.0; 2]; 2];
        for_neighbours(index, width, inside.len(), |neighbour| {
            if !inside[neighbour] {
                return;
            }
            if steps[neighbour] == usize::MAX {
                steps[neighbour] = steps[index] + 1;
                queue.push(neighbour);
            } else if steps[neighbour] < steps[index] {
                let down = (neighbour / width) as f32 - (index / width) as f32;
                let right = (neighbour % width) as f32 - (index % width) as f32;
                toward[0] = [toward[0][0] + down, toward[0][1] + right];
                toward[1] = [down, right];
            }
        });
        if cold(index) {
            // Two ways of one length may cancel.
            flow[index] = unit(if toward[0] == [0.0; 2] { toward[1] } else { toward[0] });
        }
    }
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
