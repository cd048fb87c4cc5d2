//! Windows over a magnified image: regions are magnified when they are cut, maps shrunk row by row as they become
//! final, so that neither the magnified image nor its maps are ever whole in memory.

use vibhag_core::{Image, Preprocessing};

use crate::input::{mirror, sample};

/// One side of an image and of its magnified self.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Zoom {
    /// Pixels of the image.
    pub(crate) own: usize,
    /// Pixels after magnification.
    pub(crate) magnified: usize,
}

impl Zoom {
    pub(crate) fn new(own: usize, scale: f32) -> Self {
        // Never less, so that each pixel gets a value of its own.
        Self { own, magnified: ((own as f64 * f64::from(scale)).round() as usize).max(own) }
    }

    pub(crate) fn is_plain(self) -> bool {
        self.own == self.magnified
    }

    /// The magnified pixels that a pixel covers: the first, and the share that each of them has.
    pub(crate) fn cover(self, pixel: usize) -> (usize, Vec<f32>) {
        let ratio = self.magnified as f64 / self.own as f64;
        let (begin, end) = (pixel as f64 * ratio, (pixel + 1) as f64 * ratio);
        let (first, last) = (begin.floor() as usize, (end - 1e-9).floor() as usize);
        let last = last.clamp(first, self.magnified - 1);
        let share = |at: usize| ((end.min((at + 1) as f64) - begin.max(at as f64)) / ratio) as f32;
        (first, (first..=last).map(share).collect())
    }

    /// How many pixels have all that they cover among the first `magnified` ones.
    pub(crate) fn covered(self, magnified: usize) -> usize {
        if magnified >= self.magnified {
            return self.own;
        }
        (magnified as f64 * self.own as f64 / self.magnified as f64 + 1e-9).floor() as usize
    }

    /// The two pixels (folded at the borders) between which the magnified position lies, and the share of the second.
    fn between(self, magnified: isize) -> (usize, usize, f32) {
        let at = (magnified as f64 + 0.5) * self.own as f64 / self.magnified as f64 - 0.5;
        let first = at.floor();
        let index = |position: f64| mirror(position as isize, self.own);
        (index(first), index(first + 1.0), (at - first) as f32)
    }
}

/// Appends the `height` x `width` region of the magnified image whose first pixel is (`top`, `left`) to `out` as normalised
/// planes (CHW), interpolated bilinearly. Positions outside mirror the image's content.
pub(crate) fn append_magnified(
    image: &Image,
    preprocessing: &Preprocessing,
    [rows, columns]: [Zoom; 2],
    (top, left): (isize, isize),
    (height, width): (usize, usize),
    out: &mut Vec<f32>,
) {
    let channels = image.channels();
    let across: Vec<(usize, usize, f32)> = (0..width).map(|x| columns.between(left + x as isize)).collect();
    let mut interleaved = Vec::with_capacity(height * width * channels);
    for y in 0..height {
        let (above, below, down) = rows.between(top + y as isize);
        let value = |row: usize, column: usize, channel: usize| {
            sample(image, (row * image.width() + column) * channels + channel)
        };
        for &(before, after, right) in &across {
            for channel in 0..channels {
                let mix = |row: usize| {
                    let first = value(row, before, channel);
                    first + right * (value(row, after, channel) - first)
                };
                let upper = mix(above);
                interleaved.push(upper + down * (mix(below) - upper));
            }
        }
    }
    let start = out.len();
    out.resize(start + interleaved.len(), 0.0);
    preprocessing.normalize_to_planes(&interleaved, &mut out[start..]);
}

/// Averages each pixel's share of a magnified row onto `out`, times `weight`.
pub(crate) fn add_shrunk(row: &[f32], cover: &[(usize, Vec<f32>)], weight: f32, out: &mut [f32]) {
    for (value, (first, shares)) in out.iter_mut().zip(cover) {
        let mean: f32 = row[*first..].iter().zip(shares).map(|(value, share)| value * share).sum();
        *value += weight * mean;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Geometry;

    #[test]
    fn every_pixel_covers_its_share() {
        for (own, scale) in [(7, 1.0), (7, 1.5), (10, 2.0), (256, 1.7), (1, 3.0)] {
            let zoom = Zoom::new(own, scale);
            let mut all = vec![0.0; zoom.magnified];
            for pixel in 0..own {
                let (first, shares) = zoom.cover(pixel);
                assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{own} {scale} {pixel}");
                shares.iter().enumerate().for_each(|(at, share)| all[first + at] += share);
                assert!(zoom.covered(first + shares.len()) > pixel);
                assert!(zoom.covered(first + shares.len() - 1) <= pixel);
            }
            let even = own as f32 / zoom.magnified as f32;
            assert!(all.iter().all(|share| (share - even).abs() < 1e-4), "{own} {scale} {all:?}");
        }
    }

    #[test]
    fn what_was_magnified_shrinks_to_itself() {
        // A ramp is kept by both, but for half a pixel at the borders.
        let (width, height) = (12, 9);
        let image = Image::from_u8(width, height, 1, (0..width * height).map(|i| (i % width * 20) as u8).collect());
        let image = image.unwrap();
        let preprocessing = Preprocessing {
            stretch: None,
            scale: 2.0,
            channels: 1,
            mean: vec![0.0],
            std: vec![1.0],
            geometry: Geometry::Window { height: 8, width: 8 },
        };
        let zooms = [Zoom::new(height, 2.0), Zoom::new(width, 2.0)];
        let mut magnified = Vec::new();
        append_magnified(&image, &preprocessing, zooms, (0, 0), (2 * height, 2 * width), &mut magnified);
        let cover: Vec<_> = (0..width).map(|x| zooms[1].cover(x)).collect();
        let mut row = vec![0.0; width];
        add_shrunk(&magnified[..2 * width], &cover, 1.0, &mut row);
        for (x, value) in row.iter().enumerate().take(width - 1).skip(1) {
            assert!((value - 20.0 * x as f32).abs() < 1e-3, "{x}: {value}");
        }
        let mut outside = Vec::new();
        append_magnified(&image, &preprocessing, zooms, (-4, -5), (4, 5), &mut outside);
        assert!(outside.iter().all(|value| (0.0..=220.0).contains(value)));
    }
}
