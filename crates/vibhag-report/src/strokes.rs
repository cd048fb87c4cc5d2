//! Lines drawn by their distance.

/// Calls `visit` with column, row and distance for the pixels of a picture of `size` (width, height) that lie about
/// `reach` or less from the line between two points. What lies outside of the picture, however far, costs nothing; a line
/// whose ends are not finite is no line.
pub(crate) fn near_line(
    size: [usize; 2],
    [from, to]: [[f64; 2]; 2],
    reach: f64,
    mut visit: impl FnMut(usize, usize, f64),
) {
    if ![from, to].as_flattened().iter().all(|value| value.is_finite()) {
        return;
    }
    let span = |axis: usize| {
        let side = size[axis] as f64;
        let low = (from[axis].min(to[axis]) - reach).floor().clamp(0.0, side);
        let high = ((from[axis].max(to[axis]) + reach).ceil() + 1.0).clamp(0.0, side);
        low as usize..high as usize
    };
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let squared = dx * dx + dy * dy;
    for y in span(1) {
        for x in span(0) {
            let (ax, ay) = (x as f64 - from[0], y as f64 - from[1]);
            let along = if squared > 0.0 { ((ax * dx + ay * dy) / squared).clamp(0.0, 1.0) } else { 0.0 };
            visit(x, y, (ax - along * dx).hypot(ay - along * dy));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_to_the_line_and_to_its_ends() {
        let mut found = vec![f64::NAN; 12 * 5];
        near_line([12, 5], [[2.0, 2.0], [6.0, 2.0]], 3.0, |x, y, distance| found[y * 12 + x] = distance);
        let at = |x: usize, y: usize| found[y * 12 + x];
        assert_eq!((at(4, 2), at(4, 4), at(0, 2), at(9, 2)), (0.0, 2.0, 2.0, 3.0));
        assert_eq!(at(9, 6 - 2), 3.0f64.hypot(2.0));
        assert!(at(11, 0).is_nan());
    }

    #[test]
    fn lines_far_away_or_without_a_place_touch_nothing() {
        for end in [[1e300, 1e300], [-1e9, 5.0], [f64::NAN, 0.0], [f64::INFINITY, 3.0]] {
            near_line([8, 6], [end, end], 2.0, |x, y, _| panic!("{end:?} touches {x}, {y}"));
        }
    }
}
