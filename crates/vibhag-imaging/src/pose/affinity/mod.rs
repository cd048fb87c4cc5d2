//! People from heat maps of keypoints and part affinity fields (Cao et al., "OpenPose: Realtime Multi-Person 2D Pose
//! Estimation using Part Affinity Fields", TPAMI 2019).
//!
//! OpenPose enlarges the maps to the size of the image and looks for peaks there. Here peaks are found between the cells
//! of the maps as they are, which is as precise and does not cost the enlargement; lengths count in pixels of the image,
//! as they do there.

mod assembly;
mod connections;
mod peaks;

use rayon::prelude::*;
use vibhag_core::skeleton::canonical;
use vibhag_core::{AffinityDecoding, Error, Pose, Result, Skeleton};

use super::{Grid, PoseDecoder, check_planes, sort_by_score};
use assembly::assemble;
pub(super) use connections::Field;
use connections::{Connection, connect};
pub(super) use peaks::{Peak, find_peaks};

/// Values below which the heat maps, and pairs of keypoints below which the fields, stay on the calling thread.
const PARALLEL_VALUES: usize = 1 << 16;
const PARALLEL_PAIRS: usize = 1 << 10;

/// Reads people from heat maps and part affinity fields.
///
/// Planes: the heat of each keypoint, then that of the background if there is one (it is not read), then for each limb
/// the field to the right and down, unit vectors from the limb's first keypoint to its second.
///
/// Keypoints of a limb are joined greedily, best pair first, each at most once. The pairs of all limbs, again the best
/// first, then make people: a pair begins a person, adds a keypoint to one, or joins two that have no keypoint in common.
#[derive(Debug, Clone)]
pub struct AffinityDecoder {
    skeleton: Skeleton,
    background: bool,
    parameters: AffinityDecoding,
    /// Keypoints that make no person by themselves.
    is_foot: Vec<bool>,
}

impl AffinityDecoder {
    /// A decoder of people of `skeleton`, from maps with or without one of the `background`.
    ///
    /// # Errors
    /// When the skeleton has a fault or no limb, or a parameter is out of range.
    pub fn new(skeleton: &Skeleton, background: bool, parameters: AffinityDecoding) -> Result<Self> {
        skeleton.validate()?;
        parameters.validate()?;
        if skeleton.limbs.is_empty() {
            return Err(Error::config(format!("skeleton {:?} has no limb to join keypoints by", skeleton.name))
                .hint("add limbs to the skeleton"));
        }
        let is_foot = |name: &String| ["toe", "heel"].iter().any(|part| canonical(name).ends_with(part));
        let is_foot = skeleton.keypoints.iter().map(is_foot).collect();
        Ok(Self { skeleton: skeleton.clone(), background, parameters, is_foot })
    }

    /// The planes of the fields.
    pub(super) fn fields<'a>(&self, planes: &'a [f32], grid: &Grid) -> &'a [f32] {
        &planes[self.first_field() * grid.cells()..]
    }

    /// The plane of the first field.
    fn first_field(&self) -> usize {
        self.skeleton.len() + usize::from(self.background)
    }

    fn peaks(&self, planes: &[f32], grid: &Grid) -> Vec<Vec<Peak>> {
        let heats = &planes[..self.skeleton.len() * grid.cells()];
        let find =
            |heat: &[f32]| find_peaks(heat, grid.width, self.parameters.nms_threshold, self.parameters.max_people);
        if heats.len() < PARALLEL_VALUES {
            heats.chunks_exact(grid.cells()).map(find).collect()
        } else {
            heats.par_chunks_exact(grid.cells()).map(find).collect()
        }
    }

    fn connections(&self, planes: &[f32], grid: &Grid, peaks: &[Vec<Peak>]) -> Vec<Connection> {
        let fields = self.fields(planes, grid);
        let of_limb = |limb: usize| {
            let [from, to] = self.skeleton.limbs[limb];
            let (x, y) = fields[2 * limb * grid.cells()..][..2 * grid.cells()].split_at(grid.cells());
            connect(limb, &Field { x, y, grid }, &peaks[from], &peaks[to], &self.parameters)
        };
        let limbs = self.skeleton.limbs.len();
        let pairs: usize = self.skeleton.limbs.iter().map(|&[a, b]| peaks[a].len() * peaks[b].len()).sum();
        if pairs < PARALLEL_PAIRS {
            (0..limbs).flat_map(of_limb).collect()
        } else {
            (0..limbs).into_par_iter().flat_map_iter(of_limb).collect()
        }
    }
}

impl PoseDecoder for AffinityDecoder {
    fn planes(&self) -> usize {
        self.first_field() + 2 * self.skeleton.limbs.len()
    }

    fn mirrored(&self) -> Result<Vec<(usize, f32)>> {
        let Some(limbs) = self.skeleton.mirrored_limbs() else {
            return Err(Error::config(format!("a limb of skeleton {:?} has no mirror image", self.skeleton.name))
                .hint("list the limb of the other side too"));
        };
        let mut planes: Vec<(usize, f32)> = self.skeleton.mirror_order().into_iter().map(|k| (k, 1.0)).collect();
        if self.background {
            planes.push((planes.len(), 1.0));
        }
        let first = planes.len();
        for (image, reversed) in limbs {
            let sign = if reversed { -1.0 } else { 1.0 };
            planes.push((first + 2 * image, -sign));
            planes.push((first + 2 * image + 1, sign));
        }
        Ok(planes)
    }

    fn decode(&self, planes: &[f32], grid: &Grid) -> Result<Vec<Pose>> {
        check_planes(planes, self.planes(), grid)?;
        let peaks = self.peaks(planes, grid);
        let connections = self.connections(planes, grid, &peaks);
        let mut poses = assemble(&self.skeleton, &self.is_foot, &peaks, connections, grid, &self.parameters);
        sort_by_score(&mut poses);
        Ok(poses)
    }
}
