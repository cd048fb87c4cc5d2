//! Synthetic scenes with exact truth: geometric objects that hide each other, over textured stuff.
//!
//! An object's class is its shape alone: colour, pattern, size, turn and light are drawn for each object without
//! regard to it. An object that another one divides stays one segment. Stuff has textures and wavy borders; it covers
//! whatever the objects leave, so that each pixel belongs to a segment.
//!
//! How hard it is: a scene of the usual 256 x 256 pixels has six objects of 16 to 60 pixels in radius; every third one is
//! partly hidden, down to a third of it, and nine scenes in ten have such an object. What is smaller or hidden further
//! often shows nothing by which its shape could be told: [`SyntheticConfig::hard`] has such objects.
//!
//! Scene `index` depends on the configuration and `index` alone.

mod coat;
mod ground;
mod noise;
mod render;
mod scene;
mod shape;
mod source;
mod stuff;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use vibhag_core::{ClassTable, Error, Image, Panoptic, Purpose, Result, Rgb, Rng};

pub use source::{SyntheticSource, write_images};

/// What the scenes of a set are like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyntheticConfig {
    /// Width of the images in pixels.
    pub width: usize,
    /// Height of the images in pixels.
    pub height: usize,
    /// Objects in an image. A scene without room for another that can be seen has fewer.
    pub things: RangeInclusive<usize>,
    /// From an object's centre to its farthest point, in pixels; small objects are as frequent as large ones on a
    /// logarithmic scale.
    pub radius: RangeInclusive<f32>,
    /// The smallest share of an object's pixels that others leave to be seen, 0 to 1; at least 12 pixels are seen.
    pub visible: f32,
    /// Leaves the pixels along the borders of segments without one, as hand-drawn truth often does.
    pub void: bool,
    /// Names the set: another seed, other scenes.
    pub seed: u64,
}

impl SyntheticConfig {
    /// 3 to 9 objects an image whose radius is 1/16 to 15/64 of the shorter side (16 to 60 pixels of 256), each seen to
    /// a third at least.
    pub fn new(width: usize, height: usize, seed: u64) -> Self {
        let unit = width.min(height) as f32 / 256.0;
        Self { width, height, things: 3..=9, radius: 16.0 * unit..=60.0 * unit, visible: 1.0 / 3.0, void: false, seed }
    }

    /// Objects of half that size too, and seen to a tenth at least.
    #[must_use]
    pub fn hard(self) -> Self {
        Self { radius: self.radius.start() / 2.0..=*self.radius.end(), visible: 0.1, ..self }
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// A configuration error that names the value: a side of 0 or above 16384, more than 500 objects, a radius that is
    /// not positive, a range that is empty, or a share outside 0 to 1.
    pub fn validate(&self) -> Result<()> {
        let Self { width, height, things, radius, .. } = self;
        let side = 1..=16_384;
        if !side.contains(width) || !side.contains(height) {
            return Err(
                Error::config(format!("synthetic images of {width}x{height}")).hint("sides go from 1 to 16384 pixels")
            );
        }
        if things.is_empty() || *things.end() > 500 {
            return Err(Error::config(format!("{} to {} objects in a synthetic image", things.start(), things.end()))
                .hint("the smaller number comes first, and 500 is the most"));
        }
        // Written so that a value that is no number fails.
        if !(*radius.start() > 0.0 && radius.start() <= radius.end() && radius.end().is_finite()) {
            return Err(Error::config(format!("synthetic objects of radius {} to {}", radius.start(), radius.end()))
                .hint("a radius is above 0, and the smaller one comes first"));
        }
        if !(0.0..=1.0).contains(&self.visible) {
            return Err(Error::config(format!("synthetic objects seen to {} at least", self.visible))
                .hint("the smallest share that is seen goes from 0 to 1"));
        }
        Ok(())
    }

    /// What 256 pixels of the usual image are here, as a factor.
    fn unit(&self) -> f32 {
        (self.width.min(self.height) as f32 / 256.0).max(0.25)
    }
}

/// The stuff classes, which come first, and the thing classes. There is no background class.
const STUFF: [(&str, Rgb); 4] =
    [("sky", [120, 180, 235]), ("grass", [95, 150, 60]), ("water", [40, 110, 160]), ("bricks", [160, 85, 65])];
const THINGS: [(&str, Rgb); 6] = [
    ("disc", [230, 159, 0]),
    ("square", [86, 180, 233]),
    ("triangle", [0, 158, 115]),
    ("star", [240, 228, 66]),
    ("ring", [213, 94, 0]),
    ("bar", [204, 121, 167]),
];

/// The classes of every synthetic set: four of stuff (sky, grass, water, bricks), six of things (disc, square,
/// triangle, star, ring, bar).
pub fn classes() -> ClassTable {
    let (names, colors): (Vec<&str>, Vec<Rgb>) = STUFF.into_iter().chain(THINGS).unzip();
    let mut table = ClassTable::from_names(names).with_things(|index| index >= STUFF.len());
    for (class, color) in table.classes.iter_mut().zip(colors) {
        class.color = color;
    }
    table
}

/// Scene `index`: an RGB image of 8 bits, and its truth.
///
/// The segments are dense: the stuff that is seen, in class order, then the objects, from back to front. Each object
/// has at least 12 visible pixels and at least [`SyntheticConfig::visible`] of its pixels visible; void pixels are taken off after that.
///
/// # Errors
/// When the configuration is not valid.
pub fn sample(config: &SyntheticConfig, index: u64) -> Result<(Image, Panoptic)> {
    let (scene, mut rng) = draw(config, index)?;
    let pixels = render::render(&scene, config, &mut rng);
    Ok((Image::from_u8(config.width, config.height, 3, pixels)?, scene.truth(config)?))
}

/// The truth of scene `index` alone, which takes less time.
fn truth(config: &SyntheticConfig, index: u64) -> Result<Panoptic> {
    draw(config, index)?.0.truth(config)
}

fn draw(config: &SyntheticConfig, index: u64) -> Result<(scene::Scene, Rng)> {
    config.validate()?;
    let mut rng = Rng::new(config.seed, 0, index, Purpose::Synthesis);
    let scene = scene::Scene::draw(config, &mut rng);
    Ok((scene, rng))
}
