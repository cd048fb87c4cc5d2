//! Outlines as annotation tools give them: which can be used, how parts become one shape, and how holes and parts
//! become one closed line.

use vibhag_core::{Error, ErrorKind, Polygon, Result, Rle, Shape};
use vibhag_imaging::{outlines, rasterize};

/// A polygon of one outline.
pub(super) fn polygon(exterior: Vec<[f64; 2]>) -> Polygon {
    Polygon { exterior, holes: Vec::new() }
}

/// Fails unless `points` enclose at least one pixel of an image of `width` x `height`. An outline may cross itself and
/// leave the image.
///
/// # Errors
/// When there are fewer than three points, a coordinate is not finite, or no pixel is inside.
pub(super) fn check(points: &[[f64; 2]], width: usize, height: usize) -> Result<()> {
    let bad = |what: String, hint: &str| Err(Error::new(ErrorKind::Decode, what).hint(hint));
    if points.len() < 3 {
        let plural = if points.len() == 1 { "" } else { "s" };
        let hint = "an outline needs three points: draw it again, or delete it";
        return bad(format!("an outline of {} point{plural}", points.len()), hint);
    }
    if let Some(value) = points.iter().flatten().find(|value| !value.is_finite()) {
        return bad(format!("a coordinate is {value}"), "coordinates are numbers: draw the object again, or delete it");
    }
    if rasterize(&[polygon(points.to_vec())], width, height).area() == 0 {
        let hint = "it lies outside the image or has no area: draw it again, or delete it";
        return bad("the outline encloses no pixel of the image".into(), hint);
    }
    Ok(())
}

/// A coordinate that was computed from a fraction of a side: with at most three digits after the point if it was so
/// before it was divided, so that it falls on the same side of COCO's rounding.
pub(super) fn settled(value: f64) -> f64 {
    let short = (value * 1000.0).round() / 1000.0;
    if (short - value).abs() < 1e-9 { short } else { value }
}

/// The four corners of the box from (`x0`, `y0`) to (`x1`, `y1`), turned clockwise (on screen) around `centre` by
/// `degrees`.
pub(super) fn rectangle([x0, y0]: [f64; 2], [x1, y1]: [f64; 2], centre: [f64; 2], degrees: f64) -> Vec<[f64; 2]> {
    [[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map(|point| turned(point, centre, degrees)).to_vec()
}

fn turned([x, y]: [f64; 2], [cx, cy]: [f64; 2], degrees: f64) -> [f64; 2] {
    if degrees == 0.0 {
        return [x, y];
    }
    let (sin, cos) = degrees.to_radians().sin_cos();
    [cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos]
}

/// The ellipse of radii `radii` around `centre` as a polygon that leaves it by a fiftieth of a pixel at most.
pub(super) fn ellipse(centre: [f64; 2], [rx, ry]: [f64; 2], degrees: f64) -> Vec<[f64; 2]> {
    // The sagitta of a chord over the angle a is r (1 - cos(a / 2)).
    let radius = rx.abs().max(ry.abs());
    let half = (1.0 - 0.02 / radius.max(0.04)).acos();
    let corners = (std::f64::consts::PI / half).ceil().clamp(12.0, 4096.0) as usize;
    let corner = |k: usize| {
        let (sin, cos) = (std::f64::consts::TAU * k as f64 / corners as f64).sin_cos();
        turned([centre[0] + rx * cos, centre[1] + ry * sin], centre, degrees)
    };
    (0..corners).map(corner).collect()
}

/// The parts of one object as one shape: polygons stay polygons; with a mask among them all become a mask.
pub(super) fn join_parts(parts: Vec<Shape>, width: usize, height: usize) -> Shape {
    if parts.iter().all(|part| matches!(part, Shape::Polygons(_))) {
        let polygons = parts.into_iter().flat_map(|part| match part {
            Shape::Polygons(polygons) => polygons,
            Shape::Mask(_) => Vec::new(),
        });
        return Shape::Polygons(polygons.collect());
    }
    let masks: Vec<Rle> = parts
        .into_iter()
        .map(|part| match part {
            Shape::Mask(mask) => mask,
            Shape::Polygons(polygons) => rasterize(&polygons, width, height),
        })
        .collect();
    match masks.len() {
        1 => Shape::Mask(masks.into_iter().next().unwrap_or_else(|| Rle::from_fn(width, height, |_, _| false))),
        _ => Shape::Mask(Rle::union(&masks).unwrap_or_else(|| Rle::from_fn(width, height, |_, _| false))),
    }
}

/// All of `mask` as one closed line: outlines and holes in turn, joined by lines that are walked there and back and so
/// enclose nothing. Filled by the even-odd rule it is `mask`.
pub(super) fn mask_line(mask: &Rle) -> Vec<[f64; 2]> {
    one_line(&outlines(mask))
}

/// The outlines and holes of `polygons` as one closed line, as [`mask_line`]; right as long as they do not overlap.
pub(super) fn one_line(polygons: &[Polygon]) -> Vec<[f64; 2]> {
    let mut rings = polygons.iter().flat_map(|polygon| std::iter::once(&polygon.exterior).chain(&polygon.holes));
    let mut line = rings.next().cloned().unwrap_or_default();
    for ring in rings.filter(|ring| !ring.is_empty()) {
        let (at, from) = nearest(&line, ring);
        let there_and_back = ring.iter().cycle().skip(from).take(ring.len() + 1).copied();
        let bridge: Vec<[f64; 2]> = there_and_back.chain([line[at]]).collect();
        let rest = line.split_off(at + 1);
        line.extend(bridge);
        line.extend(rest);
    }
    line
}

/// The points of `a` and `b` that are nearest to each other.
fn nearest(a: &[[f64; 2]], b: &[[f64; 2]]) -> (usize, usize) {
    let mut best = (f64::INFINITY, 0, 0);
    for (i, p) in a.iter().enumerate() {
        for (j, q) in b.iter().enumerate() {
            let distance = (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2);
            if distance < best.0 {
                best = (distance, i, j);
            }
        }
    }
    (best.1, best.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn outlines_without_a_pixel_are_refused() {
        let square = |a: f64, b: f64| vec![[a, a], [b, a], [b, b], [a, b]];
        assert!(check(&square(2.0, 5.0), 10, 10).is_ok());
        assert!(check(&square(-5.0, 15.0), 10, 10).is_ok());
        assert!(check(&[[0.0, 0.0], [8.0, 8.0], [8.0, 0.0], [0.0, 8.0]], 10, 10).is_ok(), "it crosses itself");
        for (points, what) in [
            (square(12.0, 15.0), "no pixel"),
            (square(3.0, 3.0), "no pixel"),
            (vec![[0.0, 0.0], [5.0, 5.0], [9.0, 9.0]], "no pixel"),
            (vec![[0.0, 0.0], [5.0, 5.0]], "2 points"),
            (vec![], "0 points"),
            (vec![[0.0, 0.0], [5.0, f64::NAN], [9.0, 0.0]], "NaN"),
        ] {
            let error = check(&points, 10, 10).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn a_circle_is_as_large_as_it_should_be() {
        let area = rasterize(&[polygon(ellipse([50.0, 50.0], [40.0, 40.0], 0.0))], 100, 100).area() as f64;
        assert!((area - std::f64::consts::PI * 1600.0).abs() < 25.0, "{area}");
        assert_eq!(ellipse([0.0; 2], [0.0; 2], 0.0).len(), 12);
        let turned = rectangle([0.0, 0.0], [4.0, 2.0], [0.0, 0.0], 90.0);
        assert!((turned[1][0]).abs() < 1e-9 && (turned[1][1] - 4.0).abs() < 1e-9, "{turned:?}");
    }

    proptest! {
        #[test]
        fn a_mask_survives_as_one_line(
            width in 1usize..14, bits in proptest::collection::vec(proptest::bool::weighted(0.55), 1..150),
        ) {
            let height = bits.len().div_ceil(width);
            let mask = Rle::from_fn(width, height, |x, y| bits.get(y * width + x).is_some_and(|&bit| bit));
            let line = polygon(mask_line(&mask));
            prop_assert_eq!(rasterize(&[line], width, height), mask);
        }
    }
}
