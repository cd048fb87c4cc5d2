//! Panoptic quality of one class from counts that add up.

use std::ops::AddAssign;

/// Matched and unmatched segments of a class, and the sum of the IoUs of the matched ones.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PanopticCounts {
    /// Sum of the IoUs of the matched pairs.
    pub iou: f64,
    /// Matched pairs.
    pub tp: u64,
    /// Predicted segments without a partner.
    pub fp: u64,
    /// True segments without a partner.
    pub fn_: u64,
}

impl PanopticCounts {
    /// Whether the class occurs in truth or prediction; only then has it a quality.
    pub fn is_present(&self) -> bool {
        self.tp + self.fp + self.fn_ > 0
    }

    /// Panoptic quality, `segmentation * recognition`; 0 for a class that does not occur.
    pub fn quality(&self) -> f64 {
        self.over_segments(self.iou)
    }

    /// Segmentation quality: the mean IoU of the matched pairs; 0 of none.
    pub fn segmentation(&self) -> f64 {
        if self.tp == 0 { 0.0 } else { self.iou / self.tp as f64 }
    }

    /// Recognition quality: TP / (TP + FP / 2 + FN / 2); 0 for a class that does not occur.
    pub fn recognition(&self) -> f64 {
        self.over_segments(self.tp as f64)
    }

    fn over_segments(&self, value: f64) -> f64 {
        if self.is_present() { value / (self.tp as f64 + 0.5 * self.fp as f64 + 0.5 * self.fn_ as f64) } else { 0.0 }
    }
}

impl AddAssign for PanopticCounts {
    fn add_assign(&mut self, other: Self) {
        self.iou += other.iou;
        self.tp += other.tp;
        self.fp += other.fp;
        self.fn_ += other.fn_;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_is_segmentation_times_recognition() {
        let counts = PanopticCounts { iou: 2.4, tp: 3, fp: 1, fn_: 1 };
        assert!((counts.segmentation() - 0.8).abs() < 1e-12);
        assert_eq!(counts.recognition(), 0.75);
        assert!((counts.quality() - counts.segmentation() * counts.recognition()).abs() < 1e-12);
        assert_eq!(PanopticCounts::default().quality(), 0.0);
        assert_eq!(PanopticCounts { fn_: 2, ..PanopticCounts::default() }.segmentation(), 0.0);
    }
}
