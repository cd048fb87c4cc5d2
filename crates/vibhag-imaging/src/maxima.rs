//! Local maxima of a plane.

/// The places in `plane` (rows of `width` values) of values of at least `least` that nothing in the square of `reach`
/// around them exceeds, in row-major order; of equal values in reach of each other the first one, so that a plateau has
/// one maximum. What is not a number is none and hides none.
///
/// Only values that no direct neighbour beats are compared with the whole square, and of these a square holds few, so the
/// cost does not grow with the square.
pub(crate) fn local_maxima(plane: &[f32], width: usize, reach: usize, least: f32) -> Vec<usize> {
    let height = plane.len() / width;
    let leads = |index: usize, reach: usize| {
        let (x, y) = (index % width, index / width);
        let value = plane[index];
        let columns = x.saturating_sub(reach)..(x + reach + 1).min(width);
        (y.saturating_sub(reach)..(y + reach + 1).min(height)).all(|row| {
            let from = row * width + columns.start;
            let others = &plane[from..row * width + columns.end];
            // The comparison must be false for NaN.
            others.iter().enumerate().all(|(n, &other)| !(other > value || (other == value && from + n < index)))
        })
    };
    let is_maximum = |index: &usize| leads(*index, reach.min(1)) && (reach <= 1 || leads(*index, reach));
    (0..plane.len()).filter(|&index| plane[index] >= least).filter(is_maximum).collect()
}
