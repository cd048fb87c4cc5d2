//! Drawing where the pixels of a rendered sample come from.

use vibhag_core::{Geometry, Purpose, Rng};
use vibhag_imaging::{Affine, Displacement};

use super::Key;
use super::config::AugmentConfig;
use super::prepared::Prepared;

/// One drawn geometry: from the network's pixels to fractions of the source image (resize) or to
/// its pixels (window).
pub(crate) struct Placement {
    pub(crate) map: Affine,
    pub(crate) displacement: Option<Displacement>,
}

/// Draws the geometry of one sample.
pub(crate) fn draw(config: &AugmentConfig, geometry: &Geometry, scale: f32, sample: &Prepared, key: Key) -> Placement {
    let (height, width) = geometry.size();
    let (w, h) = (width as f64, height as f64);
    let mut rng = key.rng(Purpose::Geometry);
    // Everything is drawn always, so that one option does not change the numbers of another.
    let mirror_x = rng.chance(config.flip_horizontal);
    let mirror_y = rng.chance(config.flip_vertical);
    let affine = rng.chance(config.affine_probability);
    let angle = rng.uniform(-1.0, 1.0) * config.rotate_degrees;
    let zoom = rng.uniform(config.scale[0].ln(), config.scale[1].ln()).exp();
    let shift = [rng.uniform(-1.0, 1.0) * config.shift, rng.uniform(-1.0, 1.0) * config.shift];
    let elastic = rng.chance(config.elastic_probability);

    let mut map = Affine::translation(-w / 2.0, -h / 2.0);
    let shrink = 1.0 / f64::from(if affine { zoom * scale } else { scale });
    if affine && angle != 0.0 {
        map = map.then(Affine::rotation(-f64::from(angle).to_radians()));
    }
    if shrink != 1.0 {
        map = map.then(Affine::scaling(shrink, shrink));
    }
    let sign = |mirrored: bool| if mirrored { -1.0 } else { 1.0 };
    map = map.then(Affine::scaling(sign(mirror_x), sign(mirror_y)));
    map = match geometry {
        Geometry::Resize { .. } => {
            let moved = if affine { shift.map(f64::from) } else { [0.0; 2] };
            map.then(Affine::translation(w * (0.5 + moved[0]), h * (0.5 + moved[1])))
                .then(Affine::scaling(1.0 / w, 1.0 / h))
        }
        // The window's random place is the shift.
        Geometry::Window { .. } => {
            // What a magnified window shows is smaller, and may lie anywhere in the image.
            let shown = |side: usize| (side as f64 * shrink).ceil() as usize;
            let (x, y) = window_centre(config, sample, (shown(width), shown(height)), key);
            map.then(Affine::translation(x, y))
        }
    };
    let displacement = elastic.then(|| {
        let side = width.min(height) as f32;
        let (spacing, magnitude) = (config.elastic_sigma * side, config.elastic_alpha * side);
        Displacement::random(width, height, spacing, magnitude, || rng.normal())
    });
    Placement { map, displacement }
}

/// The centre of the window in source pixels: on a foreground pixel with the configured
/// probability, anywhere otherwise, but never beyond the border where the image is large enough.
fn window_centre(config: &AugmentConfig, sample: &Prepared, window: (usize, usize), key: Key) -> (f64, f64) {
    let mut rng: Rng = key.rng(Purpose::Crop);
    let (width, height) = (sample.image.width(), sample.image.height());
    let wanted = rng.chance(config.foreground_probability);
    let class = rng.below(sample.anchors.len());
    let pick = rng.next_u32() as usize;
    let (u, v) = (rng.unit(), rng.unit());
    let anchor = sample.anchors.get(class).filter(|_| wanted).map(|list| list[pick % list.len()]);
    let place = |side: usize, window: usize, anchor: Option<u32>, unit: f32| {
        if side <= window {
            // Whole pixels, so that an unmoved window copies instead of interpolating.
            return ((side as f64 - window as f64) / 2.0).floor() + window as f64 / 2.0;
        }
        let most = side - window;
        let first = match anchor {
            Some(position) => (position as usize).saturating_sub(window / 2).min(most),
            None => ((unit * (most + 1) as f32) as usize).min(most),
        };
        first as f64 + window as f64 / 2.0
    };
    (place(width, window.0, anchor.map(|a| a[0]), u), place(height, window.1, anchor.map(|a| a[1]), v))
}

/// The geometry without augmentation: the whole image, or its central window.
pub(crate) fn plain(geometry: &Geometry, scale: f32, sample: &Prepared) -> Placement {
    let (height, width) = geometry.size();
    let map = match geometry {
        Geometry::Resize { .. } => Affine::scaling(1.0 / width as f64, 1.0 / height as f64),
        Geometry::Window { .. } if scale != 1.0 => {
            let shrink = 1.0 / f64::from(scale);
            Affine::translation(-(width as f64) / 2.0, -(height as f64) / 2.0)
                .then(Affine::scaling(shrink, shrink))
                .then(Affine::translation(sample.image.width() as f64 / 2.0, sample.image.height() as f64 / 2.0))
        }
        Geometry::Window { .. } => {
            let first = |side: usize, window: usize| ((side as f64 - window as f64) / 2.0).floor();
            Affine::translation(first(sample.image.width(), width), first(sample.image.height(), height))
        }
    };
    Placement { map, displacement: None }
}
