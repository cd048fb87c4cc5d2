//! Rows of an image as colours between 0 and 1.

use vibhag_core::{Error, ErrorKind, Image, Result, Samples};

/// Fails unless the image is grey or colour, with or without alpha.
pub(super) fn check_image(image: &Image) -> Result<()> {
    if (1..=4).contains(&image.channels()) {
        return Ok(());
    }
    let what = format!("a matte needs a grey or a colour image, this one has {} channels", image.channels());
    Err(Error::new(ErrorKind::Unsupported, what).hint("convert the image to RGB first"))
}

/// Fails unless there is a finite `value` for every pixel.
pub(super) fn check_plane(what: &str, values: &[f32], (width, height): (usize, usize)) -> Result<()> {
    if values.len() != width * height {
        let what = format!("{} {what} do not make a plane of {width}x{height}", values.len());
        return Err(Error::new(ErrorKind::SizeMismatch, what).hint("resize them to the image's own size first"));
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Error::new(ErrorKind::Decode, format!("{what} hold {}", values[at]))
            .at(format!("x={} y={}", at % width, at / width))
            .hint("the network that made them has diverged: train it again with a lower learning rate")),
        None => Ok(()),
    }
}

/// The image's size.
pub(super) fn size(image: &Image) -> (usize, usize) {
    (image.width(), image.height())
}

/// Fills `out` with row `y` in RGB on the scale 0..=1; grey is repeated, alpha is left out.
pub(super) fn read_row(image: &Image, y: usize, out: &mut [[f32; 3]]) {
    let (channels, stride) = (image.channels(), image.width() * image.channels());
    match image.samples() {
        Samples::U8(values) => {
            fill(&values[y * stride..][..stride], channels, out, |value| f32::from(value) * (1.0 / 255.0));
        }
        Samples::U16(values) => {
            fill(&values[y * stride..][..stride], channels, out, |value| f32::from(value) * (1.0 / 65535.0));
        }
    }
}

fn fill<T: Copy>(row: &[T], channels: usize, out: &mut [[f32; 3]], scale: impl Fn(T) -> f32) {
    if channels >= 3 {
        for (pixel, source) in out.iter_mut().zip(row.chunks_exact(channels)) {
            *pixel = [scale(source[0]), scale(source[1]), scale(source[2])];
        }
    } else {
        for (pixel, source) in out.iter_mut().zip(row.chunks_exact(channels)) {
            *pixel = [scale(source[0]); 3];
        }
    }
}

/// A value between 0 and 1 as 8 bits.
pub(super) fn to_u8(value: f32) -> u8 {
    // The cast saturates.
    (value * 255.0 + 0.5) as u8
}
