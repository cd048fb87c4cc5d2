//! A foreground over something else.
//!
//! Colours are mixed as they are encoded (sRGB), not as linear light. Alpha comes from a linear model of encoded
//! colours and the foreground's colours are solved for in them, so that mixing them likewise over the original
//! background gives the original picture back; and viewers, browsers and editors mix an RGBA picture in the same way,
//! so a cut-out looks in them as it does here. Only the blur of a background is one of light, as a lens makes it.

use std::borrow::Cow;

use rayon::prelude::*;
use vibhag_core::{Error, ErrorKind, Image, Result, Rgb};

use super::blur::blur_around;
use super::pixels::{check_image, check_plane, size};
use crate::resample::resize_image;

/// What a foreground is put over.
#[derive(Debug, Clone, PartialEq)]
pub enum Background {
    /// One colour.
    Color(Rgb),
    /// A picture, scaled to cover the frame ([`cover`]).
    Picture(Image),
    /// The frame's own background, blurred by a Gaussian of this standard deviation in pixels; the foreground's colours
    /// do not bleed into it.
    Blur(f32),
}

impl Background {
    /// This background with a picture scaled to frames of `width` x `height`, so that it is not scaled for each.
    ///
    /// # Errors
    /// When a side is zero or the picture has more than four channels.
    pub fn fitted(self, width: usize, height: usize) -> Result<Self> {
        match self {
            Self::Picture(picture) => Ok(Self::Picture(cover(&picture, width, height)?)),
            other => Ok(other),
        }
    }

    /// Its 8-bit RGB pixels behind `frame`, whose `alpha` says what is foreground.
    ///
    /// # Errors
    /// When there is not one finite alpha a pixel, or an image has more than four channels.
    pub fn pixels<'a>(&'a self, frame: &Image, alpha: &[f32]) -> Result<Cow<'a, [u8]>> {
        let (width, height) = size(frame);
        match self {
            Self::Color(color) => Ok(Cow::Owned(color.repeat(width * height))),
            Self::Picture(picture) if size(picture) == (width, height) && picture.channels() == 3 => {
                Ok(match picture.samples() {
                    vibhag_core::Samples::U8(values) => Cow::Borrowed(values),
                    vibhag_core::Samples::U16(_) => Cow::Owned(picture.to_rgb8()),
                })
            }
            Self::Picture(picture) => Ok(Cow::Owned(cover(picture, width, height)?.to_rgb8())),
            Self::Blur(sigma) => Ok(Cow::Owned(blur_around(frame, alpha, *sigma)?)),
        }
    }
}

/// The picture as 8-bit RGB of `width` x `height`: scaled until it covers that size, and what stands out cut off evenly
/// on both sides.
///
/// # Errors
/// When a side is zero or the picture has more than four channels.
pub fn cover(picture: &Image, width: usize, height: usize) -> Result<Image> {
    check_image(picture)?;
    if width == 0 || height == 0 {
        return Err(
            Error::config(format!("cannot cover {width}x{height}")).hint("both sides must be at least one pixel")
        );
    }
    let (from_w, from_h) = size(picture);
    // Cutting before scaling: the part that will be seen, in whole pixels.
    let (cut_w, cut_h) = if from_w * height > from_h * width {
        (((from_h * width) as f64 / height as f64).round() as usize, from_h)
    } else {
        (from_w, ((from_w * height) as f64 / width as f64).round() as usize)
    };
    let (cut_w, cut_h) = (cut_w.clamp(1, from_w), cut_h.clamp(1, from_h));
    let (left, top) = ((from_w - cut_w) / 2, (from_h - cut_h) / 2);
    let rgb = picture.to_rgb8();
    let rows = (top..top + cut_h).flat_map(|y| &rgb[3 * (y * from_w + left)..][..3 * cut_w]);
    resize_image(&Image::from_u8(cut_w, cut_h, 3, rows.copied().collect())?, width, height)
}

/// 8-bit RGB of `foreground` over `background` (both 8-bit RGB, row-major) by `alpha`, a value a pixel.
///
/// # Errors
/// When the three do not have the same number of pixels.
pub fn composite(foreground: &[u8], alpha: &[f32], background: &[u8]) -> Result<Vec<u8>> {
    check_lengths(foreground, alpha)?;
    check_lengths(background, alpha)?;
    let mut out = vec![0; foreground.len()];
    out.par_chunks_mut(3 << 14)
        .zip(foreground.par_chunks(3 << 14))
        .zip(background.par_chunks(3 << 14))
        .zip(alpha.par_chunks(1 << 14))
        .for_each(|(((out, front), back), alpha)| {
            let pixels = out.chunks_exact_mut(3).zip(front.chunks_exact(3)).zip(back.chunks_exact(3));
            for (((out, front), back), &alpha) in pixels.zip(alpha) {
                for ((out, &front), &back) in out.iter_mut().zip(front).zip(back) {
                    let back = f32::from(back);
                    *out = (back + alpha * (f32::from(front) - back) + 0.5) as u8;
                }
            }
        });
    Ok(out)
}

/// 8-bit RGBA, colours not multiplied by alpha, of `foreground` (8-bit RGB) and `alpha`.
///
/// # Errors
/// When the two do not have the same number of pixels.
pub fn rgba(foreground: &[u8], alpha: &[f32], width: usize, height: usize) -> Result<Image> {
    check_lengths(foreground, alpha)?;
    check_plane("alphas", alpha, (width, height))?;
    let pixels = foreground.chunks_exact(3).zip(alpha);
    let samples = pixels.flat_map(|(c, &alpha)| [c[0], c[1], c[2], (alpha * 255.0 + 0.5) as u8]);
    Image::from_u8(width, height, 4, samples.collect())
}

/// `alpha` alone as an 8-bit grey picture: white is the foreground.
///
/// # Errors
/// When it does not have the size.
pub fn grey(alpha: &[f32], width: usize, height: usize) -> Result<Image> {
    check_plane("alphas", alpha, (width, height))?;
    Image::from_u8(width, height, 1, alpha.iter().map(|alpha| (alpha * 255.0 + 0.5) as u8).collect())
}

fn check_lengths(colors: &[u8], alpha: &[f32]) -> Result<()> {
    if colors.len() == 3 * alpha.len() {
        return Ok(());
    }
    let what = format!("{} values of RGB beside {} alphas", colors.len(), alpha.len());
    Err(Error::new(ErrorKind::SizeMismatch, what).hint("bring both to the frame's own size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_mixes_encoded_values_and_rounds() {
        let out = composite(&[200, 100, 0, 9, 9, 9, 0, 0, 0], &[0.5, 1.0, 0.0], &[100, 101, 255, 1, 2, 3, 7, 8, 9]);
        assert_eq!(out.unwrap(), [150, 101, 128, 9, 9, 9, 7, 8, 9]);
        assert!(composite(&[0; 3], &[0.5; 2], &[0; 6]).is_err());
    }

    #[test]
    fn rgba_keeps_colours_unmultiplied() {
        let image = rgba(&[10, 20, 30, 40, 50, 60], &[0.0, 0.5], 2, 1).unwrap();
        assert_eq!(image, Image::from_u8(2, 1, 4, vec![10, 20, 30, 0, 40, 50, 60, 128]).unwrap());
        assert!(rgba(&[0; 6], &[0.0; 2], 3, 1).is_err());
    }

    #[test]
    fn a_picture_covers_the_frame_from_its_middle() {
        let wide: Vec<u8> = (0..8u8).flat_map(|x| [x * 10; 3]).collect();
        let wide = Image::from_u8(8, 1, 3, wide).unwrap();
        assert_eq!(cover(&wide, 2, 1).unwrap().to_rgb8(), [30, 30, 30, 40, 40, 40]);
        let tall = Image::from_u8(1, 5, 1, vec![1, 2, 3, 4, 5]).unwrap();
        assert_eq!(cover(&tall, 3, 3).unwrap().to_rgb8(), [3; 27]);
        assert!(cover(&tall, 0, 3).is_err());
        let fitted = Background::Picture(wide).fitted(4, 2).unwrap();
        let frame = Image::from_u8(4, 2, 3, vec![0; 24]).unwrap();
        assert!(matches!(fitted.pixels(&frame, &[0.0; 8]).unwrap(), Cow::Borrowed(values) if values.len() == 24));
        let color = Background::Color([1, 2, 3]).fitted(4, 2).unwrap();
        assert_eq!(color.pixels(&frame, &[0.0; 8]).unwrap()[21..], [1, 2, 3]);
    }
}
