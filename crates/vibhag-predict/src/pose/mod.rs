//! From an image to the people in it: PoseNet's maps, and the poses that they hold.
//!
//! ```no_run
//! use vibhag_nn::device::DeviceChoice;
//! use vibhag_predict::pose::{PoseOptions, PosePredictor};
//!
//! # fn main() -> vibhag_core::Result<()> {
//! # let image = vibhag_core::Image::from_u8(1, 1, 1, vec![0])?;
//! let predictor = PosePredictor::posenet(DeviceChoice::Cpu, PoseOptions::default())?;
//! for pose in predictor.predict(&image)? {
//!     println!("{:.2}: {:?}", pose.score, pose.bounds());
//! }
//! # Ok(())
//! # }
//! ```

mod scaling;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use vibhag_core::{DisplacementDecoding, Error, Image, Pose, Result, Samples, Skeleton};
use vibhag_imaging::pose::{DisplacementDecoder, Grid, PoseDecoder};
use vibhag_imaging::resize_image;
use vibhag_nn::device::DeviceChoice;
use vibhag_nn::posenet::POSENET;
use vibhag_nn::{PoseNet, backend, ops};

use crate::input::with_channels;
use crate::plan::{Plan, PlanCache};

pub use scaling::Scaling;

/// How people are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoseOptions {
    /// The longer side of what the network sees, in pixels: a multiple of 16 and 1, within
    /// [`PoseOptions::SIZES`]. Small people need a large one; the time grows with its square.
    pub size: usize,
    /// How people are read from the maps.
    pub decoding: DisplacementDecoding,
}

impl PoseOptions {
    /// The smallest and the largest size.
    pub const SIZES: [usize; 2] = [33, 4097];

    /// The size that is nearest to a number of pixels.
    pub fn nearest_size(pixels: usize) -> usize {
        let [smallest, largest] = Self::SIZES;
        let cells = (pixels.clamp(smallest, largest) + PoseNet::STRIDE / 2 - 1) / PoseNet::STRIDE;
        PoseNet::STRIDE * cells + 1
    }
}

impl Default for PoseOptions {
    fn default() -> Self {
        let decoding = DisplacementDecoding { max_people: 30, min_score: 0.1, ..DisplacementDecoding::default() };
        Self { size: 513, decoding }
    }
}

/// PoseNet with the weights that come with it.
#[derive(Debug)]
pub struct PosePredictor {
    network: PoseNet,
    device: Device,
    plans: PlanCache,
    decoder: DisplacementDecoder,
    skeleton: Skeleton,
    size: usize,
}

impl PosePredictor {
    /// A predictor on a device.
    ///
    /// # Errors
    /// When an option is out of range or this build does not know the device.
    pub fn posenet(device: DeviceChoice, options: PoseOptions) -> Result<Self> {
        let PoseOptions { size, decoding } = options;
        let [smallest, largest] = PoseOptions::SIZES;
        if !(smallest..=largest).contains(&size) || size % PoseNet::STRIDE != 1 {
            return Err(Error::config("the size of the network's input is not allowed").at(size.to_string()).hint(
                format!(
                    "use a multiple of {} and 1 from {smallest} to {largest}, such as 257, 353, 513",
                    PoseNet::STRIDE
                ),
            ));
        }
        let device = device.open()?;
        Ok(Self {
            network: PoseNet::pretrained(&device)?,
            device,
            plans: PlanCache::default(),
            decoder: DisplacementDecoder::posenet(decoding)?,
            skeleton: Skeleton::named("coco-17")?,
            size,
        })
    }

    /// The skeleton of the poses.
    pub fn skeleton(&self) -> &Skeleton {
        &self.skeleton
    }

    /// The people in an image, by falling score, their keypoints in pixels of the image. Every keypoint has a place;
    /// of one that is hidden or outside of the image it is a guess with a low score.
    ///
    /// # Errors
    /// When the image's channels cannot be made red, green and blue, or the device fails.
    pub fn predict(&self, image: &Image) -> Result<Vec<Pose>> {
        let scaling = Scaling::new([image.width(), image.height()], self.size);
        let [width, height] = scaling.to();
        let maps = self.maps(image, [height, width])?;
        let grid = Grid::at_corners(width, height, PoseNet::STRIDE);
        let mut poses = self.decoder.decode(&maps, &grid)?;
        for pose in &mut poses {
            scaling.bring_back(pose);
        }
        Ok(poses)
    }

    /// What the decoder reads of the image at `size` (height, width): probabilities of the keypoints, offsets and
    /// displacements.
    fn maps(&self, image: &Image, size: [usize; 2]) -> Result<Vec<f32>> {
        let [height, width] = size;
        let resized = resize_image(with_channels(image, PoseNet::IN_CHANNELS)?.as_ref(), width, height)?;
        let input = normalized_planes(&resized);
        let mut maps = self.run(input, size)?;
        let cells = maps.len() / PoseNet::OUT_CHANNELS;
        for logit in &mut maps[..PoseNet::KEYPOINTS * cells] {
            *logit = 1.0 / (1.0 + (-*logit).exp());
        }
        Ok(maps)
    }

    /// The network's output, through a plan where the kernels can compute it.
    fn run(&self, input: Vec<f32>, size: [usize; 2]) -> Result<Vec<f32>> {
        if backend::computes_on(&self.device) {
            let compile = |size| Plan::compile_posenet(&self.network, size);
            let planned = self.plans.with_compiled(size, compile, |plan| {
                let [rows, columns] = plan.out_size();
                let mut maps = vec![0.0; plan.out_channels() * rows * columns];
                plan.run(&input, &mut maps)?;
                Ok(maps)
            })?;
            if let Some(maps) = planned {
                return Ok(maps);
            }
        }
        let x = TensorData::new(input, [1, PoseNet::IN_CHANNELS, size[0], size[1]]);
        ops::values(self.network.forward(Tensor::from_data(x, &self.device)))
    }
}

/// Planes of the samples on the scale that the weights expect.
fn normalized_planes(image: &Image) -> Vec<f32> {
    let (channels, pixels) = (image.channels(), image.width() * image.height());
    let normalized = |value: f32| (value - POSENET.mean) / POSENET.std;
    let mut planes = vec![0.0; channels * pixels];
    planes.par_chunks_mut(pixels).enumerate().for_each(|(channel, plane)| {
        let places = (channel..).step_by(channels);
        match image.samples() {
            Samples::U8(values) => {
                plane.iter_mut().zip(places).for_each(|(slot, place)| *slot = normalized(f32::from(values[place])));
            }
            Samples::U16(values) => {
                plane.iter_mut().zip(places).for_each(|(slot, place)| {
                    *slot = normalized(f32::from(values[place]) / 257.0);
                });
            }
        }
    });
    planes
}

#[cfg(test)]
mod tests;
