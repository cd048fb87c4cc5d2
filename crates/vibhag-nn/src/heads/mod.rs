//! Heads: from the decoder's map to a task's outputs.

mod objects;
mod poses;
mod semantic;

use vibhag_core::Head;

pub use objects::ObjectHead;
pub use poses::PoseStage;
pub use semantic::SemanticHead;

/// An entry of [`HEADS`].
#[derive(Debug, Clone, Copy)]
pub struct HeadInfo {
    /// The head; its name is what configurations use.
    pub head: Head,
    /// One sentence.
    pub summary: &'static str,
    /// The paper.
    pub paper: &'static str,
}

/// Every head, in the order in which help and tables show them.
pub const HEADS: &[HeadInfo] = &[
    HeadInfo {
        head: Head::Semantic,
        summary: "classes alone, a label for every pixel",
        paper: "Long, Shelhamer and Darrell, Fully Convolutional Networks, CVPR 2015",
    },
    HeadInfo {
        head: Head::Center,
        summary: "centres and the offset of every pixel to its own: objects of any shape and size, also divided ones",
        paper: "Cheng et al., Panoptic-DeepLab, CVPR 2020",
    },
    HeadInfo {
        head: Head::Star,
        summary: "distances to the outline along 32 rays: many small convex objects that touch",
        paper: "Schmidt et al., Cell Detection with Star-convex Polygons, MICCAI 2018",
    },
    HeadInfo {
        head: Head::Flow,
        summary: "flows towards the middle, followed by every pixel: objects of any shape that touch",
        paper: "Stringer et al., Cellpose, Nature Methods 2021",
    },
    HeadInfo {
        head: Head::Pose,
        summary: "heat maps of keypoints and part affinity fields at a quarter of the resolution: people's skeletons",
        paper: "Cao et al., OpenPose, TPAMI 2019",
    },
];
