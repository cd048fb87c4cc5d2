//! The guided filter: a plane smoothed such that its edges fall on those of an image.

use rayon::prelude::*;
use vibhag_core::{Image, Result};

use super::grid::Grid;
use super::pixels::{check_image, check_plane, read_row, size};
use super::window::window_means;

/// How [`guided_filter`] smooths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GuidedFilter {
    /// Half the side of the window, in pixels.
    pub radius: usize,
    /// Variance of the guide (on the scale of 0..=1) below which a window counts as flat: the paper's epsilon.
    pub epsilon: f32,
    /// Side of the blocks to whose means the linear models are fitted, in pixels; 1 is the exact filter. The time falls
    /// with its square, and little is lost as long as it is at most a quarter of the radius.
    pub step: usize,
}

/// Filters `input` (a value a pixel, row-major) under the guidance of `image`, grey or colour; an alpha channel is left
/// out. Returns a plane of the same size, which may overshoot the range of `input` a little.
///
/// In every window the output is a linear function of the guide's colours, fitted to `input` (He, Sun and Tang, "Guided
/// Image Filtering", 2013: equations 4 to 6 for a grey guide, 19 to 21 for a colour one). With a `step` above 1 the fit
/// is made to means of blocks and its coefficients are enlarged bilinearly (He and Sun, "Fast Guided Filter", 2015). At
/// the borders windows are cut. The time does not depend on the radius.
///
/// # Errors
/// When `input` has another size than the image, holds a value that is not finite, or the image has more than four
/// channels.
pub fn guided_filter(image: &Image, input: &[f32], options: &GuidedFilter) -> Result<Vec<f32>> {
    check_image(image)?;
    check_plane("values", input, size(image))?;
    let plane = Plane { values: input, size: size(image), options };
    Ok(if image.channels() >= 3 {
        plane.filter(|y, row| read_row(image, y, row), color_products, fit_color)
    } else {
        let grey = |y: usize, row: &mut [[f32; 1]]| {
            let mut colors = vec![[0.0; 3]; row.len()];
            read_row(image, y, &mut colors);
            row.iter_mut().zip(&colors).for_each(|(grey, color)| grey[0] = color[0]);
        };
        plane.filter(grey, grey_products, fit_grey)
    })
}

struct Plane<'a> {
    values: &'a [f32],
    size: (usize, usize),
    options: &'a GuidedFilter,
}

impl Plane<'_> {
    /// `guide(y, row)` fills a row of guides of `C` values, `products` makes what is averaged from a guide and an input,
    /// and `fit` turns the means into `MODEL` = `C + 1` coefficients: a slope for each value and the offset.
    fn filter<const C: usize, const IN: usize, const MODEL: usize>(
        &self,
        guide: impl Fn(usize, &mut [[f32; C]]) + Sync,
        products: impl Fn([f32; MODEL]) -> [f32; IN] + Sync,
        fit: impl Fn(&[f64; IN], f64) -> [f32; MODEL] + Sync,
    ) -> Vec<f32> {
        let (width, height) = self.size;
        let step = self.options.step.clamp(1, width.max(height).max(1));
        let radius = self.options.radius.div_ceil(step);
        // Products are rounded to single precision: with less, what rounding left would be taken for colours.
        let epsilon = f64::from(self.options.epsilon.max(1e-6));
        // Guide and input side by side are as many values as a model has coefficients.
        let joined = Grid::<MODEL>::shrink(self.size, step, |y, out| {
            let mut row = vec![[0.0; C]; width];
            guide(y, &mut row);
            for ((out, pixel), &value) in out.iter_mut().zip(&row).zip(&self.values[y * width..]) {
                out[..C].copy_from_slice(pixel);
                out[C] = value;
            }
        });
        let small = (joined.width, joined.height);
        let line = |y: usize| y * small.0..(y + 1) * small.0;
        let read = |y: usize, out: &mut [[f32; IN]]| {
            out.iter_mut().zip(&joined.values[line(y)]).for_each(|(out, pixel)| *out = products(*pixel));
        };
        let models = window_means(small, radius, [0.0; MODEL], read, |_, _, means| fit(&means, epsilon));
        let read = |y: usize, out: &mut [[f32; MODEL]]| out.copy_from_slice(&models[line(y)]);
        let round = |_: usize, _: usize, means: [f64; MODEL]| means.map(|value| value as f32);
        let values = window_means(small, radius, [0.0; MODEL], read, round);
        let smoothed = Grid { width: small.0, height: small.1, step, values };
        let enlarged = smoothed.enlarged(self.size);
        let mut out = vec![0.0; width * height];
        out.par_chunks_exact_mut(width).enumerate().for_each(|(y, out)| {
            let (mut row, mut models) = (vec![[0.0; C]; width], vec![[0.0; MODEL]; width]);
            guide(y, &mut row);
            enlarged.row(y, &mut models);
            for ((out, pixel), model) in out.iter_mut().zip(&row).zip(&models) {
                *out = model[C] + pixel.iter().zip(model).map(|(color, slope)| color * slope).sum::<f32>();
            }
        });
        out
    }
}

fn grey_products([i, p]: [f32; 2]) -> [f32; 4] {
    [i, p, i * p, i * i]
}

/// Equations 5 and 6.
fn fit_grey(&[i, p, ip, ii]: &[f64; 4], epsilon: f64) -> [f32; 2] {
    let slope = (ip - i * p) / ((ii - i * i).max(0.0) + epsilon);
    [slope as f32, (p - slope * i) as f32]
}

fn color_products([r, g, b, p]: [f32; 4]) -> [f32; 13] {
    [r, g, b, p, r * p, g * p, b * p, r * r, r * g, r * b, g * g, g * b, b * b]
}

/// Equations 19 and 20, the 3x3 system solved by its adjugate.
fn fit_color(means: &[f64; 13], epsilon: f64) -> [f32; 4] {
    let &[r, g, b, p, rp, gp, bp, rr, rg, rb, gg, gb, bb] = means;
    let (rr, gg, bb) = (rr - r * r + epsilon, gg - g * g + epsilon, bb - b * b + epsilon);
    let (rg, rb, gb) = (rg - r * g, rb - r * b, gb - g * b);
    let (cr, cg, cb) = (rp - r * p, gp - g * p, bp - b * p);
    let (i_rr, i_rg, i_rb) = (gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg);
    let (i_gg, i_gb, i_bb) = (rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg);
    let determinant = rr * i_rr + rg * i_rg + rb * i_rb;
    let slope = [
        (i_rr * cr + i_rg * cg + i_rb * cb) / determinant,
        (i_rg * cr + i_gg * cg + i_gb * cb) / determinant,
        (i_rb * cr + i_gb * cg + i_bb * cb) / determinant,
    ];
    let offset = p - slope[0] * r - slope[1] * g - slope[2] * b;
    [slope[0] as f32, slope[1] as f32, slope[2] as f32, offset as f32]
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: GuidedFilter = GuidedFilter { radius: 4, epsilon: 1e-4, step: 1 };

    #[test]
    fn a_blurred_edge_moves_to_the_edge_of_the_guide() {
        let (width, height) = (40, 12);
        let pixels = (0..width * height).flat_map(|i| if i % width < 20 { [200, 40, 60] } else { [60, 80, 120] });
        let image = Image::from_u8(width, height, 3, pixels.collect()).unwrap();
        let blurred: Vec<f32> =
            (0..width * height).map(|i| (0.5 - ((i % width) as f32 - 19.5) / 8.0).clamp(0.0, 1.0)).collect();
        let out = guided_filter(&image, &blurred, &EXACT).unwrap();
        for row in out.chunks_exact(width) {
            assert!(row[19] - row[20] > 0.5, "the step at the edge: {} {}", row[19], row[20]);
            assert!(blurred[19] - blurred[20] < 0.13);
        }
    }

    #[test]
    fn a_flat_guide_makes_it_a_box_filter_twice_over() {
        let image = Image::from_u8(9, 1, 3, vec![90; 27]).unwrap();
        let mut input = vec![0.0; 9];
        input[4] = 1.0;
        let options = GuidedFilter { radius: 1, epsilon: 1e-2, step: 1 };
        let out = guided_filter(&image, &input, &options).unwrap();
        let expected = [0.0, 0.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0, 0.0].map(|v: f32| v / 9.0);
        assert!(out.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{out:?}");
    }

    #[test]
    fn an_input_that_is_linear_in_the_guide_comes_back_at_any_step_and_depth() {
        let (width, height) = (31, 22);
        let grey: Vec<u16> = (0..width * height).map(|i| ((i % width) * 1800 + (i / width) * 300) as u16).collect();
        let input: Vec<f32> = grey.iter().map(|&v| 0.2 + 0.5 * f32::from(v) / 65535.0).collect();
        let image = Image::new(width, height, 1, vibhag_core::Samples::U16(grey)).unwrap();
        for step in [1, 2, 3] {
            let options = GuidedFilter { radius: 6, epsilon: 1e-9, step };
            let out = guided_filter(&image, &input, &options).unwrap();
            let worst = out.iter().zip(&input).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "step {step}: {worst}");
        }
    }

    #[test]
    fn wrong_input_is_an_error_that_says_where() {
        let image = Image::from_u8(2, 2, 3, vec![0; 12]).unwrap();
        assert!(guided_filter(&image, &[0.0; 3], &EXACT).is_err());
        let error = guided_filter(&image, &[0.0, 0.0, f32::NAN, 0.0], &EXACT).unwrap_err();
        assert!(error.to_string().contains("x=0 y=1"), "{error}");
        let five = Image::from_u8(1, 1, 5, vec![0; 5]).unwrap();
        assert!(guided_filter(&five, &[0.0], &EXACT).is_err());
        assert_eq!(guided_filter(&Image::from_u8(1, 1, 3, vec![7; 3]).unwrap(), &[0.25], &EXACT).unwrap(), [0.25]);
    }
}
