//! Probabilities of a video's frames, steadied over time.

use rayon::prelude::*;
use vibhag_core::{Image, Result};

use super::pixels::{check_image, check_plane, read_row, size};
use super::window::window_means;

/// How [`TemporalFilter`] weighs a new frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TemporalOptions {
    /// Weight of a new frame where nothing moves, above 0 and at most 1 (no smoothing).
    pub still: f32,
    /// Changes of colour between frames, on the scale 0..=1 and averaged over a small window: up to the first they are
    /// taken for the camera's noise, from the second the new frame counts alone.
    pub motion: [f32; 2],
}

impl Default for TemporalOptions {
    fn default() -> Self {
        Self { still: 0.3, motion: [0.012, 0.05] }
    }
}

/// Half the side of the window over which changes of colour are averaged, in pixels.
const WINDOW: usize = 2;

/// An exponential mean of probabilities, pixel by pixel, that lets go where the picture moves: the flicker of a network
/// on a still edge is averaged away, while a moving edge is that of the newest frame and does not smear. A cut between
/// scenes is motion everywhere and starts anew.
///
/// Holds one plane of probabilities and one frame, however long the video.
#[derive(Debug, Clone)]
pub struct TemporalFilter {
    options: TemporalOptions,
    before: Option<Before>,
}

#[derive(Debug, Clone)]
struct Before {
    frame: Image,
    probabilities: Vec<f32>,
}

impl TemporalFilter {
    /// A filter that has seen no frame.
    pub fn new(options: TemporalOptions) -> Self {
        Self { options, before: None }
    }

    /// Replaces the `probabilities` of `frame` (a value a pixel) by their mean over the frames so far. A frame of
    /// another size than the one before starts anew.
    ///
    /// # Errors
    /// When there is not one finite probability a pixel, or the frame has more than four channels.
    pub fn smooth(&mut self, frame: &Image, probabilities: &mut [f32]) -> Result<()> {
        check_image(frame)?;
        check_plane("probabilities", probabilities, size(frame))?;
        let Some(before) = self.before.as_mut().filter(|before| size(&before.frame) == size(frame)) else {
            self.before = Some(Before { frame: frame.clone(), probabilities: probabilities.to_vec() });
            return Ok(());
        };
        let width = frame.width();
        let changes = |y: usize, out: &mut [[f32; 1]]| {
            let (mut old, mut new) = (vec![[0.0; 3]; width], vec![[0.0; 3]; width]);
            read_row(&before.frame, y, &mut old);
            read_row(frame, y, &mut new);
            for ((out, old), new) in out.iter_mut().zip(&old).zip(&new) {
                out[0] = old.iter().zip(new).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            }
        };
        let TemporalOptions { still, motion: [noise, moving] } = self.options;
        let still = still.clamp(0.0, 1.0);
        let weight = |_: usize, _: usize, [change]: [f64; 1]| {
            let t = ((change as f32 - noise) / (moving - noise).max(1e-6)).clamp(0.0, 1.0);
            // Smooth at both ends, so that the border of a moving region cannot be seen.
            still + (1.0 - still) * t * t * (3.0 - 2.0 * t)
        };
        let weights = window_means(size(frame), WINDOW, 0.0, changes, weight);
        let pixels = probabilities.par_iter_mut().zip(&mut before.probabilities).zip(&weights);
        pixels.with_min_len(1 << 14).for_each(|((new, mean), weight)| {
            *mean += weight * (*new - *mean);
            *new = *mean;
        });
        before.frame.clone_from(frame);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 48;

    /// A bright square at `left` before a dark wall, with noise of the camera.
    fn frame(left: usize, seed: usize) -> (Image, Vec<f32>) {
        let inside = |i: usize| (left..left + 16).contains(&(i % SIDE)) && (16..32).contains(&(i / SIDE));
        let noise = |i: usize| ((i * 7919 + seed * 104_729) % 5) as u8;
        let pixels = (0..SIDE * SIDE).flat_map(|i| [if inside(i) { 180 } else { 40 } + noise(i); 3]).collect();
        let truth = (0..SIDE * SIDE).map(|i| if inside(i) { 1.0 } else { 0.0 }).collect();
        (Image::from_u8(SIDE, SIDE, 3, pixels).unwrap(), truth)
    }

    #[test]
    fn flicker_on_a_still_picture_is_averaged_away() {
        let mut filter = TemporalFilter::new(TemporalOptions::default());
        let (mut raw, mut smooth, mut last) = (0.0f32, 0.0f32, 0.0f32);
        for time in 0..40 {
            let (image, mut p) = frame(10, time);
            p[24 * SIDE + 9] = 0.5 + if time % 2 == 0 { 0.4 } else { -0.4 };
            filter.smooth(&image, &mut p).unwrap();
            if time > 20 {
                raw += 0.8;
                smooth += (p[24 * SIDE + 9] - last).abs();
            }
            last = p[24 * SIDE + 9];
        }
        assert!(smooth < 0.35 * raw, "{smooth} of {raw}");
        assert!((last - 0.5).abs() < 0.15, "{last}");
    }

    #[test]
    fn a_moving_edge_does_not_smear() {
        let mut filter = TemporalFilter::new(TemporalOptions::default());
        for time in 0..12 {
            let (image, mut p) = frame(2 + 2 * time, time);
            let (_, truth) = frame(2 + 2 * time, time);
            filter.smooth(&image, &mut p).unwrap();
            let worst = p.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 0.05, "frame {time}: {worst}");
        }
    }

    #[test]
    fn a_cut_or_another_size_starts_anew() {
        let mut filter = TemporalFilter::new(TemporalOptions::default());
        let dark = Image::from_u8(4, 4, 3, vec![10; 48]).unwrap();
        let bright = Image::from_u8(4, 4, 3, vec![200; 48]).unwrap();
        filter.smooth(&dark, &mut [1.0; 16]).unwrap();
        let mut p = [0.0; 16];
        filter.smooth(&bright, &mut p).unwrap();
        assert_eq!(p, [0.0; 16]);
        let mut p = [0.7; 4];
        filter.smooth(&Image::from_u8(2, 2, 3, vec![200; 12]).unwrap(), &mut p).unwrap();
        assert_eq!(p, [0.7; 4]);
        assert!(filter.smooth(&dark, &mut p).is_err());
    }
}
