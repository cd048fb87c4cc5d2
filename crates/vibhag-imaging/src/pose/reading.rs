//! People from a network's maps as its model bundle says: by part affinity fields, and with the keypoints that no limb
//! reached.

use vibhag_core::{Keypoint, Pose, PoseReading, Result, Skeleton};

use super::affinity::{Peak, find_peaks};
use super::single::SinglePerson;
use super::{AffinityDecoder, Grid, PoseDecoder, by_score, check_planes, sort_by_score};

/// How far around a person, in shares of the longer side of its box, a keypoint that no limb reached is looked for.
const AROUND: f64 = 0.75;
/// People of two turns whose boxes overlap by more (intersection over union) are one.
const SAME: f64 = 0.4;
/// How near, in shares of the longer side of the person's box, votes of several turns support each other.
const NEAR: f64 = 0.08;
/// How fast a turn's vote falls with its score, and the least heat that a vote counts.
const TRUST: f64 = 15.0;
const LEAST_VOTE: f32 = 0.02;

/// Reads people as [`AffinityDecoder`] does from maps without a background, then completes them; or one person, as
/// the best choice of peaks along its limbs.
///
/// A limb whose field is weak, as of a network that has seen few images, leaves its far keypoint without a person though
/// the heat shows it. Such a keypoint is given to the best person near it that lacks it.
#[derive(Debug, Clone)]
pub struct PoseReader {
    affinity: AffinityDecoder,
    person: SinglePerson,
    keypoints: usize,
    reading: PoseReading,
}

impl PoseReader {
    /// A reader of people of `skeleton`.
    ///
    /// # Errors
    /// When the skeleton has a fault or no limb, or a value of `reading` is out of range.
    pub fn new(skeleton: &Skeleton, reading: PoseReading) -> Result<Self> {
        reading.validate()?;
        let affinity = AffinityDecoder::new(skeleton, false, reading.affinity)?;
        Ok(Self { affinity, person: SinglePerson::new(skeleton), keypoints: skeleton.len(), reading })
    }

    /// The peaks of a keypoint's heat from the least heat of a completion on.
    fn peaks(&self, planes: &[f32], grid: &Grid, keypoint: usize) -> Vec<Peak> {
        let heat = &planes[keypoint * grid.cells()..][..grid.cells()];
        find_peaks(heat, grid.width, self.reading.fill, self.reading.affinity.max_people)
    }

    fn single(&self, planes: &[f32], grid: &Grid) -> Vec<Pose> {
        let peaks: Vec<Vec<Peak>> = (0..self.keypoints).map(|keypoint| self.peaks(planes, grid, keypoint)).collect();
        let pose = self.person.choose(&peaks, self.affinity.fields(planes, grid), grid, self.reading.reach);
        if pose.present() >= self.reading.affinity.min_keypoints.max(1) { vec![pose] } else { Vec::new() }
    }

    /// The people of an image that was read in several turns, all in its own pixels. Where every image shows one person, the
    /// turns vote for each of its keypoints; else everybody is kept, but of people whom several turns show the one with the
    /// highest score.
    pub fn merge(&self, turns: Vec<Vec<Pose>>) -> Vec<Pose> {
        let mut all: Vec<(usize, Pose)> = turns
            .into_iter()
            .enumerate()
            .flat_map(|(turn, poses)| poses.into_iter().map(move |pose| (turn, pose)))
            .collect();
        all.sort_by(|(_, a), (_, b)| by_score(a, b));
        if self.reading.single {
            let poses: Vec<Pose> = all.into_iter().map(|(_, pose)| pose).collect();
            return vote(&poses).into_iter().collect();
        }
        let mut kept: Vec<(usize, Pose)> = Vec::new();
        for (turn, pose) in all {
            // Where one turn tells two people apart, another that does not know better leaves them be.
            let is_seen = |(other, known): &(usize, Pose)| *other != turn && overlap(known, &pose) > SAME;
            if !kept.iter().any(is_seen) {
                kept.push((turn, pose));
            }
        }
        kept.into_iter().map(|(_, pose)| pose).collect()
    }

    fn complete(&self, poses: &mut [Pose], planes: &[f32], grid: &Grid) {
        // Every person is completed around what limbs gave it, not around what was added.
        let boxes: Vec<Option<[f64; 4]>> = poses.iter().map(Pose::bounds).collect();
        for keypoint in 0..self.keypoints {
            if poses.iter().all(|pose| pose.keypoints[keypoint].is_present()) {
                continue;
            }
            let mut places: Vec<Keypoint> =
                self.peaks(planes, grid, keypoint).iter().map(|peak| peak.placed(grid)).collect();
            let same = |a: &Keypoint, b: &Keypoint| (a.x - b.x).hypot(a.y - b.y) < grid.stride;
            places.retain(|place| {
                !poses.iter().any(|pose| {
                    let own = &pose.keypoints[keypoint];
                    own.is_present() && same(own, place)
                })
            });
            places.sort_by(|a, b| b.score.total_cmp(&a.score));
            for (pose, bounds) in poses.iter_mut().zip(&boxes) {
                if let Some(bounds) = bounds.filter(|_| !pose.keypoints[keypoint].is_present())
                    && let Some(best) = places.iter().position(|place| is_around(place, bounds))
                {
                    pose.keypoints[keypoint] = places.remove(best);
                }
            }
        }
    }
}

impl PoseDecoder for PoseReader {
    fn planes(&self) -> usize {
        self.affinity.planes()
    }

    fn mirrored(&self) -> Result<Vec<(usize, f32)>> {
        self.affinity.mirrored()
    }

    fn decode(&self, planes: &[f32], grid: &Grid) -> Result<Vec<Pose>> {
        if self.reading.single {
            check_planes(planes, self.planes(), grid)?;
            return Ok(self.single(planes, grid));
        }
        let mut poses = self.affinity.decode(planes, grid)?;
        self.complete(&mut poses, planes, grid);
        sort_by_score(&mut poses);
        Ok(poses)
    }
}

/// One pose from those of several turns, best first. Each votes for its keypoints by heat, and the less the lower its score;
/// a keypoint is where most votes are near, at their mean. Turns in which the person does not stand upright err each in
/// another way.
fn vote(poses: &[Pose]) -> Option<Pose> {
    let best = poses.first()?;
    let [.., width, height] = best.bounds()?;
    let near = (NEAR * width.max(height)).max(1.0);
    let closeness = |a: &Keypoint, b: &Keypoint| (-((a.x - b.x).hypot(a.y - b.y) / near).powi(2) / 2.0).exp();
    let keypoints = (0..best.keypoints.len()).map(|index| {
        let votes: Vec<(Keypoint, f64)> = poses
            .iter()
            .filter(|pose| pose.keypoints[index].is_present())
            .map(|pose| {
                let keypoint = pose.keypoints[index];
                let trust = (TRUST * f64::from(pose.score - best.score)).exp();
                (keypoint, trust * f64::from(keypoint.score.max(LEAST_VOTE)))
            })
            .collect();
        let around =
            |place: &Keypoint| votes.iter().map(|(other, weight)| weight * closeness(place, other)).sum::<f64>();
        // Of equal sums the first, of the best pose, wins.
        let middle = votes.iter().map(|(place, _)| (place, around(place))).reduce(|a, b| if b.1 > a.1 { b } else { a });
        let Some((middle, sum)) = middle else { return Keypoint::ABSENT };
        let mean = |of: fn(&Keypoint) -> f64| {
            votes.iter().map(|(other, weight)| weight * closeness(middle, other) * of(other)).sum::<f64>() / sum
        };
        Keypoint { x: mean(|k| k.x), y: mean(|k| k.y), ..*middle }
    });
    Some(Pose { keypoints: keypoints.collect(), score: best.score, id: None })
}

/// Intersection over union of the boxes around two poses.
fn overlap(a: &Pose, b: &Pose) -> f64 {
    let (Some(a), Some(b)) = (a.bounds(), b.bounds()) else { return 0.0 };
    let shared = |axis: usize| {
        let end = (a[axis] + a[axis + 2]).min(b[axis] + b[axis + 2]);
        (end - a[axis].max(b[axis])).max(0.0)
    };
    let both = shared(0) * shared(1);
    let either = a[2] * a[3] + b[2] * b[3] - both;
    if either > 0.0 { both / either } else { 0.0 }
}

fn is_around(place: &Keypoint, [left, top, width, height]: [f64; 4]) -> bool {
    let margin = AROUND * width.max(height);
    (left - margin..=left + width + margin).contains(&place.x)
        && (top - margin..=top + height + margin).contains(&place.y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pose::AffinityTargets;

    fn chain() -> Skeleton {
        Skeleton::custom("chain", &["a", "b", "c", "d"], &[[0, 1], [1, 2], [2, 3]]).unwrap()
    }

    fn person(left: f64) -> Pose {
        let keypoints = (0..4).map(|k| Keypoint::found(left + 14.0 * f64::from(k), 30.0, 1.0)).collect();
        Pose { keypoints, score: 1.0, id: None }
    }

    /// Maps of people, in which the field of the last limb is missing.
    fn maps(people: &[Pose]) -> (Vec<f32>, Grid) {
        let (skeleton, grid) = (chain(), Grid::covering(200, 64, 4));
        let targets = AffinityTargets { sigma: 5.0, limb_width: 5.0, background: false };
        let mut planes = vec![0.0; targets.planes(&skeleton) * grid.cells()];
        targets.write(&skeleton, people, &grid, None, &mut planes).unwrap();
        planes.truncate((targets.planes(&skeleton) - 1) * grid.cells());
        let field = planes.len() - 2 * grid.cells();
        planes[field..].fill(0.0);
        (planes, grid)
    }

    #[test]
    fn a_keypoint_without_a_limb_goes_to_the_person_near_it() {
        let (planes, grid) = maps(&[person(10.0), person(120.0)]);
        let read = |reading: PoseReading| PoseReader::new(&chain(), reading).unwrap().decode(&planes, &grid).unwrap();
        let bare = read(PoseReading { fill: 1.0, ..PoseReading::default() });
        assert_eq!(bare.iter().map(Pose::present).collect::<Vec<_>>(), [3, 3]);
        let mut full = read(PoseReading::default());
        full.sort_by(|a, b| a.keypoints[0].x.total_cmp(&b.keypoints[0].x));
        for (pose, left) in full.iter().zip([10.0, 120.0]) {
            assert_eq!(pose.present(), 4);
            assert!((pose.keypoints[3].x - (left + 42.0)).abs() < 0.5, "{:?}", pose.keypoints[3]);
        }
    }

    #[test]
    fn people_whom_several_turns_show_are_kept_once() {
        let scored = |left: f64, width: f64, score: f32| {
            let keypoints = [[left, 0.0], [left + width, 20.0]].map(|[x, y]| Keypoint::found(x, y, score)).to_vec();
            Pose { keypoints, score, id: None }
        };
        let turns = || {
            vec![
                // Two people, who overlap.
                vec![scored(0.0, 20.0, 0.9), scored(4.0, 20.0, 0.6)],
                // The first again, and one that the first turn does not show.
                vec![scored(1.0, 20.0, 0.8), scored(100.0, 20.0, 0.7)],
                Vec::new(),
            ]
        };
        let merged = |single: bool| {
            let reading = PoseReading { single, ..PoseReading::default() };
            let found = PoseReader::new(&chain(), reading).unwrap().merge(turns());
            found.iter().map(|pose| pose.score).collect::<Vec<_>>()
        };
        assert_eq!(merged(false), [0.9, 0.7, 0.6]);
        assert_eq!(merged(true), [0.9]);
    }

    #[test]
    fn turns_vote_for_the_keypoints_of_a_single_person() {
        let reading = PoseReading { single: true, ..PoseReading::default() };
        let reader = PoseReader::new(&chain(), reading).unwrap();
        let seen = |xs: [f64; 2], score: f32| {
            let keypoints = [[xs[0], 0.0], [xs[1], 50.0]].map(|[x, y]| Keypoint::found(x, y, 0.5)).to_vec();
            vec![Pose { keypoints, score, id: None }]
        };
        // The best turn has one keypoint alone; two others, nearly as good, agree on it. One that is far worse is not heard.
        let turns =
            vec![seen([10.0, 90.0], 0.6), seen([10.0, 40.0], 0.58), seen([11.0, 41.0], 0.58), seen([70.0, 0.0], 0.1)];
        let found = reader.merge(turns);
        assert_eq!((found.len(), found[0].score), (1, 0.6));
        let xs: Vec<f64> = found[0].keypoints.iter().map(|keypoint| keypoint.x).collect();
        assert!((xs[0] - 10.3).abs() < 0.2 && (xs[1] - 40.5).abs() < 0.2, "{xs:?}");
        assert!(reader.merge(vec![Vec::new(); 4]).is_empty());
    }

    #[test]
    fn a_single_person_is_where_heat_is() {
        let (mut planes, grid) = maps(&[person(10.0)]);
        planes[4 * grid.cells()..].fill(0.0);
        let reading = PoseReading { single: true, ..PoseReading::default() };
        let read = |planes: &[f32]| PoseReader::new(&chain(), reading).unwrap().decode(planes, &grid).unwrap();
        let found = read(&planes);
        assert_eq!((found.len(), found[0].present()), (1, 4));
        // Its heat is 1, but it stands far from the middle.
        assert!((found[0].keypoints[2].x - 38.0).abs() < 0.5 && (0.6..0.95).contains(&found[0].score));
        planes.fill(0.0);
        assert!(read(&planes).is_empty());
        planes.fill(f32::NAN);
        assert!(read(&planes).is_empty());
        assert!(PoseReader::new(&chain(), reading).unwrap().decode(&planes[1..], &grid).is_err());
    }
}
