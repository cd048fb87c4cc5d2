//! Groups pixels by where their flows end.

/// The end of a pixel that does not flow.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Sinks whose squared distance is below this are one.
const MERGE_BELOW: usize = 9;

/// Numbers the pixels by their `ends` (indices of pixels or [`NOWHERE`]): 0 for those without, otherwise `1..=n`.
/// Returns the numbers and `n`.
///
/// The ends are counted for each pixel, the counts smoothed by the binomial of five, and each end climbs to the largest
/// count around it until there is none larger; of equal counts the first in row-major order is the larger. Summits less
/// than three pixels apart are joined. Summits are numbered row by row.
pub(super) fn group(mut ends: Vec<u32>, width: usize) -> (Vec<u32>, usize) {
    let mut counts = vec![0.0f32; ends.len()];
    for &end in ends.iter().filter(|end| **end != NOWHERE) {
        counts[end as usize] += 1.0;
    }
    smooth(&mut counts, width);
    let mut upwards = climb(&counts, width);
    drop(counts);
    join(&mut upwards, width);
    let mut numbers = vec![0; ends.len()];
    let mut count = 0;
    for (index, &up) in upwards.iter().enumerate() {
        if up as usize == index {
            count += 1;
            numbers[index] = count;
        }
    }
    for end in &mut ends {
        *end = if *end == NOWHERE { 0 } else { numbers[summit(&mut upwards, *end as usize)] };
    }
    (ends, count as usize)
}

/// Separable binomial smoothing (1, 4, 6, 4, 1); what lies outside the map counts as zero.
fn smooth(counts: &mut [f32], width: usize) {
    let height = counts.len() / width;
    let mut padded = vec![0.0; width + 4];
    let mut rows = vec![vec![0.0; width]; 5];
    for y in 0..height + 2 {
        // Row y enters, row y - 2 is done.
        let entering = &mut rows[y % 5];
        if y < height {
            padded[2..width + 2].copy_from_slice(&counts[y * width..(y + 1) * width]);
            for (value, w) in entering.iter_mut().zip(padded.windows(5)) {
                *value = binomial([w[0], w[1], w[2], w[3], w[4]]);
            }
        } else {
            entering.fill(0.0);
        }
        if let Some(done) = y.checked_sub(2) {
            let order: [&[f32]; 5] = std::array::from_fn(|n| rows[(y + 1 + n) % 5].as_slice());
            for (x, value) in counts[done * width..(done + 1) * width].iter_mut().enumerate() {
                *value = binomial(order.map(|row| row[x]));
            }
        }
    }
}

/// The order of the sum makes it the same from both sides.
fn binomial([a, b, c, d, e]: [f32; 5]) -> f32 {
    (a + e) + 4.0 * (b + d) + 6.0 * c
}

/// For each pixel the largest of its eight neighbours and itself; [`NOWHERE`] where nothing ends nearby.
fn climb(counts: &[f32], width: usize) -> Vec<u32> {
    let height = counts.len() / width;
    let mut upwards = vec![NOWHERE; counts.len()];
    super::objects::for_each_row(&mut upwards, width, |y, row| {
        for (x, up) in row.iter_mut().enumerate() {
            let index = y * width + x;
            if counts[index] == 0.0 {
                continue;
            }
            let mut best = (0.0, index);
            for row in y.saturating_sub(1)..(y + 2).min(height) {
                let from = row * width + x.saturating_sub(1);
                for (other, &count) in (from..).zip(&counts[from..row * width + (x + 2).min(width)]) {
                    // Rising indices: an equal count that comes later is not larger.
                    if count > best.0 {
                        best = (count, other);
                    }
                }
            }
            *up = best.1 as u32;
        }
    });
    upwards
}

/// Joins summits near each other.
fn join(upwards: &mut [u32], width: usize) {
    let height = upwards.len() / width;
    let reach = MERGE_BELOW.isqrt();
    let summits: Vec<usize> = (0..upwards.len()).filter(|&index| upwards[index] as usize == index).collect();
    let mut pairs = Vec::new();
    for &index in &summits {
        let (x, y) = (index % width, index / width);
        for other_y in y..(y + reach + 1).min(height) {
            for other_x in x.saturating_sub(reach)..(x + reach + 1).min(width) {
                let other = other_y * width + other_x;
                let square = (other_y - y).pow(2) + other_x.abs_diff(x).pow(2);
                if other > index && square < MERGE_BELOW && upwards[other] as usize == other {
                    pairs.push((index, other));
                }
            }
        }
    }
    for (a, b) in pairs {
        let (a, b) = (summit(upwards, a), summit(upwards, b));
        upwards[a.max(b)] = a.min(b) as u32;
    }
}

/// The end of the way up, which is shortened for later calls.
fn summit(upwards: &mut [u32], mut index: usize) -> usize {
    while upwards[index] as usize != index {
        upwards[index] = upwards[upwards[index] as usize];
        index = upwards[index] as usize;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ends_are_one_and_far_ones_are_two() {
        let mut ends = vec![NOWHERE; 20];
        ends[..4].copy_from_slice(&[2, 3, 4, 2]);
        ends[10..14].fill(13);
        let (ids, count) = group(ends, 20);
        assert_eq!(count, 2);
        assert_eq!(ids, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn pixels_that_stay_where_they_are_form_one_group() {
        let (ids, count) = group((0..48).collect(), 8);
        assert_eq!((ids, count), (vec![1; 48], 1));
    }

    #[test]
    fn smoothing_is_the_binomial_of_both_directions() {
        let mut counts = vec![0.0; 7 * 6];
        counts[2 * 7 + 3] = 1.0;
        smooth(&mut counts, 7);
        assert_eq!(&counts[2 * 7..3 * 7], [0.0, 6.0, 24.0, 36.0, 24.0, 6.0, 0.0]);
        assert_eq!(&counts[..7], [0.0, 1.0, 4.0, 6.0, 4.0, 1.0, 0.0]);
        assert_eq!(counts.iter().sum::<f32>(), 256.0);
    }
}
