//! Measurements of the objects of an id map, by scikit-image's conventions (`regionprops`).

mod hull;
mod outline;

use std::f64::consts::{FRAC_PI_4, PI};

use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, IdMap, Image, Result, Samples};

use hull::Row;
use outline::Outline;

/// The measurements of one object. Lengths are in pixels; an object of several parts is measured as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its number in the id map.
    pub id: u32,
    /// Its pixels.
    pub area: usize,
    /// Mean column and row of its pixels (x, y). As in scikit-image, the centre of the top left pixel is (0, 0).
    pub centroid: [f64; 2],
    /// The smallest box around it: left, top, width, height.
    pub bounds: [usize; 4],
    /// Length of the line through the centres of its border pixels, holes included: `skimage.measure.perimeter` with
    /// the neighbourhood of 4, after Benkrid, Crookes and Benkrid, "Design and FPGA implementation of a perimeter
    /// estimator" (2000). A single pixel has none.
    pub perimeter: f64,
    /// Eccentricity of the ellipse with the same second moments: 0 for a circle, below 1 for an ellipse, 1 for a line.
    pub eccentricity: f64,
    /// Long axis, end to end, of the ellipse with the same second moments.
    pub major_axis: f64,
    /// Short axis, end to end, of the ellipse with the same second moments.
    pub minor_axis: f64,
    /// Angle in radians from the vertical to the long axis, -pi/2..=pi/2: 0 for an object that stands upright,
    /// positive when it leans from the top left to the bottom right. An object without a long axis has -pi/4.
    pub orientation: f64,
    /// Diameter of the circle of the same area.
    pub equivalent_diameter: f64,
    /// Area over the pixels of its convex hull, at most 1. The hull is that of scikit-image: around the midpoints of
    /// the pixels' edges, and a pixel belongs to it when its centre does.
    pub solidity: f64,
    /// Whether a pixel of it lies on the image's border, so that a part of the object may be outside.
    pub touches_border: bool,
    /// Mean of each channel over its pixels, on the image's own scale (16-bit samples up to 65535); empty without an
    /// image.
    pub mean_intensity: Vec<f64>,
}

/// Measures every object of `ids`, in rising order of their ids; 0 is no object.
///
/// Two passes over the pixels, whatever the number of objects; on top of that, each object's hull costs as much as its
/// box is high.
///
/// # Errors
/// When `image` has another size than `ids`.
pub fn measure(ids: &IdMap, image: Option<&Image>) -> Result<Vec<Region>> {
    let (width, height) = (ids.width(), ids.height());
    if let Some(image) = image.filter(|image| (image.width(), image.height()) != (width, height)) {
        let what = format!("image and id map: {}x{} against {width}x{height}", image.width(), image.height());
        return Err(Error::new(ErrorKind::SizeMismatch, what));
    }
    let runs = runs(ids);
    let mut objects: Vec<u32> = runs.iter().map(|run| run.id).collect();
    objects.sort_unstable();
    objects.dedup();
    let outline = Outline::of(ids);
    let mut sums = vec![Sums::new(image.map_or(0, Image::channels)); objects.len()];
    for run in runs {
        let sums = &mut sums[objects.partition_point(|&id| id < run.id)];
        sums.add(&run);
        sums.border |= run.y == 0 || run.y + 1 == height || run.start == 0 || run.end == width;
        let first = run.y * width;
        sums.perimeter.add(&outline, first + run.start..first + run.end);
        match image.map(Image::samples) {
            Some(Samples::U8(samples)) => sums.add_intensities(samples, first, &run),
            Some(Samples::U16(samples)) => sums.add_intensities(samples, first, &run),
            None => {}
        }
    }
    Ok(objects.into_iter().zip(sums).map(|(id, sums)| sums.finish(id)).collect())
}

/// Pixels `start..end` of row `y` that belong to object `id`.
struct Run {
    id: u32,
    y: usize,
    start: usize,
    end: usize,
}

/// The runs of all objects in reading order.
fn runs(ids: &IdMap) -> Vec<Run> {
    let mut runs = Vec::new();
    for (y, row) in ids.ids().chunks_exact(ids.width()).enumerate() {
        let mut start = 0;
        for run in row.chunk_by(|a, b| a == b) {
            let end = start + run.len();
            if run[0] != 0 {
                runs.push(Run { id: run[0], y, start, end });
            }
            start = end;
        }
    }
    runs
}

/// What is added up over an object's pixels: whole numbers, so that the result does not depend on the order.
#[derive(Clone)]
struct Sums {
    area: u128,
    x: u128,
    y: u128,
    xx: u128,
    yy: u128,
    xy: u128,
    border: bool,
    perimeter: outline::Steps,
    intensity: Vec<u64>,
    /// Leftmost and rightmost pixel of each row.
    rows: Vec<Row>,
}

impl Sums {
    fn new(channels: usize) -> Self {
        Self {
            area: 0,
            x: 0,
            y: 0,
            xx: 0,
            yy: 0,
            xy: 0,
            border: false,
            perimeter: outline::Steps::default(),
            intensity: vec![0; channels],
            rows: Vec::new(),
        }
    }

    fn add(&mut self, run: &Run) {
        let (first, last, y) = (run.start as u128, run.end as u128 - 1, run.y as u128);
        let pixels = last - first + 1;
        let x = (first + last) * pixels / 2;
        // Sum of the squares of 0..=n.
        let squares = |n: u128| n * (n + 1) * (2 * n + 1) / 6;
        self.area += pixels;
        self.x += x;
        self.y += y * pixels;
        self.xx += squares(last) - first.checked_sub(1).map_or(0, squares);
        self.yy += y * y * pixels;
        self.xy += x * y;
        match self.rows.last_mut().filter(|row| row.y == run.y) {
            Some(row) => row.right = run.end - 1,
            None => self.rows.push(Row { y: run.y, left: run.start, right: run.end - 1 }),
        }
    }

    fn add_intensities<T: Copy + Into<u64>>(&mut self, samples: &[T], first: usize, run: &Run) {
        let channels = self.intensity.len();
        let run = &samples[(first + run.start) * channels..(first + run.end) * channels];
        for pixel in run.chunks_exact(channels) {
            for (sum, &sample) in self.intensity.iter_mut().zip(pixel) {
                *sum += sample.into();
            }
        }
    }

    fn finish(self, id: u32) -> Region {
        let area = self.area as f64;
        let left = self.rows.iter().map(|row| row.left).min().unwrap_or(0);
        let right = self.rows.iter().map(|row| row.right).max().unwrap_or(0);
        let top = self.rows.first().map_or(0, |row| row.y);
        let bottom = self.rows.last().map_or(0, |row| row.y);
        let axes = self.axes();
        Region {
            id,
            area: self.area as usize,
            centroid: [self.x as f64 / area, self.y as f64 / area],
            bounds: [left, top, right + 1 - left, bottom + 1 - top],
            perimeter: self.perimeter.length(),
            eccentricity: axes.eccentricity,
            major_axis: axes.major,
            minor_axis: axes.minor,
            orientation: axes.orientation,
            equivalent_diameter: (4.0 * area / PI).sqrt(),
            solidity: area / hull::pixels(&self.rows) as f64,
            touches_border: self.border,
            mean_intensity: self.intensity.iter().map(|&sum| sum as f64 / area).collect(),
        }
    }

    /// Of the ellipse with the second moments of the pixels' centres.
    fn axes(&self) -> Axes {
        // Variances and covariance, times the squared area.
        let moment = |of_both: u128, a: u128, b: u128| (self.area * of_both) as i128 - (a * b) as i128;
        let (xx, yy) = (moment(self.xx, self.x, self.x), moment(self.yy, self.y, self.y));
        let xy = moment(self.xy, self.x, self.y);
        let square = (self.area * self.area) as f64;
        let (mean, half_difference) = ((xx + yy) as f64 / 2.0, (xx - yy) as f64 / 2.0);
        let radius = half_difference.hypot(xy as f64);
        let large = (mean + radius) / square;
        // The product of both is the determinant; mean - radius would lose the digits of a thin object.
        let determinant = determinant(xx, yy, xy) / (square * square);
        let small = if large > 0.0 { (determinant / large).max(0.0) } else { 0.0 };
        let orientation = match (xx == yy, xy > 0) {
            (true, true) => FRAC_PI_4,
            (true, false) => -FRAC_PI_4,
            (false, _) => 0.5 * (2.0 * xy as f64).atan2((yy - xx) as f64),
        };
        Axes {
            major: 4.0 * large.sqrt(),
            minor: 4.0 * small.sqrt(),
            eccentricity: if large > 0.0 { (1.0 - small / large).max(0.0).sqrt() } else { 0.0 },
            orientation,
        }
    }
}

struct Axes {
    major: f64,
    minor: f64,
    eccentricity: f64,
    orientation: f64,
}

/// xx * yy - xy², exactly where it fits 128 bits.
fn determinant(xx: i128, yy: i128, xy: i128) -> f64 {
    match (xx.checked_mul(yy), xy.checked_mul(xy)) {
        (Some(a), Some(b)) => (a - b) as f64,
        _ => (xx as f64).mul_add(yy as f64, -(xy as f64 * xy as f64)),
    }
}

#[cfg(test)]
mod tests;
