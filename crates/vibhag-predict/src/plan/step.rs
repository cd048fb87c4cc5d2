//! One step of a plan: a kernel, where it reads and where it writes.

use vibhag_kernels::{self as kernels, Activation, Planes, PreparedConv, PreparedUp};
use vibhag_nn::Interpolation;

/// Channels, height and width.
pub(super) type Chw = [usize; 3];

/// What a step computes from one map, or from two.
pub(super) enum Kernel {
    /// Convolution, bias, the second map if there is one, activation.
    Conv(Box<PreparedConv>),
    /// Transposed 2x2 convolution of stride 2.
    Up(Box<PreparedUp>),
    /// One multiplication and one addition per channel, then the activation.
    Affine { scale: Vec<f32>, shift: Vec<f32>, act: Activation },
    /// The sum of both maps, then the activation.
    Add(Activation),
    /// Max pooling.
    MaxPool { kernel: usize, stride: usize, padding: usize },
    /// 2x2 max pooling that writes the positions of the maxima to a list.
    MaxPoolWithIndices { list: usize },
    /// Values back to the positions of a list.
    Unpool { list: usize },
    /// Twice the height and width.
    Upsample(Interpolation),
    /// The mean of each channel.
    Means,
    /// Each channel times its value in the second map; nothing is added.
    Scale { shift: Vec<f32> },
    /// The same values in another place.
    Copy,
}

impl Kernel {
    /// Computes `out` from `x` of `shape`.
    fn run(&self, shape: Chw, x: &[f32], second: Option<&[f32]>, indices: &mut [Vec<u32>], out: &mut [f32]) {
        match self {
            Self::Conv(conv) => conv.run(x, second, out),
            Self::Up(up) => up.run(x, out),
            Self::Affine { scale, shift, act } => {
                let [channels, height, width] = shape;
                kernels::affine_act(Planes { n: 1, c: channels, len: height * width }, x, scale, shift, *act, out);
            }
            Self::Add(act) => kernels::add_act(x, second.unwrap_or_default(), *act, out),
            Self::MaxPool { kernel, stride, padding } => kernels::max_pool(shape, *kernel, *stride, *padding, x, out),
            Self::MaxPoolWithIndices { list } => kernels::max_pool2x2_with_indices(shape, x, out, &mut indices[*list]),
            Self::Unpool { list } => kernels::unpool2x2(shape, x, &indices[*list], out),
            Self::Upsample(Interpolation::Nearest) => kernels::upsample_nearest2x(shape, x, out),
            Self::Upsample(Interpolation::Bilinear) => kernels::upsample_bilinear2x(shape, x, out),
            Self::Means => kernels::plane_means(shape[1] * shape[2], x, out),
            Self::Scale { shift } => {
                let planes = Planes { n: 1, c: shape[0], len: shape[1] * shape[2] };
                kernels::affine_act(planes, x, second.unwrap_or_default(), shift, Activation::None, out);
            }
            Self::Copy => out.copy_from_slice(x),
        }
    }
}

/// Part of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: usize,
    pub(super) start: usize,
    pub(super) len: usize,
}

/// Where a map is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The network's input.
    Input,
    /// A place that an earlier step wrote.
    Slot(Place),
}

/// A kernel between places.
pub(super) struct Step {
    pub(super) kernel: Kernel,
    /// The shape of `x`.
    pub(super) shape: Chw,
    pub(super) x: Source,
    pub(super) second: Option<Source>,
    pub(super) out: Place,
}

impl Step {
    /// Runs the kernel. The slot that is written is taken out meanwhile; what the step reads of
    /// the same slot lies before or after the part that it writes.
    pub(super) fn run(&self, input: &[f32], slots: &mut [Vec<f32>], indices: &mut [Vec<u32>]) {
        let mut taken = std::mem::take(&mut slots[self.out.slot]);
        let (before, rest) = taken.split_at_mut(self.out.start);
        let (out, after) = rest.split_at_mut(self.out.len);
        let (before, after): (&[f32], &[f32]) = (before, after);
        let others: &[Vec<f32>] = slots;
        let end = self.out.start + self.out.len;
        let read = |source: Source| match source {
            Source::Input => input,
            Source::Slot(Place { slot, start, len }) if slot != self.out.slot => &others[slot][start..][..len],
            Source::Slot(Place { start, len, .. }) if start < end => &before[start..][..len],
            Source::Slot(Place { start, len, .. }) => &after[start - end..][..len],
        };
        self.kernel.run(self.shape, read(self.x), self.second.map(read), indices, out);
        slots[self.out.slot] = taken;
    }
}
