//! People's skeletons by a trained model: image -> network -> maps -> poses in the image's own pixels.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use vibhag_core::{Error, ErrorKind, Head, Image, Keypoint, Pose, PoseReading, Result, Skeleton};
use vibhag_imaging::exposure::stretch;
use vibhag_imaging::pose::{Grid, PoseDecoder, PoseReader, Spin};
use vibhag_imaging::resize_image;
use vibhag_nn::bundle::{self, Flips, Manifest};
use vibhag_nn::device::DeviceChoice;
use vibhag_nn::{Network, backend};

use crate::input::{append_region, with_channels};
use crate::plan::PlanCache;

/// Pixels that the network sees at most: larger images are shrunk.
const MOST_PIXELS: f32 = 4_000_000.0;

/// What a caller may decide; `None` leaves it to the bundle.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PoseOptions {
    /// Average the maps over the image and its mirror image; only `None` and `Horizontal` are of use.
    pub tta: Option<Flips>,
    /// Magnification of the images before the network, 0.01 to 8: people of about the size that the model has learnt from
    /// are found best.
    pub scale: Option<f32>,
    /// How people are read from the maps.
    pub reading: Option<PoseReading>,
    /// In how many turns an image is looked at, 1, 4 or 8, whatever `reading` says.
    pub turns: Option<u8>,
}

/// A model bundle of task pose, ready to find people in images of any size. The time does not depend on how many there
/// are.
#[derive(Debug)]
pub struct PoseModel {
    manifest: Manifest,
    skeleton: Skeleton,
    network: Network,
    device: Device,
    plans: PlanCache,
    reader: PoseReader,
    scale: f32,
}

/// Heat maps and part affinity fields of one image, from which people can be read with other values than the model's.
#[derive(Debug, Clone)]
pub struct PoseMaps {
    /// One for every turn in which the image was looked at.
    views: Vec<View>,
    /// Width and height of the image.
    size: [usize; 2],
}

/// The maps of the image in one turn.
#[derive(Debug, Clone)]
struct View {
    spin: Spin,
    planes: Vec<f32>,
    /// Cells over the image as the network saw it.
    grid: Grid,
    /// Pixels of the turned image for one of the network's input, along x and y.
    pixel: [f64; 2],
}

impl PoseModel {
    /// Loads the bundle in `folder` (or in `folder/model`) onto a device.
    ///
    /// # Errors
    /// When the bundle is missing, altered, of another task or its skeleton is not that of its weights; when the device is
    /// not available or an option is out of range.
    pub fn load(folder: &Path, device: DeviceChoice, options: PoseOptions) -> Result<Self> {
        let device = device.open()?;
        let (manifest, network) = bundle::load(folder, &device)?;
        let built = Self::build(manifest, network, device, options);
        built.map_err(|error| if error.at.path.is_some() { error } else { error.at_path(folder) })
    }

    /// A model over a network in memory, on the network's device. Gradients are not tracked.
    ///
    /// # Errors
    /// When manifest and network contradict each other, or an option is out of range.
    pub fn from_parts(manifest: Manifest, network: Network, options: PoseOptions) -> Result<Self> {
        let network = network.valid();
        let device = network.devices().into_iter().next().unwrap_or_else(Device::flex).inner();
        Self::build(manifest, network, device, options)
    }

    fn build(mut manifest: Manifest, network: Network, device: Device, options: PoseOptions) -> Result<Self> {
        let skeleton = manifest.pose_skeleton()?.clone();
        let post = &mut manifest.postprocessing;
        post.tta = options.tta.unwrap_or(post.tta);
        let mut reading = options.reading.or(post.poses).unwrap_or_default();
        reading.turns = options.turns.unwrap_or(reading.turns);
        post.poses = Some(reading);
        let wrong = |what: &str| Err(Error::new(ErrorKind::Model, what).at("manifest.toml"));
        let pre = &manifest.preprocessing;
        pre.check_for_poses()?;
        if *network.config() != manifest.network {
            return wrong("the network is not the one that the manifest describes");
        }
        if network.config().in_channels != pre.channels
            || pre.mean.len() != pre.channels
            || pre.std.len() != pre.channels
            || !pre.mean.iter().all(|mean| mean.is_finite())
            || !pre.std.iter().all(|std| std.is_finite() && *std > 0.0)
        {
            return wrong("the channels of network and preprocessing, their means and deviations do not fit together");
        }
        let scale = options.scale.unwrap_or(pre.scale);
        if !(0.01..=8.0).contains(&scale) {
            return Err(Error::config("the magnification of images must lie from 0.01 to 8").at(scale.to_string()));
        }
        let reader = PoseReader::new(&skeleton, reading)?;
        if manifest.postprocessing.tta != Flips::None {
            reader.mirrored()?;
        }
        Ok(Self { manifest, skeleton, network, device, plans: PlanCache::default(), reader, scale })
    }

    /// The bundle's manifest; its post-processing is the one in force.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Keypoints and limbs of the poses.
    pub fn skeleton(&self) -> &Skeleton {
        &self.skeleton
    }

    /// The people in `image`, in its own pixels, by falling score.
    ///
    /// # Errors
    /// When the image's channels do not suit the model, or the device fails.
    pub fn poses_of(&self, image: &Image) -> Result<Vec<Pose>> {
        self.maps_of(image)?.read(&self.reader)
    }

    /// The maps of `image`.
    ///
    /// # Errors
    /// As [`Self::poses_of`].
    pub fn maps_of(&self, image: &Image) -> Result<PoseMaps> {
        let pre = &self.manifest.preprocessing;
        let stretched = pre.stretch.map(|percentiles| stretch(image, percentiles));
        let image = with_channels(stretched.as_ref().unwrap_or(image), pre.channels)?;
        let turns = self.manifest.postprocessing.poses.map_or(1, |reading| reading.turns);
        let views = Spin::all(turns)?.into_iter().map(|spin| self.view_of(spin.image(&image)?.as_ref(), spin));
        Ok(PoseMaps { views: views.collect::<Result<_>>()?, size: [image.width(), image.height()] })
    }

    /// The maps of an image that was turned by `spin`.
    fn view_of(&self, image: &Image, spin: Spin) -> Result<View> {
        let pre = &self.manifest.preprocessing;
        let [width, height] = self.size_for(image.width(), image.height());
        let resized = if [width, height] == [image.width(), image.height()] {
            None
        } else {
            Some(resize_image(image, width, height)?)
        };
        let seen = resized.as_ref().unwrap_or(image);
        let [padded_height, padded_width] = [height, width].map(|side| side.next_multiple_of(self.network.stride()));
        let mut input = Vec::with_capacity(padded_height * padded_width * pre.channels);
        append_region(seen, pre, (0, 0), (padded_height, padded_width), &mut input);
        let whole = self.averaged(input, [padded_height, padded_width])?;
        let stride = Head::Pose.stride();
        let (grid, columns) = (Grid::covering(width, height, stride), padded_width / stride);
        let rows = whole.chunks_exact(columns).enumerate();
        let inside = rows.filter(|(row, _)| row % (padded_height / stride) < grid.height);
        let planes = inside.flat_map(|(_, row)| row[..grid.width].iter().copied()).collect();
        let pixel = [image.width() as f64 / width as f64, image.height() as f64 / height as f64];
        Ok(View { spin, planes, grid, pixel })
    }

    /// Width and height at which the network sees an image.
    fn size_for(&self, width: usize, height: usize) -> [usize; 2] {
        let most = (MOST_PIXELS / (width as f32 * height as f32)).sqrt();
        let scale = self.scale.min(most);
        [width, height].map(|side| ((side as f32 * scale).round() as usize).max(1))
    }

    /// The maps of the last stage for a normalised input (CHW) of `size` (height, width), on the average of the image and
    /// its mirror image where that is wanted.
    fn averaged(&self, input: Vec<f32>, size: [usize; 2]) -> Result<Vec<f32>> {
        let flips = self.manifest.postprocessing.tta != Flips::None;
        let mirrored_input = flips.then(|| mirrored_rows(&input, size[1]));
        let mut maps = self.maps(input, size)?;
        let Some(mirrored_input) = mirrored_input else { return Ok(maps) };
        let other = self.maps(mirrored_input, size)?;
        let columns = size[1] / Head::Pose.stride();
        let cells = size[0] / Head::Pose.stride() * columns;
        for ((source, sign), plane) in self.reader.mirrored()?.into_iter().zip(maps.chunks_exact_mut(cells)) {
            let rows = other[source * cells..][..cells].chunks_exact(columns);
            for (row, from) in plane.chunks_exact_mut(columns).zip(rows) {
                row.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = 0.5 * (*to + sign * from));
            }
        }
        Ok(maps)
    }

    fn maps(&self, input: Vec<f32>, [height, width]: [usize; 2]) -> Result<Vec<f32>> {
        let config = self.network.config();
        let cells = height / Head::Pose.stride() * (width / Head::Pose.stride());
        let compiled = if backend::computes_on(&self.device) {
            self.plans.with(&self.network, [height, width], |plan| {
                let mut output = vec![0.0; config.planes() * cells];
                plan.run(&input, &mut output)?;
                Ok(output)
            })?
        } else {
            None
        };
        let mut output = match compiled {
            Some(output) => output,
            None => self.through_tensors(input, [1, config.in_channels, height, width])?,
        };
        // Earlier stages come first.
        Ok(output.split_off(output.len() - config.out_channels * cells))
    }

    fn through_tensors(&self, input: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>> {
        let failed = |reason: String| {
            Error::new(ErrorKind::Model, format!("the device could not run the network: {reason}"))
                .hint("try a smaller scale or --device cpu")
        };
        let output = self.network.forward(Tensor::from_data(TensorData::new(input, shape), &self.device));
        output
            .try_into_data_as::<f32>()
            .map_err(|error| failed(format!("{error:?}")))?
            .try_to_vec::<f32>()
            .map_err(|error| failed(format!("{error:?}")))
    }
}

impl PoseMaps {
    /// The people that `reader` finds, in pixels of the image.
    ///
    /// # Errors
    /// When the reader is for another number of maps.
    pub fn read(&self, reader: &PoseReader) -> Result<Vec<Pose>> {
        let turns = self.views.iter().map(|view| view.read(reader, self.size)).collect::<Result<Vec<_>>>()?;
        Ok(if let [_] = turns.as_slice() { turns.into_iter().flatten().collect() } else { reader.merge(turns) })
    }
}

impl View {
    /// The people that `reader` finds, in pixels of the image of `size` (width, height) before the turn.
    fn read(&self, reader: &PoseReader, size: [usize; 2]) -> Result<Vec<Pose>> {
        let mut poses = reader.decode(&self.planes, &self.grid)?;
        for keypoint in poses.iter_mut().flat_map(|pose| &mut pose.keypoints).filter(|keypoint| keypoint.is_present()) {
            // Between the centres of pixels of two sizes, counted from the same corner.
            let moved = |value: f64, pixel: f64| (value + 0.5) * pixel - 0.5;
            *keypoint =
                Keypoint { x: moved(keypoint.x, self.pixel[0]), y: moved(keypoint.y, self.pixel[1]), ..*keypoint };
        }
        Ok(poses.iter().map(|pose| self.spin.back(pose, size)).collect())
    }
}

fn mirrored_rows(planes: &[f32], width: usize) -> Vec<f32> {
    planes.chunks_exact(width).flat_map(|row| row.iter().rev().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use vibhag_core::{ClassTable, Geometry, Preprocessing, Task};
    use vibhag_imaging::pose::Turn;
    use vibhag_nn::NetworkConfig;
    use vibhag_nn::bundle::{DataOrigin, FORMAT_VERSION, PostProcessing, pose_maps};

    fn skeleton() -> Skeleton {
        Skeleton::custom("arms", &["nose", "left_wrist", "right_wrist"], &[[0, 1], [0, 2]]).unwrap()
    }

    fn parts(scale: f32) -> (Manifest, Network) {
        let mut network = NetworkConfig::new("fpn", None, 3, pose_maps(&skeleton())).unwrap().with_head(Head::Pose);
        (network.widths, network.decoder_channels) = (vec![4, 6, 8, 10], vec![8, 8, 8]);
        (network.stages, network.head_width) = (2, 6);
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            vibhag_version: "test".into(),
            task: Task::Pose,
            weights_sha256: String::new(),
            weights_licence: "none".into(),
            metrics: BTreeMap::new(),
            network: network.clone(),
            preprocessing: Preprocessing {
                stretch: None,
                scale,
                channels: 3,
                mean: vec![100.0; 3],
                std: vec![50.0; 3],
                geometry: Geometry::Window { height: 64, width: 64 },
            },
            postprocessing: PostProcessing {
                tta: Flips::Horizontal,
                poses: Some(PoseReading { single: true, fill: 0.0, ..PoseReading::default() }),
                ..PostProcessing::default()
            },
            data: DataOrigin::default(),
            classes: ClassTable::binary("person"),
            skeleton: Some(skeleton()),
        };
        (manifest, network.init(&Device::flex(), 7).unwrap())
    }

    fn model(scale: f32) -> PoseModel {
        let (manifest, network) = parts(scale);
        PoseModel::from_parts(manifest, network, PoseOptions::default()).unwrap()
    }

    fn image(width: usize, height: usize) -> Image {
        let samples = (0..width * height * 3).map(|i| (i * 7919 % 251) as u8).collect();
        Image::from_u8(width, height, 3, samples).unwrap()
    }

    #[test]
    fn plan_and_tensors_give_the_same_maps() {
        let model = model(1.0);
        for [height, width] in [[32usize, 64], [64, 32], [96, 96]] {
            let input: Vec<f32> = (0..3 * height * width).map(|i| (i * 7919 % 1009) as f32 / 504.5 - 1.0).collect();
            let planned = model.maps(input.clone(), [height, width]).unwrap();
            let mut expected = model.through_tensors(input, [1, 3, height, width]).unwrap();
            let expected = expected.split_off(expected.len() - planned.len());
            assert_eq!(planned.len(), 7 * height * width / 16);
            let largest = planned.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest < 1e-4, "{height}x{width}: {largest}");
        }
    }

    #[test]
    fn the_mirror_image_has_the_mirrored_maps_and_poses() {
        // No padding, so that the mirrored image is mirrored to the last pixel.
        let (width, height) = (64, 32);
        let model = model(1.0);
        let picture = image(width, height);
        let pixels: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).rev().map(move |x| (x, y)))
            .flat_map(|(x, y)| (0..3).map(move |c| ((3 * (y * width + x) + c) * 7919 % 251) as u8))
            .collect();
        let mirrored = Image::from_u8(width, height, 3, pixels).unwrap();
        let (found, other) = (model.poses_of(&picture).unwrap(), model.poses_of(&mirrored).unwrap());
        assert_eq!(found.len(), other.len());
        for (pose, other) in found.iter().zip(&other) {
            let back = other.mirrored(&skeleton(), width).unwrap();
            for (a, b) in pose.keypoints.iter().zip(&back.keypoints) {
                assert!((a.x - b.x).abs() < 1e-2 && (a.y - b.y).abs() < 1e-2, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_turned_image_has_the_turned_poses_where_all_turns_are_looked_at() {
        let (manifest, network) = parts(1.0);
        let reading = PoseReading { single: true, fill: 0.0, ..PoseReading::default() };
        let options = PoseOptions { reading: Some(reading), turns: Some(4), ..PoseOptions::default() };
        let model = PoseModel::from_parts(manifest, network, options).unwrap();
        let picture = image(64, 32);
        let found = model.poses_of(&picture).unwrap();
        assert_eq!(found.len(), 1);
        for turn in Turn::ALL {
            let turned = turn.image(&picture).unwrap();
            let other = model.poses_of(&turned).unwrap();
            let back = turn.back().pose(&other[0], [turned.width(), turned.height()]);
            assert!((back.score - found[0].score).abs() < 1e-5);
            for (a, b) in found[0].keypoints.iter().zip(&back.keypoints) {
                assert!((a.x - b.x).abs() < 1e-2 && (a.y - b.y).abs() < 1e-2, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn any_size_goes_in_and_poses_lie_on_the_image() {
        for scale in [1.0, 1.5, 0.25] {
            let model = model(scale);
            for (width, height) in [(1, 1), (33, 5), (70, 121)] {
                for pose in model.poses_of(&image(width, height)).unwrap() {
                    for keypoint in pose.keypoints.iter().filter(|keypoint| keypoint.is_present()) {
                        let slack = 4.0 / f64::from(scale);
                        assert!(keypoint.x >= -slack && keypoint.x <= width as f64 + slack, "{scale}: {keypoint:?}");
                        assert!(keypoint.y >= -slack && keypoint.y <= height as f64 + slack, "{scale}: {keypoint:?}");
                    }
                }
            }
        }
        assert_eq!(model(1.0).size_for(20_000, 20_000), [2000, 2000]);
    }

    #[test]
    fn the_wrong_skeleton_for_the_weights_is_an_error() {
        let (good, network) = parts(1.0);
        let refused = |change: fn(&mut Manifest)| {
            let mut manifest = good.clone();
            change(&mut manifest);
            PoseModel::from_parts(manifest, network.clone(), PoseOptions::default()).unwrap_err().to_string()
        };
        let error = refused(|manifest| manifest.skeleton = Some(Skeleton::named("coco-17").unwrap()));
        assert!(error.contains("17 keypoints") && error.contains('7'), "{error}");
        assert!(refused(|manifest| manifest.skeleton = None).contains("skeleton"));
        assert!(refused(|manifest| manifest.task = Task::Semantic).contains("pose"));
        assert!(refused(|manifest| manifest.preprocessing.std = vec![0.0; 3]).contains("deviations"));
        assert!(refused(|manifest| manifest.network.stages = 1).contains("network"));
    }
}
