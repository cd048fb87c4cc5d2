//! Small files and trees to read.

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use tempfile::TempDir;
use vibhag_data::{Dataset, OpenOptions, open};

pub(crate) fn open_default(root: &Path) -> Dataset {
    open(root, &OpenOptions::default()).unwrap()
}

pub(crate) fn save(path: &Path, image: impl Into<DynamicImage>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.into().save(path).unwrap();
}

/// A photo whose content depends on `seed`, so that no two are duplicates.
pub(crate) fn photo(width: u32, height: u32, seed: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7) as u8 ^ seed, (y * 5) as u8, seed]))
}

/// A grey image with `value` in the left half and 0 in the right.
pub(crate) fn half(width: u32, height: u32, value: u8) -> GrayImage {
    GrayImage::from_fn(width, height, |x, _| Luma([if x < width / 2 { value } else { 0 }]))
}

/// `images/a.png` .. and `masks/a.png` .. of 16x12 pixels with 0/255 masks.
pub(crate) fn pairs(count: u8) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for index in 0..count {
        let name = format!("{}.png", char::from(b'a' + index));
        save(&image_path(root.path(), &name), photo(16, 12, index));
        save(&mask_path(root.path(), &name), half(16, 12, 255));
    }
    root
}

pub(crate) fn image_path(root: &Path, name: &str) -> PathBuf {
    root.join("images").join(name)
}

pub(crate) fn mask_path(root: &Path, name: &str) -> PathBuf {
    root.join("masks").join(name)
}

/// A JPEG of `image` that carries the EXIF `orientation`.
pub(crate) fn jpeg_with_orientation(image: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut plain = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut plain, 95);
    image.write_with_encoder(encoder).unwrap();
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08".to_vec();
    // One entry: tag 0x0112 (orientation), type 3 (short), count 1, value; no further directory.
    exif.extend_from_slice(&[0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]);
    let mut bytes = plain[..2].to_vec();
    bytes.extend_from_slice(&[0xFF, 0xE1]);
    bytes.extend_from_slice(&((exif.len() + 2) as u16).to_be_bytes());
    bytes.extend_from_slice(&exif);
    bytes.extend_from_slice(&plain[2..]);
    bytes
}
