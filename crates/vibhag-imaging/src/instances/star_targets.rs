//! Object probability and distances to the outline along rays.

use vibhag_core::RAYS;

use super::extent::{Extent, extents};
use super::rays::directions;
use super::targets::{is_object, write_known};
use crate::distance::label_distance;

/// Marks a distance that nothing is asked of.
const UNASKED: f32 = -1.0;

/// Planes: object probability, distances, weight of the probability.
pub(super) fn write(ids: &[u32], width: usize, planes: &mut [f32]) {
    let pixels = ids.len();
    let height = pixels / width;
    let (probability, rest) = planes.split_at_mut(pixels);
    let (distances, weight) = rest.split_at_mut(RAYS * pixels);
    write_known(ids, weight);
    distances.fill(UNASKED);
    let objects = extents(ids, width);
    let inner = label_distance(ids, width, height);
    for extent in &objects {
        write_probability(extent, ids, width, &inner, probability);
    }
    for (value, &id) in probability.iter_mut().zip(ids) {
        if !is_object(id) {
            *value = 0.0;
        }
    }
    let scene = Scene::new(&objects, ids, width, &inner);
    let asked: Vec<[usize; 2]> = objects.iter().flat_map(|extent| asked(extent, ids, width)).collect();
    for (direction, plane) in directions().into_iter().zip(distances.chunks_exact_mut(pixels)) {
        let steps = steps(direction, scene.stride, scene.longest);
        for &[x, y] in &asked {
            plane[y * width + x] = scene.distance([x, y], &steps);
        }
    }
}

/// The pixels of an object at which distances are measured.
fn asked(extent: &Extent, ids: &[u32], width: usize) -> Vec<[usize; 2]> {
    let own = |step: usize| {
        let rows = extent.rows(ids, width).filter(move |(y, _)| y.is_multiple_of(step));
        let pixels = rows.flat_map(|(y, row)| (extent.left..).zip(row).map(move |(x, &id)| ([x, y], id)));
        let own = pixels.filter(move |([x, _], id)| *id == extent.id && x.is_multiple_of(step));
        own.map(|(pixel, _)| pixel).collect::<Vec<_>>()
    };
    let even = own(2);
    if even.is_empty() { own(1) } else { even }
}

fn write_probability(extent: &Extent, ids: &[u32], width: usize, inner: &[f32], probability: &mut [f32]) {
    let own = |(_, id): &(usize, &u32)| **id == extent.id;
    let indices = |y: usize| y * width + extent.left..;
    let mut largest = 0.0f32;
    for (y, row) in extent.rows(ids, width) {
        for (index, _) in indices(y).zip(row).filter(own) {
            largest = largest.max(inner[index]);
        }
    }
    for (y, row) in extent.rows(ids, width) {
        for (index, _) in indices(y).zip(row).filter(own) {
            // An object that fills the window has no outside.
            probability[index] = if largest.is_finite() { inner[index] / largest } else { 1.0 };
        }
    }
}

/// The map with a frame of one pixel that belongs to nothing, so that every ray ends inside of it.
struct Scene {
    /// The number of the object times 256, plus the steps of a ray after which it may be outside, counted from any point
    /// in the pixel; 0 outside of objects. In one number, as memory is what rays wait for.
    cells: Vec<u32>,
    stride: usize,
    /// Steps after which every ray is outside.
    longest: usize,
}

/// One step along a ray, from `n - 1` to `n` pixels away: it passes at most one edge between columns and one between
/// rows, and so at most one pixel between the two in which it begins and ends.
struct Step {
    /// What leads from the pixel of the ray's origin to the one in which the step ends.
    end: i32,
    /// The same for the pixel after the first edge that it passes.
    between: i32,
    /// Distances of the first and the last edge from the origin.
    edges: [f32; 2],
}

/// Steps `0..=longest` in one direction. They are symmetric in all directions, so that mirrored objects have mirrored
/// distances.
fn steps([right, down]: [f32; 2], stride: usize, longest: usize) -> Vec<Step> {
    let size = [right.abs(), down.abs()];
    let stride = stride as i32;
    let strides = [if right < 0.0 { -1 } else { 1 }, if down < 0.0 { -stride } else { stride }];
    // Sizes are not negative: the cast rounds to the nearest.
    let pixels = |n: usize| size.map(|size| (n as f32 * size + 0.5) as i32);
    let index = |[x, y]: [i32; 2]| x * strides[0] + y * strides[1];
    let step = |n: usize| {
        let (begin, end) = (pixels(n.saturating_sub(1)), pixels(n));
        let [column, row] = std::array::from_fn(|axis| {
            let edge = (begin[axis] as f32 + 0.5) / size[axis];
            if begin[axis] == end[axis] { f32::INFINITY } else { edge }
        });
        let between = index(begin) + strides[usize::from(row < column)];
        Step { end: index(end), between, edges: [column.min(row), column.max(row)] }
    };
    (0..=longest).map(step).collect()
}

impl Scene {
    fn new(objects: &[Extent], ids: &[u32], width: usize, inner: &[f32]) -> Self {
        let height = ids.len() / width;
        let stride = width + 2;
        let mut cells = vec![0; stride * (height + 2)];
        let mut longest = 0;
        for (number, extent) in (1u32..).zip(objects) {
            longest = longest.max(extent.width() + extent.height());
            for (y, row) in extent.rows(ids, width) {
                for (x, _) in (extent.left..).zip(row).filter(|(_, id)| **id == extent.id) {
                    let frame = (x + 1).min(width - x).min(y + 1).min(height - y);
                    // The ray is at most 0.71 away from the centre of the pixel it is in, here and where it leaps to.
                    let safe = inner[y * width + x].min(frame as f32) - 1.42;
                    let leap = (safe.max(0.0) as u32 + 1).min(255);
                    cells[(y + 1) * stride + x + 1] = number << 8 | leap;
                }
            }
        }
        Self { cells, stride, longest: longest + 2 }
    }

    /// The distance from the centre of pixel `(x, y)` to where the ray leaves the object.
    fn distance(&self, [x, y]: [usize; 2], steps: &[Step]) -> f32 {
        let start = (y + 1) * self.stride + x + 1;
        let cell = |offset: i32| self.cells[start.wrapping_add_signed(offset as isize)];
        let mut here = self.cells[start];
        let object = here >> 8;
        let mut n = 0;
        while here >> 8 == object {
            n += (here & 255) as usize;
            here = cell(steps[n].end);
        }
        // A step that passes one edge only is outside behind it.
        let Step { between, edges, .. } = steps[n];
        edges[usize::from(cell(between) >> 8 == object)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::{VOID, targets};
    use vibhag_core::Head;

    fn planes(ids: &[u32], width: usize) -> Vec<f32> {
        let mut planes = vec![f32::NAN; (2 + RAYS) * ids.len()];
        targets(Head::Star, ids, width, ids.len() / width, &mut planes);
        planes
    }

    #[test]
    fn rays_of_a_rectangle_end_at_its_edges() {
        let (width, height) = (40, 30);
        let inside = |x: usize, y: usize| (5..35).contains(&x) && (4..23).contains(&y);
        let ids: Vec<u32> = (0..width * height).map(|i| 9 * u32::from(inside(i % width, i / width))).collect();
        let planes = planes(&ids, width);
        for (ray, [right, down]) in directions().into_iter().enumerate() {
            for (x, y) in [(6, 4), (20, 12), (34, 22), (12, 18)] {
                let edge = |at: usize, step: f32, low: f32, high: f32| {
                    let side = if step < 0.0 { at as f32 - low } else { high - at as f32 };
                    side / step.abs()
                };
                let expected = edge(x, right, 4.5, 34.5).min(edge(y, down, 3.5, 22.5));
                let found = planes[(1 + ray) * ids.len() + y * width + x];
                assert!((found - expected).abs() < 1e-3, "ray {ray} from ({x}, {y}): {found}, not {expected}");
            }
        }
    }

    #[test]
    fn distances_are_asked_on_the_even_grid_and_of_tiny_objects_everywhere() {
        let mut ids = vec![0; 12 * 8];
        for y in 2..5 {
            ids[y * 12 + 2..y * 12 + 5].fill(1);
        }
        ids[7 * 12 + 8] = 2;
        ids[7 * 12 + 9] = 2;
        ids[0] = VOID;
        let planes = planes(&ids, 12);
        let asked: Vec<usize> = (0..ids.len()).filter(|&i| planes[ids.len() + i] >= 0.0).collect();
        assert_eq!(asked, [26, 28, 50, 52, 7 * 12 + 8, 7 * 12 + 9]);
        let weight = &planes[(1 + RAYS) * ids.len()..];
        assert_eq!((weight[0], weight[1]), (0.0, 1.0));
        // The probability is 1 in the middle and falls with the distance.
        assert_eq!((planes[39], planes[26], planes[0]), (1.0, 0.5, 0.0));
    }

    #[test]
    fn an_object_without_outside_is_certain_and_its_rays_end_at_the_border() {
        let planes = planes(&[5; 9], 3);
        assert!(planes[..9].iter().all(|&p| p == 1.0));
        assert_eq!(planes[9], 2.5);
        assert_eq!(planes[(1 + RAYS / 2) * 9], 0.5);
    }
}
