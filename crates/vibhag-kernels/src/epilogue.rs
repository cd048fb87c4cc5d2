//! What happens to a convolution's sums before they leave the cache.

use crate::activation::{Activation, BOUNDS, bend};
use crate::simd::{Shared, multiversion};

/// `activation(sum + bias + residual)`, the activation as bounds where it is nothing else.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    /// One value per output channel.
    pub(crate) bias: Option<&'a [f32]>,
    /// As long as the output.
    pub(crate) residual: Option<&'a [f32]>,
    pub(crate) low: f32,
    pub(crate) high: f32,
    curve: u8,
}

impl<'a> Epilogue<'a> {
    pub(crate) fn new(bias: Option<&'a [f32]>, residual: Option<&'a [f32]>, act: Activation) -> Self {
        let (low, high) = act.bounds();
        Self { bias, residual, low, high, curve: act.curve() }
    }

    /// The sums as they are.
    pub(crate) fn none() -> Self {
        Self::new(None, None, Activation::None)
    }

    fn is_none(&self) -> bool {
        self.bias.is_none() && self.is_bounds() && self.low == f32::NEG_INFINITY && self.high == f32::INFINITY
    }

    /// Whether nothing but bounds follows the bias.
    #[inline(always)]
    pub(crate) fn is_bounds(&self) -> bool {
        self.residual.is_none() && self.curve == BOUNDS
    }

    #[inline(always)]
    pub(crate) fn bias_of(&self, channel: usize) -> f32 {
        self.bias.map_or(0.0, |bias| bias[channel])
    }

    #[inline(always)]
    fn bounded(&self, v: f32) -> f32 {
        // Written so that NaN passes through.
        let v = if v < self.low { self.low } else { v };
        if v > self.high { self.high } else { v }
    }

    /// Finishes sums of one output channel; `line` lies at `start` of the output.
    pub(crate) fn finish_line(&self, channel: usize, start: usize, line: &mut [f32]) {
        if !self.is_none() {
            finish_line(self, channel, start, line);
        }
    }

    /// What [`Epilogue::finish_line`] does after the bias, unless that is bounds alone.
    #[inline(always)]
    pub(crate) fn finish_rest(&self, start: usize, line: &mut [f32]) {
        if let Some(residual) = self.residual {
            for (v, r) in line.iter_mut().zip(&residual[start..]) {
                *v = self.bounded(*v + r);
            }
        }
        bend(self.curve, line);
    }
}

#[inline(always)]
fn line_body<const FMA: bool>(epilogue: &Epilogue<'_>, channel: usize, start: usize, line: &mut [f32]) {
    let bias = epilogue.bias_of(channel);
    if let Some(residual) = epilogue.residual {
        for (v, r) in line.iter_mut().zip(&residual[start..]) {
            *v = epilogue.bounded(*v + bias + r);
        }
    } else {
        for v in &mut *line {
            *v = epilogue.bounded(*v + bias);
        }
    }
    bend(epilogue.curve, line);
}

multiversion! {
    /// Finishes sums of one output channel.
    fn finish_line [] [] (epilogue: &Epilogue<'_>, channel: usize, start: usize, line: &mut [f32]) = line_body
}

/// Finishes `len` pixels from `start` on in every channel of image `n` of planes of `pixels`.
///
/// # Safety
/// No other live reference may overlap these pixels of `y`.
#[allow(unsafe_code)]
pub(crate) unsafe fn finish(
    epilogue: &Epilogue<'_>,
    y: Shared<'_>,
    [n, channels]: [usize; 2],
    pixels: usize,
    [start, len]: [usize; 2],
) {
    if epilogue.is_none() {
        return;
    }
    for channel in 0..channels {
        let at = (n * channels + channel) * pixels + start;
        // SAFETY: passed on; one channel at a time.
        finish_line(epilogue, channel, at, unsafe { y.part(at, len) });
    }
}
