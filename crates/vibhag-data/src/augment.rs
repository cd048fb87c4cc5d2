//! From a decoded sample to the network's input: one warp, one photometric pass, normalisation.

mod config;
mod geometry;
mod photometry;
mod prepared;

pub use config::AugmentConfig;
pub use prepared::Prepared;
use vibhag_core::{Error, Geometry, Image, LabelMap, Preprocessing, Purpose, Result, Rng};
use vibhag_imaging::{Affine, warp_image, warp_labels};

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
        Ok(Self { preprocessing, config, ignore })
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
    pub fn prepare(&self, image: Image, labels: LabelMap) -> Result<Prepared> {
        Prepared::new(image, labels, &self.preprocessing, self.moves(), self.ignore)
    }

    /// Renders `sample` as augmented by `key`: normalised planes into `planes`
    /// (channels x height x width) and labels into `labels` (height x width). Without
    /// augmentation this is the plain resize, or the central window.
    pub fn render(&self, sample: &Prepared, key: Key, planes: &mut [f32], labels: &mut [u16]) {
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
                (image_map, to(sample.labels.width(), sample.labels.height()), None)
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
        self.preprocessing.normalize_to_planes(&pixels, planes);
        labels.copy_from_slice(&warp_labels(&sample.labels, &label_map, displacement, outside, width, height));
    }
}

#[cfg(test)]
mod tests;
