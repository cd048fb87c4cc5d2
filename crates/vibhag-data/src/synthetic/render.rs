//! Paints a scene: the ground, the objects from back to front with their shadows, the light, the camera.

use vibhag_core::Rng;
use vibhag_imaging::gaussian_blur;

use super::SyntheticConfig;
use super::noise::{Noise, blend, scale, smooth};
use super::scene::{Object, Scene};
use super::stuff::Texture;

/// How far around an object its shadow reaches, in pixels of the usual image of 256.
pub(super) const SHADOW: f32 = 6.0;

/// The image of `scene`: RGB, row-major.
pub(super) fn render(scene: &Scene, config: &SyntheticConfig, rng: &mut Rng) -> Vec<u8> {
    let noise = Noise::new(rng);
    let mut canvas = ground(scene, config, &noise, rng);
    for object in scene.objects.iter().rev() {
        shadow(&mut canvas, object, scene.light, config);
        body(&mut canvas, object, scene.light, &noise, config);
    }
    camera(canvas.into_flattened(), scene.light, config, rng)
}

fn ground(scene: &Scene, config: &SyntheticConfig, noise: &Noise, rng: &mut Rng) -> Vec<[f32; 3]> {
    let textures: Vec<Texture> =
        scene.regions.iter().map(|region| Texture::draw(region.class, config.unit(), rng)).collect();
    let color = |index: usize| {
        let (x, y) = ((index % config.width) as f32 + 0.5, (index / config.width) as f32 + 0.5);
        let look = |region: usize| textures[region].color(noise, x, y, y / config.height as f32);
        // Along a border, the regions on both sides mix. The first region covers everything.
        let solid = scene.regions.iter().rposition(|region| region.depths[index] >= 0.5).unwrap_or(0);
        let mut color = look(solid);
        for (above, region) in scene.regions.iter().enumerate().skip(solid + 1) {
            let cover = region.depths[index] + 0.5;
            if cover > 0.0 {
                color = blend(color, look(above), cover);
            }
        }
        color
    };
    (0..config.width * config.height).map(color).collect()
}

/// Darkens what lies behind an object, on the side away from the light.
fn shadow(canvas: &mut [[f32; 3]], object: &Object, light: [f32; 2], config: &SyntheticConfig) {
    let (unit, field) = (config.unit(), &object.field);
    let (dx, dy) = ((2.5 * light[0] * unit).round() as isize, (2.5 * light[1] * unit).round() as isize);
    let height = field.distances.len() / field.width.max(1);
    for (x, y, index) in field.pixels(config.width) {
        let column = (x - field.left).checked_add_signed(dx).filter(|&column| column < field.width);
        let row = (y - field.top).checked_add_signed(dy).filter(|&row| row < height);
        let (Some(column), Some(row)) = (column, row) else { continue };
        let distance = field.distances[row * field.width + column];
        let dark = smooth(0.5 - distance / (2.0 * 3.0 * unit));
        canvas[index] = scale(canvas[index], 1.0 - 0.45 * dark);
    }
}

fn body(canvas: &mut [[f32; 3]], object: &Object, light: [f32; 2], noise: &Noise, config: &SyntheticConfig) {
    let shape = &object.shape;
    for ((x, y, index), &distance) in object.field.pixels(config.width).zip(&object.field.distances) {
        let cover = (0.5 - distance).min(1.0);
        if cover > 0.0 {
            let point = [x as f32 + 0.5 - shape.center[0], y as f32 + 0.5 - shape.center[1]];
            let lit = (point[0] * light[0] + point[1] * light[1]) / shape.radius;
            canvas[index] = blend(canvas[index], object.coat.color(noise, point, -distance, lit), cover);
        }
    }
}

/// Uneven light, blur and noise.
fn camera(mut pixels: Vec<f32>, light: [f32; 2], config: &SyntheticConfig, rng: &mut Rng) -> Vec<u8> {
    let exposure = rng.uniform(0.85, 1.1);
    let falloff = rng.uniform(0.0, 0.35);
    let sigma = if rng.chance(0.5) { rng.uniform(0.3, 0.9) } else { 0.0 };
    let deviation = rng.uniform(0.5, 6.0);
    let (width, height) = (config.width, config.height);
    for (index, pixel) in pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (x, y) = ((index % width) as f32 / width as f32 - 0.5, (index / width) as f32 / height as f32 - 0.5);
        *pixel = scale(*pixel, exposure * (1.0 + falloff * (x * light[0] + y * light[1])));
    }
    gaussian_blur(&mut pixels, width, 3, sigma);
    // The sum of four random bytes stands for a normal number: mean 510, variance 4 (256^2 - 1) / 12.
    let gain = deviation / (4.0f32 * 65_535.0 / 12.0).sqrt();
    let mut expose = |value: f32| {
        let sum: u16 = rng.next_u32().to_le_bytes().into_iter().map(u16::from).sum();
        (value + gain * (f32::from(sum) - 510.0) + 0.5) as u8
    };
    pixels.into_iter().map(&mut expose).collect()
}
