//! Heat maps and part affinity fields as a network should give them (Cao et al., "OpenPose", TPAMI 2019, sections 3.2 and
//! 3.3).

use vibhag_core::{Error, ErrorKind, Pose, Result, Skeleton};

use super::Grid;
use crate::gaussian::raise;

/// How heat and fields are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AffinityTargets {
    /// Standard deviation of the heat around a keypoint, in pixels.
    pub sigma: f64,
    /// How far a limb's field reaches to all sides of the line between its keypoints, in pixels.
    pub limb_width: f64,
    /// Whether there is a plane of the background.
    pub background: bool,
}

impl Default for AffinityTargets {
    /// OpenPose's values.
    fn default() -> Self {
        Self { sigma: 7.0, limb_width: 8.0, background: true }
    }
}

impl AffinityTargets {
    /// Number of planes: the maps, and one of weights.
    pub fn planes(&self, skeleton: &Skeleton) -> usize {
        skeleton.len() + usize::from(self.background) + 2 * skeleton.limbs.len() + 1
    }

    /// Writes the planes for `people` ([`Self::planes`] planes of `grid.cells()` values) into `planes`.
    ///
    /// - The heat of each keypoint: a Gaussian of height 1 around it; of several people the largest counts.
    /// - The background, where it is wanted: 1 less the largest heat of all keypoints.
    /// - For each limb two planes, to the right and down: unit vectors from its first keypoint to its second, wherever the
    ///   line between them is at most `limb_width` away; where fields of several people overlap, their mean.
    /// - The weight of the loss: 0 in cells of which at least half of the pixels are `unknown` (a row-major mask of
    ///   `image` = width x height pixels, see [`unlabelled`](super::unlabelled())), else 1.
    ///
    /// Poses are in pixels of the image that the grid lies over. Keypoints outside its cells are taken for absent, occluded
    /// ones count.
    ///
    /// # Errors
    /// When a pose has another number of keypoints than `skeleton`, `sigma` or `limb_width` is not above 0, or a size does
    /// not fit.
    pub fn write(
        &self,
        skeleton: &Skeleton,
        people: &[Pose],
        grid: &Grid,
        unknown: Option<(&[bool], [usize; 2])>,
        planes: &mut [f32],
    ) -> Result<()> {
        self.check(skeleton, people, grid, planes.len())?;
        let cells = grid.cells();
        let (heats, rest) = planes.split_at_mut(skeleton.len() * cells);
        let (background, rest) = rest.split_at_mut(usize::from(self.background) * cells);
        let (fields, weights) = rest.split_at_mut(2 * skeleton.limbs.len() * cells);
        // Positions in cells.
        let place = |pose: &Pose, keypoint: usize| {
            let keypoint = &pose.keypoints[keypoint];
            (keypoint.is_present() && grid.holds(keypoint.x, keypoint.y))
                .then(|| [grid.cell(keypoint.x), grid.cell(keypoint.y)])
        };
        heats.fill(0.0);
        for (keypoint, heat) in heats.chunks_exact_mut(cells).enumerate() {
            for center in people.iter().filter_map(|pose| place(pose, keypoint)) {
                raise(heat, grid.width, center, self.sigma / grid.stride);
            }
        }
        if self.background {
            background.fill(1.0);
            for heat in heats.chunks_exact(cells) {
                for (background, heat) in background.iter_mut().zip(heat) {
                    *background = background.min(1.0 - heat);
                }
            }
        }
        let mut counts = vec![0.0; cells];
        for (&[from, to], field) in skeleton.limbs.iter().zip(fields.chunks_exact_mut(2 * cells)) {
            field.fill(0.0);
            counts.fill(0.0);
            for pose in people {
                if let (Some(from), Some(to)) = (place(pose, from), place(pose, to)) {
                    add_limb(field, &mut counts, grid, from, to, self.limb_width / grid.stride);
                }
            }
            let (x, y) = field.split_at_mut(cells);
            for ((x, y), count) in x.iter_mut().zip(y).zip(&counts) {
                if *count > 1.0 {
                    *x /= count;
                    *y /= count;
                }
            }
        }
        weights.fill(1.0);
        match unknown {
            None => Ok(()),
            Some((mask, image)) => weigh(weights, grid, mask, image),
        }
    }

    fn check(&self, skeleton: &Skeleton, people: &[Pose], grid: &Grid, values: usize) -> Result<()> {
        grid.validate()?;
        for (name, length) in [("sigma", self.sigma), ("limb_width", self.limb_width)] {
            if !(length.is_finite() && length > 0.0) {
                return Err(Error::config(format!("{name} of the pose targets must be above 0")).at(length.to_string()));
            }
        }
        if let Some(pose) = people.iter().find(|pose| pose.keypoints.len() != skeleton.len()) {
            return Err(Error::new(
                ErrorKind::SizeMismatch,
                format!(
                    "a pose of {} keypoints, not the {} of {:?}",
                    pose.keypoints.len(),
                    skeleton.len(),
                    skeleton.name
                ),
            ));
        }
        let wanted = self.planes(skeleton) * grid.cells();
        if values != wanted {
            return Err(Error::new(ErrorKind::SizeMismatch, format!("{values} values for targets of {wanted}")));
        }
        Ok(())
    }
}

/// Adds the unit vector of a limb to the cells near it, and 1 to their counts. Everything is in cells.
fn add_limb(field: &mut [f32], counts: &mut [f32], grid: &Grid, from: [f64; 2], to: [f64; 2], reach: f64) {
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let length = dx.hypot(dy);
    if length < 1e-9 {
        return;
    }
    let unit = [dx / length, dy / length];
    let (right, down) = field.split_at_mut(grid.cells());
    let span = |axis: usize, side: usize| {
        let low = from[axis].min(to[axis]) - reach;
        let high = from[axis].max(to[axis]) + reach;
        (low.ceil().max(0.0) as usize)..((high.floor() + 1.0).max(0.0) as usize).min(side)
    };
    for y in span(1, grid.height) {
        for x in span(0, grid.width) {
            let (ax, ay) = (x as f64 - from[0], y as f64 - from[1]);
            let along = (ax * unit[0] + ay * unit[1]).clamp(0.0, length);
            let distance = (ax - along * unit[0]).hypot(ay - along * unit[1]);
            if distance <= reach {
                let cell = y * grid.width + x;
                right[cell] += unit[0] as f32;
                down[cell] += unit[1] as f32;
                counts[cell] += 1.0;
            }
        }
    }
}

/// Takes the weight of cells of which at least half of the pixels are unknown.
fn weigh(weights: &mut [f32], grid: &Grid, mask: &[bool], [width, height]: [usize; 2]) -> Result<()> {
    if width.checked_mul(height) != Some(mask.len()) {
        return Err(Error::new(
            ErrorKind::SizeMismatch,
            format!("a mask of {} pixels for an image of {width}x{height}", mask.len()),
        ));
    }
    // The pixels nearer to this cell than to others.
    let span = |cell: usize, side: usize| {
        let edge = |cell: f64| (grid.pixel(cell - 0.5).ceil().max(0.0) as usize).min(side);
        edge(cell as f64)..edge(cell as f64 + 1.0)
    };
    for (y, row) in weights.chunks_exact_mut(grid.width).enumerate() {
        let rows = span(y, height);
        for (x, weight) in row.iter_mut().enumerate() {
            let columns = span(x, width);
            let pixels = rows.len() * columns.len();
            let unknown: usize = rows
                .clone()
                .map(|y| mask[y * width + columns.start..y * width + columns.end].iter().filter(|&&bit| bit).count())
                .sum();
            if pixels > 0 && 2 * unknown >= pixels {
                *weight = 0.0;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Keypoint;

    fn arm() -> Skeleton {
        Skeleton::custom("arm", &["elbow", "wrist"], &[[0, 1]]).unwrap()
    }

    fn pose(points: [[f64; 2]; 2]) -> Pose {
        let keypoints = points.map(|[x, y]| Keypoint::found(x, y, 1.0)).to_vec();
        Pose { keypoints, score: 1.0, id: None }
    }

    fn draw(people: &[Pose], unknown: Option<(&[bool], [usize; 2])>) -> Vec<Vec<f32>> {
        let grid = Grid::covering(64, 32, 8);
        let targets = AffinityTargets::default();
        let mut planes = vec![f32::NAN; targets.planes(&arm()) * grid.cells()];
        targets.write(&arm(), people, &grid, unknown, &mut planes).unwrap();
        planes.chunks(grid.cells()).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn planes_are_those_of_hand_computed_people() {
        // In cells: from (1, 1) to (5, 1), and from (3, 0) to (3, 3).
        let people = [pose([[11.5, 11.5], [43.5, 11.5]]), pose([[27.5, 3.5], [27.5, 27.5]])];
        let planes = draw(&people, None);
        assert_eq!(planes.len(), 6);
        let at = |plane: usize, x: usize, y: usize| planes[plane][y * 8 + x];
        assert_eq!((at(0, 1, 1), at(0, 3, 0), at(1, 5, 1), at(1, 3, 3)), (1.0, 1.0, 1.0, 1.0));
        let one_cell = (-0.5f64 * (8.0f64 / 7.0).powi(2)).exp() as f32;
        assert!((at(0, 2, 1) - one_cell).abs() < 1e-6 && (at(2, 2, 1) - (1.0 - one_cell)).abs() < 1e-6);
        assert_eq!(at(2, 1, 1), 0.0);
        // Only the first limb, both, only the second, none.
        assert_eq!((at(3, 1, 2), at(4, 1, 2)), (1.0, 0.0));
        assert_eq!((at(3, 3, 1), at(4, 3, 1)), (0.5, 0.5));
        assert_eq!((at(3, 3, 3), at(4, 3, 3)), (0.0, 1.0));
        assert_eq!((at(3, 7, 3), at(4, 7, 3)), (0.0, 0.0));
        // The field ends one cell beyond the limb's ends.
        assert_eq!((at(3, 0, 1), at(3, 6, 1), at(3, 7, 1), at(3, 0, 0)), (1.0, 1.0, 0.0, 0.0));
        assert!(planes[5].iter().all(|&weight| weight == 1.0));
    }

    #[test]
    fn keypoints_outside_and_absent_ones_leave_nothing() {
        let mut half = pose([[11.5, 11.5], [70.0, 11.5]]);
        let planes = draw(&[half.clone()], None);
        assert_eq!(planes[0][8 + 1], 1.0);
        assert!(planes[1].iter().chain(&planes[3]).chain(&planes[4]).all(|&value| value == 0.0));
        half.keypoints[0] = Keypoint::ABSENT;
        half.keypoints[1].x = f64::NAN;
        let planes = draw(&[half, pose([[20.0, 20.0], [20.0, 20.0]])], None);
        assert!(planes.iter().flatten().all(|value| value.is_finite()));
        assert!(planes[3].iter().all(|&value| value == 0.0));
    }

    #[test]
    fn cells_that_are_half_unknown_weigh_nothing() {
        let mask: Vec<bool> = (0..64 * 32).map(|pixel| pixel % 64 < 20 && pixel / 64 >= 16).collect();
        let weights = &draw(&[], Some((&mask, [64, 32])))[5];
        let expected: Vec<f32> = (0..32).map(|cell| f32::from(!(cell % 8 < 3 && cell / 8 >= 2))).collect();
        assert_eq!(*weights, expected);
        assert!(draw(&[], None)[2].iter().all(|&background| background == 1.0));
    }

    #[test]
    fn faults_are_named() {
        let grid = Grid::covering(64, 32, 8);
        let targets = AffinityTargets::default();
        let mut planes = vec![0.0; targets.planes(&arm()) * grid.cells()];
        let error = targets.write(&arm(), &[Pose::default()], &grid, None, &mut planes).unwrap_err();
        assert!(error.to_string().contains("0 keypoints"));
        let error = targets.write(&arm(), &[], &grid, Some((&[true], [2, 2])), &mut planes).unwrap_err();
        assert!(error.to_string().contains("mask"));
        assert!(targets.write(&arm(), &[], &grid, None, &mut planes[1..]).is_err());
        let wrong = AffinityTargets { sigma: 0.0, ..targets };
        assert!(wrong.write(&arm(), &[], &grid, None, &mut planes).unwrap_err().to_string().contains("sigma"));
    }
}
