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
    let longest = objects.iter().map(|extent| extent.width().max(extent.height())).max().unwrap_or(0);
    let scene = Scene::new(ids, width, &inner, longest);
    for extent in &objects {
        let on_grid = |x: usize, y: usize| x.is_multiple_of(2) && y.is_multiple_of(2);
        let mut own =
            extent.rows(ids, width).flat_map(|(y, row)| (extent.left..).zip(row).map(move |(x, id)| (x, y, id)));
        let has_grid = own.any(|(x, y, &id)| id == extent.id && on_grid(x, y));
        for (y, row) in extent.rows(ids, width) {
            for (x, _) in (extent.left..).zip(row).filter(|(_, id)| **id == extent.id) {
                if !has_grid || on_grid(x, y) {
                    scene.measure(x, y, |ray, distance| distances[ray * pixels + y * width + x] = distance);
                }
            }
        }
    }
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
    ids: Vec<u32>,
    /// Steps of a ray after which it may be outside, counted from any point in the pixel.
    leaps: Vec<u32>,
    stride: usize,
    rays: Vec<Ray>,
}

struct Ray {
    /// Size of the step in x and y, and the reciprocals.
    step: [f32; 2],
    inverse: [f32; 2],
    /// What one pixel onwards in x and y adds to an index.
    strides: [isize; 2],
    /// What `n` steps add to an index.
    offsets: Vec<isize>,
}

impl Scene {
    /// `longest`: the largest side of the bounds of any object.
    fn new(ids: &[u32], width: usize, inner: &[f32], longest: usize) -> Self {
        let height = ids.len() / width;
        let stride = width + 2;
        let mut framed = vec![0; stride * (height + 2)];
        let mut leaps = vec![1; framed.len()];
        for y in 0..height {
            let (from, to) = (y * width, (y + 1) * stride + 1);
            framed[to..to + width].copy_from_slice(&ids[from..from + width]);
            for x in 0..width {
                let frame = (x + 1).min(width - x).min(y + 1).min(height - y);
                // The ray is at most 0.71 away from the centre of the pixel it is in, here and where it leaps to.
                let safe = inner[from + x].min(frame as f32) - 1.42;
                leaps[to + x] = safe.max(0.0) as u32 + 1;
            }
        }
        let most = (longest as f32 * std::f32::consts::SQRT_2) as usize + 3;
        let ray = |[right, down]: [f32; 2]| {
            let step = [right.abs(), down.abs()];
            let strides =
                [if right < 0.0 { -1 } else { 1 }, if down < 0.0 { -(stride as isize) } else { stride as isize }];
            let offset = |n: usize| {
                let [x, y] = step.map(|step| whole(n as f32 * step));
                x * strides[0] + y * strides[1]
            };
            Ray { step, inverse: step.map(f32::recip), strides, offsets: (0..=most).map(offset).collect() }
        };
        Self { ids: framed, leaps, stride, rays: directions().into_iter().map(ray).collect() }
    }

    /// Visits the distance from the centre of pixel `(x, y)` along each ray to where it leaves the object.
    fn measure(&self, x: usize, y: usize, mut visit: impl FnMut(usize, f32)) {
        let start = (y + 1) * self.stride + x + 1;
        let id = self.ids[start];
        for (number, ray) in self.rays.iter().enumerate() {
            let mut n = 1;
            loop {
                let index = start.wrapping_add_signed(ray.offsets[n]);
                if self.ids[index] != id {
                    break;
                }
                n += self.leaps[index] as usize;
            }
            visit(number, self.crossing(ray, start, id, n));
        }
    }

    /// The distance at which the ray leaves the object, between step `n - 1` (in the object) and `n` (outside): from
    /// pixel edge to pixel edge (Amanatides and Woo, "A fast voxel traversal algorithm", 1987).
    fn crossing(&self, ray: &Ray, start: usize, id: u32, n: usize) -> f32 {
        let before = (n - 1) as f32;
        let mut index = start.wrapping_add_signed(ray.offsets[n - 1]);
        // Where the ray reaches the edges of its pixel; symmetric in all directions, so that mirrored objects have
        // mirrored distances.
        let mut edges = [0, 1].map(|axis| (whole(before * ray.step[axis]) as f32 + 0.5) * ray.inverse[axis]);
        let mut distance = before + 0.5;
        // One step passes at most two edges of each kind.
        for _ in 0..4 {
            distance = edges[0].min(edges[1]);
            for axis in [0, 1] {
                if edges[axis] <= distance {
                    index = index.wrapping_add_signed(ray.strides[axis]);
                    edges[axis] += ray.inverse[axis];
                }
            }
            if self.ids[index] != id {
                break;
            }
        }
        distance
    }
}

/// The nearest whole number to a number that is not negative.
fn whole(value: f32) -> isize {
    (value + 0.5) as i32 as isize
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
