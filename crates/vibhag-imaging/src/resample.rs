//! Changing the size of images, label maps and probability planes.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3, U16};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use rayon::prelude::*;
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Image, LabelMap, Result, Samples};

/// Output values below which a resize stays on the calling thread.
const PARALLEL_FROM: usize = 1 << 17;

/// Resizes to `width` x `height` with a triangle filter that widens when shrinking
/// (anti-aliased, as Pillow's `BILINEAR` and torch's `antialias=True`). Keeps depth and channels.
///
/// # Errors
/// When a side is zero or the samples do not fit into memory.
pub fn resize_image(image: &Image, width: usize, height: usize) -> Result<Image> {
    if (width, height) == (image.width(), image.height()) {
        return Ok(image.clone());
    }
    if width == 0 || height == 0 {
        return Err(empty_target(width, height));
    }
    let from = (image.width(), image.height());
    let to = (width, height);
    let channels = image.channels();
    let samples = match image.samples() {
        Samples::U8(values) if channels == 3 => Samples::U8(resize_u8::<U8x3>(values, from, to)?),
        Samples::U8(values) => Samples::U8(by_plane(values, channels, to, |plane| resize_u8::<U8>(plane, from, to))?),
        Samples::U16(values) => Samples::U16(by_plane(values, channels, to, |plane| resize_u16(plane, from, to))?),
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
struct Tap {
    low: usize,
    high: usize,
    weight: f32,
}

fn bilinear_taps(from: usize, to: usize) -> Vec<Tap> {
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

fn options() -> ResizeOptions {
    // Without alpha handling: the fourth channel of a satellite image is not an alpha.
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false)
}

/// Typed by pixel: the untyped entry point would compile the convolution for every pixel type
/// the library knows, which takes minutes.
fn resize_u8<P>(values: &[u8], from: (usize, usize), to: (usize, usize)) -> Result<Vec<u8>>
where
    P: PixelTrait<Component = u8> + Default + Clone,
    TypedImage<'static, P>: Sized,
{
    let source = TypedImageRef::<P>::from_buffer(from.0 as u32, from.1 as u32, values).map_err(failed)?;
    let mut bytes = vec![0; to.0 * to.1 * P::size()];
    let mut target = TypedImage::<P>::from_buffer(to.0 as u32, to.1 as u32, &mut bytes).map_err(failed)?;
    Resizer::new().resize_typed(&source, &mut target, &options()).map_err(failed)?;
    Ok(bytes)
}

fn resize_u16(values: &[u16], from: (usize, usize), to: (usize, usize)) -> Result<Vec<u16>> {
    let pixels: Vec<U16> = values.iter().map(|&value| U16::new(value)).collect();
    let source = TypedImageRef::new(from.0 as u32, from.1 as u32, &pixels).map_err(failed)?;
    let mut target = TypedImage::<U16>::new(to.0 as u32, to.1 as u32);
    Resizer::new().resize_typed(&source, &mut target, &options()).map_err(failed)?;
    Ok(target.pixels().iter().map(|pixel| pixel.0).collect())
}

fn by_plane<T: Copy + Default>(
    values: &[T],
    channels: usize,
    to: (usize, usize),
    resize: impl Fn(&[T]) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    if channels == 1 {
        return resize(values);
    }
    let mut out = vec![T::default(); to.0 * to.1 * channels];
    for channel in 0..channels {
        let plane: Vec<T> = values.iter().skip(channel).step_by(channels).copied().collect();
        for (value, resized) in out.iter_mut().skip(channel).step_by(channels).zip(resize(&plane)?) {
            *value = resized;
        }
    }
    Ok(out)
}

fn empty_target(width: usize, height: usize) -> Error {
    Error::config(format!("cannot resize to {width}x{height}")).hint("both sides must be at least one pixel")
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unsupported, format!("cannot resize the image: {error}")).because(error)
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
