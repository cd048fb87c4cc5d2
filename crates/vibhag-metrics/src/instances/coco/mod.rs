//! COCO's average precision and recall (`pycocotools.cocoeval`), with the images matched as they come: of a prediction
//! only its score and what became of it at each threshold is kept, 28 bytes.

mod average;
mod matching;

pub(crate) use average::{ClassAverages, average};
pub(crate) use matching::{Chooser, Detection, Detections, Outcome, Truth, detections, match_greedily};

/// Number of thresholds of the IoU, or of the similarity of poses.
pub(crate) const THRESHOLDS: usize = 10;

/// The thresholds 0.50, 0.55, ..., 0.95 as numpy's `linspace` gives them: 0.90 is a little less.
pub(crate) fn thresholds() -> [f64; THRESHOLDS] {
    let step = (0.95 - 0.5) / (THRESHOLDS - 1) as f64;
    std::array::from_fn(|index| if index == THRESHOLDS - 1 { 0.95 } else { 0.5 + index as f64 * step })
}

/// What counts as an object and how its IoU is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Masks of all sizes.
    Masks,
    /// Masks of at most 32 x 32 pixels.
    Small,
    /// Masks of 32 x 32 to 96 x 96 pixels.
    Medium,
    /// Masks of at least 96 x 96 pixels.
    Large,
    /// Bounding boxes.
    Boxes,
    /// The smaller of mask IoU and boundary IoU.
    Boundaries,
}

impl View {
    pub(crate) const ALL: [Self; 6] =
        [Self::Masks, Self::Small, Self::Medium, Self::Large, Self::Boxes, Self::Boundaries];

    /// Whether an object of `area` pixels counts; both ends belong to the range.
    pub(crate) fn holds(self, area: f64) -> bool {
        match self {
            Self::Masks | Self::Boxes | Self::Boundaries => true,
            Self::Small => area <= 32.0 * 32.0,
            Self::Medium => (32.0 * 32.0..=96.0 * 96.0).contains(&area),
            Self::Large => area >= 96.0 * 96.0,
        }
    }
}
