//! A decoded image: interleaved samples of 8 or 16 bits, any number of channels.

use crate::error::{Error, ErrorKind, Result};

/// The samples of an image, in the depth they were stored in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Samples {
    /// 8 bits a sample.
    U8(Vec<u8>),
    /// 16 bits a sample.
    U16(Vec<u16>),
}

/// An image of `height` rows of `width` pixels of `channels` interleaved samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    channels: usize,
    samples: Samples,
}

impl Image {
    /// An image over `samples` in row-major, channel-interleaved order.
    ///
    /// # Errors
    /// When a side or the channel count is zero, or the number of samples does not fit them.
    pub fn new(width: usize, height: usize, channels: usize, samples: Samples) -> Result<Self> {
        let count = match &samples {
            Samples::U8(values) => values.len(),
            Samples::U16(values) => values.len(),
        };
        if count == 0 || count != width * height * channels {
            return Err(Error::new(
                ErrorKind::Decode,
                format!("{count} samples do not make a {width}x{height} image of {channels} channels"),
            ));
        }
        Ok(Self { width, height, channels, samples })
    }

    /// An 8-bit image.
    ///
    /// # Errors
    /// As [`Image::new`].
    pub fn from_u8(width: usize, height: usize, channels: usize, samples: Vec<u8>) -> Result<Self> {
        Self::new(width, height, channels, Samples::U8(samples))
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Samples per pixel.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The samples, row-major and interleaved.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Bytes that the samples occupy.
    pub fn byte_len(&self) -> usize {
        match &self.samples {
            Samples::U8(values) => values.len(),
            Samples::U16(values) => 2 * values.len(),
        }
    }

    /// The samples on the 0..=255 scale as `f32` (16-bit samples are divided by 257).
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.samples {
            Samples::U8(values) => values.iter().map(|&v| f32::from(v)).collect(),
            Samples::U16(values) => values.iter().map(|&v| f32::from(v) / 257.0).collect(),
        }
    }

    /// The image as 8-bit RGB for pictures: grey is repeated, extra channels are left out.
    pub fn to_rgb8(&self) -> Vec<u8> {
        let pick = |index: usize| match &self.samples {
            Samples::U8(values) => values[index],
            Samples::U16(values) => (values[index] / 257) as u8,
        };
        let mut rgb = Vec::with_capacity(self.width * self.height * 3);
        for pixel in 0..self.width * self.height {
            let first = pixel * self.channels;
            for channel in 0..3 {
                rgb.push(pick(first + if self.channels >= 3 { channel } else { 0 }));
            }
        }
        rgb
    }

    /// The image with exactly `channels` channels: grey repeated to colour, colour averaged to
    /// grey by the Rec. 601 weights, an alpha channel (4 -> 3, 2 -> 1) dropped.
    ///
    /// # Errors
    /// Any other conversion is unsupported rather than guessed.
    pub fn with_channels(self, channels: usize) -> Result<Self> {
        if channels == self.channels {
            return Ok(self);
        }
        let (width, height, from) = (self.width, self.height, self.channels);
        let samples = match self.samples {
            Samples::U8(values) => Samples::U8(convert_channels(&values, from, channels)?),
            Samples::U16(values) => Samples::U16(convert_channels(&values, from, channels)?),
        };
        Self::new(width, height, channels, samples)
    }
}

fn convert_channels<T: Copy + Into<f32> + FromF32>(values: &[T], from: usize, to: usize) -> Result<Vec<T>> {
    let pixels = values.chunks_exact(from);
    match (from, to) {
        (1 | 2, 3) => Ok(pixels.flat_map(|p| [p[0]; 3]).collect()),
        (2, 1) => Ok(pixels.map(|p| p[0]).collect()),
        (4, 3) => Ok(pixels.flat_map(|p| [p[0], p[1], p[2]]).collect()),
        (3 | 4, 1) => {
            let grey = |p: &[T]| 0.299 * p[0].into() + 0.587 * p[1].into() + 0.114 * p[2].into();
            Ok(pixels.map(|p| T::from_f32(grey(p))).collect())
        }
        _ => Err(Error::new(ErrorKind::Unsupported, format!("cannot make {to} channels out of {from}"))
            .hint("train a model on images with this number of channels")),
    }
}

trait FromF32 {
    fn from_f32(value: f32) -> Self;
}

impl FromF32 for u8 {
    fn from_f32(value: f32) -> Self {
        value.round() as u8
    }
}

impl FromF32 for u16 {
    fn from_f32(value: f32) -> Self {
        value.round() as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_conversions_are_explicit() {
        let grey = Image::from_u8(2, 1, 1, vec![10, 20]).unwrap();
        let color = grey.clone().with_channels(3).unwrap();
        assert_eq!(color.samples(), &Samples::U8(vec![10, 10, 10, 20, 20, 20]));
        assert_eq!(color.with_channels(1).unwrap(), grey);
        assert!(grey.with_channels(5).is_err());
    }

    #[test]
    fn a_wrong_sample_count_is_an_error() {
        assert!(Image::from_u8(2, 2, 3, vec![0; 11]).is_err());
        assert!(Image::from_u8(0, 2, 3, vec![]).is_err());
    }

    #[test]
    fn sixteen_bit_white_is_255() {
        let image = Image::new(1, 1, 1, Samples::U16(vec![65535])).unwrap();
        assert_eq!(image.to_f32(), vec![255.0]);
        assert_eq!(image.to_rgb8(), vec![255, 255, 255]);
    }
}
