//! Textures of stuff.

use std::f32::consts::TAU;

use vibhag_core::Rng;

use super::noise::{Noise, blend, floor, fraction, scale, smooth};

/// The look of one region; lengths are in pixels of the usual image of 256.
#[derive(Debug)]
pub(super) struct Texture {
    class: u16,
    colors: [[f32; 3]; 2],
    /// Pixels of the usual image per pixel.
    pace: f32,
    turn: [f32; 2],
    /// What else the class draws, 0..1.
    traits: [f32; 3],
    offset: [f32; 2],
}

/// Pairs of colours for each stuff class.
const PALETTES: [[[[f32; 3]; 2]; 4]; super::STUFF.len()] = [
    [
        [[70.0, 130.0, 205.0], [180.0, 215.0, 240.0]],
        [[95.0, 105.0, 165.0], [245.0, 190.0, 160.0]],
        [[140.0, 155.0, 170.0], [205.0, 212.0, 216.0]],
        [[45.0, 75.0, 135.0], [150.0, 175.0, 205.0]],
    ],
    [
        [[60.0, 105.0, 35.0], [140.0, 170.0, 70.0]],
        [[85.0, 110.0, 45.0], [185.0, 180.0, 95.0]],
        [[35.0, 85.0, 50.0], [100.0, 150.0, 85.0]],
        [[110.0, 105.0, 55.0], [195.0, 185.0, 115.0]],
    ],
    [
        [[20.0, 75.0, 120.0], [110.0, 175.0, 200.0]],
        [[25.0, 95.0, 105.0], [130.0, 200.0, 190.0]],
        [[50.0, 75.0, 95.0], [150.0, 170.0, 185.0]],
        [[30.0, 60.0, 110.0], [125.0, 150.0, 205.0]],
    ],
    [
        [[160.0, 80.0, 60.0], [200.0, 190.0, 175.0]],
        [[135.0, 65.0, 50.0], [165.0, 155.0, 145.0]],
        [[175.0, 125.0, 85.0], [105.0, 90.0, 80.0]],
        [[130.0, 125.0, 120.0], [185.0, 180.0, 175.0]],
    ],
];

impl Texture {
    /// The look of stuff `class` in an image where 256 usual pixels are `unit` times as many.
    pub(super) fn draw(class: u16, unit: f32, rng: &mut Rng) -> Self {
        let palettes = &PALETTES[usize::from(class) % PALETTES.len()];
        let light = rng.uniform(0.8, 1.12);
        let tint: [f32; 3] = std::array::from_fn(|_| rng.uniform(-14.0, 14.0));
        let colors = palettes[rng.below(palettes.len())]
            .map(|color| std::array::from_fn(|channel| (color[channel] * light + tint[channel]).max(0.0)));
        let angle: f32 = rng.uniform(-0.22, 0.22);
        Self {
            class,
            colors,
            pace: rng.uniform(0.8, 1.25) / unit,
            turn: [angle.cos(), angle.sin()],
            traits: std::array::from_fn(|_| rng.unit()),
            offset: std::array::from_fn(|_| rng.uniform(0.0, 200.0)),
        }
    }

    /// The colour at (`x`, `y`), `down` (0..1) of the way from the top of the image.
    pub(super) fn color(&self, noise: &Noise, x: f32, y: f32, down: f32) -> [f32; 3] {
        let (x, y) = (x * self.pace, y * self.pace);
        let (u, v) = (x * self.turn[0] + y * self.turn[1], y * self.turn[0] - x * self.turn[1]);
        let (u, v) = (u + self.offset[0], v + self.offset[1]);
        match self.class {
            0 => self.sky(noise, u, v, down),
            1 => self.grass(noise, u, v),
            2 => self.water(noise, u, v),
            _ => self.bricks(noise, u, v),
        }
    }

    /// A gradient, and clouds over some of it.
    fn sky(&self, noise: &Noise, u: f32, v: f32, down: f32) -> [f32; 3] {
        let [zenith, horizon] = self.colors;
        let clear = blend(zenith, horizon, down);
        let cover = smooth((noise.clouds(u / 62.0, v / 27.0) - 0.62 + 0.25 * self.traits[0]) / 0.35);
        blend(clear, blend(horizon, [248.0; 3], 0.6), 0.8 * cover)
    }

    /// Blades that lean with the wind, and patches.
    fn grass(&self, noise: &Noise, u: f32, v: f32) -> [f32; 3] {
        let lean = 5.0 * noise.at(u / 26.0, v / 26.0);
        let blade = noise.at((u + lean) / 1.9, v / 6.5);
        let fine = noise.at((u - lean) / 1.3 + 90.0, v / 3.7);
        let patch = noise.at(u / 34.0, v / 22.0 + 50.0);
        let [dark, bright] = self.colors;
        blend(dark, bright, 0.5 * blade + 0.3 * fine + 0.45 * patch - 0.15)
    }

    /// Crests that wind across, brighter on one side.
    fn water(&self, noise: &Noise, u: f32, v: f32) -> [f32; 3] {
        let swell = 13.0 * noise.at(u / 38.0, v / 21.0) + 3.5 * noise.at(u / 11.0, v / 8.0);
        let crest = 0.5 + 0.5 * ((v + swell) * TAU / (8.0 + 5.0 * self.traits[0])).sin();
        let foam = crest * crest * noise.at(u / 19.0, v / 4.5);
        let [deep, bright] = self.colors;
        let base = blend(deep, bright, 0.15 + 0.4 * crest * crest);
        blend(base, [240.0, 248.0, 250.0], 0.75 * smooth((foam - 0.5) / 0.4))
    }

    /// Courses of bricks, each brick of its own shade, with mortar between them.
    fn bricks(&self, noise: &Noise, u: f32, v: f32) -> [f32; 3] {
        let (length, course) = (19.0 + 9.0 * self.traits[0], 8.5 + 3.0 * self.traits[1]);
        let row = floor(v / course);
        let u = u + if row & 1 == 0 { 0.0 } else { 0.5 * length };
        let to_edge = |position: f32, side: f32| {
            let inside = side * fraction(position / side);
            inside.min(side - inside)
        };
        let edge = to_edge(u, length).min(to_edge(v, course));
        let shade = 0.78 + 0.34 * noise.cell(floor(u / length), row) + 0.14 * noise.at(u / 2.3, v / 2.3);
        let [brick, mortar] = self.colors;
        blend(mortar, scale(brick, shade), smooth((edge - 0.4) / 0.9))
    }
}
