//! How stuff divides an image: regions with wavy borders, one over the other.

use std::f32::consts::TAU;

use vibhag_core::Rng;

use super::SyntheticConfig;

/// Stuff that lies where its depth is positive, above the regions before it.
#[derive(Debug)]
pub(super) struct Region {
    /// A stuff class.
    pub(super) class: u16,
    /// How deep each pixel's centre lies in it, in pixels, negative outside.
    pub(super) depths: Vec<f32>,
}

/// A line whose distance from a straight one is a sum of waves.
#[derive(Debug, Clone)]
struct Border {
    normal: [f32; 2],
    point: [f32; 2],
    /// The distance at each pixel along the line, from `-wave.len() / 2`.
    wave: Vec<f32>,
}

impl Border {
    fn draw(angle: f32, config: &SyntheticConfig, rng: &mut Rng) -> Self {
        let size = [config.width as f32, config.height as f32];
        let point = size.map(|side| side * rng.uniform(0.25, 0.75));
        let unit = config.unit();
        let waves: [[f32; 3]; 3] = [90.0, 38.0, 17.0].map(|length: f32| {
            let length = length * unit * rng.uniform(0.7, 1.4);
            [TAU / length, length * rng.uniform(0.02, 0.075), rng.uniform(0.0, TAU)]
        });
        let reach = size[0].hypot(size[1]) as i32 + 2;
        let height =
            |at: i32| waves.iter().map(|[pace, height, phase]| height * (pace * at as f32 + phase).sin()).sum();
        Self { normal: [angle.cos(), angle.sin()], point, wave: (-reach..=reach).map(height).collect() }
    }

    fn depth(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.point[0], y - self.point[1]);
        let along = dy * self.normal[0] - dx * self.normal[1] + (self.wave.len() / 2) as f32;
        let index = (along as usize).min(self.wave.len() - 2);
        let wave = super::noise::mix(self.wave[index], self.wave[index + 1], along - index as f32);
        dx * self.normal[0] + dy * self.normal[1] + wave
    }
}

/// Draws one to four regions of different classes, each of which sees at least a fortieth of the image before objects
/// come. The first one lies everywhere.
pub(super) fn draw(config: &SyntheticConfig, rng: &mut Rng) -> Vec<Region> {
    let (width, size) = (config.width, config.width * config.height);
    let mut classes: [u16; super::STUFF.len()] = std::array::from_fn(|index| index as u16);
    rng.shuffle(&mut classes);
    let count = [1, 2, 2, 2, 2, 3, 3, 3, 4, 4][rng.below(10)];
    // Most first borders are horizons, and sky lies above them.
    let horizon = rng.chance(0.8);
    if horizon && let Some(at) = classes[1..count].iter().position(|&class| class == 0) {
        classes.swap(0, at + 1);
    }
    let mut regions = vec![Region { class: classes[0], depths: vec![f32::INFINITY; size] }];
    let mut owners = vec![0u8; size];
    for &class in &classes[1..count] {
        for _ in 0..8 {
            let first = regions.len() == 1;
            // A quarter turn points down.
            let angle = if first && horizon { 0.25 * TAU + rng.uniform(-0.4, 0.4) } else { rng.uniform(0.0, TAU) };
            // What divides the sky is the horizon alone.
            let parent = if first { 0 } else { rng.below(regions.len()).max(usize::from(horizon)) };
            let border = Border::draw(angle, config, rng);
            let depth = |(index, outer): (usize, &f32)| {
                outer.min(border.depth((index % width) as f32 + 0.5, (index / width) as f32 + 0.5))
            };
            let depths: Vec<f32> = regions[parent].depths.iter().enumerate().map(depth).collect();
            let mut seen = [0; super::STUFF.len()];
            for (&owner, &depth) in owners.iter().zip(&depths) {
                seen[if depth > 0.0 { regions.len() } else { usize::from(owner) }] += 1;
            }
            if seen[..=regions.len()].iter().all(|&seen| 40 * seen >= size) {
                for (owner, &depth) in owners.iter_mut().zip(&depths) {
                    *owner = if depth > 0.0 { regions.len() as u8 } else { *owner };
                }
                regions.push(Region { class, depths });
                break;
            }
        }
    }
    regions
}
