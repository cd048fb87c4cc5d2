//! People from the connections of all limbs.

use vibhag_core::{AffinityDecoding, Keypoint, Pose, Skeleton};

use super::connections::Connection;
use super::peaks::Peak;
use crate::pose::Grid;

/// A person with feet is one from more than this many other keypoints on: the same foot is often taken for both.
const WITH_FEET: usize = 4;

/// A person in the making.
#[derive(Debug)]
struct Group {
    /// The peak of each keypoint.
    keypoints: Vec<Option<usize>>,
    /// Sum of the scores of the keypoints and connections.
    sum: f32,
}

/// Puts people together from connections that give each keypoint at most one partner by limb.
pub(super) fn assemble(
    skeleton: &Skeleton,
    is_foot: &[bool],
    peaks: &[Vec<Peak>],
    mut connections: Vec<Connection>,
    grid: &Grid,
    parameters: &AffinityDecoding,
) -> Vec<Pose> {
    connections.sort_by(Connection::order);
    let mut groups: Vec<Group> = Vec::new();
    let mut owners: Vec<Vec<Option<usize>>> = peaks.iter().map(|peaks| vec![None; peaks.len()]).collect();
    for connection in &connections {
        let [a, b] = skeleton.limbs[connection.limb];
        let (from, to) = (connection.from, connection.to);
        match (owners[a][from], owners[b][to]) {
            (None, None) => {
                let mut keypoints = vec![None; skeleton.len()];
                keypoints[a] = Some(from);
                keypoints[b] = Some(to);
                let group = Some(groups.len());
                (owners[a][from], owners[b][to]) = (group, group);
                groups.push(Group { keypoints, sum: peaks[a][from].score + peaks[b][to].score + connection.score });
            }
            (Some(group), None) => add(&mut groups, &mut owners, group, [b, to], peaks, connection.score),
            (None, Some(group)) => add(&mut groups, &mut owners, group, [a, from], peaks, connection.score),
            (Some(one), Some(other)) if one == other => groups[one].sum += connection.score,
            (Some(one), Some(other)) => merge(&mut groups, &mut owners, one, other, connection.score),
        }
    }
    let full = (skeleton.len() + skeleton.limbs.len()) as f32;
    groups
        .iter()
        .filter(|group| is_person(group, is_foot, parameters))
        .map(|group| Pose { keypoints: keypoints(group, peaks, grid), score: group.sum / full, id: None })
        .collect()
}

/// Gives a group one more keypoint, unless it has that already: then the better connection gave it.
fn add(
    groups: &mut [Group],
    owners: &mut [Vec<Option<usize>>],
    group: usize,
    [keypoint, peak]: [usize; 2],
    peaks: &[Vec<Peak>],
    score: f32,
) {
    let own = &mut groups[group];
    if own.keypoints[keypoint].is_none() {
        own.keypoints[keypoint] = Some(peak);
        own.sum += peaks[keypoint][peak].score + score;
        owners[keypoint][peak] = Some(group);
    }
}

/// Makes one group of two that have no keypoint in common.
fn merge(groups: &mut [Group], owners: &mut [Vec<Option<usize>>], one: usize, other: usize, score: f32) {
    let (kept, gone) = (one.min(other), one.max(other));
    if groups[kept].keypoints.iter().zip(&groups[gone].keypoints).any(|(a, b)| a.is_some() && b.is_some()) {
        return;
    }
    let moved = std::mem::take(&mut groups[gone].keypoints);
    groups[kept].sum += groups[gone].sum + score;
    for (keypoint, peak) in moved.into_iter().enumerate() {
        if let Some(peak) = peak {
            groups[kept].keypoints[keypoint] = Some(peak);
            owners[keypoint][peak] = Some(kept);
        }
    }
}

fn is_person(group: &Group, is_foot: &[bool], parameters: &AffinityDecoding) -> bool {
    let found = |foot: bool| {
        group.keypoints.iter().zip(is_foot).filter(|(peak, is_foot)| peak.is_some() && **is_foot == foot).count()
    };
    let (counted, feet) = (found(false), found(true));
    if counted == 0 || counted < parameters.min_keypoints || (feet > 0 && counted <= WITH_FEET) {
        return false;
    }
    // Heat beyond all measure adds up to infinity.
    group.sum.is_finite() && group.sum / counted as f32 >= parameters.min_score
}

fn keypoints(group: &Group, peaks: &[Vec<Peak>], grid: &Grid) -> Vec<Keypoint> {
    let keypoint = |(keypoint, peak): (usize, &Option<usize>)| match *peak {
        None => Keypoint::ABSENT,
        Some(peak) => {
            let Peak { x, y, score } = peaks[keypoint][peak];
            Keypoint::found(grid.pixel(f64::from(x)), grid.pixel(f64::from(y)), score)
        }
    };
    group.keypoints.iter().enumerate().map(keypoint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMBS: [[usize; 2]; 3] = [[0, 1], [1, 2], [2, 3]];

    fn people(
        names: &[&str],
        limbs: &[[usize; 2]],
        connections: &[(usize, usize, usize)],
        parameters: AffinityDecoding,
    ) -> Vec<Vec<bool>> {
        let skeleton = Skeleton::custom("chain", names, limbs).unwrap();
        let is_foot: Vec<bool> = names.iter().map(|name| name.ends_with("toe")).collect();
        let peaks: Vec<Vec<Peak>> =
            (0..names.len()).map(|k| (0..2).map(|n| Peak { x: k as f32, y: n as f32, score: 0.5 }).collect()).collect();
        // Better ones are listed first.
        let connections = connections.iter().zip(0u8..).map(|(&(limb, from, to), place)| Connection {
            limb,
            from,
            to,
            score: 0.9,
            rank: -f32::from(place),
        });
        let grid = Grid::covering(64, 64, 8);
        assemble(&skeleton, &is_foot, &peaks, connections.collect(), &grid, &parameters)
            .iter()
            .map(|pose| pose.keypoints.iter().map(Keypoint::is_present).collect())
            .collect()
    }

    #[test]
    fn halves_are_merged_by_the_limb_between_them() {
        let found =
            people(&["a", "b", "c", "d"], &LIMBS, &[(0, 0, 0), (2, 1, 1), (1, 0, 1)], AffinityDecoding::default());
        assert_eq!(found, [[true; 4]]);
    }

    #[test]
    fn halves_with_a_keypoint_in_common_stay_apart() {
        // Limb 3 closes the chain to a ring: it would join two people who both have b and c.
        let limbs = [[0, 1], [1, 2], [2, 3], [3, 0]];
        let connections = [(0, 0, 0), (1, 0, 0), (1, 1, 1), (2, 1, 1), (3, 1, 0)];
        let found = people(&["a", "b", "c", "d"], &limbs, &connections, AffinityDecoding::default());
        assert_eq!(found, [[true, true, true, false], [false, true, true, true]]);
    }

    #[test]
    fn too_few_keypoints_and_too_low_scores_are_no_person() {
        let usual = AffinityDecoding::default();
        assert!(people(&["a", "b", "c", "d"], &LIMBS, &[(0, 0, 0)], usual).is_empty());
        // Three keypoints of 0.5 and two limbs of 0.9: 3.3 / 3.
        let chain = [(0, 0, 0), (1, 0, 0)];
        assert_eq!(
            people(&["a", "b", "c", "d"], &LIMBS, &chain, AffinityDecoding { min_score: 1.09, ..usual }).len(),
            1
        );
        assert!(
            people(&["a", "b", "c", "d"], &LIMBS, &chain, AffinityDecoding { min_score: 1.11, ..usual }).is_empty()
        );
    }

    #[test]
    fn feet_make_no_person() {
        let found =
            people(&["a", "b", "c", "toe"], &LIMBS, &[(0, 0, 0), (1, 0, 0), (2, 0, 0)], AffinityDecoding::default());
        assert!(found.is_empty());
    }
}
