//! Objects from star polygons.

use half::f16;
use half::slice::HalfFloatSliceExt;
use vibhag_core::{Error, ErrorKind, Grouping, RAYS, Result};

use super::nms::Kept;
use super::objects::{Objects, check, finish};
use super::rays::directions;
use super::runs::keep_largest_parts;
use super::spans::Scanner;

/// Shortest distance to an outline, in pixels: the edge of the pixel.
const SHORTEST: f32 = 0.5;
/// Longest distance, near the largest half float.
const LONGEST: f32 = 60_000.0;

/// Candidates of a star head (Schmidt et al., "Cell detection with star-convex polygons", MICCAI 2018), collected row by
/// row so that the planes of a large image need not exist at once.
///
/// Only pixels whose row and column are both even are candidates, as in the targets.
#[derive(Debug, Clone)]
pub struct Stars {
    width: usize,
    height: usize,
    least: f32,
    pixels: Vec<u32>,
    probabilities: Vec<f32>,
    /// [`RAYS`] for each candidate; half floats halve the memory and are exact to 1/16 pixel up to 128 pixels.
    distances: Vec<f16>,
    /// The first row that did not fit.
    fault: Option<(usize, usize)>,
}

impl Stars {
    /// No candidates yet, of an image of `width` x `height` pixels. Those with a lower probability than
    /// `least_probability` are forgotten.
    pub fn new(width: usize, height: usize, least_probability: f32) -> Self {
        let least = least_probability;
        let (pixels, probabilities, distances) = (Vec::new(), Vec::new(), Vec::new());
        Self { width, height, least, pixels, probabilities, distances, fault: None }
    }

    /// Adds the candidates of row `y`; each row is to come once. `planes` are `1 + RAYS` rows of `width` values: the
    /// object probability, then the distances along the rays in pixels. Distances below half a pixel and NaN count as
    /// half a pixel, those beyond the image's sides as these. A row of another size is an error of [`Stars::decode`].
    pub fn push_row(&mut self, y: usize, planes: &[f32]) {
        if y >= self.height || planes.len() != (1 + RAYS) * self.width {
            self.fault = self.fault.or(Some((y, planes.len())));
            return;
        }
        if !y.is_multiple_of(2) {
            return;
        }
        let longest = ((self.width + self.height) as f32).min(LONGEST);
        for x in (0..self.width).step_by(2) {
            let probability = planes[x];
            if probability >= self.least {
                self.pixels.push((y * self.width + x) as u32);
                self.probabilities.push(probability);
                // The order of max and min makes NaN the shortest.
                let distance = |ray: usize| planes[(1 + ray) * self.width + x].max(SHORTEST).min(longest);
                self.distances.extend((0..RAYS).map(|ray| f16::from_f32(distance(ray))));
            }
        }
    }

    /// The objects: candidates of at least `grouping.objectness`, the most probable first (of equals the first in
    /// row-major order), less those of which a better one has more than `grouping.overlap` of the smaller of the two.
    /// Overlap is counted in pixels, and a pixel in which several better ones overlap counts for the best of them only. It
    /// also belongs to that one. Of an object that others cut apart the largest part stays. Objects are numbered by
    /// falling probability, which is their score.
    ///
    /// # Errors
    /// When a row had another size or a value of `grouping` is out of range.
    pub fn decode(&self, grouping: &Grouping) -> Result<Objects> {
        check(self.width, self.height, &[], grouping)?;
        if let Some((y, length)) = self.fault {
            return Err(Error::new(
                ErrorKind::SizeMismatch,
                format!("{length} values for a row of {} pixels and {} planes", self.width, 1 + RAYS),
            )
            .at(format!("row {y} of {}", self.height)));
        }
        let directions = directions();
        let mut order: Vec<usize> =
            (0..self.pixels.len()).filter(|&n| self.probabilities[n] >= grouping.objectness).collect();
        order.sort_unstable_by(|&a, &b| {
            self.probabilities[b].total_cmp(&self.probabilities[a]).then(self.pixels[a].cmp(&self.pixels[b]))
        });
        let mut scanner = Scanner::default();
        let mut kept = Kept::new(self.width, self.height, grouping.overlap);
        let mut scores = Vec::new();
        for candidate in order {
            let pixel = self.pixels[candidate] as usize;
            let mut distances = [0.0; RAYS];
            self.distances[candidate * RAYS..][..RAYS].convert_to_f32_slice(&mut distances);
            let center = [pixel % self.width, pixel / self.width];
            let area = scanner.fill(center, &distances, &directions, [self.width, self.height]);
            if kept.offer(&scanner.spans, area, pixel) {
                scores.push(Some(self.probabilities[candidate]));
            }
        }
        let mut ids = kept.ids;
        keep_largest_parts(&mut ids, self.width, scores.len());
        finish(self.width, self.height, ids, &scores, grouping)
    }
}
