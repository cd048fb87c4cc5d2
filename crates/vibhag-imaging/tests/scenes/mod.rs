//! Random scenes of ellipses, and their maps as a perfect network would give them.

#![allow(clippy::unwrap_used, dead_code, reason = "test helpers, each test file uses some of them")]

use vibhag_core::{Grouping, Head, Purpose, RAYS, Result, Rng};
use vibhag_imaging::instances::{Objects, Stars, VOID, decode_center, decode_flow, targets};

pub(crate) struct Scene {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) ids: Vec<u32>,
    pub(crate) count: usize,
}

impl Scene {
    /// Up to `count` ellipses with semiaxes from `radii`, at least `gap` pixels apart; touching ones (gap 0) may cover
    /// each other a little.
    pub(crate) fn ellipses(
        seed: u64,
        (width, height): (usize, usize),
        count: usize,
        radii: [f32; 2],
        gap: usize,
    ) -> Self {
        let mut rng = Rng::new(seed, 0, 0, Purpose::Synthesis);
        let mut ids = vec![0; width * height];
        let mut found = 0;
        for _ in 0..50 * count {
            if found == count {
                break;
            }
            let (a, b) = (rng.uniform(radii[0], radii[1]), rng.uniform(radii[0], radii[1]));
            let (x, y) = (rng.uniform(0.0, width as f32), rng.uniform(0.0, height as f32));
            let (sin, cos) = rng.uniform(0.0, 3.2).sin_cos();
            let inside = |px: usize, py: usize, margin: f32| {
                let (dx, dy) = (px as f32 - x, py as f32 - y);
                let (u, v) = ((dx * cos + dy * sin) / (a + margin), (dy * cos - dx * sin) / (b + margin));
                u * u + v * v <= 1.0
            };
            let reach = a.max(b) + 1.0 + gap as f32;
            let rows = (y - reach).max(0.0) as usize..((y + reach) as usize + 1).min(height);
            let columns = (x - reach).max(0.0) as usize..((x + reach) as usize + 1).min(width);
            let all: Vec<usize> = rows.flat_map(|py| columns.clone().map(move |px| py * width + px)).collect();
            let near = |margin: f32| {
                let all = &all;
                all.iter().copied().filter(move |&index| inside(index % width, index / width, margin))
            };
            let (full, free) = (near(0.0).count(), near(0.0).filter(|&index| ids[index] == 0).count());
            let area = std::f32::consts::PI * a * b;
            // Little of it beyond the border or under others, and no pixel of others in the gap.
            let fits = full as f32 > 0.7 * area && free as f32 > 0.92 * full as f32;
            if fits && (gap == 0 || near(gap as f32).all(|index| ids[index] == 0)) {
                found += 1;
                for index in near(0.0).collect::<Vec<_>>() {
                    if ids[index] == 0 {
                        ids[index] = found as u32;
                    }
                }
            }
        }
        Self { width, height, ids, count: found }
    }

    pub(crate) fn of(width: usize, ids: Vec<u32>) -> Self {
        let count = ids.iter().copied().filter(|&id| id != VOID).max().unwrap_or(0) as usize;
        Self { width, height: ids.len() / width, ids, count }
    }

    pub(crate) fn pixels(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn targets(&self, head: Head) -> Vec<f32> {
        let mut planes = vec![f32::NAN; head.target_planes() * self.pixels()];
        targets(head, &self.ids, self.width, self.height, &mut planes);
        planes
    }

    /// The maps of a network that has learned its targets, and which pixels belong to any object.
    pub(crate) fn maps(&self, head: Head) -> Maps {
        let mut planes = self.targets(head);
        planes.truncate(head.maps() * self.pixels());
        if head == Head::Flow {
            for value in &mut planes {
                *value *= 5.0;
            }
        }
        let things = self.ids.iter().map(|&id| f32::from(id != 0)).collect();
        Maps { width: self.width, height: self.height, things, planes }
    }
}

#[derive(Clone)]
pub(crate) struct Maps {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) things: Vec<f32>,
    pub(crate) planes: Vec<f32>,
}

impl Maps {
    pub(crate) fn plane(&self, number: usize) -> &[f32] {
        let pixels = self.width * self.height;
        &self.planes[number * pixels..(number + 1) * pixels]
    }

    pub(crate) fn decode(&self, head: Head) -> Objects {
        self.decode_with(head, &Grouping::of(head)).unwrap()
    }

    pub(crate) fn decode_with(&self, head: Head, grouping: &Grouping) -> Result<Objects> {
        let (width, height) = (self.width, self.height);
        match head {
            Head::Center => {
                let offsets = [self.plane(1), self.plane(2)];
                decode_center(width, height, &self.things, self.plane(0), offsets, grouping)
            }
            Head::Flow => decode_flow(width, height, &self.things, [self.plane(0), self.plane(1)], grouping),
            Head::Star | Head::Semantic | Head::Pose => self.stars(0.05).decode(grouping),
        }
    }

    pub(crate) fn stars(&self, least: f32) -> Stars {
        let mut stars = Stars::new(self.width, self.height, least);
        let mut row = Vec::new();
        for y in 0..self.height {
            row.clear();
            for plane in 0..=RAYS {
                row.extend_from_slice(&self.plane(plane)[y * self.width..(y + 1) * self.width]);
            }
            stars.push_row(y, &row);
        }
        stars
    }
}

/// A row-major plane, mirrored.
pub(crate) fn flip<T: Copy>(plane: &[T], width: usize, (flip_x, flip_y): (bool, bool)) -> Vec<T> {
    let height = plane.len() / width;
    (0..plane.len())
        .map(|index| {
            let (x, y) = (index % width, index / width);
            let (x, y) = (if flip_x { width - 1 - x } else { x }, if flip_y { height - 1 - y } else { y });
            plane[y * width + x]
        })
        .collect()
}

/// The best intersection over union of each true object with any found one.
pub(crate) fn overlaps(truth: &[u32], count: usize, found: &Objects) -> Vec<f64> {
    let columns = found.scores.len() + 1;
    let mut table = vec![0usize; (count + 1) * columns];
    for (&a, &b) in truth.iter().zip(found.ids.ids()) {
        let a = if a == VOID { 0 } else { a as usize };
        table[a * columns + b as usize] += 1;
    }
    let row = |a: usize| table[a * columns..(a + 1) * columns].iter().sum::<usize>();
    let column = |b: usize| (0..=count).map(|a| table[a * columns + b]).sum::<usize>();
    (1..=count)
        .map(|a| {
            let shares = (1..columns).map(|b| {
                let both = table[a * columns + b];
                both as f64 / (row(a) + column(b) - both) as f64
            });
            shares.fold(0.0, f64::max)
        })
        .collect()
}
