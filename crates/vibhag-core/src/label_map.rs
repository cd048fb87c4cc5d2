//! Label maps (a class index per pixel) and binary masks.

use crate::error::{Error, ErrorKind, Result};

/// A class index for every pixel, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    width: usize,
    height: usize,
    labels: Vec<u16>,
}

impl LabelMap {
    /// A label map over `labels` in row-major order.
    ///
    /// # Errors
    /// When the number of labels is not `width * height` or the map is empty.
    pub fn new(width: usize, height: usize, labels: Vec<u16>) -> Result<Self> {
        if labels.is_empty() || labels.len() != width * height {
            return Err(Error::new(
                ErrorKind::Decode,
                format!("{} labels do not make a {width}x{height} label map", labels.len()),
            ));
        }
        Ok(Self { width, height, labels })
    }

    /// A map with every pixel set to `label`.
    pub fn filled(width: usize, height: usize, label: u16) -> Self {
        Self { width, height, labels: vec![label; width * height] }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The labels, row-major.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The labels, row-major and mutable.
    pub fn labels_mut(&mut self) -> &mut [u16] {
        &mut self.labels
    }

    /// The label at column `x`, row `y`, or `None` outside.
    pub fn get(&self, x: usize, y: usize) -> Option<u16> {
        (x < self.width && y < self.height).then(|| self.labels[y * self.width + x])
    }

    /// The pixels that carry `label`.
    pub fn mask_of(&self, label: u16) -> BinaryMask {
        BinaryMask { width: self.width, height: self.height, pixels: self.labels.iter().map(|&l| l == label).collect() }
    }

    /// Fails unless `other` has the same size; `what` names the pair in the message.
    ///
    /// # Errors
    /// A size mismatch that states both sizes.
    pub fn same_size(&self, other: &Self, what: &str) -> Result<()> {
        if (self.width, self.height) == (other.width, other.height) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::SizeMismatch,
            format!("{what}: {}x{} against {}x{}", self.width, self.height, other.width, other.height),
        ))
    }
}

/// A foreground mask, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinaryMask {
    width: usize,
    height: usize,
    pixels: Vec<bool>,
}

impl BinaryMask {
    /// A mask over `pixels` in row-major order.
    ///
    /// # Errors
    /// When the number of pixels is not `width * height` or the mask is empty.
    pub fn new(width: usize, height: usize, pixels: Vec<bool>) -> Result<Self> {
        if pixels.is_empty() || pixels.len() != width * height {
            return Err(Error::new(
                ErrorKind::Decode,
                format!("{} pixels do not make a {width}x{height} mask", pixels.len()),
            ));
        }
        Ok(Self { width, height, pixels })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels, row-major.
    pub fn pixels(&self) -> &[bool] {
        &self.pixels
    }

    /// Number of foreground pixels.
    pub fn area(&self) -> usize {
        self.pixels.iter().filter(|&&p| p).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked() {
        assert!(LabelMap::new(2, 2, vec![0; 3]).is_err());
        let a = LabelMap::filled(2, 3, 1);
        let b = LabelMap::filled(3, 2, 1);
        assert!(a.same_size(&b, "truth and prediction").unwrap_err().to_string().contains("2x3 against 3x2"));
    }

    #[test]
    fn mask_of_selects_one_label() {
        let map = LabelMap::new(2, 1, vec![1, 2]).unwrap();
        assert_eq!(map.mask_of(2).pixels(), &[false, true]);
        assert_eq!(map.get(2, 0), None);
    }
}
