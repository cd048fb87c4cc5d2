//! Any input size: pad to what the encoder needs, crop the result back. Once on tensors, once on
//! planes of plain values.

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

/// Extends [N, C, H, W] at the bottom and right until both sides are multiples of `multiple`.
/// The image is mirrored; where it is smaller than the extension its border is repeated.
pub fn pad_to_multiple(x: Tensor<4>, multiple: usize) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let [padded_height, padded_width] = padded_size([height, width], multiple);
    let (bottom, right) = (padded_height - height, padded_width - width);
    if bottom == 0 && right == 0 {
        return x;
    }
    let mode = if mirrors([height, width], [padded_height, padded_width]) { PadMode::Reflect } else { PadMode::Edge };
    x.pad([(0, bottom), (0, right)], mode)
}

/// The top left `size` (height, width) of [N, C, H, W].
pub fn crop(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [n, c, height, width] = x.dims();
    if [height, width] == size {
        return x;
    }
    x.slice([0..n, 0..c, 0..size[0], 0..size[1]])
}

/// The height and width that [`pad_to_multiple`] gives.
pub fn padded_size(size: [usize; 2], multiple: usize) -> [usize; 2] {
    size.map(|side| side.next_multiple_of(multiple.max(1)))
}

/// What [`pad_to_multiple`] does, on planes of `size` (height, width) in a row: `x` [.., H, W] is
/// written to `y` [.., H', W'], planes of `padded`.
pub fn pad_planes(x: &[f32], size: [usize; 2], y: &mut [f32], padded: [usize; 2]) {
    let mirrored = mirrors(size, padded);
    let source = |index: usize, side: usize| match index.checked_sub(side) {
        None => index,
        Some(beyond) if mirrored => side - 2 - beyond,
        Some(_) => side - 1,
    };
    let ([height, width], [padded_height, padded_width]) = (size, padded);
    let planes = y.chunks_exact_mut((padded_height * padded_width).max(1));
    for (y, x) in planes.zip(x.chunks_exact((height * width).max(1))) {
        for (row, line) in y.chunks_exact_mut(padded_width).enumerate() {
            let from = &x[source(row, height) * width..][..width];
            let (inside, beyond) = line.split_at_mut(width);
            inside.copy_from_slice(from);
            for (index, value) in beyond.iter_mut().enumerate() {
                *value = from[source(width + index, width)];
            }
        }
    }
}

/// What [`crop`] does, on planes of `padded` in a row: `x` [.., H', W'] is written to `y`
/// [.., H, W], planes of `size` (height, width).
pub fn crop_planes(x: &[f32], padded: [usize; 2], y: &mut [f32], size: [usize; 2]) {
    let planes = x.chunks_exact((padded[0] * padded[1]).max(1));
    for (y, x) in y.chunks_exact_mut((size[0] * size[1]).max(1)).zip(planes) {
        for (to, from) in y.chunks_exact_mut(size[1]).zip(x.chunks_exact(padded[1])) {
            to.copy_from_slice(&from[..size[1]]);
        }
    }
}

/// Whether the image is large enough to be mirrored along both sides.
fn mirrors(size: [usize; 2], padded: [usize; 2]) -> bool {
    padded[0] - size[0] < size[0] && padded[1] - size[1] < size[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn planes_are_padded_and_cropped_as_tensors_are() {
        for size in [[5, 7], [8, 8], [1, 1], [3, 9], [1, 16], [2, 5]] {
            let [height, width] = size;
            let values: Vec<f32> = (0..3 * height * width).map(|i| (i * 37 % 101) as f32).collect();
            let tensor =
                Tensor::<4>::from_data(TensorData::new(values.clone(), [1, 3, height, width]), &Device::flex());
            let expected = pad_to_multiple(tensor, 8);
            let padded = padded_size(size, 8);
            assert_eq!(expected.dims(), [1, 3, padded[0], padded[1]]);
            let mut found = vec![f32::NAN; 3 * padded[0] * padded[1]];
            pad_planes(&values, size, &mut found, padded);
            assert_eq!(found, expected.into_data().try_to_vec::<f32>().unwrap(), "{size:?}");
            let mut back = vec![f32::NAN; values.len()];
            crop_planes(&found, padded, &mut back, size);
            assert_eq!(back, values);
        }
    }
}
