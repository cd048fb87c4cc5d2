//! From probabilities of the foreground to an alpha matte.

use rayon::prelude::*;
use vibhag_core::{Image, Result};

use super::guided::{GuidedFilter, guided_filter};
use super::pixels::{check_image, check_plane, size};
use super::window::window_means;

/// How [`alpha_matte`] softens an edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatteOptions {
    /// Up to the first probability a pixel is background, from the second it is foreground, as far as its
    /// neighbourhood agrees.
    pub sure: [f32; 2],
    /// Half the side of the neighbourhood that has to agree, in pixels: how far the probabilities may be mistaken about
    /// the place of an edge.
    pub reach: usize,
    /// Applied one after the other.
    pub passes: [Pass; 2],
}

/// One filtering.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// The filter.
    pub filter: GuidedFilter,
    /// The values of the filter that become 0 and 1. What a linear model leaves of the background's texture in the
    /// foreground, and the other way round, lies beyond them.
    pub levels: [f32; 2],
}

impl MatteOptions {
    /// For an image of `width` x `height` pixels: lengths grow with its diagonal.
    ///
    /// The first pass moves the edge: its epsilon is large, so that texture within the object does not draw alpha along,
    /// and its levels leave little between 0 and 1. The second begins from that edge and brings out what is soft.
    pub fn for_size(width: usize, height: usize) -> Self {
        let diagonal = (width as f64).hypot(height as f64);
        let radius = ((diagonal / 90.0).round() as usize).max(2);
        let pass =
            |epsilon, levels| Pass { filter: GuidedFilter { radius, epsilon, step: (radius / 4).clamp(1, 4) }, levels };
        Self { sure: [0.05, 0.95], reach: radius / 2, passes: [pass(0.02, [0.4, 0.6]), pass(0.005, [0.3, 0.7])] }
    }
}

/// Alpha (0 background, 1 foreground, row-major) at the image's size from a `probability` of the foreground a pixel.
///
/// Probabilities say where the object is, but a network's edge is blurred and a little beside the true one. As in a
/// trimap, pixels whose whole neighbourhood is sure stay 0 or 1; in the band between, the [`guided_filter`] makes alpha
/// a linear function of the image's colours.
///
/// # Errors
/// When there is not one finite probability a pixel, or the image has more than four channels.
pub fn alpha_matte(image: &Image, probabilities: &[f32], options: &MatteOptions) -> Result<Vec<f32>> {
    check_image(image)?;
    check_plane("probabilities", probabilities, size(image))?;
    let [outside, inside] = options.sure;
    // What is sure is made exact before it is filtered, or its remainder would end as haze in the band.
    let exact = |&p: &f32| {
        if p <= outside {
            0.0
        } else if p >= inside {
            1.0
        } else {
            p
        }
    };
    let exact: Vec<f32> = probabilities.iter().map(exact).collect();
    let mut filtered = exact.clone();
    for pass in &options.passes {
        filtered = guided_filter(image, &filtered, &pass.filter)?;
        let [low, high] = pass.levels;
        let scale = 1.0 / (high - low).max(1e-6);
        filtered
            .par_iter_mut()
            .with_min_len(1 << 14)
            .for_each(|value| *value = ((*value - low) * scale).clamp(0.0, 1.0));
    }
    let width = image.width();
    let votes = |y: usize, row: &mut [[f32; 1]]| {
        // Sums of halves are exact, so a single unsure pixel keeps the mean off both ends.
        row.iter_mut()
            .zip(&exact[y * width..])
            .for_each(|(vote, &p)| vote[0] = if p == 0.0 || p == 1.0 { p } else { 0.5 });
    };
    Ok(window_means(size(image), options.reach, 0.0, votes, |y, x, [mean]| {
        if mean == 0.0 || mean == 1.0 { mean as f32 } else { filtered[y * width + x] }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disc with a soft edge before stripes: the picture, the true alpha, and what a network might say of it.
    fn scene(side: usize) -> (Image, Vec<f32>, Vec<f32>) {
        let center = side as f32 / 2.0;
        let distance = |i: usize, shift: f32| {
            center * 0.6 - ((i % side) as f32 - center + shift).hypot((i / side) as f32 - center)
        };
        let truth: Vec<f32> = (0..side * side).map(|i| (0.5 + distance(i, 0.0) / 3.0).clamp(0.0, 1.0)).collect();
        let guess = (0..side * side).map(|i| 1.0 / (1.0 + (-distance(i, 1.5) / 2.0).exp())).collect();
        let pixels = truth.iter().enumerate().flat_map(|(i, &alpha)| {
            let stripe = if (i % side / 5).is_multiple_of(2) { 20.0 } else { 60.0 };
            let mix = |front: f32, back: f32| (alpha * front + (1.0 - alpha) * back).round() as u8;
            [mix(220.0, stripe), mix(150.0, stripe + 30.0), mix(120.0, stripe + 10.0)]
        });
        (Image::from_u8(side, side, 3, pixels.collect()).unwrap(), truth, guess)
    }

    #[test]
    fn the_matte_is_nearer_to_the_truth_than_the_probabilities() {
        let (image, truth, guess) = scene(120);
        let options = MatteOptions::for_size(500, 500);
        let with_step = |step| {
            let passes = options.passes.map(|pass| Pass { filter: GuidedFilter { step, ..pass.filter }, ..pass });
            MatteOptions { passes, ..options }
        };
        let error = |alpha: &[f32]| truth.iter().zip(alpha).map(|(a, b)| (a - b).abs()).sum::<f32>();
        let before = error(&guess);
        for (step, share) in [(1, 0.3), (2, 0.4)] {
            let after = error(&alpha_matte(&image, &guess, &with_step(step)).unwrap());
            assert!(after < share * before, "{before} became {after}");
        }
    }

    #[test]
    fn what_is_sure_stays() {
        let (image, truth, guess) = scene(90);
        let alpha = alpha_matte(&image, &guess, &MatteOptions::for_size(90, 90)).unwrap();
        assert!(alpha.iter().all(|alpha| (0.0..=1.0).contains(alpha)));
        let at = |x: usize, y: usize| alpha[y * 90 + x];
        assert_eq!((at(45, 45), at(2, 2), at(88, 45)), (1.0, 0.0, 0.0));
        assert!(alpha.iter().zip(&truth).any(|(&a, _)| a > 0.2 && a < 0.8));
        for certain in [0.0, 1.0] {
            let all = alpha_matte(&image, &vec![certain; 90 * 90], &MatteOptions::for_size(90, 90)).unwrap();
            assert!(all.iter().all(|&alpha| alpha == certain));
        }
    }

    #[test]
    fn a_single_pixel_keeps_its_probability() {
        let image = Image::from_u8(1, 1, 4, vec![1, 2, 3, 4]).unwrap();
        let alpha = alpha_matte(&image, &[0.5], &MatteOptions::for_size(1, 1)).unwrap();
        assert!((alpha[0] - 0.5).abs() < 1e-6, "{alpha:?}");
        assert!(alpha_matte(&image, &[f32::INFINITY], &MatteOptions::for_size(1, 1)).is_err());
    }
}
