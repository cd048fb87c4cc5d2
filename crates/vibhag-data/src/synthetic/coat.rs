//! What the surface of an object looks like; its class has no say in it.

use std::f32::consts::TAU;

use vibhag_core::Rng;

use super::noise::{Noise, blend, fraction, hsv, scale, smooth};

/// Colours, pattern and shading.
#[derive(Debug)]
pub(super) struct Coat {
    colors: [[f32; 3]; 2],
    pattern: Pattern,
    /// Pixels from one repeat of the pattern to the next.
    period: f32,
    turn: [f32; 2],
    /// How much brighter the lit side is than the middle, at the object's radius.
    shading: f32,
    /// The factor along the outline.
    rim: f32,
}

#[derive(Debug, Clone, Copy)]
enum Pattern {
    Plain,
    Stripes,
    Dots,
    Checks,
    Mottled,
}

impl Coat {
    pub(super) fn draw(radius: f32, rng: &mut Rng) -> Self {
        use Pattern::{Checks, Dots, Mottled, Plain, Stripes};
        let hue = rng.unit();
        let (saturation, value) = (rng.uniform(0.25, 0.95), rng.uniform(0.35, 1.0));
        let other_hue = hue + rng.uniform(-0.25, 0.25);
        let other_value = if value > 0.65 { value - rng.uniform(0.2, 0.4) } else { value + rng.uniform(0.2, 0.4) };
        let second = hsv(other_hue, rng.uniform(0.1, 0.9), other_value);
        let angle = rng.uniform(0.0, TAU);
        Self {
            colors: [hsv(hue, saturation, value), second],
            pattern: [Plain, Plain, Plain, Plain, Stripes, Stripes, Dots, Checks, Mottled, Mottled][rng.below(10)],
            period: (radius * rng.uniform(0.25, 0.55)).max(4.0),
            turn: [angle.cos(), angle.sin()],
            shading: rng.uniform(0.05, 0.28),
            rim: if rng.chance(0.6) { rng.uniform(0.55, 0.85) } else { 1.0 },
        }
    }

    /// The colour at `point` from the centre, `depth` pixels inside the outline; `lit` is how far the point lies on
    /// the light's side, in radii.
    pub(super) fn color(&self, noise: &Noise, point: [f32; 2], depth: f32, lit: f32) -> [f32; 3] {
        let u = (point[0] * self.turn[0] + point[1] * self.turn[1]) / self.period;
        let v = (point[1] * self.turn[0] - point[0] * self.turn[1]) / self.period;
        // Signed distances to the pattern's edge in periods, brought to pixels.
        let wave = |t: f32| 0.25 - (fraction(t) - 0.5).abs();
        let edge = match self.pattern {
            Pattern::Plain => f32::NEG_INFINITY,
            Pattern::Stripes => wave(u),
            Pattern::Dots => 0.28 - (fraction(u) - 0.5).hypot(fraction(v) - 0.5),
            Pattern::Checks => {
                let (a, b) = (wave(0.7 * u), wave(0.7 * v));
                a.abs().min(b.abs()) * (a * b).signum()
            }
            Pattern::Mottled => 0.7 * (noise.clouds(1.1 * u + 99.0, 1.1 * v + 99.0) - 0.5),
        };
        let color = blend(self.colors[0], self.colors[1], smooth(edge * self.period + 0.5));
        let rim = self.rim + (1.0 - self.rim) * smooth(0.5 * depth);
        scale(color, (1.0 + self.shading * lit) * rim)
    }
}
