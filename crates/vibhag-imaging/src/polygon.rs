//! Polygons to masks by COCO's rule, and masks to polygons that give the mask back.
//!
//! COCO (`rleFrPoly` in `cocoapi/common/maskApi.c`) rounds the corners to fifths of a pixel, draws each edge as a line of
//! such points, and looks where the line passes the middle of a pixel column: there the column changes between outside
//! and inside. Masks of polygons equal those of pycocotools bit for bit, so that every figure computed from them does.

use vibhag_core::{BinaryMask, Polygon, Rle};

use crate::components::{Connectivity, label_components};
use crate::contours::{Contour, trace_contours};

/// Steps to a pixel.
const SCALE: f64 = 5.0;

/// Corners beyond this many steps are moved there, far outside any image: it keeps the arithmetic exact.
const FAR: f64 = (1u64 << 42) as f64;

/// The pixels of `polygons` in a `width` x `height` image: of each polygon its exterior less its holes, and all of them
/// together.
///
/// Exteriors equal `pycocotools.mask.frPyObjects` and `merge`; a hole is rasterised in the same way and taken away. An
/// outline that crosses itself is filled by the even-odd rule. One of fewer than three points, or with a coordinate
/// that is no finite number, is empty. What lies outside the image is cut off.
pub fn rasterize(polygons: &[Polygon], width: usize, height: usize) -> Rle {
    let parts: Vec<Rle> = polygons
        .iter()
        .map(|polygon| {
            let exterior = ring(&polygon.exterior, width, height);
            let holes: Vec<Rle> = polygon.holes.iter().map(|hole| ring(hole, width, height)).collect();
            Rle::union(&holes).map_or(exterior.clone(), |holes| difference(&exterior, &holes))
        })
        .collect();
    match parts.as_slice() {
        [one] => one.clone(),
        _ => Rle::union(&parts).unwrap_or_else(|| empty(width, height)),
    }
}

/// Polygons along the edges of the pixels of `mask`, with holes, one for each part (pixels that meet only at a corner
/// are two parts). Costs as much as the mask's bounds, not as the image.
///
/// `rasterize(&outlines(mask), ..)` is `mask`: the corners are whole numbers, the top left corner of pixel `(x, y)` being
/// `(x, y)`, so each horizontal edge passes the middles of its columns at `5 y` steps, which COCO's rule takes as the
/// start of row `y`, and vertical edges pass none.
pub fn outlines(mask: &Rle) -> Vec<Polygon> {
    let Some([left, top, width, height]) = mask.bounds() else { return Vec::new() };
    let mut pixels = vec![false; width * height];
    mask.for_each(|x, y| pixels[(y - top) * width + x - left] = true);
    let Ok(crop) = BinaryMask::new(width, height, pixels) else { return Vec::new() };
    let components = label_components(&crop, Connectivity::Four);
    // Foreground lies to the right of an outline, around holes too.
    let component = |contour: &Contour| {
        let [(x, y), (next_x, next_y)] = [contour.points[0], contour.points[1]];
        let (x, y) = match (next_x.cmp(&x), next_y.cmp(&y)) {
            (std::cmp::Ordering::Greater, _) => (x, y),
            (std::cmp::Ordering::Less, _) => (x - 1, y - 1),
            (_, std::cmp::Ordering::Greater) => (x - 1, y),
            _ => (x, y - 1),
        };
        components.labels[y as usize * width + x as usize] as usize - 1
    };
    let moved = |contour: &Contour| -> Vec<[f64; 2]> {
        contour.points.iter().map(|&(x, y)| [(x as usize + left) as f64, (y as usize + top) as f64]).collect()
    };
    let mut polygons = vec![Polygon::default(); components.count()];
    for contour in trace_contours(&crop, Connectivity::Four) {
        let polygon = &mut polygons[component(&contour)];
        if contour.hole {
            polygon.holes.push(moved(&contour));
        } else {
            polygon.exterior = moved(&contour);
        }
    }
    polygons
}

/// The pixels inside one outline.
fn ring(points: &[[f64; 2]], width: usize, height: usize) -> Rle {
    if points.len() < 3 || width == 0 || height == 0 || points.iter().flatten().any(|value| !value.is_finite()) {
        return empty(width, height);
    }
    let step = |value: f64| (SCALE * value + 0.5).clamp(-FAR, FAR) as i64;
    let points: Vec<[i64; 2]> = points.iter().map(|&[x, y]| [step(x), step(y)]).collect();
    let mut changes = Vec::new();
    for (from, to) in points.iter().zip(points.iter().cycle().skip(1)) {
        edge(*from, *to, (width, height), &mut changes);
        // More changes than there are places for them: most cancel.
        if changes.len() > 2 * (width * height).max(4096) {
            cancel(&mut changes);
        }
    }
    cancel(&mut changes);
    from_changes(width, height, changes)
}

/// Adds the places (column-major) where the edge from `a` to `b` passes the middle of a column.
fn edge(a: [i64; 2], b: [i64; 2], (width, height): (usize, usize), changes: &mut Vec<usize>) {
    let (dx, dy) = ((a[0] - b[0]).abs(), (a[1] - b[1]).abs());
    let flat = dx >= dy;
    let ([x0, y0], [x1, y1]) = if (flat && a[0] > b[0]) || (!flat && a[1] > b[1]) { (b, a) } else { (a, b) };
    let slope = if flat { (y1 - y0) as f64 / dx as f64 } else { (x1 - x0) as f64 / dy as f64 };
    // The coordinate that does not advance by one, after `t` steps of the other.
    let start = if flat { y0 } else { x0 };
    let along = |t: i64| (start as f64 + slope * t as f64 + 0.5) as i64;
    let (first, last) = if flat { (x0, x1) } else { (along(0).min(along(dy)), along(0).max(along(dy))) };
    // The middle of column c lies between steps 5c + 2 and 5c + 3.
    let columns = ((first + 2).div_euclid(5)).max(0)..=((last - 3).div_euclid(5)).min(width as i64 - 1);
    for column in columns {
        let middle = 5 * column + 2;
        let y = if flat {
            along(middle - x0).min(along(middle + 1 - x0))
        } else {
            let passed = |t: i64| if slope > 0.0 { along(t) > middle } else { along(t) <= middle };
            y0 + first_where(dy, passed) - 1
        };
        let row = ((y as f64 + 0.5) / SCALE - 0.5).clamp(0.0, height as f64).ceil() as usize;
        changes.push(column as usize * height + row);
    }
}

/// The first step of `0..=last` from which on `holds` is true; it is at `last`.
fn first_where(last: i64, holds: impl Fn(i64) -> bool) -> i64 {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = i64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// Sorts the places of change and removes those that occur twice: there and back is no change.
fn cancel(changes: &mut Vec<usize>) {
    changes.sort_unstable();
    let mut kept = 0;
    for index in 0..changes.len() {
        if kept > 0 && changes[kept - 1] == changes[index] {
            kept -= 1;
        } else {
            changes[kept] = changes[index];
            kept += 1;
        }
    }
    changes.truncate(kept);
}

/// A mask from the rising places where its value changes.
fn from_changes(width: usize, height: usize, changes: Vec<usize>) -> Rle {
    let pixels = width * height;
    let mut counts = Vec::with_capacity(changes.len() + 1);
    let mut last = 0;
    for change in changes.into_iter().filter(|&change| change < pixels).chain([pixels]) {
        counts.push((change - last) as u32);
        last = change;
    }
    Rle::new(width, height, counts).unwrap_or_else(|_| empty(width, height))
}

/// A mask without foreground.
fn empty(width: usize, height: usize) -> Rle {
    Rle::from_box((width, height), (0, 0), 0, &[])
}

/// The pixels of `a` that are not in `b`.
fn difference(a: &Rle, b: &Rle) -> Rle {
    let mut holes = b.runs().peekable();
    let mut changes = Vec::new();
    for (start, length) in a.runs() {
        let (mut from, end) = (start, start + length);
        while let Some(&(hole, hole_length)) = holes.peek()
            && hole < end
        {
            if hole > from {
                changes.extend([from, hole]);
            }
            from = from.max(hole + hole_length).min(end);
            // A hole that reaches beyond this run may cut the next one too.
            if hole + hole_length > end {
                break;
            }
            holes.next();
        }
        if from < end {
            changes.extend([from, end]);
        }
    }
    from_changes(a.width(), a.height(), changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn square(from: f64, to: f64) -> Vec<[f64; 2]> {
        vec![[from, from], [to, from], [to, to], [from, to]]
    }

    #[test]
    fn a_hole_is_cut_from_its_own_polygon_only() {
        let ring = Polygon { exterior: square(1.0, 9.0), holes: vec![square(3.0, 7.0)] };
        let inside = Polygon { exterior: square(4.0, 6.0), holes: Vec::new() };
        assert_eq!(rasterize(std::slice::from_ref(&ring), 10, 10).area(), 64 - 16);
        assert_eq!(rasterize(&[ring, inside], 10, 10).area(), 64 - 16 + 4);
    }

    #[test]
    fn an_island_in_a_hole_is_a_polygon_of_its_own() {
        let on = |x: usize, y: usize| {
            let distance = x.abs_diff(10).max(y.abs_diff(10));
            distance <= 1 || (4..=8).contains(&distance)
        };
        let polygons = outlines(&Rle::from_fn(40, 30, on));
        assert_eq!(polygons.iter().map(|polygon| polygon.holes.len()).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(polygons[1].exterior, [[9.0, 9.0], [12.0, 9.0], [12.0, 12.0], [9.0, 12.0]]);
    }

    #[test]
    fn bad_outlines_are_empty_and_huge_ones_are_cut_off() {
        let area = |exterior: Vec<[f64; 2]>, width: usize, height: usize| {
            rasterize(&[Polygon { exterior, holes: Vec::new() }], width, height).area()
        };
        assert_eq!(area(vec![], 5, 5), 0);
        assert_eq!(area(vec![[0.0, 0.0], [4.0, 4.0]], 5, 5), 0);
        assert_eq!(area(vec![[2.0, 2.0]; 5], 5, 5), 0);
        assert_eq!(area(vec![[0.0, 0.0], [4.0, f64::NAN], [4.0, 4.0]], 5, 5), 0);
        assert_eq!(area(vec![[0.0, 0.0], [f64::INFINITY, 0.0], [4.0, 4.0]], 5, 5), 0);
        assert_eq!(area(square(-1e300, 1e300), 7, 5), 35);
        assert_eq!(area(square(-1e12, 1e12), 7, 5), 35);
        for (width, height) in [(0, 0), (0, 3), (3, 0)] {
            assert_eq!(area(square(0.0, 4.0), width, height), 0);
        }
        assert!(outlines(&empty(0, 0)).is_empty() && outlines(&empty(3, 3)).is_empty());
        let zigzag = (0..20_000).map(|n| [f64::from(n % 2) * 30.0, f64::from(n * 7 % 30)]).collect();
        assert!(area(zigzag, 30, 30) <= 900);
    }

    proptest! {
        #[test]
        fn the_outlines_of_a_mask_rasterise_to_it(
            width in 1usize..14,
            bits in proptest::collection::vec(proptest::bool::weighted(0.6), 1..150),
            (left, top, right, bottom) in (0usize..3, 0usize..3, 0usize..3, 0usize..3),
        ) {
            let height = bits.len().div_ceil(width);
            let mask = Rle::from_fn(left + width + right, top + height + bottom, |x, y| {
                let inside = x >= left && x < left + width && y >= top;
                inside && bits.get((y - top) * width + x - left).is_some_and(|&bit| bit)
            });
            let polygons = outlines(&mask);
            prop_assert_eq!(rasterize(&polygons, mask.width(), mask.height()), mask);
        }

        #[test]
        fn what_is_taken_away_is_gone(bits in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..80)) {
            let a = Rle::from_fn(1, bits.len(), |_, y| bits[y].0);
            let b = Rle::from_fn(1, bits.len(), |_, y| bits[y].1);
            prop_assert_eq!(difference(&a, &b), Rle::from_fn(1, bits.len(), |_, y| bits[y].0 && !bits[y].1));
        }

        #[test]
        fn no_coordinates_break_it(points in proptest::collection::vec(any::<[f64; 2]>(), 0..8)) {
            let polygon = Polygon { exterior: points.clone(), holes: vec![points] };
            prop_assert_eq!(rasterize(&[polygon], 9, 6).area(), 0);
        }
    }
}
