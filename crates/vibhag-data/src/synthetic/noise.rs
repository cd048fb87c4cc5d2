//! Smooth random functions of the plane, and colours.

use vibhag_core::Rng;

/// Value noise: random values at integer points, smooth between them. Repeats after 256.
#[derive(Debug)]
pub(super) struct Noise {
    order: [u8; 256],
    values: [f32; 256],
}

impl Noise {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut order: [u8; 256] = std::array::from_fn(|index| index as u8);
        rng.shuffle(&mut order);
        Self { order, values: std::array::from_fn(|_| rng.unit()) }
    }

    /// The value at an integer point, uniform in 0..1.
    pub(super) fn cell(&self, x: i32, y: i32) -> f32 {
        let row = self.order[(x & 255) as usize];
        self.values[usize::from(self.order[usize::from(row.wrapping_add(y as u8))])]
    }

    /// The value at any point, 0..1.
    pub(super) fn at(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (floor(x), floor(y));
        let (u, v) = (smooth(x - left as f32), smooth(y - top as f32));
        let upper = mix(self.cell(left, top), self.cell(left + 1, top), u);
        let lower = mix(self.cell(left, top + 1), self.cell(left + 1, top + 1), u);
        mix(upper, lower, v)
    }

    /// Three octaves, 0..1.
    pub(super) fn clouds(&self, x: f32, y: f32) -> f32 {
        (4.0 * self.at(x, y) + 2.0 * self.at(2.1 * x + 37.0, 2.1 * y) + self.at(4.3 * x, 4.3 * y + 71.0)) / 7.0
    }
}

/// The largest integer not above `x`. The processor's own rounding is not in the base instruction set.
pub(super) fn floor(x: f32) -> i32 {
    let toward_zero = x as i32;
    toward_zero - i32::from(toward_zero as f32 > x)
}

/// The part of `x` above its floor.
pub(super) fn fraction(x: f32) -> f32 {
    x - floor(x) as f32
}

/// From `a` at 0 to `b` at 1.
pub(super) fn mix(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

/// From color `a` at 0 to `b` at 1.
pub(super) fn blend(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|channel| mix(a[channel], b[channel], share))
}

/// `color` times `factor`.
pub(super) fn scale(color: [f32; 3], factor: f32) -> [f32; 3] {
    color.map(|value| value * factor)
}

/// 0 up to 0 and 1 from 1 on, without corners.
pub(super) fn smooth(share: f32) -> f32 {
    let share = share.clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

/// A colour on the 0..=255 scale from hue (a turn is 1), saturation and value.
pub(super) fn hsv(hue: f32, saturation: f32, value: f32) -> [f32; 3] {
    [5.0, 3.0, 1.0].map(|offset| {
        let k = (offset + 6.0 * hue).rem_euclid(6.0);
        255.0 * value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0))
    })
}
