//! Where the cells of a network's maps lie in the image.

use vibhag_core::{Error, ErrorKind, Result};

/// A grid of cells: the centre of cell `(x, y)` lies at the pixel `(origin + stride x, origin + stride y)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Cells in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Pixels from one cell to the next.
    pub stride: f64,
    /// Position of the first cell's centre, in pixels, along both axes.
    pub origin: f64,
}

impl Grid {
    /// Cells of `stride` x `stride` pixels side by side that cover an image of `width` x `height` pixels; the last ones
    /// may reach beyond it.
    pub fn covering(width: usize, height: usize, stride: usize) -> Self {
        let stride = stride.max(1);
        Self {
            width: width.div_ceil(stride),
            height: height.div_ceil(stride),
            stride: stride as f64,
            origin: (stride as f64 - 1.0) / 2.0,
        }
    }

    /// Cells at every `stride`-th pixel of an image of `width` x `height` pixels, the first at (0, 0), as PoseNet has
    /// them.
    pub fn at_corners(width: usize, height: usize, stride: usize) -> Self {
        let stride = stride.max(1);
        let cells = |side: usize| if side == 0 { 0 } else { (side - 1) / stride + 1 };
        Self { width: cells(width), height: cells(height), stride: stride as f64, origin: 0.0 }
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.width.saturating_mul(self.height)
    }

    /// The pixel coordinate of a cell coordinate.
    pub fn pixel(&self, cell: f64) -> f64 {
        self.origin + self.stride * cell
    }

    /// The cell coordinate of a pixel coordinate.
    pub fn cell(&self, pixel: f64) -> f64 {
        (pixel - self.origin) / self.stride
    }

    /// Whether the pixel position lies in one of the cells.
    pub fn holds(&self, x: f64, y: f64) -> bool {
        let inside = |pixel: f64, cells: usize| (-0.5..=cells as f64 - 0.5).contains(&self.cell(pixel));
        inside(x, self.width) && inside(y, self.height)
    }

    /// Checks that there is a cell and the stride is a length.
    ///
    /// # Errors
    /// Says which of them is wrong.
    pub fn validate(&self) -> Result<()> {
        let cells = self.width.checked_mul(self.height).filter(|&cells| cells > 0 && cells < u32::MAX as usize);
        if cells.is_none() {
            return Err(Error::new(ErrorKind::Unsupported, "poses are read from maps of 1 to 2^32 - 2 cells")
                .at(format!("{}x{}", self.width, self.height)));
        }
        if !(self.stride.is_finite() && self.stride > 0.0 && self.origin.is_finite()) {
            return Err(Error::config("the cells of a map need a stride above 0 and a finite origin")
                .at(format!("stride {}, origin {}", self.stride, self.origin)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cover_the_image_or_stand_at_its_corners() {
        let covering = Grid::covering(20, 16, 8);
        assert_eq!((covering.width, covering.height, covering.pixel(0.0), covering.pixel(1.0)), (3, 2, 3.5, 11.5));
        assert_eq!(covering.cell(covering.pixel(1.25)), 1.25);
        assert!(covering.holds(-0.5, 0.0) && covering.holds(23.5, 15.5) && !covering.holds(23.6, 0.0));
        assert!(!covering.holds(f64::NAN, 0.0));
        let corners = Grid::at_corners(257, 513, 16);
        assert_eq!((corners.width, corners.height, corners.pixel(2.0)), (17, 33, 32.0));
        assert!(Grid::at_corners(0, 5, 8).validate().is_err() && Grid::covering(1, 1, 8).validate().is_ok());
        assert!(Grid { stride: 0.0, ..corners }.validate().unwrap_err().to_string().contains("stride"));
    }
}
