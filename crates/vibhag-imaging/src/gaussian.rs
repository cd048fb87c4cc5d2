//! Gaussians drawn onto planes.

/// Gaussians are drawn up to this many deviations away.
const REACH: f64 = 3.0;

/// Raises `plane` (rows of `width` values) to a Gaussian of height 1 around `center` (x, y) wherever that is larger.
///
/// Only values within three deviations along each axis are touched. A centre outside the plane, or one that is not
/// finite, does no harm.
pub(crate) fn raise(plane: &mut [f32], width: usize, [center_x, center_y]: [f64; 2], deviation: f64) {
    let reach = REACH * deviation;
    let span = |center: f64, side: usize| {
        let from = ((center - reach).ceil().max(0.0) as usize).min(side);
        let to = ((center + reach).floor() + 1.0).max(0.0) as usize;
        from..to.min(side).max(from)
    };
    let gauss = |distance: f64| (-0.5 * (distance / deviation).powi(2)).exp() as f32;
    let columns = span(center_x, width);
    if columns.is_empty() {
        return;
    }
    let across: Vec<f32> = columns.clone().map(|x| gauss(x as f64 - center_x)).collect();
    for y in span(center_y, plane.len() / width) {
        let along = gauss(y as f64 - center_y);
        for (value, factor) in plane[y * width + columns.start..y * width + columns.end].iter_mut().zip(&across) {
            *value = value.max(along * factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_of_two_gaussians_is_seen_and_centres_outside_do_no_harm() {
        let mut plane = vec![0.0; 7 * 5];
        raise(&mut plane, 7, [2.0, 2.0], 1.0);
        raise(&mut plane, 7, [4.0, 2.0], 1.0);
        assert_eq!((plane[2 * 7 + 2], plane[2 * 7 + 4]), (1.0, 1.0));
        assert!((plane[2 * 7 + 3] - (-0.5f32).exp()).abs() < 1e-6);
        let before = plane.clone();
        for center in [[-1e9, 2.0], [1e9, 2.0], [2.0, -1e9], [2.0, 1e9], [f64::NAN, 2.0], [2.0, f64::NAN], [-5.0, -5.0]]
        {
            raise(&mut plane, 7, center, 1.0);
        }
        assert_eq!(plane, before);
    }
}
