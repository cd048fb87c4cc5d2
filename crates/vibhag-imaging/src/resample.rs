//! Changing the size of images, label maps and probability planes.

use rayon::prelude::*;
use vibhag_core::{Error, Image, LabelMap, Result, Samples};

/// Output values below which a resize stays on the calling thread.
const PARALLEL_FROM: usize = 1 << 17;
/// Source samples below which an image resize stays on the calling thread: the loader's threads
/// should not wait for a pool that is busy training.
const PARALLEL_FROM_SOURCE: usize = 1 << 23;

/// Resizes to `width` x `height` with a triangle filter that widens when shrinking
/// (anti-aliased, as Pillow's `BILINEAR` and torch's `antialias=True`). Keeps depth and channels.
///
/// # Errors
/// When a side is zero.
pub fn resize_image(image: &Image, width: usize, height: usize) -> Result<Image> {
    if (width, height) == (image.width(), image.height()) {
        return Ok(image.clone());
    }
    if width == 0 || height == 0 {
        return Err(empty_target(width, height));
    }
    let channels = image.channels();
    let samples = match image.samples() {
        Samples::U8(values) => Samples::U8(convolve(values, image, (width, height), |value| (value + 0.5) as u8)),
        Samples::U16(values) => Samples::U16(convolve(values, image, (width, height), |value| (value + 0.5) as u16)),
    };
    Image::new(width, height, channels, samples)
}

/// Resizes a label map to `width` x `height`: each pixel takes the label under its centre.
///
/// # Errors
/// When a side is zero.
pub fn resize_labels(map: &LabelMap, width: usize, height: usize) -> Result<LabelMap> {
    if width == 0 || height == 0 {
        return Err(empty_target(width, height));
    }
    let columns = nearest_indices(map.width(), width);
    let mut labels = Vec::with_capacity(width * height);
    for row in nearest_indices(map.height(), height) {
        let source = &map.labels()[row * map.width()..][..map.width()];
        labels.extend(columns.iter().map(|&column| source[column]));
    }
    LabelMap::new(width, height, labels)
}

/// Resizes a plane of `from` = (rows, columns) values to `to` = (rows, columns) bilinearly with
/// half-pixel centres and replicated edges: torch's `interpolate(mode="bilinear",
/// align_corners=False)`, without anti-aliasing. An empty `from` or `to` gives zeros.
///
/// `src` must hold at least `from.0 * from.1` values (row-major); slicing it is the only check.
pub fn resize_plane_bilinear(src: &[f32], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    let mut out = vec![0.0; to.0 * to.1];
    if src.is_empty() || out.is_empty() || from.0 == 0 || from.1 == 0 {
        return out;
    }
    let rows = bilinear_taps(from.0, to.0);
    let columns = bilinear_taps(from.1, to.1);
    let fill = |(out_row, tap): (&mut [f32], &Tap)| {
        let upper = &src[tap.low * from.1..][..from.1];
        let lower = &src[tap.high * from.1..][..from.1];
        for (value, column) in out_row.iter_mut().zip(&columns) {
            let rest = 1.0 - column.weight;
            let top = rest * upper[column.low] + column.weight * upper[column.high];
            let bottom = rest * lower[column.low] + column.weight * lower[column.high];
            *value = (1.0 - tap.weight) * top + tap.weight * bottom;
        }
    };
    if out.len() < PARALLEL_FROM {
        out.chunks_exact_mut(to.1).zip(&rows).for_each(fill);
    } else {
        out.par_chunks_exact_mut(to.1).zip(&rows).for_each(fill);
    }
    out
}

/// The two source indices that an output index mixes, and the weight of the second.
#[derive(Debug, Clone, Copy)]
pub struct Tap {
    /// The lower source index.
    pub low: usize,
    /// The upper source index.
    pub high: usize,
    /// Weight of the upper one, 0..=1.
    pub weight: f32,
}

/// The taps that resize `from` (at least one) values to `to` as [`resize_plane_bilinear`] does,
/// for callers that resize row by row.
pub fn bilinear_taps(from: usize, to: usize) -> Vec<Tap> {
    // In f32, as torch computes it: the weights then agree to the last bit.
    let scale = from as f32 / to as f32;
    (0..to)
        .map(|index| {
            let position = (scale * (index as f32 + 0.5) - 0.5).max(0.0);
            let low = (position as usize).min(from - 1);
            Tap { low, high: (low + 1).min(from - 1), weight: (position - low as f32).clamp(0.0, 1.0) }
        })
        .collect()
}

fn nearest_indices(from: usize, to: usize) -> Vec<usize> {
    // floor((i + 0.5) * from / to) in integers.
    (0..to).map(|index| (2 * index + 1) * from / (2 * to)).collect()
}

/// The source samples under the filter at one output index: the first of them, and a weight each.
struct Window {
    first: usize,
    weights: Vec<f32>,
}

/// Triangle filter windows: two source pixels wide when growing, as wide as two output pixels
/// when shrinking.
fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    (0..to)
        .map(|index| {
            let center = (index as f64 + 0.5) * scale;
            let first = ((center - support + 0.5) as usize).min(from - 1);
            let end = ((center + support + 0.5) as usize).clamp(first + 1, from);
            let weight = |at: usize| (1.0 - (at as f64 + 0.5 - center).abs() / support).max(0.0);
            let total: f64 = (first..end).map(weight).sum();
            Window { first, weights: (first..end).map(|at| (weight(at) / total) as f32).collect() }
        })
        .collect()
}

/// Resizes along rows, then along columns, in f32 and rounds once. Written out because a generic
/// resizer takes minutes to compile, for every pixel type and instruction set it knows.
fn convolve<T: Copy + Default + Into<f32> + Send + Sync>(
    values: &[T],
    image: &Image,
    (width, height): (usize, usize),
    round: impl Fn(f32) -> T + Sync,
) -> Vec<T> {
    let channels = image.channels();
    let (columns, rows) = (windows(image.width(), width), windows(image.height(), height));
    let mut narrow = vec![0.0f32; image.height() * width * channels];
    let source_stride = image.width() * channels;
    let stride = width * channels;
    let horizontal = |(out, row): (&mut [f32], &[T])| match channels {
        // Literal channel counts let the compiler keep the sums in registers.
        1 => narrow_row::<T, 1>(out, row, &columns),
        3 => narrow_row::<T, 3>(out, row, &columns),
        _ => narrow_any_row(out, row, channels, &columns),
    };
    let parallel = values.len() >= PARALLEL_FROM_SOURCE;
    if parallel {
        narrow.par_chunks_exact_mut(stride).zip(values.par_chunks_exact(source_stride)).for_each(horizontal);
    } else {
        narrow.chunks_exact_mut(stride).zip(values.chunks_exact(source_stride)).for_each(horizontal);
    }
    let vertical = |(out, window): (&mut [T], &Window)| {
        let mut sums = vec![0.0f32; stride];
        for (weight, row) in window.weights.iter().zip(narrow[window.first * stride..].chunks_exact(stride)) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
        for (value, sum) in out.iter_mut().zip(sums) {
            *value = round(sum);
        }
    };
    let mut out = vec![T::default(); stride * height];
    if parallel {
        out.par_chunks_exact_mut(stride).zip(&rows).for_each(vertical);
    } else {
        out.chunks_exact_mut(stride).zip(&rows).for_each(vertical);
    }
    out
}

fn narrow_row<T: Copy + Into<f32>, const CHANNELS: usize>(out: &mut [f32], row: &[T], columns: &[Window]) {
    let (row, _) = row.as_chunks::<CHANNELS>();
    let (out, _) = out.as_chunks_mut::<CHANNELS>();
    for (pixel, window) in out.iter_mut().zip(columns) {
        let mut sums = [0.0f32; CHANNELS];
        for (weight, source) in window.weights.iter().zip(&row[window.first..]) {
            for (sum, value) in sums.iter_mut().zip(source) {
                *sum += weight * (*value).into();
            }
        }
        *pixel = sums;
    }
}

fn narrow_any_row<T: Copy + Into<f32>>(out: &mut [f32], row: &[T], channels: usize, columns: &[Window]) {
    for (pixel, window) in out.chunks_exact_mut(channels).zip(columns) {
        pixel.fill(0.0);
        for (weight, source) in window.weights.iter().zip(row.chunks_exact(channels).skip(window.first)) {
            for (sum, value) in pixel.iter_mut().zip(source) {
                *sum += weight * (*value).into();
            }
        }
    }
}

fn empty_target(width: usize, height: usize) -> Error {
    Error::config(format!("cannot resize to {width}x{height}")).hint("both sides must be at least one pixel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_image_stays_constant_in_every_layout() {
        for channels in [1, 2, 3, 4, 6] {
            let eight = Image::from_u8(13, 9, channels, vec![77; 13 * 9 * channels]).unwrap();
            assert_eq!(
                resize_image(&eight, 5, 20).unwrap().samples(),
                &Samples::U8(vec![77; 5 * 20 * channels]),
                "{channels} channels of 8 bits"
            );
            let sixteen = Image::new(13, 9, channels, Samples::U16(vec![40_000; 13 * 9 * channels])).unwrap();
            assert_eq!(
                resize_image(&sixteen, 5, 20).unwrap().samples(),
                &Samples::U16(vec![40_000; 5 * 20 * channels]),
                "{channels} channels of 16 bits"
            );
        }
    }

    #[test]
    fn shrinking_averages_instead_of_skipping() {
        let stripes: Vec<u8> = (0..64 * 64).map(|i| if i % 2 == 0 { 0 } else { 255 }).collect();
        let small = resize_image(&Image::from_u8(64, 64, 1, stripes).unwrap(), 8, 8).unwrap();
        let Samples::U8(values) = small.samples() else { panic!("depth changed") };
        assert!(values.iter().all(|&v| (100..=155).contains(&v)), "{values:?}");
    }

    #[test]
    fn channels_are_not_mixed() {
        let values: Vec<u8> = (0..16 * 16).flat_map(|_| [0, 50, 100, 150, 200]).collect();
        let resized = resize_image(&Image::from_u8(16, 16, 5, values).unwrap(), 7, 3).unwrap();
        let Samples::U8(values) = resized.samples() else { panic!("depth changed") };
        assert!(values.chunks_exact(5).all(|pixel| pixel == [0, 50, 100, 150, 200]));
    }

    #[test]
    fn labels_take_the_value_under_the_centre_and_invent_none() {
        let map = LabelMap::new(4, 1, vec![9, 8, 7, 6]).unwrap();
        assert_eq!(resize_labels(&map, 2, 1).unwrap().labels(), &[8, 6]);
        assert_eq!(resize_labels(&map, 8, 2).unwrap().labels(), &[9, 9, 8, 8, 7, 7, 6, 6].repeat(2));
        assert!(resize_labels(&map, 0, 1).is_err());
    }

    #[test]
    fn a_zero_side_is_an_error() {
        let image = Image::from_u8(1, 1, 1, vec![3]).unwrap();
        assert!(resize_image(&image, 0, 4).is_err());
        assert_eq!(resize_image(&image, 3, 2).unwrap().samples(), &Samples::U8(vec![3; 6]));
    }
}
