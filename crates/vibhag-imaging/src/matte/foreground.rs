//! The foreground's own colours where it shares pixels with the background.

use rayon::prelude::*;
use vibhag_core::{Image, Result};

use super::grid::Grid;
use super::pixels::{check_image, check_plane, read_row, size, to_u8};

/// Weight of smoothness where alpha is flat, and how much a step of alpha adds to it (the paper's epsilon and omega).
const SMOOTHNESS: f32 = 1e-5;
const EDGE_WEIGHT: f32 = 1.0;
/// Sides up to which a level is solved well, and the sweeps spent on such a level and on a larger one.
const SMALL_SIDE: usize = 32;
const SWEEPS: [usize; 2] = [10, 2];

/// 8-bit RGB colours of the foreground, a colour a pixel: the image's where `alpha` is 1, and where it is less what the
/// foreground would show without the background behind it.
///
/// After Germer, Uelwer, Conrad and Harmeling, "Fast Multi-Level Foreground Estimation" (2020): colours F and B are
/// sought for which alpha F + (1 - alpha) B is the image and which change little where alpha does, from coarse to fine,
/// each level beginning with the solution of the one before. Levels are means of 2x2 pixels here, and the finest takes
/// a single step, for which the neighbours are those of the level below it; so a large image takes little memory, and
/// only pixels with an alpha between 0 and 1 take time. Where alpha is 0 the colour is that of the nearest foreground,
/// faintly, so that a picture that is scaled afterwards shows no fringe.
///
/// # Errors
/// When there is not one finite alpha a pixel, or the image has more than four channels.
pub fn estimate_foreground(image: &Image, alpha: &[f32]) -> Result<Vec<u8>> {
    check_image(image)?;
    check_plane("alphas", alpha, size(image))?;
    let (width, height) = size(image);
    let first = Grid::shrink((width, height), 2, |y, out: &mut [[f32; 4]]| {
        let mut row = vec![[0.0; 3]; width];
        read_row(image, y, &mut row);
        for ((out, &[r, g, b]), &alpha) in out.iter_mut().zip(&row).zip(&alpha[y * width..]) {
            *out = [r, g, b, alpha.clamp(0.0, 1.0)];
        }
    });
    let solved = solve(first);
    let enlarged = solved.enlarged((width, height));
    let mut out = vec![0; width * height * 3];
    out.par_chunks_exact_mut(3 * width).enumerate().for_each(|(y, out)| {
        let (mut row, mut layers) = (vec![[0.0; 3]; width], vec![[0.0; 6]; width]);
        read_row(image, y, &mut row);
        enlarged.row(y, &mut layers);
        let at = |x: usize, y: usize| alpha[y * width + x].clamp(0.0, 1.0);
        for (x, (out, layers)) in out.chunks_exact_mut(3).zip(&mut layers).enumerate() {
            let alpha = at(x, y);
            if alpha == 1.0 {
                layers[..3].copy_from_slice(&row[x]);
            } else if alpha > 0.0 {
                let around = [
                    at(x.saturating_sub(1), y),
                    at((x + 1).min(width - 1), y),
                    at(x, y.saturating_sub(1)),
                    at(x, (y + 1).min(height - 1)),
                ];
                let weight: f32 = around.iter().map(|other| SMOOTHNESS + EDGE_WEIGHT * (alpha - other).abs()).sum();
                *layers = separate(&row[x], alpha, layers, weight);
            }
            out.iter_mut().zip(&layers[..3]).for_each(|(out, &value)| *out = to_u8(value));
        }
    });
    Ok(out)
}

/// The colours nearest to those of the neighbours (`mean`, of F and B, each of `weight`) that mix to `color`: the
/// paper's 2x2 system, solved by how far the neighbours' mixture misses.
fn separate(color: &[f32; 3], alpha: f32, mean: &[f32; 6], weight: f32) -> [f32; 6] {
    let rest = 1.0 - alpha;
    let scale = 1.0 / (weight + alpha * alpha + rest * rest);
    let mut out = [0.0; 6];
    for c in 0..3 {
        let miss = (color[c] - alpha * mean[c] - rest * mean[c + 3]) * scale;
        out[c] = (mean[c] + alpha * miss).clamp(0.0, 1.0);
        out[c + 3] = (mean[c + 3] + rest * miss).clamp(0.0, 1.0);
    }
    out
}

/// F and B of every pixel of `finest` (colour and alpha).
fn solve(finest: Grid<4>) -> Grid<6> {
    let mut levels = vec![finest];
    while let Some(last) = levels.last().filter(|last| last.width.max(last.height) > 1) {
        let read = |y: usize, out: &mut [[f32; 4]]| out.copy_from_slice(&last.values[y * last.width..][..last.width]);
        levels.push(Grid::shrink((last.width, last.height), 2, read));
    }
    let mut below: Option<Grid<6>> = None;
    for level in levels.into_iter().rev() {
        let (width, height) = (level.width, level.height);
        let start: Vec<[f32; 6]> = match &below {
            None => level.values.iter().map(|&[r, g, b, _]| [r, g, b, r, g, b]).collect(),
            Some(below) => {
                // Blocks, not slopes between them: a level begins with the colours that the one before found.
                let parent = |i: usize| below.values[(i / width / 2) * below.width + i % width / 2];
                (0..width * height).into_par_iter().map(parent).collect()
            }
        };
        let small = width.max(height) <= SMALL_SIDE;
        let values = (0..SWEEPS[usize::from(!small)]).fold(start, |layers, _| sweep(&level, &layers, small));
        below = Some(Grid { width, height, step: 2, values });
    }
    // There is at least the finest level.
    below.unwrap_or(Grid { width: 0, height: 0, step: 2, values: Vec::new() })
}

/// One sweep over a level: rows take the neighbours above, below and to the right from before it, so that they can run
/// in parallel, and the one to the left from within it. Unless `everywhere`, pixels amid others of the same alpha of 0
/// or 1 only take their own colour.
fn sweep(level: &Grid<4>, layers: &[[f32; 6]], everywhere: bool) -> Vec<[f32; 6]> {
    let (width, height) = (level.width, level.height);
    let mut out = vec![[0.0; 6]; layers.len()];
    out.par_chunks_exact_mut(width).enumerate().for_each(|(y, out)| {
        for x in 0..width {
            let at = y * width + x;
            let [r, g, b, alpha] = level.values[at];
            let left = (x > 0).then(|| (level.values[at - 1][3], out[x - 1]));
            let take = |present: bool, at: usize| present.then(|| (level.values[at][3], layers[at]));
            let around = [
                left,
                take(x + 1 < width, at + 1),
                take(y > 0, at.wrapping_sub(width)),
                take(y + 1 < height, at + width),
            ];
            let certain = alpha == 0.0 || alpha == 1.0;
            if certain && !everywhere && around.iter().flatten().all(|(other, _)| *other == alpha) {
                out[x] = layers[at];
                out[x][if alpha == 1.0 { 0..3 } else { 3..6 }].copy_from_slice(&[r, g, b]);
                continue;
            }
            let (mut mean, mut total) = ([0.0; 6], 0.0);
            for (other, colors) in around.iter().flatten() {
                let weight = SMOOTHNESS + EDGE_WEIGHT * (alpha - other).abs();
                total += weight;
                mean.iter_mut().zip(colors).for_each(|(mean, color)| *mean += weight * color);
            }
            if total > 0.0 {
                mean = mean.map(|sum| sum / total);
            } else {
                mean = layers[at];
            }
            out[x] = separate(&[r, g, b], alpha, &mean, total);
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ramp of alpha across `width` columns between two colours that change slowly.
    fn ramp(width: usize, height: usize) -> (Image, Vec<f32>, Vec<[f32; 3]>) {
        let (mut alpha, mut front, mut pixels) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..width * height {
            let (x, y) = (i % width, i / width);
            let a = ((x as f32 - width as f32 * 0.4) / (width as f32 * 0.2)).clamp(0.0, 1.0);
            let f = [230.0 - y as f32 * 0.5, 60.0 + x as f32 * 0.3, 50.0];
            let b = [20.0, 160.0, 40.0 + y as f32 * 0.8];
            pixels.extend((0..3).map(|c| (a * f[c] + (1.0 - a) * b[c]).round() as u8));
            alpha.push(a);
            front.push(f);
        }
        (Image::from_u8(width, height, 3, pixels).unwrap(), alpha, front)
    }

    #[test]
    fn the_backgrounds_colour_leaves_soft_pixels() {
        let (image, alpha, front) = ramp(90, 60);
        let found = estimate_foreground(&image, &alpha).unwrap();
        let (mut before, mut after, mut soft) = (0.0, 0.0, 0);
        let all = image.to_rgb8();
        for (i, (_, truth)) in alpha.iter().zip(&front).enumerate().filter(|(_, (a, _))| **a > 0.1 && **a < 1.0) {
            soft += 1;
            let shown = &all[3 * i..][..3];
            before += (0..3).map(|c| (f32::from(shown[c]) - truth[c]).abs()).sum::<f32>();
            after += (0..3).map(|c| (f32::from(found[3 * i + c]) - truth[c]).abs()).sum::<f32>();
        }
        let per_value = after / (3 * soft) as f32;
        assert!(per_value < 6.0 && after < 0.12 * before, "{per_value} of 255; {before} became {after}");
    }

    #[test]
    fn the_foreground_itself_is_not_touched() {
        let (image, mut alpha, _) = ramp(33, 21);
        let found = estimate_foreground(&image, &alpha).unwrap();
        let shown = image.to_rgb8();
        for (i, _) in alpha.iter().enumerate().filter(|(_, a)| **a == 1.0) {
            assert_eq!(found[3 * i..3 * i + 3], shown[3 * i..3 * i + 3]);
        }
        alpha.fill(1.0);
        assert_eq!(estimate_foreground(&image, &alpha).unwrap(), shown);
        assert!(estimate_foreground(&image, &alpha[1..]).is_err());
    }

    #[test]
    fn any_size_works() {
        for (width, height) in [(1, 1), (1, 2), (2, 1), (3, 65), (67, 1)] {
            let image = Image::from_u8(width, height, 1, vec![90; width * height]).unwrap();
            let alpha: Vec<f32> = (0..width * height).map(|i| [0.0, 0.5, 1.0][i % 3]).collect();
            let found = estimate_foreground(&image, &alpha).unwrap();
            assert!(found.iter().all(|&v| v.abs_diff(90) <= 1), "{width}x{height}: {found:?}");
        }
    }
}
