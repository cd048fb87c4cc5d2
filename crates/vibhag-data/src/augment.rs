//! From a decoded sample to the network's input: one warp, one photometric pass, normalisation.

mod config;
mod geometry;
mod photometry;
mod prepared;

pub use config::AugmentConfig;
pub use prepared::Prepared;
use vibhag_core::{Error, Geometry, Head, Image, Panoptic, Preprocessing, Purpose, Result, Rng};
use vibhag_imaging::instances::{self, VOID};
use vibhag_imaging::{Affine, warp_ids, warp_image, warp_labels};

use crate::truth::{SegmentRules, Truth};

/// What names the random numbers of one rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Seed of the run.
    pub seed: u64,
    /// Epoch.
    pub epoch: u64,
    /// Index of the sample in its dataset.
    pub sample: usize,
    /// How often the sample came earlier in the epoch: a small dataset fills a batch with
    /// different views, not with copies.
    pub copy: usize,
}

impl Key {
    pub(crate) fn rng(&self, purpose: Purpose) -> Rng {
        Rng::new(self.seed, self.epoch, self.sample as u64 ^ ((self.copy as u64) << 40), purpose)
    }
}

/// Renders samples for a network.
#[derive(Debug, Clone)]
pub struct Augmenter {
    preprocessing: Preprocessing,
    config: AugmentConfig,
    ignore: Option<u16>,
    objects: Option<(Head, SegmentRules)>,
}

/// Where a rendering goes. Slices have the length that [`Augmenter::shape`] and [`Augmenter::target_planes`] tell.
#[derive(Debug)]
pub struct Rendering<'a> {
    /// Normalised planes (channels x height x width).
    pub planes: &'a mut [f32],
    /// A label a pixel.
    pub labels: &'a mut [u16],
    /// The targets of the head (target planes x height x width).
    pub targets: &'a mut [f32],
}

impl Augmenter {
    /// An augmenter for `preprocessing`; `ignore` is the label of pixels that do not count.
    ///
    /// # Errors
    /// When a value of `config` or `preprocessing` is out of range.
    pub fn new(preprocessing: Preprocessing, config: AugmentConfig, ignore: Option<u16>) -> Result<Self> {
        config.validate()?;
        let channels = preprocessing.channels;
        let (height, width) = preprocessing.geometry.size();
        if channels == 0 || preprocessing.mean.len() != channels || preprocessing.std.len() != channels {
            return Err(Error::config(format!(
                "preprocessing has {channels} channels, {} means and {} deviations",
                preprocessing.mean.len(),
                preprocessing.std.len()
            )));
        }
        if !preprocessing.std.iter().all(|&deviation| deviation > 0.0) {
            return Err(Error::config(format!("preprocessing deviations {:?} must be positive", preprocessing.std)));
        }
        if height == 0 || width == 0 {
            return Err(Error::config(format!("network input of {height}x{width} pixels is empty")));
        }
        Ok(Self { preprocessing, config, ignore, objects: None })
    }

    /// The same augmenter for segments: renders the targets of `head` beside the labels.
    #[must_use]
    pub fn with_objects(mut self, head: Head, rules: SegmentRules) -> Self {
        self.objects = Some((head, rules));
        self
    }

    /// Planes of the targets; none without objects.
    pub fn target_planes(&self) -> usize {
        self.objects.as_ref().map_or(0, |(head, _)| head.target_planes())
    }

    /// Channels, height and width of a rendered sample.
    pub fn shape(&self) -> (usize, usize, usize) {
        let (height, width) = self.preprocessing.geometry.size();
        (self.preprocessing.channels, height, width)
    }

    /// Whether renderings of one sample can differ in place.
    fn moves(&self) -> bool {
        let windows = matches!(self.preprocessing.geometry, Geometry::Window { .. });
        self.config.moves_pixels() || (windows && self.config.foreground_probability > 0.0)
    }

    /// Brings a decoded sample into the form that [`Self::render`] takes and a cache keeps.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub fn prepare(&self, image: Image, truth: impl Into<Truth>) -> Result<Prepared> {
        Prepared::new(image, truth.into(), &self.preprocessing, self.moves(), self.ignore)
    }

    /// Renders `sample` as augmented by `key`. Without augmentation this is the plain resize, or the central window.
    /// Of segments it also returns those that the window shows: their numbers in the sample, in the order of the ids.
    pub fn render(&self, sample: &Prepared, key: Key, out: Rendering<'_>) -> Option<Panoptic> {
        let geometry = &self.preprocessing.geometry;
        let (height, width) = geometry.size();
        let moved = self.moves();
        let placement =
            if moved { geometry::draw(&self.config, geometry, sample, key) } else { geometry::plain(geometry, sample) };
        let displacement = placement.displacement.as_ref();
        // Resizing maps to fractions of the image, as image and labels are kept at two sizes.
        let (image_map, label_map, outside) = match geometry {
            Geometry::Resize { .. } => {
                let to = |w: usize, h: usize| placement.map.then(Affine::scaling(w as f64, h as f64));
                let image_map = to(sample.image.width(), sample.image.height());
                (image_map, to(sample.truth.width(), sample.truth.height()), None)
            }
            Geometry::Window { .. } => (placement.map, placement.map, self.ignore),
        };
        let same_size = (sample.image.width(), sample.image.height()) == (width, height);
        let mut pixels = if !moved && same_size {
            sample.image.to_f32()
        } else {
            warp_image(&sample.image, &image_map, displacement, width, height)
        };
        photometry::apply(&self.config, &mut pixels, width, self.preprocessing.channels, key);
        self.preprocessing.normalize_to_planes(&pixels, out.planes);
        match &sample.truth {
            Truth::Labels(labels) => {
                let warped = warp_labels(labels, &label_map, displacement, outside, width, height);
                out.labels.copy_from_slice(&warped);
                None
            }
            Truth::Segments(map) => {
                let ids = warp_ids(&map.ids, &label_map, displacement, VOID, width, height);
                self.render_objects(map, ids, out)
            }
        }
    }

    /// Labels and targets of a window that shows `ids` of `map`.
    fn render_objects(&self, map: &Panoptic, mut ids: Vec<u32>, out: Rendering<'_>) -> Option<Panoptic> {
        let (head, rules) = self.objects.as_ref()?;
        let (_, height, width) = self.shape();
        for (label, &id) in out.labels.iter_mut().zip(&ids) {
            *label = rules.label(map, id);
        }
        let objects: Vec<u32> = ids.iter().map(|&id| rules.object(map, id)).collect();
        instances::targets(*head, &objects, width, height, out.targets);
        // Beyond the image nothing is known, as where there is no segment.
        ids.iter_mut().filter(|id| **id == VOID).for_each(|id| *id = 0);
        let mut shown = vibhag_core::IdMap::new(width, height, ids).ok()?;
        let kept = shown.make_dense();
        let segments = kept.iter().filter_map(|&id| map.segments.get(id as usize - 1).cloned()).collect();
        Panoptic::new(shown, segments).ok()
    }
}

#[cfg(test)]
mod tests;
