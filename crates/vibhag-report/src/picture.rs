//! An RGB picture: encoding, scaling and contact sheets.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::{self, FilterType};
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Image, Result, Rgb};

/// An 8-bit RGB picture, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pixels: RgbImage,
}

impl Picture {
    /// A picture over `rgb` (3 bytes a pixel, row-major).
    ///
    /// # Errors
    /// When the number of bytes does not fit the size.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self> {
        let bytes = rgb.len();
        let fits = bytes == width * height * 3 && bytes > 0;
        fits.then(|| RgbImage::from_raw(width as u32, height as u32, rgb))
            .flatten()
            .map(|pixels| Self { pixels })
            .ok_or_else(|| picture_error(format!("{bytes} bytes do not make a {width}x{height} picture")))
    }

    /// A picture of one colour.
    ///
    /// # Errors
    /// When a side is zero.
    pub fn filled(width: usize, height: usize, color: Rgb) -> Result<Self> {
        Self::new(width, height, color.repeat(width * height))
    }

    /// The image as people see it: 16 bits reduced to 8, extra channels left out.
    ///
    /// # Errors
    /// Only when the image contradicts its own size.
    pub fn from_image(image: &Image) -> Result<Self> {
        Self::new(image.width(), image.height(), image.to_rgb8())
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.pixels.width() as usize
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.pixels.height() as usize
    }

    /// The bytes, 3 a pixel, row-major.
    pub fn rgb(&self) -> &[u8] {
        self.pixels.as_raw()
    }

    /// The colour at column `x`, row `y`, or `None` outside.
    pub fn get(&self, x: usize, y: usize) -> Option<Rgb> {
        let (x, y) = (u32::try_from(x).ok()?, u32::try_from(y).ok()?);
        self.pixels.get_pixel_checked(x, y).map(|pixel| pixel.0)
    }

    pub(crate) fn set(&mut self, x: usize, y: usize, color: Rgb) {
        if let Some(pixel) = self.pixels.get_pixel_mut_checked(x as u32, y as u32) {
            pixel.0 = color;
        }
    }

    /// Mixes `share` of `color` into the pixel.
    pub(crate) fn blend(&mut self, x: usize, y: usize, color: Rgb, share: f32) {
        if let Some(below) = self.get(x, y) {
            let mix = |c: usize| (f32::from(below[c]) * (1.0 - share) + f32::from(color[c]) * share).round() as u8;
            self.set(x, y, [mix(0), mix(1), mix(2)]);
        }
    }

    /// The picture with no side longer than `side`, anti-aliased; never enlarged.
    #[must_use]
    pub fn shrunk_to(self, side: usize) -> Self {
        let (width, height) = fit(self.width(), self.height(), side);
        self.resized(width, height)
    }

    /// The picture smoothly scaled to `width` x `height`, both at least 1.
    pub(crate) fn resized(self, width: usize, height: usize) -> Self {
        if (width, height) == (self.width(), self.height()) {
            return self;
        }
        Self { pixels: imageops::resize(&self.pixels, width as u32, height as u32, FilterType::Triangle) }
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// When the encoder refuses.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.encode_with(PngEncoder::new(Cursor::new(&mut bytes)))?;
        Ok(bytes)
    }

    /// The picture as JPEG of `quality` 1 to 100.
    ///
    /// # Errors
    /// When the encoder refuses (a side beyond 65,535).
    pub fn to_jpeg(&self, quality: u8) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.encode_with(JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100)))?;
        Ok(bytes)
    }

    fn encode_with(&self, encoder: impl ImageEncoder) -> Result<()> {
        encoder
            .write_image(self.rgb(), self.pixels.width(), self.pixels.height(), ExtendedColorType::Rgb8)
            .map_err(|e| picture_error(format!("cannot encode a picture: {e}")).because(e))
    }

    fn paste(&mut self, other: &Self, x: usize, y: usize) {
        imageops::replace(&mut self.pixels, &other.pixels, x as i64, y as i64);
    }
}

/// Puts pictures side by side, `gap` pixels of `background` apart, vertically centred.
///
/// # Errors
/// When there is no picture.
pub fn row(pictures: &[Picture], gap: usize, background: Rgb) -> Result<Picture> {
    let width = pictures.iter().map(Picture::width).sum::<usize>() + gap * pictures.len().saturating_sub(1);
    let height = pictures.iter().map(Picture::height).max().unwrap_or(0);
    let mut sheet = Picture::filled(width, height, background)?;
    let mut x = 0;
    for picture in pictures {
        sheet.paste(picture, x, (height - picture.height()) / 2);
        x += picture.width() + gap;
    }
    Ok(sheet)
}

/// A contact sheet: `pictures` in reading order in `columns` columns. Every picture is shrunk to
/// a cell `cell_width` pixels wide (height follows the tallest of its row) and centred in it on
/// white, with a gap around.
///
/// # Errors
/// When there is no picture, or `columns` or `cell_width` is zero.
pub fn picture_grid(pictures: &[Picture], columns: usize, cell_width: usize) -> Result<Picture> {
    const GAP: usize = 8;
    const BACKGROUND: Rgb = [255, 255, 255];
    if pictures.is_empty() || columns == 0 || cell_width == 0 {
        return Err(picture_error("a contact sheet needs pictures, columns and a cell width".to_owned()));
    }
    let columns = columns.min(pictures.len());
    let cells: Vec<Picture> = pictures.iter().map(|picture| shrunk_to_width(picture, cell_width)).collect();
    let heights: Vec<usize> =
        cells.chunks(columns).map(|row| row.iter().map(Picture::height).max().unwrap_or(0)).collect();
    let width = columns * (cell_width + GAP) + GAP;
    let height = heights.iter().sum::<usize>() + GAP * (heights.len() + 1);
    let mut sheet = Picture::filled(width, height, BACKGROUND)?;
    let mut top = GAP;
    for (row, row_height) in cells.chunks(columns).zip(heights) {
        for (column, cell) in row.iter().enumerate() {
            let left = GAP + column * (cell_width + GAP) + (cell_width - cell.width()) / 2;
            sheet.paste(cell, left, top + (row_height - cell.height()) / 2);
        }
        top += row_height + GAP;
    }
    Ok(sheet)
}

fn shrunk_to_width(picture: &Picture, width: usize) -> Picture {
    if picture.width() <= width {
        return picture.clone();
    }
    let height = (picture.height() * width).div_ceil(picture.width()).max(1);
    picture.clone().resized(width, height)
}

/// The largest size of the same shape with no side longer than `side`, and none zero.
pub(crate) fn fit(width: usize, height: usize, side: usize) -> (usize, usize) {
    let longest = width.max(height);
    if longest <= side {
        return (width, height);
    }
    let scaled = |length: usize| ((length * side + longest / 2) / longest).max(1);
    (scaled(width), scaled(height))
}

/// `values` of a `from` grid (width, height) at the pixels of a `to` grid: nearest neighbour at pixel centres, for
/// labels and ids must not be averaged.
pub(crate) fn nearest<T: Copy>(values: &[T], from: (usize, usize), to: (usize, usize)) -> Vec<T> {
    if from == to {
        return values.to_vec();
    }
    let at = |index: usize, from: usize, to: usize| ((2 * index + 1) * from / (2 * to)).min(from - 1);
    (0..to.1)
        .flat_map(|y| {
            let start = at(y, from.1, to.1) * from.0;
            (0..to.0).map(move |x| values[start + at(x, from.0, to.0)])
        })
        .collect()
}

fn picture_error(what: String) -> Error {
    Error::new(ErrorKind::Unsupported, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_keeps_the_shape_and_never_enlarges() {
        assert_eq!(fit(768, 576, 512), (512, 384));
        assert_eq!(fit(100, 50, 512), (100, 50));
        assert_eq!(fit(12_000, 3, 512), (512, 1));
        let picture = Picture::filled(8, 4, [9, 8, 7]).unwrap().shrunk_to(4);
        assert_eq!((picture.width(), picture.height()), (4, 2));
        assert_eq!(picture.get(3, 1), Some([9, 8, 7]));
    }

    #[test]
    fn png_holds_the_same_pixels() {
        let picture = Picture::new(2, 1, vec![1, 2, 3, 250, 251, 252]).unwrap();
        let decoded = image::load_from_memory(&picture.to_png().unwrap()).unwrap().to_rgb8();
        assert_eq!(decoded.as_raw(), picture.rgb());
        let jpeg = image::load_from_memory(&picture.to_jpeg(90).unwrap()).unwrap();
        assert_eq!((jpeg.width(), jpeg.height()), (2, 1));
    }

    #[test]
    fn a_contact_sheet_places_every_picture() {
        let pictures: Vec<_> = (1..=3).map(|value| Picture::filled(10, 10, [value; 3]).unwrap()).collect();
        let sheet = picture_grid(&pictures, 2, 10).unwrap();
        assert_eq!((sheet.width(), sheet.height()), (2 * 18 + 8, 2 * 18 + 8));
        assert_eq!(sheet.get(8, 8), Some([1; 3]));
        assert_eq!(sheet.get(26, 8), Some([2; 3]));
        assert_eq!(sheet.get(8, 26), Some([3; 3]));
        assert_eq!(sheet.get(26, 26), Some([255; 3]));
    }

    #[test]
    fn impossible_pictures_are_errors() {
        assert!(Picture::new(2, 2, vec![0; 11]).is_err());
        assert!(Picture::filled(0, 3, [0; 3]).is_err());
        assert!(picture_grid(&[], 2, 10).is_err());
        assert!(row(&[], 2, [0; 3]).is_err());
    }
}
