//! What is where: the stuff, and the objects from front to back.

use vibhag_core::{IdMap, Panoptic, Result, Rng, Segment};

use super::coat::Coat;
use super::ground::{self, Region};
use super::shape::{Kind, Shape};
use super::{STUFF, SyntheticConfig};

/// The fewest pixels that are seen of an object.
const VISIBLE: usize = 12;
/// Places tried for an object.
const TRIES: usize = 12;

/// An object and its signed distances around it.
#[derive(Debug)]
pub(super) struct Object {
    kind: Kind,
    pub(super) shape: Shape,
    pub(super) coat: Coat,
    pub(super) field: Field,
}

/// Signed distances of a shape at the pixel centres of a box.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) distances: Vec<f32>,
}

impl Field {
    /// The distances of `shape` up to `margin` pixels around it, inside the image.
    fn new(shape: &Shape, margin: f32, config: &SyntheticConfig) -> Self {
        let reach = shape.radius + margin;
        let side = |center: f32, size: usize| {
            let first = ((center - reach).max(0.0) as usize).min(size);
            (first, ((center + reach).ceil().max(0.0) as usize).clamp(first, size))
        };
        let (left, right) = side(shape.center[0], config.width);
        let (top, bottom) = side(shape.center[1], config.height);
        let row = |y: usize| (left..right).map(move |x| shape.distance(x as f32 + 0.5, y as f32 + 0.5));
        Self { left, top, width: right - left, distances: (top..bottom).flat_map(row).collect() }
    }

    /// The pixels of the box: column, row, and index in an image of `width`.
    pub(super) fn pixels(&self, width: usize) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        (0..self.distances.len()).map(move |index| {
            let (x, y) = (self.left + index % self.width, self.top + index / self.width);
            (x, y, y * width + x)
        })
    }
}

/// Everything about an image but its light.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) regions: Vec<Region>,
    /// From front to back.
    pub(super) objects: Vec<Object>,
    /// The object of each pixel, counted from 1; 0 where the ground is seen.
    owners: Vec<u16>,
    /// Towards the light, of length 1.
    pub(super) light: [f32; 2],
}

impl Scene {
    pub(super) fn draw(config: &SyntheticConfig, rng: &mut Rng) -> Self {
        let angle = -rng.uniform(0.15, std::f32::consts::PI - 0.15);
        let mut scene = Self {
            regions: ground::draw(config, rng),
            objects: Vec::new(),
            owners: vec![0; config.width * config.height],
            light: [angle.cos(), angle.sin()],
        };
        let count = config.things.start() + rng.below(config.things.end() - config.things.start() + 1);
        for _ in 0..count {
            // What lies in front is settled, so an object that would be hidden is drawn anew.
            let found = (0..TRIES).any(|_| {
                let object = scene.draw_object(config, rng);
                scene.add(object, config)
            });
            if !found {
                break;
            }
        }
        scene
    }

    fn draw_object(&self, config: &SyntheticConfig, rng: &mut Rng) -> Object {
        let kind = Kind::ALL[rng.below(Kind::ALL.len())];
        let (low, high) = (config.radius.start().ln(), config.radius.end().ln());
        let radius = rng.uniform(low, high).exp();
        let size = [config.width as f32, config.height as f32];
        let mut center = size.map(|side| rng.uniform(0.0, side));
        if !self.objects.is_empty() && rng.chance(0.5) {
            let front = &self.objects[rng.below(self.objects.len())].shape;
            let angle = rng.uniform(0.0, std::f32::consts::TAU);
            let away = rng.uniform(0.4, 1.0) * (front.radius + radius);
            let close = [front.center[0] + away * angle.cos(), front.center[1] + away * angle.sin()];
            if (0.0..size[0]).contains(&close[0]) && (0.0..size[1]).contains(&close[1]) {
                center = close;
            }
        }
        let shape = Shape::draw(kind, center, radius, rng);
        let field = Field::new(&shape, super::render::SHADOW * config.unit(), config);
        Object { kind, coat: Coat::draw(radius, rng), shape, field }
    }

    /// Puts `object` behind the others; false if too little of it would be seen.
    fn add(&mut self, object: Object, config: &SyntheticConfig) -> bool {
        let inside = || {
            let pixels = object.field.pixels(config.width).zip(&object.field.distances);
            pixels.filter(|&(_, &distance)| distance < 0.0).map(|((_, _, index), _)| index)
        };
        let whole = inside().count();
        let seen = inside().filter(|&index| self.owners[index] == 0).count();
        if seen < VISIBLE || (seen as f32) < config.visible * whole as f32 {
            return false;
        }
        let number = self.objects.len() as u16 + 1;
        for index in inside() {
            if self.owners[index] == 0 {
                self.owners[index] = number;
            }
        }
        self.objects.push(object);
        true
    }

    /// The segments.
    pub(super) fn truth(&self, config: &SyntheticConfig) -> Result<Panoptic> {
        let (width, height) = (config.width, config.height);
        // Stuff by class, then objects from back to front; numbers without pixels go at the end.
        let last = STUFF.len() + self.objects.len() + 1;
        let id = |(index, &owner): (usize, &u16)| match usize::from(owner) {
            // The first region lies everywhere.
            0 => self.regions.iter().rfind(|region| region.depths[index] > 0.0).map_or(0, |region| region.class + 1),
            number => (last - number) as u16,
        };
        let mut ids: Vec<u32> = self.owners.iter().enumerate().map(id).map(u32::from).collect();
        if config.void {
            ids = without_borders(&ids, width);
        }
        let mut ids = IdMap::new(width, height, ids)?;
        let class = |id: u32| match id as usize {
            id if id <= STUFF.len() => id as u16 - 1,
            id => STUFF.len() as u16 + self.objects[last - 1 - id].kind as u16,
        };
        let segments = ids.make_dense().into_iter().map(|id| Segment::truth(class(id))).collect();
        Panoptic::new(ids, segments)
    }
}

/// `ids` with 0 at every pixel that has a neighbour (left, right, above, below) of another id.
fn without_borders(ids: &[u32], width: usize) -> Vec<u32> {
    let mut inside = ids.to_vec();
    let mut part = |a: usize, b: usize| {
        if ids[a] != ids[b] {
            (inside[a], inside[b]) = (0, 0);
        }
    };
    for index in 0..ids.len() {
        if (index + 1) % width != 0 {
            part(index, index + 1);
        }
        if index + width < ids.len() {
            part(index, index + width);
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Purpose;

    #[test]
    fn a_good_part_of_the_objects_is_partly_hidden() {
        let config = SyntheticConfig::new(256, 256, 5);
        let (mut objects, mut hidden, mut scenes) = (0, 0, 0);
        let count = 200;
        for index in 0..count {
            let scene = Scene::draw(&config, &mut Rng::new(5, 0, index, Purpose::Synthesis));
            let whole = scene.objects.iter().map(|object| object.field.distances.iter().filter(|&&d| d < 0.0).count());
            let seen =
                (1..).zip(&scene.objects).map(|(number, _)| scene.owners.iter().filter(|&&o| o == number).count());
            let partly = whole.zip(seen).filter(|(whole, seen)| seen < whole).count();
            objects += scene.objects.len();
            hidden += partly;
            scenes += u64::from(partly > 0);
        }
        println!("{objects} objects, {hidden} of them partly hidden, in {scenes} of {count} scenes");
        assert!((0.25..0.5).contains(&(hidden as f64 / objects as f64)), "{hidden} of {objects}");
        assert!((0.7..0.95).contains(&(scenes as f64 / count as f64)), "{scenes} of {count}");
    }
}
