//! Poses as maps that a network can learn, and back; and poses from one frame of a video to the next.
//!
//! [`AffinityTargets`] draws heat maps of keypoints and part affinity fields, [`unlabelled`] marks what a loss must not
//! count. A [`PoseDecoder`] reads people from predicted maps: [`AffinityDecoder`] as OpenPose does, and
//! [`DisplacementDecoder`] as PersonLab and PoseNet do; [`PoseReader`] completes what fields alone leave out. [`oks`] says
//! how alike two poses are; by it [`Tracker`] gives people the same number in all frames, and [`PoseSmoother`] takes the
//! trembling away. A [`Turn`] brings people upright. [`part_people`] parts a mask of people between their skeletons.
//!
//! Everything works on slices in row-major order, one plane after the other. Positions are those of pixel centres, so
//! pixel `(x, y)` lies at `(x, y)`; a [`Grid`] says where the cells of the maps lie. Results do not depend on the number of
//! threads.

mod affinity;
mod displacement;
mod grid;
mod one_euro;
mod parting;
mod reading;
mod similarity;
mod single;
mod smooth;
mod targets;
mod track;
mod turn;
mod unlabelled;

use std::cmp::Ordering;

use vibhag_core::{Error, ErrorKind, Pose, Result};

pub use affinity::AffinityDecoder;
pub use displacement::{DisplacementDecoder, POSENET_TREE};
pub use grid::Grid;
pub use one_euro::{OneEuro, OneEuroParams};
pub use parting::{Parting, PartingOptions, part_people};
pub use reading::PoseReader;
pub use similarity::oks;
pub use smooth::PoseSmoother;
pub use targets::AffinityTargets;
pub use track::{TrackParams, Tracker};
pub use turn::{Spin, Turn, lean};
pub use unlabelled::{Area, Region, unlabelled};

/// How people are read from a network's maps.
pub trait PoseDecoder: Send + Sync {
    /// Number of planes it reads.
    fn planes(&self) -> usize;

    /// For each plane which plane of the mirrored image it is read from (at the mirrored cell), and by what to multiply
    /// it. It leads there and back alike.
    ///
    /// # Errors
    /// When the mirror image of a limb is none of the limbs.
    fn mirrored(&self) -> Result<Vec<(usize, f32)>>;

    /// The people in `planes` ([`Self::planes`] planes of `grid.cells()` values), in pixels of the image, by falling
    /// score. Values that are not numbers count as nothing.
    ///
    /// # Errors
    /// When the grid has no cell or the number of values is another.
    fn decode(&self, planes: &[f32], grid: &Grid) -> Result<Vec<Pose>>;
}

fn check_planes(planes: &[f32], count: usize, grid: &Grid) -> Result<()> {
    grid.validate()?;
    let wanted = count.checked_mul(grid.cells());
    if wanted != Some(planes.len()) {
        return Err(Error::new(
            ErrorKind::SizeMismatch,
            format!("{} values are not {count} planes of {}x{} cells", planes.len(), grid.width, grid.height),
        ));
    }
    Ok(())
}

/// By falling score, see [`by_score`].
fn sort_by_score(poses: &mut [Pose]) {
    poses.sort_by(by_score);
}

/// The higher score first; of equal ones, whatever order the people were found in, the one further up and left.
fn by_score(a: &Pose, b: &Pose) -> Ordering {
    let place = |pose: &Pose| {
        let bounds = pose.bounds().unwrap_or_default();
        (bounds[1], bounds[0])
    };
    let ((top_a, left_a), (top_b, left_b)) = (place(a), place(b));
    let keypoints = || {
        let pairs = a.keypoints.iter().zip(&b.keypoints);
        pairs.map(|(a, b)| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y))).find(|order| order.is_ne())
    };
    b.score
        .total_cmp(&a.score)
        .then(top_a.total_cmp(&top_b))
        .then(left_a.total_cmp(&left_b))
        .then_with(|| keypoints().unwrap_or(Ordering::Equal))
}
