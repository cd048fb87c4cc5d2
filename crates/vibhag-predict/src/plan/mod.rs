//! The network compiled for one image size on the CPU: a list of kernels over a few buffers.
//!
//! Compared with running the network on tensors, a convolution carries its normalisation in its
//! weights and adds residual and activation while its sums are still in the cache; weights are
//! brought into the kernels' layout once; what is concatenated is computed where it belongs; and
//! no buffer is allocated while it runs.
//!
//! A plan is made in four passes: [`record`] notes the network's operations, [`fuse`] merges sums
//! into convolutions, [`lower`] prepares the kernels and resolves concatenations, [`memory`] gives
//! every value its place.

mod cache;
mod fuse;
mod lower;
mod memory;
mod record;
mod step;

use std::fmt;

use vibhag_core::{Error, ErrorKind, Result};
use vibhag_nn::blocks::{crop_planes, pad_planes, padded_size};
use vibhag_nn::{Network, PoseNet, SelfieNet};

pub(crate) use cache::PlanCache;
use lower::Program;
use memory::Placed;
use record::{Recorder, Value};
use step::{Source, Step};

/// A network compiled for one image of one size, with the memory to run it.
pub struct Plan {
    /// Channels of the input and of the logits.
    channels: [usize; 2],
    /// Height and width of the image.
    size: [usize; 2],
    /// Height and width that the network sees.
    padded_size: [usize; 2],
    /// Height and width of the logits.
    out_size: [usize; 2],
    /// Height and width of what the network gives.
    padded_out_size: [usize; 2],
    steps: Vec<Step>,
    output: Source,
    slots: Vec<Vec<f32>>,
    /// Positions of pooling maxima, one list per pooling that keeps them.
    indices: Vec<Vec<u32>>,
    /// The padded image; empty where nothing is padded.
    padded: Vec<f32>,
}

impl Plan {
    /// Compiles `network`, as it computes with running statistics, for images of `size` (height,
    /// width).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the kernels do not know one of the network's operations;
    /// also when a side is zero or the weights cannot be read.
    pub fn compile(network: &Network, size: [usize; 2]) -> Result<Self> {
        let padded = padded_size(size, network.stride());
        let plan = Self::trace(network.config().in_channels, size, padded, |recorder, x| network.run(recorder, x))?;
        let [out_height, out_width] = plan.padded_out_size;
        let stride = padded[0] / out_height.max(1);
        if [stride * out_height, stride * out_width] != padded {
            return Err(unsupported("an output whose size does not divide the input's"));
        }
        Ok(Self { out_size: size.map(|side| side.div_ceil(stride)), ..plan })
    }

    /// Compiles `network` for images of `size` (height, width).
    ///
    /// # Errors
    /// As [`Plan::compile`].
    pub fn compile_posenet(network: &PoseNet, size: [usize; 2]) -> Result<Self> {
        Self::trace(PoseNet::IN_CHANNELS, size, size, |recorder, x| network.run(recorder, x))
    }

    /// Compiles `network` for images of `size` (height, width), multiples of 16.
    ///
    /// # Errors
    /// As [`Plan::compile`], and at other sizes.
    pub fn compile_selfie(network: &SelfieNet, size: [usize; 2]) -> Result<Self> {
        if size.iter().any(|side| side % SelfieNet::STRIDE != 0) {
            return Err(Error::config("the network takes sides that are multiples of 16")
                .at(format!("{}x{}", size[1], size[0])));
        }
        Self::trace(SelfieNet::IN_CHANNELS, size, size, |recorder, x| network.run(recorder, x))
    }

    /// Computes the logits of one image. Sides that are no multiples of a [`Network`]'s stride are
    /// padded and cropped as [`Network::forward`] does.
    ///
    /// # Shapes
    /// `input` [`in_channels`, H, W], normalised -> `logits` [`out_channels`, H / s, W / s], rounded up, with the stride s
    /// of the network's head, 1 but for poses; of a [`PoseNet`] a cell for 16 x 16 pixels ([`Plan::out_size`]).
    ///
    /// # Errors
    /// When a slice has another length.
    pub fn run(&mut self, input: &[f32], logits: &mut [f32]) -> Result<()> {
        let expected_input = self.channels[0] * self.size[0] * self.size[1];
        let expected_logits = self.channels[1] * self.out_size[0] * self.out_size[1];
        if input.len() != expected_input || logits.len() != expected_logits {
            let found = format!("{} values in, {} out", input.len(), logits.len());
            let what = format!("the plan takes {expected_input} values and gives {expected_logits}");
            return Err(Error::new(ErrorKind::SizeMismatch, what).at(found));
        }
        let input: &[f32] = if self.padded.is_empty() {
            input
        } else {
            pad_planes(input, self.size, &mut self.padded, self.padded_size);
            &self.padded
        };
        let (steps, slots, indices) = (&self.steps, &mut self.slots, &mut self.indices);
        // Inside the pool: from outside, every parallel loop would have to wake a sleeping thread.
        rayon::scope(|_| {
            for step in steps {
                step.run(input, slots, indices);
            }
        });
        let output = match self.output {
            Source::Input => input,
            Source::Slot(place) => &self.slots[place.slot][place.start..][..place.len],
        };
        crop_planes(output, self.padded_out_size, logits, self.out_size);
        Ok(())
    }

    /// Channels of the logits.
    pub fn out_channels(&self) -> usize {
        self.channels[1]
    }

    /// Height and width of the logits.
    pub fn out_size(&self) -> [usize; 2] {
        self.out_size
    }

    /// Compiles what `network` does with an input of `channels` whose `size` was padded; nothing of its output is cropped.
    fn trace(
        channels: usize,
        size: [usize; 2],
        padded_size: [usize; 2],
        network: impl FnOnce(&mut Recorder, Value) -> Value,
    ) -> Result<Self> {
        let [height, width] = padded_size;
        if channels * height * width == 0 {
            return Err(Error::config("an image needs at least one pixel").at(format!("{width}x{height}")));
        }
        let mut tape = record::record([channels, height, width], network)?;
        fuse::fuse(&mut tape);
        let program = Program::new(tape)?;
        let [planes, out_height, out_width] = program.shapes[program.output.0];
        let indices = program.indices.iter().map(|&len| vec![0; len]).collect();
        let Placed { steps, slots, output } = memory::place(program);
        let padded = if size == padded_size { Vec::new() } else { vec![0.0; channels * height * width] };
        let slots = slots.into_iter().map(|len| vec![0.0; len]).collect();
        let padded_out_size = [out_height, out_width];
        Ok(Self {
            channels: [channels, planes],
            size,
            padded_size,
            out_size: padded_out_size,
            padded_out_size,
            steps,
            output,
            slots,
            indices,
            padded,
        })
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("channels", &self.channels)
            .field("size", &self.size)
            .field("steps", &self.steps.len())
            .field("slots", &self.slots.iter().map(Vec::len).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the CPU kernels do not know {what}"))
}

#[cfg(test)]
mod tests;
