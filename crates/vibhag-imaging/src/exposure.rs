//! Images brought to one range of brightness, as microscopes do not.

use vibhag_core::{Image, Samples};

/// A range that is smaller than this share of the scale is noise and is not stretched further.
const LEAST_SPAN: f32 = 1.0 / 64.0;

/// Stretches the part of the scale between two percentiles of the image's samples (0..=100, all colour channels
/// together) to the whole of it; what lies beyond is clipped. Depth and channels stay; an alpha channel is left alone.
pub fn stretch(image: &Image, percentiles: [f32; 2]) -> Image {
    let (channels, colors) = (image.channels(), colors(image));
    let table = table(&histogram(image, colors), percentiles);
    let samples = match image.samples() {
        Samples::U8(values) => {
            let map = |(index, &value): (usize, &u8)| {
                if index % channels < colors { table[usize::from(value)] as u8 } else { value }
            };
            Samples::U8(values.iter().enumerate().map(map).collect())
        }
        Samples::U16(values) => {
            let map = |(index, &value): (usize, &u16)| {
                if index % channels < colors { table[usize::from(value)] } else { value }
            };
            Samples::U16(values.iter().enumerate().map(map).collect())
        }
    };
    // As many samples as there were.
    Image::new(image.width(), image.height(), channels, samples).unwrap_or_else(|_| image.clone())
}

/// Channels that are no alpha.
fn colors(image: &Image) -> usize {
    match image.channels() {
        2 => 1,
        4 => 3,
        other => other,
    }
}

/// How often each value occurs in the first `shown` channels of the image; 256 or 65,536 counts by its depth.
pub fn histogram(image: &Image, shown: usize) -> Vec<u64> {
    fn count<T: Copy + Into<usize>>(values: &[T], channels: usize, shown: usize, bins: usize) -> Vec<u64> {
        let mut counts = vec![0; bins];
        for value in values.chunks_exact(channels).flat_map(|pixel| &pixel[..shown]) {
            counts[(*value).into()] += 1;
        }
        counts
    }
    match image.samples() {
        Samples::U8(values) => count(values, image.channels(), shown, 1 << 8),
        Samples::U16(values) => count(values, image.channels(), shown, 1 << 16),
    }
}

/// What each value becomes.
fn table(counts: &[u64], [low, high]: [f32; 2]) -> Vec<u16> {
    let total: u64 = counts.iter().sum();
    let at = |percentile: f32| {
        let wanted = ((total as f64 * f64::from(percentile) / 100.0) as u64).min(total.saturating_sub(1));
        let mut seen = 0;
        let reached = |count: &u64| {
            seen += count;
            seen > wanted
        };
        counts.iter().position(reached).unwrap_or(counts.len() - 1) as f32
    };
    let most = (counts.len() - 1) as f32;
    let (first, last) = (at(low), at(high));
    let span = (last - first).max(LEAST_SPAN * most);
    (0..counts.len()).map(|value| ((value as f32 - first) / span * most).clamp(0.0, most).round() as u16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_between_the_percentiles_fills_the_scale() {
        let image = Image::from_u8(101, 1, 1, (50..=150).collect()).unwrap();
        let Samples::U8(values) = stretch(&image, [10.0, 90.0]).samples().clone() else { panic!() };
        assert_eq!((values[0], values[10], values[50], values[90], values[100]), (0, 0, 128, 255, 255));
    }

    #[test]
    fn alpha_stays_and_a_flat_image_stays_flat() {
        let image = Image::from_u8(2, 1, 2, vec![10, 7, 200, 9]).unwrap();
        let Samples::U8(values) = stretch(&image, [0.0, 100.0]).samples().clone() else { panic!() };
        assert_eq!(values, [0, 7, 255, 9]);
        let flat = Image::new(2, 2, 1, Samples::U16(vec![900; 4])).unwrap();
        let Samples::U16(values) = stretch(&flat, [1.0, 99.8]).samples().clone() else { panic!() };
        assert_eq!(values, [0; 4]);
    }

    #[test]
    fn faint_noise_is_not_blown_up_to_the_whole_scale() {
        let image = Image::from_u8(4, 1, 1, vec![20, 21, 20, 22]).unwrap();
        let Samples::U8(values) = stretch(&image, [0.0, 100.0]).samples().clone() else { panic!() };
        assert!(values.iter().all(|&value| value <= 135), "{values:?}");
    }
}
