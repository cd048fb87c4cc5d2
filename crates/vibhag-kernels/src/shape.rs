//! The geometry of a convolution.

/// Sizes and options of a 2-D convolution in NCHW.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Images in the batch.
    pub n: usize,
    /// Input channels.
    pub cin: usize,
    /// Input height.
    pub h: usize,
    /// Input width.
    pub w: usize,
    /// Output channels.
    pub cout: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero padding: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Vertical and horizontal dilation.
    pub dilation: [usize; 2],
    /// Channel groups.
    pub groups: usize,
}

impl ConvShape {
    /// Height and width of the output, `None` when the shape describes no convolution (a zero size, channels that the
    /// groups do not divide, a kernel larger than the padded input).
    pub fn output(&self) -> Option<(usize, usize)> {
        let positive = [self.n, self.cin, self.h, self.w, self.cout, self.groups];
        if positive.iter().chain(&self.kernel).chain(&self.stride).chain(&self.dilation).any(|&v| v == 0) {
            return None;
        }
        if !self.cin.is_multiple_of(self.groups) || !self.cout.is_multiple_of(self.groups) {
            return None;
        }
        let size = |side: usize, before: usize, after: usize, axis: usize| {
            let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            Some((side + before + after).checked_sub(reach)? / self.stride[axis] + 1)
        };
        Some((size(self.h, self.padding[0], self.padding[2], 0)?, size(self.w, self.padding[1], self.padding[3], 1)?))
    }

    /// Elements of the input, `[n, cin, h, w]`.
    pub fn input_len(&self) -> usize {
        self.n * self.cin * self.h * self.w
    }

    /// Elements of the weights, `[cout, cin / groups, kh, kw]`.
    pub fn weight_len(&self) -> usize {
        self.cout * (self.cin / self.groups.max(1)) * self.kernel[0] * self.kernel[1]
    }

    /// Elements of the output, `[n, cout, ho, wo]`; zero for an impossible shape.
    pub fn output_len(&self) -> usize {
        self.output().map_or(0, |(h, w)| self.n * self.cout * h * w)
    }

    pub(crate) fn out(&self) -> (usize, usize) {
        self.output().unwrap_or((0, 0))
    }
}

/// A stack of planes `[n, c, len]` for operations that treat the pixels of a channel alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planes {
    /// Images in the batch.
    pub n: usize,
    /// Channels.
    pub c: usize,
    /// Pixels of one plane.
    pub len: usize,
}

impl Planes {
    /// Elements in all planes.
    pub fn total(&self) -> usize {
        self.n * self.c * self.len
    }
}
