//! Means over square windows in constant time a pixel.

use rayon::prelude::*;

/// Fewest rows that one task takes: each task sums its first window anew.
const LEAST_BAND: usize = 32;

/// For every pixel of a `width` x `height` plane, `write(y, x, means)` of the means of `IN` values over the window of
/// `2 * radius + 1` pixels a side around it. At the borders the window is cut, and the mean is that of the pixels
/// inside the plane.
///
/// `read(y, row)` fills one row of values; it is called twice a row, so that no plane of values need be kept. Sums are kept
/// in `f64`, since variances are small differences of them. Bands of rows run in parallel; which rows make a band depends
/// on `radius` alone, so the result does not depend on the number of threads.
pub(super) fn window_means<const IN: usize, T: Copy + Send>(
    (width, height): (usize, usize),
    radius: usize,
    zero: T,
    read: impl Fn(usize, &mut [[f32; IN]]) + Sync,
    write: impl Fn(usize, usize, [f64; IN]) -> T + Sync,
) -> Vec<T> {
    // A wider window shows nothing more.
    let radius = radius.min(width.max(height));
    let mut out = vec![zero; width * height];
    if out.is_empty() {
        return out;
    }
    let band = LEAST_BAND.max(2 * radius);
    out.par_chunks_mut(band * width).enumerate().for_each(|(index, rows)| {
        let mut row = vec![[0.0f32; IN]; width];
        let mut columns = vec![[0.0f64; IN]; width];
        let start = index * band;
        for y in start.saturating_sub(radius)..(start + radius).min(height) {
            read(y, &mut row);
            accumulate(&mut columns, &row, 1.0);
        }
        for (y, out) in (start..).zip(rows.chunks_exact_mut(width)) {
            if y + radius < height {
                read(y + radius, &mut row);
                accumulate(&mut columns, &row, 1.0);
            }
            let top = y.saturating_sub(radius);
            let lines = (y + radius).min(height - 1) - top + 1;
            slide(&columns, radius, lines, out, |x, means| write(y, x, means));
            if y >= radius {
                read(top, &mut row);
                accumulate(&mut columns, &row, -1.0);
            }
        }
    });
    out
}

fn accumulate<const IN: usize>(columns: &mut [[f64; IN]], row: &[[f32; IN]], sign: f64) {
    for (sums, values) in columns.iter_mut().zip(row) {
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += sign * f64::from(value);
        }
    }
}

/// Slides the window along sums of columns of `lines` pixels.
fn slide<const IN: usize, T>(
    columns: &[[f64; IN]],
    radius: usize,
    lines: usize,
    out: &mut [T],
    write: impl Fn(usize, [f64; IN]) -> T,
) {
    let width = columns.len();
    let mut sums = [0.0; IN];
    for column in &columns[..radius.min(width)] {
        for (sum, value) in sums.iter_mut().zip(column) {
            *sum += value;
        }
    }
    for (x, out) in out.iter_mut().enumerate() {
        if let Some(entering) = columns.get(x + radius) {
            for (sum, value) in sums.iter_mut().zip(entering) {
                *sum += value;
            }
        }
        let left = x.saturating_sub(radius);
        let count = (lines * ((x + radius).min(width - 1) - left + 1)) as f64;
        *out = write(x, sums.map(|sum| sum / count));
        if x >= radius {
            for (sum, value) in sums.iter_mut().zip(&columns[left]) {
                *sum -= value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn means_equal_those_counted_pixel_by_pixel(
            (width, height, radius) in (1usize..14, 1usize..80, 0usize..45),
            seed in 0u32..1000,
        ) {
            let hash = |x: usize, y: usize| (x as u32 * 31 + y as u32 * 17 + seed).wrapping_mul(2_654_435_761);
            let value = |x: usize, y: usize| (hash(x, y) >> 24) as f32;
            let read = |y: usize, row: &mut [[f32; 2]]| {
                row.iter_mut().enumerate().for_each(|(x, pixel)| *pixel = [value(x, y), 1.0]);
            };
            let means = window_means((width, height), radius, [0.0; 2], read, |_, _, means| means);
            for (index, mean) in means.iter().enumerate() {
                let (x, y) = (index % width, index / width);
                let (mut sum, mut count) = (0.0f64, 0.0f64);
                for v in y.saturating_sub(radius)..=(y + radius).min(height - 1) {
                    for u in x.saturating_sub(radius)..=(x + radius).min(width - 1) {
                        sum += f64::from(value(u, v));
                        count += 1.0;
                    }
                }
                prop_assert!((mean[0] - sum / count).abs() < 1e-9, "({x}, {y}): {} != {}", mean[0], sum / count);
                prop_assert_eq!(mean[1], 1.0);
            }
        }
    }

    #[test]
    fn nothing_in_gives_nothing_out() {
        assert!(window_means((0, 7), 3, 0.0, |_, _: &mut [[f32; 1]]| {}, |_, _, means| means[0]).is_empty());
    }
}
