//! A loaded model, ready to predict.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Geometry, Head, Image, Result, Task};
use vibhag_imaging::exposure::stretch;
use vibhag_imaging::objects::ObjectMaps;
use vibhag_nn::Network;
use vibhag_nn::bundle::{self, Flips, Manifest};
use vibhag_nn::device::DeviceChoice;

use crate::prediction::Prediction;
use crate::runner::{Probabilities, Runner};
use crate::sink::Sink;
use crate::{whole, window};

/// Windows that run through the network together unless the options say otherwise.
const DEFAULT_BATCH: usize = 4;

/// What a caller may decide; `None` leaves it to the bundle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PredictOptions {
    /// Average the probabilities over flipped copies of the input.
    pub tta: Option<Flips>,
    /// Foreground probability from which a pixel counts as foreground, 0..=1 (binary tasks).
    pub threshold: Option<f32>,
    /// Share by which neighbouring windows overlap, 0..=0.9 (window geometry).
    pub overlap: Option<f32>,
    /// Windows that run through the network together (window geometry); memory grows with it.
    pub batch: Option<usize>,
    /// Return the probabilities too, which takes 4 bytes per pixel and plane.
    pub keep_probabilities: bool,
}

/// A model bundle, ready to predict images of any size.
#[derive(Debug)]
pub struct Predictor {
    manifest: Manifest,
    runner: Runner,
    batch: usize,
    keep_probabilities: bool,
}

impl Predictor {
    /// Loads the bundle in `folder` (or in `folder/model`) onto a device.
    ///
    /// # Errors
    /// When the bundle is missing, altered or inconsistent, the device is not available, or an
    /// option is out of range.
    pub fn load(folder: &Path, device: DeviceChoice, options: PredictOptions) -> Result<Self> {
        let device = device.open()?;
        let (manifest, network) = bundle::load(folder, &device)?;
        let built = Self::build(manifest, network, device).and_then(|predictor| predictor.with_options(options));
        built.map_err(|error| if error.at.path.is_some() { error } else { error.at_path(folder) })
    }

    /// A predictor over a network in memory, on the network's device, with the manifest's
    /// post-processing. Gradients are not tracked.
    ///
    /// # Errors
    /// When manifest and network contradict each other.
    pub fn from_parts(manifest: Manifest, network: Network) -> Result<Self> {
        let network = network.valid();
        let device = network.devices().into_iter().next().unwrap_or_else(Device::flex).inner();
        Self::build(manifest, network, device)
    }

    fn build(manifest: Manifest, network: Network, device: Device) -> Result<Self> {
        check(&manifest, &network)?;
        let runner = Runner::new(network, device, manifest.postprocessing.tta);
        Ok(Self { manifest, runner, batch: DEFAULT_BATCH, keep_probabilities: false })
    }

    /// The same predictor with other options; what they leave out stays.
    ///
    /// # Errors
    /// When an option is out of range.
    pub fn with_options(mut self, options: PredictOptions) -> Result<Self> {
        let post = &mut self.manifest.postprocessing;
        post.tta = options.tta.unwrap_or(post.tta);
        post.threshold = options.threshold.unwrap_or(post.threshold);
        post.overlap = options.overlap.unwrap_or(post.overlap);
        self.runner.tta = post.tta;
        self.batch = options.batch.unwrap_or(self.batch);
        self.keep_probabilities = options.keep_probabilities;
        if self.batch == 0 {
            return Err(Error::config("a batch needs at least one window"));
        }
        check_postprocessing(&self.manifest)?;
        Ok(self)
    }

    /// The bundle's manifest; its post-processing is the one in force.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Predicts one image; the result has the image's size.
    ///
    /// # Errors
    /// When the image's channels do not suit the model, or the device fails.
    pub fn predict(&self, image: &Image) -> Result<Prediction> {
        self.predict_reporting(image, &mut |_| {})
    }

    /// As [`Self::predict`], but whole images are resized to `size` (rows, columns) instead of the model's own: a network
    /// of convolutions takes any, and images of another aspect need not be squeezed. Windows stay as they are.
    ///
    /// # Errors
    /// As [`Self::predict`], or when a side is zero.
    pub fn predict_at(&self, image: &Image, size: [usize; 2]) -> Result<Prediction> {
        let mut manifest = self.manifest.clone();
        if let Geometry::Resize { height, width } = &mut manifest.preprocessing.geometry {
            [*height, *width] = size;
        }
        if size.contains(&0) {
            return Err(Error::config("an input needs at least one pixel").at(format!("{}x{}", size[1], size[0])));
        }
        predict_with(&manifest, &self.runner, self.batch, self.keep_probabilities, image, &mut |_| {})
    }

    /// As [`Self::predict`]; `progress` is told the share of the image that is done, 0..=1. An image of many windows
    /// takes minutes.
    ///
    /// # Errors
    /// As [`Self::predict`].
    pub fn predict_reporting(&self, image: &Image, progress: &mut dyn FnMut(f64)) -> Result<Prediction> {
        predict_with(&self.manifest, &self.runner, self.batch, self.keep_probabilities, image, progress)
    }

    /// The collected maps of one image, from which segments can be read with other values of
    /// [`Grouping`](vibhag_core::Grouping) than the model's: a star head keeps candidates of at least
    /// `least_objectness`.
    ///
    /// # Errors
    /// As [`Self::predict`], or when the model tells no objects apart.
    pub fn object_maps(&self, image: &Image, least_objectness: f32) -> Result<ObjectMaps> {
        let mut sink = sink_for(&self.manifest, image, false, Some(least_objectness))?;
        run_into(&mut sink, &self.manifest, &self.runner, self.batch, image, &mut |_| {})?;
        sink.into_maps()?.1.ok_or_else(|| Error::config("the model tells no objects apart"))
    }
}

/// Chooses the way through the network by the manifest's geometry.
pub(crate) fn predict_with(
    manifest: &Manifest,
    model: &impl Probabilities,
    batch: usize,
    keep: bool,
    image: &Image,
    progress: &mut dyn FnMut(f64),
) -> Result<Prediction> {
    let mut sink = sink_for(manifest, image, keep, None)?;
    run_into(&mut sink, manifest, model, batch, image, progress)?;
    let (mut prediction, maps) = sink.into_maps()?;
    if let (Some(maps), Some(grouping)) = (maps, &manifest.postprocessing.grouping) {
        let segments = maps.read(manifest.task, grouping)?;
        prediction.labels = segments.class_map(manifest.classes.nothing());
        prediction.segments = Some(segments);
    }
    Ok(prediction)
}

fn sink_for(manifest: &Manifest, image: &Image, keep: bool, least_objectness: Option<f32>) -> Result<Sink> {
    let (width, height) = (image.width(), image.height());
    let post = &manifest.postprocessing;
    let sink = Sink::new(width, height, manifest.network.out_channels, post.threshold, keep);
    let Some(grouping) = &post.grouping else { return Ok(sink) };
    let least = least_objectness.unwrap_or(grouping.objectness);
    let maps = ObjectMaps::new(manifest.network.head, &manifest.classes, (width, height), least)?;
    Ok(sink.with_objects(maps))
}

fn run_into(
    sink: &mut Sink,
    manifest: &Manifest,
    model: &impl Probabilities,
    batch: usize,
    image: &Image,
    progress: &mut dyn FnMut(f64),
) -> Result<()> {
    let post = &manifest.postprocessing;
    let stretched = manifest.preprocessing.stretch.map(|percentiles| stretch(image, percentiles));
    let image = stretched.as_ref().unwrap_or(image);
    match manifest.preprocessing.geometry {
        Geometry::Resize { .. } => whole::predict(image, &manifest.preprocessing, model, sink)?,
        Geometry::Window { .. } => {
            window::predict(
                image,
                &manifest.preprocessing,
                window::Tiling {
                    overlap: post.overlap,
                    batch,
                    first_length: manifest.network.out_channels + manifest.network.head.first_length(),
                },
                model,
                sink,
                progress,
            )?;
        }
    }
    Ok(())
}

/// A manifest is a text file that people edit: nothing in it may lead to a panic later.
fn check(manifest: &Manifest, network: &Network) -> Result<()> {
    let wrong = |what: String| Err(Error::new(ErrorKind::Model, what).at("manifest.toml"));
    let (classes, pre, config) = (&manifest.classes, &manifest.preprocessing, network.config());
    classes.validate()?;
    if manifest.task == Task::Pose {
        return Err(Error::new(ErrorKind::Unsupported, "the model finds people's keypoints, not masks")
            .at("manifest.toml")
            .hint("use `vibhag evaluate`, or vibhag_predict::PoseModel"));
    }
    if config.out_channels != classes.output_channels() {
        return wrong(format!(
            "the network gives {} channels, {} classes need {}",
            config.out_channels,
            classes.len(),
            classes.output_channels()
        ));
    }
    if config.in_channels != pre.channels {
        return wrong(format!(
            "the network takes {} channels, the preprocessing gives {}",
            config.in_channels, pre.channels
        ));
    }
    if pre.mean.len() != pre.channels || pre.std.len() != pre.channels {
        return wrong(format!(
            "{} means and {} standard deviations for {} channels",
            pre.mean.len(),
            pre.std.len(),
            pre.channels
        ));
    }
    if !pre.mean.iter().all(|mean| mean.is_finite()) || !pre.std.iter().all(|std| std.is_finite() && *std > 0.0) {
        return wrong(format!("means must be finite and deviations positive, not {:?} and {:?}", pre.mean, pre.std));
    }
    pre.check()?;
    let (height, width) = pre.geometry.size();
    if height == 0 || width == 0 {
        return wrong(format!("an input of {height}x{width} pixels"));
    }
    let head = config.head;
    if manifest.task.has_objects() != (head != Head::Semantic)
        || manifest.task.has_objects() != manifest.postprocessing.grouping.is_some()
    {
        return wrong(format!("task {}, head {head} and the post-processing do not belong together", manifest.task));
    }
    if manifest.task.has_objects() && matches!(pre.geometry, Geometry::Resize { .. }) {
        return wrong("objects are found at the images' own resolution, not on resized images".to_owned());
    }
    check_postprocessing(manifest)
}

fn check_postprocessing(manifest: &Manifest) -> Result<()> {
    let post = &manifest.postprocessing;
    if !(0.0..=1.0).contains(&post.threshold) {
        return Err(Error::config(format!("threshold {}", post.threshold)).hint("a probability lies between 0 and 1"));
    }
    if !(0.0..=0.9).contains(&post.overlap) {
        return Err(
            Error::config(format!("overlap {}", post.overlap)).hint("windows overlap by 0 to 0.9 of their side")
        );
    }
    post.grouping.map_or(Ok(()), |grouping| grouping.validate())
}

#[cfg(test)]
mod seams;
#[cfg(test)]
mod tests;
