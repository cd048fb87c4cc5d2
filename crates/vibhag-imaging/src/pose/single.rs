//! One person where several may be seen: the best choice of one peak for each keypoint.

use vibhag_core::{Keypoint, Pose, Skeleton};

use super::Grid;
use super::affinity::{Field, Peak};

/// Peaks of a keypoint that are looked at, those with the largest heat.
const MOST: usize = 8;
/// What the field along a limb counts against the heat of a keypoint.
const FIELD: f32 = 0.1;
/// Points of a limb at which its field is read.
const SAMPLES: usize = 10;
/// Heat that a limb of twice the reach costs, and how many reaches too much count at most.
const STRETCH: f32 = 1.0;
const MOST_STRETCH: f32 = 3.0;
/// Heat that a keypoint loses away from the middle of the image, for each shorter side beyond the first quarter of one:
/// whom a picture is made of stands in its middle.
const AWAY: f32 = 0.3;
const MIDDLE: f32 = 0.25;

/// Chooses a peak for each keypoint so that the sum of heats, of the fields along limbs and of the costs of limbs that are
/// too long is largest over all choices (Felzenszwalb and Huttenlocher, "Pictorial Structures for Object Recognition",
/// IJCV 2005). Where every keypoint took its largest heat by itself, bystanders would lend their arms and legs.
///
/// Limbs that close a circle are left out, the last ones first, so that the best choice is found exactly.
#[derive(Debug, Clone)]
pub(super) struct SinglePerson {
    limbs: Vec<[usize; 2]>,
    /// Keypoints, each after the one that it hangs on.
    order: Vec<Hung>,
}

/// A keypoint and what it hangs on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Hung {
    keypoint: usize,
    /// The keypoint before it, none for the first of all; and the limb between them, none where the skeleton has none.
    parent: Option<(usize, Option<usize>)>,
}

/// The best choices below one peak.
#[derive(Debug, Clone, Copy)]
struct Choice {
    peak: Option<Peak>,
    total: f32,
}

impl SinglePerson {
    pub(super) fn new(skeleton: &Skeleton) -> Self {
        let mut beside: Vec<Vec<(usize, usize)>> = vec![Vec::new(); skeleton.len()];
        let mut part: Vec<usize> = (0..skeleton.len()).collect();
        for (limb, &[a, b]) in skeleton.limbs.iter().enumerate() {
            let (kept, gone) = (part[a], part[b]);
            if kept != gone {
                part.iter_mut().filter(|own| **own == gone).for_each(|own| *own = kept);
                beside[a].push((b, limb));
                beside[b].push((a, limb));
            }
        }
        let mut order: Vec<Hung> = Vec::new();
        let mut known = vec![false; skeleton.len()];
        for first in 0..skeleton.len() {
            if known[first] {
                continue;
            }
            known[first] = true;
            let mut next = order.len();
            order.push(Hung { keypoint: first, parent: order.first().map(|root| (root.keypoint, None)) });
            while let Some(&Hung { keypoint, .. }) = order.get(next) {
                for &(other, limb) in &beside[keypoint] {
                    if !known[other] {
                        known[other] = true;
                        order.push(Hung { keypoint: other, parent: Some((keypoint, Some(limb))) });
                    }
                }
                next += 1;
            }
        }
        Self { limbs: skeleton.limbs.clone(), order }
    }

    /// The person, from the `peaks` of each keypoint and the planes of the `fields`. No limb is longer than `reach` pixels;
    /// 0 where that is not known. The score is the mean of the heats, less what limbs and place cost.
    pub(super) fn choose(&self, peaks: &[Vec<Peak>], fields: &[f32], grid: &Grid, reach: f32) -> Pose {
        let mut choices: Vec<Vec<Choice>> = peaks.iter().map(|peaks| candidates(peaks, grid)).collect();
        let mut best: Vec<Vec<usize>> = vec![Vec::new(); peaks.len()];
        for &Hung { keypoint, parent } in self.order.iter().rev() {
            let Some((parent, limb)) = parent else { continue };
            let field = limb.map(|limb| {
                let (x, y) = fields[2 * limb * grid.cells()..][..2 * grid.cells()].split_at(grid.cells());
                (Field { x, y, grid }, self.limbs[limb] == [parent, keypoint])
            });
            let own = std::mem::take(&mut choices[keypoint]);
            for above in &mut choices[parent] {
                let totals = own.iter().map(|below| {
                    let (Some(from), Some(to)) = (above.peak, below.peak) else { return below.total };
                    below.total + bond(from, to, field.as_ref(), grid, reach)
                });
                let (chosen, total) = largest(totals);
                above.total += total;
                best[keypoint].push(chosen);
            }
            choices[keypoint] = own;
        }
        let mut chosen = vec![0; peaks.len()];
        let mut keypoints = vec![Keypoint::ABSENT; peaks.len()];
        let mut total = 0.0;
        for &Hung { keypoint, parent } in &self.order {
            chosen[keypoint] = if let Some((parent, _)) = parent {
                best[keypoint][chosen[parent]]
            } else {
                let (first, sum) = largest(choices[keypoint].iter().map(|choice| choice.total));
                total = sum;
                first
            };
            if let Some(peak) = choices[keypoint][chosen[keypoint]].peak {
                keypoints[keypoint] = peak.placed(grid);
            }
        }
        Pose { keypoints, score: (total / peaks.len() as f32).clamp(0.0, 1.0), id: None }
    }
}

/// The peaks with the largest heats, less what their place costs; one that is absent where there is none.
fn candidates(peaks: &[Peak], grid: &Grid) -> Vec<Choice> {
    let mut sorted = peaks.to_vec();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score));
    sorted.truncate(MOST);
    if sorted.is_empty() {
        return vec![Choice { peak: None, total: 0.0 }];
    }
    let [width, height] = [grid.width, grid.height].map(|side| side as f32);
    let off = |peak: &Peak| (peak.x - (width - 1.0) / 2.0).hypot(peak.y - (height - 1.0) / 2.0) / width.min(height);
    let total = |peak: &Peak| peak.score - AWAY * (off(peak) - MIDDLE).max(0.0);
    sorted.iter().map(|peak| Choice { peak: Some(*peak), total: total(peak) }).collect()
}

/// What two peaks gain by the field of the limb between them, and lose by being too far apart.
fn bond(from: Peak, to: Peak, field: Option<&(Field<'_>, bool)>, grid: &Grid, reach: f32) -> f32 {
    let along = field.map_or(0.0, |(field, forward)| {
        let (start, end) = if *forward { (from, to) } else { (to, from) };
        field.mean_along(start, end, SAMPLES)
    });
    let length = grid.stride as f32 * (to.x - from.x).hypot(to.y - from.y);
    let stretch = if reach > 0.0 { (length / reach - 1.0).clamp(0.0, MOST_STRETCH) } else { 0.0 };
    FIELD * along - STRETCH * stretch
}

/// The place and value of the largest, the first of equal ones.
fn largest(values: impl Iterator<Item = f32>) -> (usize, f32) {
    values.enumerate().reduce(|best, other| if other.1 > best.1 { other } else { best }).unwrap_or((0, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peak(x: f32, y: f32, score: f32) -> Peak {
        Peak { x, y, score }
    }

    #[test]
    fn circles_are_opened_and_parts_hang_together() {
        let limbs = [[0, 1], [1, 2], [2, 0], [3, 4]];
        let skeleton = Skeleton::custom("ring", &["a", "b", "c", "d", "e"], &limbs).unwrap();
        let order = SinglePerson::new(&skeleton).order;
        let parents: Vec<_> = order.iter().map(|hung| (hung.keypoint, hung.parent)).collect();
        assert_eq!(
            parents,
            [
                (0, None),
                (1, Some((0, Some(0)))),
                (2, Some((1, Some(1)))),
                (3, Some((0, None))),
                (4, Some((3, Some(3))))
            ]
        );
    }

    #[test]
    fn the_choice_is_the_best_of_all() {
        // Every combination is tried by hand.
        let limbs = [[1, 0], [1, 2], [2, 3]];
        let skeleton = Skeleton::custom("tree", &["a", "b", "c", "d"], &limbs).unwrap();
        let person = SinglePerson::new(&skeleton);
        let grid = Grid::covering(80, 60, 4);
        let mut state = 1u64;
        let mut unit = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / 16_777_216.0
        };
        for reach in [0.0, 24.0] {
            for _ in 0..20 {
                let peaks: Vec<Vec<Peak>> =
                    (0..4).map(|_| (0..3).map(|_| peak(19.0 * unit(), 14.0 * unit(), unit())).collect()).collect();
                let fields: Vec<f32> = (0..6 * grid.cells()).map(|_| 2.0 * unit() - 1.0).collect();
                let found = person.choose(&peaks, &fields, &grid, reach);
                let mut most = f32::NEG_INFINITY;
                for combination in 0..81usize {
                    let pick = |k: usize| combination / 3usize.pow(k as u32) % 3;
                    let mut total: f32 = (0..4).map(|k| candidates(&peaks[k][pick(k)..=pick(k)], &grid)[0].total).sum();
                    for (limb, &[a, b]) in limbs.iter().enumerate() {
                        let (x, y) = fields[2 * limb * grid.cells()..][..2 * grid.cells()].split_at(grid.cells());
                        let field = (Field { x, y, grid: &grid }, true);
                        total += bond(peaks[a][pick(a)], peaks[b][pick(b)], Some(&field), &grid, reach);
                    }
                    most = most.max(total);
                }
                assert!((found.score - (most / 4.0).clamp(0.0, 1.0)).abs() < 1e-4, "{} {most}", found.score);
            }
        }
    }

    #[test]
    fn bystanders_lend_no_limbs() {
        let skeleton = Skeleton::custom("arm", &["shoulder", "elbow", "wrist"], &[[0, 1], [1, 2]]).unwrap();
        let grid = Grid::covering(240, 120, 4);
        // The person in the middle hides the wrist; that of a bystander is plain to see.
        let peaks = vec![
            vec![peak(30.0, 15.0, 0.8), peak(5.0, 15.0, 0.7)],
            vec![peak(33.0, 15.0, 0.7), peak(5.0, 18.0, 0.6)],
            vec![peak(36.0, 15.0, 0.3), peak(5.0, 21.0, 0.6)],
        ];
        let fields = vec![0.0; 4 * grid.cells()];
        let wrist = |reach: f32| SinglePerson::new(&skeleton).choose(&peaks, &fields, &grid, reach).keypoints[2];
        assert!((wrist(20.0).x - grid.pixel(36.0)).abs() < 1e-6);
        assert!((wrist(0.0).x - grid.pixel(5.0)).abs() < 1e-6);
        let without = vec![peaks[0].clone(), Vec::new(), peaks[2].clone()];
        let found = SinglePerson::new(&skeleton).choose(&without, &fields, &grid, 20.0);
        assert_eq!(found.present(), 2);
    }
}
