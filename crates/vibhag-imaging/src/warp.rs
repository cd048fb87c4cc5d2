//! Geometric warps by an affine map and an optional smooth displacement, in one interpolation.

use vibhag_core::{IdMap, Image, LabelMap, Samples};

use crate::displacement::{Displacement, RowScratch};

/// A 2x3 affine map of the plane; used from destination to source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// `x' = m[0] x + m[1] y + m[2]`, `y' = m[3] x + m[4] y + m[5]`.
    pub matrix: [f64; 6],
}

impl Affine {
    /// The map that changes nothing.
    pub const IDENTITY: Self = Self { matrix: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0] };

    /// Moves by (`x`, `y`).
    pub fn translation(x: f64, y: f64) -> Self {
        Self { matrix: [1.0, 0.0, x, 0.0, 1.0, y] }
    }

    /// Scales about the origin; a negative factor mirrors.
    pub fn scaling(x: f64, y: f64) -> Self {
        Self { matrix: [x, 0.0, 0.0, 0.0, y, 0.0] }
    }

    /// Rotates about the origin, from the x axis towards the y axis (down in an image).
    pub fn rotation(radians: f64) -> Self {
        let (sin, cos) = radians.sin_cos();
        Self { matrix: [cos, -sin, 0.0, sin, cos, 0.0] }
    }

    /// This map followed by `next`.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let [a, b, c, d, e, f] = self.matrix;
        let [g, h, i, j, k, l] = next.matrix;
        Self {
            matrix: [g * a + h * d, g * b + h * e, g * c + h * f + i, j * a + k * d, j * b + k * e, j * c + k * f + l],
        }
    }

    /// The factor by which areas grow; negative where the map mirrors.
    pub fn determinant(&self) -> f64 {
        let [a, b, _, d, e, _] = self.matrix;
        a * e - b * d
    }

    /// The map that leads back; `None` where all goes to a line or a point.
    pub fn inverse(&self) -> Option<Self> {
        let [a, b, c, d, e, f] = self.matrix;
        let determinant = self.determinant();
        (determinant.is_finite() && determinant != 0.0).then(|| {
            let [a, b, d, e] = [e / determinant, -b / determinant, -d / determinant, a / determinant];
            Self { matrix: [a, b, -(a * c + b * f), d, e, -(d * c + e * f)] }
        })
    }

    /// Where (`x`, `y`) goes.
    pub fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        let [a, b, c, d, e, f] = self.matrix;
        (a * x + b * y + c, d * x + e * y + f)
    }
}

/// Samples `image` bilinearly into `width` x `height` pixels (HWC, 0..=255 scale), mirroring at
/// the border. `map` takes destination to source; `displacement` is added before it, in
/// destination pixels.
///
/// There is no prefilter: where `map` shrinks by more than about 1.5, resize first.
pub fn warp_image(
    image: &Image,
    map: &Affine,
    displacement: Option<&Displacement>,
    width: usize,
    height: usize,
) -> Vec<f32> {
    match image.samples() {
        Samples::U8(values) => bilinear(image, values, 1.0, map, displacement, (width, height)),
        Samples::U16(values) => bilinear(image, values, 1.0 / 257.0, map, displacement, (width, height)),
    }
}

/// Samples `labels` into `width` x `height` pixels by the nearest pixel. Beyond the border the
/// pixels are `outside`, or the mirrored labels when there is none.
pub fn warp_labels(
    labels: &LabelMap,
    map: &Affine,
    displacement: Option<&Displacement>,
    outside: Option<u16>,
    width: usize,
    height: usize,
) -> Vec<u16> {
    nearest(labels.labels(), (labels.width(), labels.height()), map, displacement, outside, (width, height))
}

/// Samples `ids` into `width` x `height` pixels by the nearest pixel; beyond the border they are `outside`.
pub fn warp_ids(
    ids: &IdMap,
    map: &Affine,
    displacement: Option<&Displacement>,
    outside: u32,
    width: usize,
    height: usize,
) -> Vec<u32> {
    nearest(ids.ids(), (ids.width(), ids.height()), map, displacement, Some(outside), (width, height))
}

fn nearest<T: Copy + Default>(
    source: &[T],
    sides: (usize, usize),
    map: &Affine,
    displacement: Option<&Displacement>,
    outside: Option<T>,
    (width, height): (usize, usize),
) -> Vec<T> {
    let (columns, rows) = (sides.0 as i32, sides.1 as i32);
    let mut out = vec![T::default(); width * height];
    let mut positions = Positions::new(map, displacement, width);
    for (row, line) in out.chunks_exact_mut(width.max(1)).enumerate() {
        for (value, &[x, y]) in line.iter_mut().zip(positions.row(row)) {
            let (mut column, mut row) = (floor(x), floor(y));
            if column < 0 || row < 0 || column >= columns || row >= rows {
                if let Some(outside) = outside {
                    *value = outside;
                    continue;
                }
                (column, row) = (fold(column, columns), fold(row, rows));
            }
            *value = source[row as usize * columns as usize + column as usize];
        }
    }
    out
}

fn bilinear<T: Copy + Into<f32>>(
    image: &Image,
    values: &[T],
    scale: f32,
    map: &Affine,
    displacement: Option<&Displacement>,
    (width, height): (usize, usize),
) -> Vec<f32> {
    let sides = (image.width() as i32, image.height() as i32);
    let channels = image.channels();
    let stride = width * channels;
    let mut out = vec![0.0; stride * height];
    let mut positions = Positions::new(map, displacement, width);
    for (row, line) in out.chunks_exact_mut(stride.max(1)).enumerate() {
        let positions = positions.row(row);
        // Literal channel counts let the compiler unroll the innermost loop.
        match channels {
            1 => bilinear_row::<T, 1>(values, sides, scale, positions, line),
            3 => bilinear_row::<T, 3>(values, sides, scale, positions, line),
            _ => bilinear_any_row(values, sides, channels, scale, positions, line),
        }
    }
    out
}

fn bilinear_row<T: Copy + Into<f32>, const CHANNELS: usize>(
    values: &[T],
    sides: (i32, i32),
    scale: f32,
    positions: &[[f32; 2]],
    line: &mut [f32],
) {
    let (pixels, _) = values.as_chunks::<CHANNELS>();
    let (line, _) = line.as_chunks_mut::<CHANNELS>();
    for (out, &position) in line.iter_mut().zip(positions) {
        let ([a, b, c, d], wx, wy) = corners(position, sides);
        let (a, b, c, d) = (&pixels[a], &pixels[b], &pixels[c], &pixels[d]);
        for channel in 0..CHANNELS {
            let (a, b, c, d) = (a[channel].into(), b[channel].into(), c[channel].into(), d[channel].into());
            out[channel] = scale * mix(mix(a, b, wx), mix(c, d, wx), wy);
        }
    }
}

fn bilinear_any_row<T: Copy + Into<f32>>(
    values: &[T],
    sides: (i32, i32),
    channels: usize,
    scale: f32,
    positions: &[[f32; 2]],
    line: &mut [f32],
) {
    for (out, &position) in line.chunks_exact_mut(channels).zip(positions) {
        let (corners, wx, wy) = corners(position, sides);
        let [a, b, c, d] = corners.map(|pixel| &values[pixel * channels..][..channels]);
        for (channel, value) in out.iter_mut().enumerate() {
            let (a, b, c, d) = (a[channel].into(), b[channel].into(), c[channel].into(), d[channel].into());
            *value = scale * mix(mix(a, b, wx), mix(c, d, wx), wy);
        }
    }
}

#[inline]
fn mix(a: f32, b: f32, weight: f32) -> f32 {
    a + weight * (b - a)
}

/// The four pixels around a position (upper left, upper right, lower left, lower right) and the
/// weights of right and lower.
#[inline]
fn corners([x, y]: [f32; 2], (columns, rows): (i32, i32)) -> ([usize; 4], f32, f32) {
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (floor(x), floor(y));
    let (wx, wy) = (x - left as f32, y - top as f32);
    let (mut x0, mut x1, mut y0, mut y1) = (left, left.saturating_add(1), top, top.saturating_add(1));
    if x0 < 0 || y0 < 0 || x1 >= columns || y1 >= rows {
        (x0, x1) = (fold(x0, columns), fold(x1, columns));
        (y0, y1) = (fold(y0, rows), fold(y1, rows));
    }
    let at = |x: i32, y: i32| y as usize * columns as usize + x as usize;
    ([at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1)], wx, wy)
}

/// Source positions of destination pixels, a row at a time.
struct Positions<'a> {
    map: &'a Affine,
    displacement: Option<(&'a Displacement, RowScratch)>,
    row: Vec<[f32; 2]>,
}

impl<'a> Positions<'a> {
    fn new(map: &'a Affine, displacement: Option<&'a Displacement>, width: usize) -> Self {
        let displacement = displacement.map(|field| (field, field.scratch(width)));
        Self { map, displacement, row: vec![[0.0; 2]; width] }
    }

    fn row(&mut self, row: usize) -> &[[f32; 2]] {
        let [a, b, _, d, e, _] = self.map.matrix.map(|value| value as f32);
        let (x, y) = self.map.apply(0.5, row as f64 + 0.5);
        let (x, y) = (x as f32, y as f32);
        if let Some((field, scratch)) = &mut self.displacement {
            field.row(row, scratch, &mut self.row);
            for (column, position) in self.row.iter_mut().enumerate() {
                let (u, v) = (column as f32 + position[0], position[1]);
                *position = [x + a * u + b * v, y + d * u + e * v];
            }
        } else {
            for (column, position) in self.row.iter_mut().enumerate() {
                let u = column as f32;
                *position = [x + a * u, y + d * u];
            }
        }
        &self.row
    }
}

/// The largest integer not above `value`; `f32::floor` is a library call on baseline x86-64.
#[inline]
fn floor(value: f32) -> i32 {
    let truncated = value as i32;
    truncated.saturating_sub(i32::from(truncated as f32 > value))
}

/// Mirrors `index` into `0..length`, edge pixels repeated (`dcba|abcd|dcba`).
#[inline]
fn fold(index: i32, length: i32) -> i32 {
    if (0..length).contains(&index) {
        return index;
    }
    // One reflection is the rule; the general case divides, which is slow.
    let position = if (-length..0).contains(&index) {
        -1 - index
    } else {
        i64::from(index).rem_euclid(2 * i64::from(length)) as i32
    };
    if position < length { position } else { 2 * length - 1 - position }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize, height: usize, channels: usize) -> Image {
        let values = (0..width * height * channels).map(|i| (i * 7 % 251) as u8).collect();
        Image::from_u8(width, height, channels, values).unwrap()
    }

    #[test]
    fn identity_copies() {
        for channels in [1, 2, 3, 5] {
            let image = ramp(9, 6, channels);
            assert_eq!(warp_image(&image, &Affine::IDENTITY, None, 9, 6), image.to_f32());
        }
    }

    #[test]
    fn a_flip_is_exact() {
        let image = ramp(8, 3, 1);
        let map = Affine::scaling(-1.0, 1.0).then(Affine::translation(8.0, 0.0));
        let mut expected = image.to_f32();
        expected.chunks_exact_mut(8).for_each(<[f32]>::reverse);
        assert_eq!(warp_image(&image, &map, None, 8, 3), expected);
    }

    #[test]
    fn the_border_mirrors_for_image_and_labels_alike() {
        let image = Image::from_u8(3, 1, 1, vec![10, 20, 30]).unwrap();
        let labels = LabelMap::new(3, 1, vec![10, 20, 30]).unwrap();
        let map = Affine::translation(-4.0, 0.0);
        assert_eq!(warp_image(&image, &map, None, 11, 1), [30., 30., 20., 10., 10., 20., 30., 30., 20., 10., 10.]);
        assert_eq!(warp_labels(&labels, &map, None, None, 11, 1), [30, 30, 20, 10, 10, 20, 30, 30, 20, 10, 10]);
        assert_eq!(warp_labels(&labels, &map, None, Some(255), 6, 1), [255, 255, 255, 255, 10, 20]);
    }

    #[test]
    fn maps_compose_left_to_right() {
        let map = Affine::translation(1.0, 0.0).then(Affine::rotation(std::f64::consts::FRAC_PI_2));
        let (x, y) = map.apply(1.0, 0.0);
        assert!((x - 0.0).abs() < 1e-12 && (y - 2.0).abs() < 1e-12, "{x} {y}");
    }

    #[test]
    fn positions_far_outside_or_not_finite_do_not_panic() {
        let image = ramp(2, 2, 3);
        let labels = LabelMap::filled(2, 2, 4);
        for map in [Affine::scaling(1e30, -1e30), Affine::scaling(f64::NAN, 1.0), Affine::translation(-1e9, 1e12)] {
            assert_eq!(warp_image(&image, &map, None, 4, 4).len(), 48);
            assert_eq!(warp_labels(&labels, &map, None, None, 4, 4), [4; 16]);
        }
    }

    #[test]
    fn sixteen_bits_come_out_on_the_byte_scale() {
        let image = Image::new(1, 1, 1, Samples::U16(vec![65535])).unwrap();
        let value = warp_image(&image, &Affine::IDENTITY, None, 1, 1)[0];
        assert!((value - 255.0).abs() < 1e-3);
    }
}
