//! Regions of an image as the network's normalised input.

use std::borrow::Cow;

use vibhag_core::{Image, Preprocessing, Result, Samples};

/// The image with the network's number of channels; not copied when it has them.
pub(crate) fn with_channels(image: &Image, channels: usize) -> Result<Cow<'_, Image>> {
    if image.channels() == channels {
        return Ok(Cow::Borrowed(image));
    }
    image.clone().with_channels(channels).map(Cow::Owned)
}

/// Appends the `height` x `width` region whose first pixel is (`top`, `left`) to `out` as
/// normalised planes (CHW). Positions outside the image mirror its content, the edge pixel
/// not repeated.
pub(crate) fn append_region(
    image: &Image,
    preprocessing: &Preprocessing,
    (top, left): (isize, isize),
    (height, width): (usize, usize),
    out: &mut Vec<f32>,
) {
    let channels = image.channels();
    let columns: Vec<usize> = (0..width).map(|x| mirror(left + x as isize, image.width()) * channels).collect();
    let mut interleaved = Vec::with_capacity(height * width * channels);
    for y in 0..height {
        let row = mirror(top + y as isize, image.height()) * image.width() * channels;
        for column in &columns {
            let first = row + column;
            interleaved.extend((first..first + channels).map(|index| sample(image, index)));
        }
    }
    let start = out.len();
    out.resize(start + interleaved.len(), 0.0);
    preprocessing.normalize_to_planes(&interleaved, &mut out[start..]);
}

/// A sample on the 0..=255 scale.
pub(crate) fn sample(image: &Image, index: usize) -> f32 {
    match image.samples() {
        Samples::U8(values) => f32::from(values[index]),
        Samples::U16(values) => f32::from(values[index]) / 257.0,
    }
}

/// The index in 0..n that `index` falls on when the line is folded at its first and last element.
pub(crate) fn mirror(index: isize, n: usize) -> usize {
    if n < 2 {
        return 0;
    }
    let period = 2 * (n - 1);
    let folded = index.rem_euclid(period as isize) as usize;
    folded.min(period - folded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Geometry;

    #[test]
    fn mirroring_does_not_repeat_the_edge() {
        let folded: Vec<usize> = (-4..7).map(|i| mirror(i, 3)).collect();
        assert_eq!(folded, [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(mirror(-7, 1), 0);
    }

    #[test]
    fn a_region_is_cut_mirrored_and_normalised() {
        let image = Image::from_u8(2, 2, 1, vec![1, 2, 3, 4]).unwrap();
        let preprocessing = Preprocessing {
            stretch: None,
            scale: 1.0,
            channels: 1,
            mean: vec![1.0],
            std: vec![0.5],
            geometry: Geometry::Window { height: 2, width: 3 },
        };
        let mut out = vec![9.0];
        append_region(&image, &preprocessing, (1, -1), (2, 3), &mut out);
        assert_eq!(out, [9.0, 6.0, 4.0, 6.0, 2.0, 0.0, 2.0]);
    }

    #[test]
    fn sixteen_bits_and_eight_bits_mean_the_same() {
        let preprocessing = Preprocessing {
            stretch: None,
            scale: 1.0,
            channels: 1,
            mean: vec![0.0],
            std: vec![1.0],
            geometry: Geometry::Resize { height: 1, width: 1 },
        };
        let mut out = Vec::new();
        let image = Image::new(1, 1, 1, Samples::U16(vec![65535])).unwrap();
        append_region(&image, &preprocessing, (0, 0), (1, 1), &mut out);
        assert_eq!(out, [255.0]);
    }
}
