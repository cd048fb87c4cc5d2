//! Any input size: pad to what the encoder needs, crop the result back.

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

/// Extends [N, C, H, W] at the bottom and right until both sides are multiples of `multiple`.
/// The image is mirrored; where it is smaller than the extension its border is repeated.
pub fn pad_to_multiple(x: Tensor<4>, multiple: usize) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let [bottom, right] = [height, width].map(|side| side.next_multiple_of(multiple.max(1)) - side);
    if bottom == 0 && right == 0 {
        return x;
    }
    let mode = if bottom < height && right < width { PadMode::Reflect } else { PadMode::Edge };
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
