//! From a decoded sample to the network's input: one warp, one photometric pass, normalisation.

mod config;
mod geometry;
mod people;
mod photometry;
mod prepared;

pub use config::AugmentConfig;
pub use prepared::Prepared;
use vibhag_core::{Error, Geometry, Head, Image, Panoptic, Preprocessing, Purpose, Result, Rng, Segment};
use vibhag_imaging::instances::{self, VOID};
use vibhag_imaging::{Affine, Displacement, warp_ids, warp_image, warp_labels};

use crate::truth::{PoseRules, SegmentRules, Truth};

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
    poses: Option<PoseRules>,
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
        Ok(Self { preprocessing, config, ignore, objects: None, poses: None })
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

    /// Values of the targets of one sample.
    pub fn target_len(&self) -> usize {
        let (height, width) = self.preprocessing.geometry.size();
        match &self.poses {
            Some(rules) => rules.targets.planes(&rules.skeleton) * (height / rules.stride) * (width / rules.stride),
            None => self.target_planes() * height * width,
        }
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
        let (image, truth) = match (&self.poses, truth.into()) {
            (Some(rules), Truth::People(people)) if rules.upright => {
                let (image, people) = people::upright(image, people, &rules.skeleton)?;
                (image, people.into())
            }
            (_, truth) => (image, truth),
        };
        Prepared::new(image, truth, &self.preprocessing, self.moves(), self.ignore)
    }

    /// Renders `sample` as augmented by `key`. Without augmentation this is the plain resize, or the central window.
    /// Of segments it also returns those that the window shows. Objects of `donor` are pasted over those of the sample.
    pub fn render(
        &self,
        sample: &Prepared,
        key: Key,
        donor: Option<(&Prepared, Key)>,
        out: Rendering<'_>,
    ) -> Option<Panoptic> {
        let Drawn { map, displacement, truth_map, outside } = self.draw(sample, key, 0.0, out.planes);
        let (_, height, width) = self.shape();
        match &sample.truth {
            Truth::Labels(labels) => {
                let warped = warp_labels(labels, &truth_map, displacement.as_ref(), outside, width, height);
                out.labels.copy_from_slice(&warped);
                None
            }
            Truth::Segments(segments) => {
                let ids = warp_ids(&segments.ids, &map, displacement.as_ref(), VOID, width, height);
                match donor {
                    Some((donor, donor_key)) => {
                        let (segments, ids) = self.paste(segments, ids, donor, donor_key, out.planes);
                        self.render_objects(&segments, ids, out)
                    }
                    None => self.render_objects(&segments.segments, ids, out),
                }
            }
            // People have a rendering of their own.
            Truth::People(_) => None,
        }
    }

    /// Renders the image of `sample`, turned clockwise by `turn` degrees (the mirrored one the other way round) around the
    /// middle of the view, into `planes` and tells where its truth comes from.
    fn draw(&self, sample: &Prepared, key: Key, turn: f64, planes: &mut [f32]) -> Drawn {
        let geometry = &self.preprocessing.geometry;
        let (height, width) = geometry.size();
        let moved = self.moves();
        let scale = sample.scale_left(self.preprocessing.scale);
        let mut placement = if moved {
            geometry::draw(&self.config, geometry, scale, sample, key)
        } else {
            geometry::plain(geometry, scale, sample)
        };
        if turn != 0.0 {
            let (x, y) = (width as f64 / 2.0, height as f64 / 2.0);
            let angle = -placement.map.determinant().signum() * turn.to_radians();
            let around = Affine::translation(-x, -y).then(Affine::rotation(angle));
            placement.map = around.then(Affine::translation(x, y)).then(placement.map);
        }
        let displacement = placement.displacement.as_ref();
        // Resizing maps to fractions of the image, as image and labels are kept at two sizes.
        let (image_map, truth_map, outside) = match geometry {
            Geometry::Resize { .. } => {
                let to = |w: usize, h: usize| placement.map.then(Affine::scaling(w as f64, h as f64));
                let image_map = to(sample.image.width(), sample.image.height());
                (image_map, to(sample.truth.width(), sample.truth.height()), None)
            }
            Geometry::Window { .. } => (placement.map, placement.map, self.ignore),
        };
        let same_size = (sample.image.width(), sample.image.height()) == (width, height);
        let mut pixels = if !moved && same_size && scale == 1.0 && turn == 0.0 {
            sample.image.to_f32()
        } else {
            warp_image(&sample.image, &image_map, displacement, width, height)
        };
        photometry::apply(&self.config, &mut pixels, width, self.preprocessing.channels, key);
        self.preprocessing.normalize_to_planes(&pixels, planes);
        Drawn { map: placement.map, displacement: placement.displacement, truth_map, outside }
    }

    /// Pastes half of the objects that a window of `donor` shows into `planes` and `ids`; theirs are numbered after
    /// those of `segments`.
    fn paste(
        &self,
        segments: &Panoptic,
        mut ids: Vec<u32>,
        donor: &Prepared,
        key: Key,
        planes: &mut [f32],
    ) -> (Vec<Segment>, Vec<u32>) {
        let mut all = segments.segments.clone();
        let (Truth::Segments(others), Some((_, rules))) = (&donor.truth, &self.objects) else { return (all, ids) };
        let (channels, height, width) = self.shape();
        let mut theirs = vec![0.0; channels * height * width];
        let drawn = self.draw(donor, key, 0.0, &mut theirs);
        let shown = warp_ids(&others.ids, &drawn.map, drawn.displacement.as_ref(), VOID, width, height);
        let mut rng = key.rng(Purpose::CopyPaste);
        let chosen: Vec<bool> = others
            .segments
            .iter()
            .map(|segment| rng.chance(0.5) && !segment.crowd && rules.classes.is_thing(segment.class))
            .collect();
        let first = all.len() as u32;
        for (pixel, &id) in shown.iter().enumerate() {
            if id == VOID || id == 0 || !chosen[id as usize - 1] {
                continue;
            }
            ids[pixel] = first + id;
            for channel in 0..channels {
                let at = channel * height * width + pixel;
                planes[at] = theirs[at];
            }
        }
        all.extend(others.segments.iter().cloned());
        (all, ids)
    }

    /// Labels and targets of a window that shows `ids` of `segments`.
    fn render_objects(&self, segments: &[Segment], mut ids: Vec<u32>, out: Rendering<'_>) -> Option<Panoptic> {
        let (head, rules) = self.objects.as_ref()?;
        let (_, height, width) = self.shape();
        for (label, &id) in out.labels.iter_mut().zip(&ids) {
            *label = rules.label(segments, id);
        }
        let objects: Vec<u32> = ids.iter().map(|&id| rules.object(segments, id)).collect();
        instances::targets(*head, &objects, width, height, out.targets);
        // Beyond the image nothing is known, as where there is no segment.
        ids.iter_mut().filter(|id| **id == VOID).for_each(|id| *id = 0);
        let mut shown = vibhag_core::IdMap::new(width, height, ids).ok()?;
        let kept = shown.make_dense();
        let kept = kept.iter().filter_map(|&id| segments.get(id as usize - 1).cloned()).collect();
        Panoptic::new(shown, kept).ok()
    }
}

/// Where the truth of a rendering comes from.
struct Drawn {
    /// To the pixels of segments, which are not resized.
    map: Affine,
    displacement: Option<Displacement>,
    /// To the pixels of labels.
    truth_map: Affine,
    outside: Option<u16>,
}

#[cfg(test)]
mod tests;
