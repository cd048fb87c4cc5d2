//! Images of little contrast, such as those of a fluorescence microscope, made visible.

use vibhag_core::{Image, Samples};
use vibhag_imaging::exposure::histogram;

/// Share of the samples that may become black, and as many white.
const CLIPPED: f64 = 0.001;
/// An image that spans this share of the scale is shown as it is.
const ENOUGH: f64 = 0.5;

/// The image as 8-bit RGB. When nearly all of its samples lie in less than half of the scale, that part is stretched to
/// the whole of it, all channels alike.
pub(crate) fn exposed(image: &Image) -> Vec<u8> {
    let counts = histogram(image, if image.channels() >= 3 { 3 } else { 1 });
    let total: u64 = counts.iter().sum();
    let clipped = (total as f64 * CLIPPED) as u64;
    let low = first_beyond(counts.iter(), clipped);
    let high = counts.len() - 1 - first_beyond(counts.iter().rev(), clipped);
    let span = high.saturating_sub(low);
    if span == 0 || span as f64 >= ENOUGH * (counts.len() - 1) as f64 {
        return image.to_rgb8();
    }
    let stretch = |value: usize| ((value.clamp(low, high) - low) * 255 / span) as u8;
    let channels = image.channels();
    let sample = |index: usize| match image.samples() {
        Samples::U8(values) => usize::from(values[index]),
        Samples::U16(values) => usize::from(values[index]),
    };
    (0..image.width() * image.height())
        .flat_map(|pixel| [0, 1, 2].map(|channel| pixel * channels + if channels >= 3 { channel } else { 0 }))
        .map(|index| stretch(sample(index)))
        .collect()
}

/// The place at which more than `skipped` have been counted.
fn first_beyond<'a>(counts: impl Iterator<Item = &'a u64>, skipped: u64) -> usize {
    let mut seen = 0;
    counts
        .take_while(|&&count| {
            seen += count;
            seen <= skipped
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photograph_stays_and_a_dark_image_is_stretched() {
        let photograph = Image::from_u8(3, 1, 1, vec![10, 100, 200]).unwrap();
        assert_eq!(exposed(&photograph), photograph.to_rgb8());
        let dark = Image::from_u8(3, 1, 1, vec![10, 20, 30]).unwrap();
        assert_eq!(exposed(&dark), [0, 0, 0, 127, 127, 127, 255, 255, 255]);
    }

    #[test]
    fn twelve_bits_in_sixteen_keep_their_grades_and_channels_their_ratio() {
        let samples = (0..=4095).collect();
        let image = Image::new(4096, 1, 1, Samples::U16(samples)).unwrap();
        let shown = exposed(&image);
        assert_eq!((shown[0], shown[3 * 4095]), (0, 255));
        assert!(shown.chunks_exact(3).map(|pixel| pixel[0]).is_sorted());
        assert!((100..156).contains(&shown[3 * 2048]));
        let red = Image::from_u8(2, 1, 3, vec![0, 0, 0, 60, 30, 0]).unwrap();
        assert_eq!(exposed(&red)[3..], [255, 127, 0]);
    }

    #[test]
    fn one_value_alone_is_not_stretched() {
        let flat = Image::from_u8(2, 2, 1, vec![7; 4]).unwrap();
        assert_eq!(exposed(&flat), [7; 12]);
    }
}
