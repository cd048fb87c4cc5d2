//! Outlines: boundary pixels for drawing, and polygons along pixel edges for export.

use vibhag_core::{BinaryMask, LabelMap};

use crate::components::Connectivity;

/// A closed polygon along pixel edges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contour {
    /// Corners as (x, y), 0..=width and 0..=height; the last joins the first. Only turning
    /// points. Clockwise on screen around foreground, counter-clockwise around holes.
    pub points: Vec<(u32, u32)>,
    /// Whether it encloses a hole.
    pub hole: bool,
}

impl Contour {
    /// Enclosed pixels.
    pub fn area(&self) -> usize {
        (signed_area2(&self.points).unsigned_abs() / 2) as usize
    }
}

/// The foreground pixels that touch background by an edge or lie on the image's border: an
/// 8-connected line, one pixel wide.
pub fn boundary(mask: &BinaryMask) -> Vec<bool> {
    let (width, height, pixels) = (mask.width(), mask.height(), mask.pixels());
    let mut out = vec![false; pixels.len()];
    for y in 0..height {
        for x in 0..width {
            let index = y * width + x;
            let on_border = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
            out[index] = pixels[index]
                && (on_border
                    || !pixels[index - 1]
                    || !pixels[index + 1]
                    || !pixels[index - width]
                    || !pixels[index + width]);
        }
    }
    out
}

/// The pixels whose label differs from that of the pixel to the right or below.
pub fn label_boundaries(map: &LabelMap) -> Vec<bool> {
    let (width, labels) = (map.width(), map.labels());
    labels
        .iter()
        .enumerate()
        .map(|(index, label)| {
            let right = (index % width + 1 < width).then(|| labels[index + 1]);
            let below = labels.get(index + width).copied();
            [right, below].into_iter().flatten().any(|other| other != *label)
        })
        .collect()
}

/// Directions right, down, left, up: turning right on screen adds one.
const STEPS: [(i64, i64); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// Traces every outline of `mask`, holes included, in the order of their topmost-leftmost
/// corner. Filling them by the even-odd rule gives the mask back exactly.
///
/// `connectivity` is that of the foreground: under `Four`, pixels that meet at a corner get
/// separate outlines.
pub fn trace_contours(mask: &BinaryMask, connectivity: Connectivity) -> Vec<Contour> {
    let (width, height) = (mask.width(), mask.height());
    let inside = |x: i64, y: i64| {
        (0..width as i64).contains(&x)
            && (0..height as i64).contains(&y)
            && mask.pixels()[y as usize * width + x as usize]
    };
    // An edge leaves corner (x, y) in a direction when foreground lies to its right and
    // background to its left.
    let leaves = |x: i64, y: i64, direction: usize| match direction {
        0 => inside(x, y) && !inside(x, y - 1),
        1 => inside(x - 1, y) && !inside(x, y),
        2 => inside(x - 1, y - 1) && !inside(x - 1, y),
        _ => inside(x, y - 1) && !inside(x - 1, y - 1),
    };
    let corner = |x: i64, y: i64| y as usize * (width + 1) + x as usize;
    let mut visited = vec![0u8; (width + 1) * (height + 1)];
    let mut contours = Vec::new();
    for start_y in 0..=height as i64 {
        for start_x in 0..=width as i64 {
            // A topmost-leftmost corner is left to the right (foreground) or downwards (hole).
            for start in [0, 1] {
                if !leaves(start_x, start_y, start) || visited[corner(start_x, start_y)] & (1 << start) != 0 {
                    continue;
                }
                let mut points = Vec::new();
                let (mut x, mut y, mut direction) = (start_x, start_y, start);
                let mut previous = None;
                while visited[corner(x, y)] & (1 << direction) == 0 {
                    visited[corner(x, y)] |= 1 << direction;
                    if previous != Some(direction) {
                        points.push((x as u32, y as u32));
                    }
                    previous = Some(direction);
                    (x, y) = (x + STEPS[direction].0, y + STEPS[direction].1);
                    // Where two outlines meet, the first turn tried decides whether the pixels join.
                    let turns = match connectivity {
                        Connectivity::Four => [1, 0, 3],
                        Connectivity::Eight => [3, 0, 1],
                    };
                    let Some(turn) = turns.into_iter().find(|turn| leaves(x, y, (direction + turn) % 4)) else {
                        break;
                    };
                    direction = (direction + turn) % 4;
                }
                if previous == Some(start) && points.len() > 1 {
                    points.remove(0);
                }
                let hole = signed_area2(&points) < 0;
                contours.push(Contour { points, hole });
            }
        }
    }
    contours
}

/// Fills `contours` by the even-odd rule into a `width` x `height` mask, row-major.
pub fn fill_contours(contours: &[Contour], width: usize, height: usize) -> Vec<bool> {
    let mut out = vec![false; width * height];
    for contour in contours {
        let next = contour.points.iter().cycle().skip(1);
        for (&(x0, y0), &(x1, y1)) in contour.points.iter().zip(next) {
            if x0 == x1 && (x0 as usize) < width {
                for y in (y0.min(y1) as usize)..(y0.max(y1) as usize).min(height) {
                    let toggle = &mut out[y * width + x0 as usize];
                    *toggle = !*toggle;
                }
            }
        }
    }
    // Each vertical edge toggled its first pixel; the running parity along a row fills the rest.
    for row in out.chunks_exact_mut(width.max(1)) {
        let mut parity = false;
        for pixel in row {
            parity ^= *pixel;
            *pixel = parity;
        }
    }
    out
}

/// Twice the area, positive for clockwise on screen.
fn signed_area2(points: &[(u32, u32)]) -> i64 {
    let next = points.iter().cycle().skip(1);
    points
        .iter()
        .zip(next)
        .map(|(&(x0, y0), &(x1, y1))| i64::from(x0) * i64::from(y1) - i64::from(x1) * i64::from(y0))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::label_components;
    use proptest::prelude::*;

    fn mask(rows: &[&str]) -> BinaryMask {
        let pixels = rows.iter().flat_map(|row| row.bytes().map(|b| b == b'#')).collect();
        BinaryMask::new(rows[0].len(), rows.len(), pixels).unwrap()
    }

    #[test]
    fn a_ring_has_an_outline_and_a_hole() {
        let contours = trace_contours(&mask(&["###", "#.#", "###"]), Connectivity::Eight);
        assert_eq!(contours.len(), 2);
        assert_eq!((contours[0].area(), contours[0].hole), (9, false));
        assert_eq!((contours[1].area(), contours[1].hole), (1, true));
        assert_eq!(contours[0].points.len(), 4);
    }

    #[test]
    fn corner_contact_joins_only_under_eight() {
        let mask = mask(&["#.", ".#"]);
        assert_eq!(trace_contours(&mask, Connectivity::Four).len(), 2);
        assert_eq!(trace_contours(&mask, Connectivity::Eight).len(), 1);
    }

    #[test]
    fn the_boundary_is_the_rim() {
        let rim = boundary(&mask(&[".....", ".###.", ".###.", ".###.", "....."]));
        assert_eq!(rim.iter().filter(|&&p| p).count(), 8);
        assert!(!rim[12]);
        assert_eq!(label_boundaries(&LabelMap::new(3, 1, vec![1, 1, 2]).unwrap()), [false, true, false]);
    }

    proptest! {
        #[test]
        fn filling_the_outlines_gives_the_mask_back(
            width in 1usize..12, bits in proptest::collection::vec(proptest::bool::weighted(0.6), 1..120)
        ) {
            let height = bits.len().div_ceil(width);
            let mut pixels = bits;
            pixels.resize(width * height, false);
            let mask = BinaryMask::new(width, height, pixels).unwrap();
            for connectivity in [Connectivity::Four, Connectivity::Eight] {
                let contours = trace_contours(&mask, connectivity);
                prop_assert_eq!(fill_contours(&contours, width, height), mask.pixels());
                let outer = contours.iter().filter(|c| !c.hole);
                prop_assert_eq!(outer.clone().count(), label_components(&mask, connectivity).count());
                let holes: usize = contours.iter().filter(|c| c.hole).map(Contour::area).sum();
                prop_assert_eq!(outer.map(Contour::area).sum::<usize>() - holes, mask.area());
            }
        }
    }
}
