//! People whose poses are known, and the maps that a perfect network would give of them.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its part; helpers of tests are tests")]

use vibhag_core::skeleton::Conversion;
use vibhag_core::{Keypoint, Pose, Purpose, Rng, Skeleton};
use vibhag_imaging::pose::{AffinityTargets, Grid, PoseDecoder};

/// Least distance in pixels between keypoints of different people that could be taken for each other.
const APART: f64 = 24.0;

pub(crate) fn skeleton(name: &str) -> Skeleton {
    Skeleton::named(name).unwrap()
}

/// People in an image, of which none is hidden so that nobody could tell who is who.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    pub(crate) skeleton: Skeleton,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) people: Vec<Pose>,
}

impl Crowd {
    /// `count` people side by side in rows, arms and legs reaching over to the neighbours.
    pub(crate) fn rows(seed: u64, name: &str, [width, height]: [usize; 2], count: usize) -> Self {
        let columns = ((count as f64 * width as f64 / height as f64).sqrt().ceil() as usize).clamp(1, count);
        let rows = count.div_ceil(columns);
        let slot = [width as f64 / columns as f64, height as f64 / rows as f64];
        let mut crowd = Self { skeleton: skeleton(name), width, height, people: Vec::new() };
        let mut rng = Rng::new(seed, 0, 0, Purpose::Synthesis);
        for index in 0..count {
            let corner = [(index % columns) as f64 * slot[0], (index / columns) as f64 * slot[1]];
            crowd.place(&mut rng, |rng| {
                let tall = slot[1].min(2.0 * slot[0]) * f64::from(rng.uniform(0.7, 0.95));
                let at = |rng: &mut Rng, axis: usize| corner[axis] + slot[axis] * f64::from(rng.uniform(0.35, 0.65));
                (tall, [at(rng, 0), at(rng, 1)])
            });
        }
        assert_eq!(crowd.people.len(), count);
        crowd
    }

    /// Up to `count` people of two thirds of the image's height anywhere, before and behind each other, limbs crossing.
    pub(crate) fn heap(seed: u64, name: &str, [width, height]: [usize; 2], count: usize) -> Self {
        let mut crowd = Self { skeleton: skeleton(name), width, height, people: Vec::new() };
        let mut rng = Rng::new(seed, 0, 1, Purpose::Synthesis);
        for _ in 0..count {
            crowd.place(&mut rng, |rng| {
                let tall = height as f64 * f64::from(rng.uniform(0.6, 0.7));
                (tall, [f64::from(rng.unit()) * width as f64, height as f64 * f64::from(rng.uniform(0.4, 0.6))])
            });
        }
        crowd
    }

    /// Tries random people until one can be told from the others.
    fn place(&mut self, rng: &mut Rng, mut draw: impl FnMut(&mut Rng) -> (f64, [f64; 2])) {
        let body = skeleton("body-25");
        let conversion = Conversion::new(&body, &self.skeleton).unwrap();
        for _ in 0..300 {
            let (tall, at) = draw(rng);
            let pose = conversion.apply(&person(rng, &body, tall, at)).unwrap();
            let inside = |k: &Keypoint| {
                (2.0..self.width as f64 - 3.0).contains(&k.x) && (2.0..self.height as f64 - 3.0).contains(&k.y)
            };
            let fits = pose.keypoints.iter().filter(|k| k.is_present()).all(inside);
            if fits && self.people.iter().all(|other| distinct(&self.skeleton, &pose, other)) {
                self.people.push(pose);
                return;
            }
        }
    }

    /// Takes keypoints away from everybody with probability `share`, as long as `edges` lead to all that stay and there
    /// are at least `least`.
    pub(crate) fn hide(&mut self, seed: u64, share: f32, edges: &[[usize; 2]], least: usize) {
        for (number, pose) in (0u64..).zip(&mut self.people) {
            let mut rng = Rng::new(seed, 0, 2 + number, Purpose::Synthesis);
            let mut order: Vec<usize> = (0..pose.keypoints.len()).collect();
            rng.shuffle(&mut order);
            for keypoint in order {
                let before = pose.keypoints[keypoint];
                if rng.chance(share) && before.is_present() {
                    pose.keypoints[keypoint] = Keypoint::ABSENT;
                    if pose.present() < least || !connected(pose, edges) {
                        pose.keypoints[keypoint] = before;
                    }
                }
            }
        }
    }

    pub(crate) fn mirrored(&self) -> Self {
        let mirror = |pose: &Pose| pose.mirrored(&self.skeleton, self.width).unwrap();
        Self { people: self.people.iter().map(mirror).collect(), ..self.clone() }
    }

    /// Maps for a decoder by part affinity fields (with a background), without the plane of weights.
    pub(crate) fn affinity(&self, grid: &Grid) -> Vec<f32> {
        let targets = AffinityTargets::default();
        let mut planes = vec![f32::NAN; targets.planes(&self.skeleton) * grid.cells()];
        targets.write(&self.skeleton, &self.people, grid, None, &mut planes).unwrap();
        planes.truncate(planes.len() - grid.cells());
        planes
    }

    /// Maps for a decoder by displacements along `edges`.
    pub(crate) fn displacements(&self, grid: &Grid, edges: &[[usize; 2]]) -> Vec<f32> {
        let (k, e, cells) = (self.skeleton.len(), edges.len(), grid.cells());
        let mut planes = vec![0.0f32; (3 * k + 4 * e) * cells];
        let reach = 2.0 * grid.stride;
        for cell in 0..cells {
            let (x, y) = (grid.pixel((cell % grid.width) as f64), grid.pixel((cell / grid.width) as f64));
            // The person whose keypoint is nearest to the cell, and how far away it is.
            let nearest: Vec<Option<(&Pose, f64)>> = (0..k)
                .map(|keypoint| {
                    let near = self
                        .people
                        .iter()
                        .filter(|pose| pose.keypoints[keypoint].is_present())
                        .map(|pose| (pose, (pose.keypoints[keypoint].x - x).hypot(pose.keypoints[keypoint].y - y)));
                    near.min_by(|a, b| a.1.total_cmp(&b.1))
                })
                .collect();
            for (keypoint, near) in nearest.iter().enumerate() {
                let Some((pose, distance)) = near else { continue };
                planes[keypoint * cells + cell] = (-0.5 * (distance / grid.stride).powi(2)).exp() as f32;
                if *distance <= reach {
                    let place = pose.keypoints[keypoint];
                    planes[(k + keypoint) * cells + cell] = (place.y - y) as f32;
                    planes[(2 * k + keypoint) * cells + cell] = (place.x - x) as f32;
                }
            }
            for (edge, &[parent, child]) in edges.iter().enumerate() {
                for (first, from, to) in [(3 * k, parent, child), (3 * k + 2 * e, child, parent)] {
                    let Some((pose, distance)) = nearest[from] else { continue };
                    let (a, b) = (pose.keypoints[from], pose.keypoints[to]);
                    if distance <= reach && b.is_present() {
                        planes[(first + edge) * cells + cell] = (b.y - a.y) as f32;
                        planes[(first + e + edge) * cells + cell] = (b.x - a.x) as f32;
                    }
                }
            }
        }
        planes
    }
}

/// Whether the found people are the true ones, each once, every keypoint within `tolerance` pixels.
pub(crate) fn compare(truth: &[Pose], found: &[Pose], tolerance: f64) -> Result<(), String> {
    if truth.len() != found.len() {
        return Err(format!("{} people found of {}", found.len(), truth.len()));
    }
    let mut taken = vec![false; found.len()];
    for (number, person) in truth.iter().enumerate() {
        let same = |pose: &Pose| {
            person.keypoints.iter().zip(&pose.keypoints).all(|(a, b)| {
                a.is_present() == b.is_present() && (!a.is_present() || (a.x - b.x).hypot(a.y - b.y) <= tolerance)
            })
        };
        match found.iter().enumerate().find(|&(index, pose)| !taken[index] && same(pose)) {
            Some((index, _)) => taken[index] = true,
            None => return Err(format!("person {number} of {} is not among those found", truth.len())),
        }
    }
    Ok(())
}

/// The planes that a network without faults gives of the mirrored image.
pub(crate) fn mirror(decoder: &dyn PoseDecoder, planes: &[f32], grid: &Grid) -> Vec<f32> {
    let mut mirrored = Vec::with_capacity(planes.len());
    for (source, factor) in decoder.mirrored().unwrap() {
        for row in planes[source * grid.cells()..][..grid.cells()].chunks(grid.width) {
            mirrored.extend(row.iter().rev().map(|value| factor * value));
        }
    }
    mirrored
}

/// A person of `tall` pixels whose hips are around a place, in any posture, with all keypoints of BODY_25.
fn person(rng: &mut Rng, body: &Skeleton, tall: f64, [x, y]: [f64; 2]) -> Pose {
    let mut between = |low: f32, high: f32| f64::from(rng.uniform(low, high));
    let lean = between(-0.5, 0.5);
    // From 1, seen from the front, to -1, from behind.
    let facing = between(0.35, 1.0) * if between(0.0, 1.0) < 0.7 { 1.0 } else { -1.0 };
    let direction = |angle: f64| [angle.sin(), angle.cos()];
    let step = |[x, y]: [f64; 2], [dx, dy]: [f64; 2], length: f64| [x + tall * length * dx, y + tall * length * dy];
    let [down_x, down_y] = direction(lean);
    let (up, aside) = ([-down_x, -down_y], [-down_y * facing, down_x * facing]);
    let pelvis = [x, y];
    let neck = step(pelvis, up, 0.3);
    let nose = step(step(neck, up, between(0.1, 0.14)), aside, between(-0.02, 0.02));
    let mut places = vec![("mid_hip", pelvis), ("neck", neck), ("nose", nose)];
    // The right side is on the left of the image for somebody who faces us: `aside` points there.
    for (side, sign) in [("right", 1.0), ("left", -1.0)] {
        let shoulder = step(neck, aside, 0.11 * sign);
        let elbow = step(shoulder, direction(lean + between(-2.4, 2.4)), 0.17);
        let wrist = step(elbow, direction(lean + between(-2.8, 2.8)), 0.15);
        let hip = step(pelvis, aside, 0.07 * sign);
        let knee = step(hip, direction(lean + between(-1.0, 1.0)), 0.23);
        let ankle = step(knee, direction(lean + between(-0.8, 0.8)), 0.22);
        let eye = step(step(nose, up, 0.03), aside, 0.025 * sign);
        let ear = step(step(nose, up, 0.015), aside, 0.06 * sign);
        let toe = step(step(ankle, [down_x, down_y], 0.03), aside, 0.05 * sign);
        let small = step(toe, aside, 0.025 * sign);
        let heel = step(ankle, [down_x, down_y], 0.035);
        let joints = [
            ("shoulder", shoulder),
            ("elbow", elbow),
            ("wrist", wrist),
            ("hip", hip),
            ("knee", knee),
            ("ankle", ankle),
            ("eye", eye),
            ("ear", ear),
            ("big_toe", toe),
            ("small_toe", small),
            ("heel", heel),
        ];
        let prefix = usize::from(side == "left");
        places.extend(joints.map(|(joint, place)| (NAMES[prefix][index_of(joint)], place)));
    }
    let keypoint = |name: &String| {
        let place = places.iter().find(|(known, _)| known == name);
        place.map_or(Keypoint::ABSENT, |(_, [x, y])| Keypoint::found(*x, *y, 1.0))
    };
    Pose { keypoints: body.keypoints.iter().map(keypoint).collect(), score: 1.0, id: None }
}

#[rustfmt::skip]
const NAMES: [[&str; 11]; 2] = [
    ["right_shoulder", "right_elbow", "right_wrist", "right_hip", "right_knee", "right_ankle", "right_eye", "right_ear",
     "right_big_toe", "right_small_toe", "right_heel"],
    ["left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee", "left_ankle", "left_eye", "left_ear",
     "left_big_toe", "left_small_toe", "left_heel"],
];

fn index_of(joint: &str) -> usize {
    NAMES[0].iter().position(|name| name.strip_prefix("right_") == Some(joint)).unwrap()
}

/// Whether `edges` lead from any known keypoint to all others over known ones.
fn connected(pose: &Pose, edges: &[[usize; 2]]) -> bool {
    let known: Vec<bool> = pose.keypoints.iter().map(Keypoint::is_present).collect();
    let Some(first) = known.iter().position(|&known| known) else { return true };
    let mut reached = vec![false; known.len()];
    reached[first] = true;
    for _ in 0..known.len() {
        for &[a, b] in edges {
            if known[a] && known[b] && (reached[a] || reached[b]) {
                (reached[a], reached[b]) = (true, true);
            }
        }
    }
    known == reached
}

/// Whether two people can be told apart by perfect maps: no keypoints that could be exchanged lie together, and no limbs
/// that overlap point against each other (their mean would vanish) or along one line (any pair would do).
fn distinct(skeleton: &Skeleton, a: &Pose, b: &Pose) -> bool {
    let point =
        |pose: &Pose, k: usize| pose.keypoints[k].is_present().then(|| [pose.keypoints[k].x, pose.keypoints[k].y]);
    let far = |p: Option<[f64; 2]>, q: Option<[f64; 2]>| {
        p.zip(q).is_none_or(|(p, q)| (p[0] - q[0]).hypot(p[1] - q[1]) >= APART)
    };
    let apart = (0..skeleton.len()).all(|k| far(point(a, k), point(b, k)));
    apart
        && skeleton.limbs.iter().all(|&[from, to]| {
            let ends = [point(a, from), point(a, to), point(b, from), point(b, to)];
            let [Some(p), Some(q), Some(r), Some(s)] = ends else { return true };
            far(Some(p), Some(s))
                && far(Some(q), Some(r))
                && !vanishing([p, q], [r, s])
                && !exchangeable([p, q], [r, s])
                && !exchangeable([r, s], [p, q])
        })
}

fn unit([p, q]: [[f64; 2]; 2]) -> [f64; 2] {
    let length = (q[0] - p[0]).hypot(q[1] - p[1]).max(1e-9);
    [(q[0] - p[0]) / length, (q[1] - p[1]) / length]
}

fn distance([x, y]: [f64; 2], [p, q]: [[f64; 2]; 2]) -> f64 {
    let ([ux, uy], length) = (unit([p, q]), (q[0] - p[0]).hypot(q[1] - p[1]));
    let along = ((x - p[0]) * ux + (y - p[1]) * uy).clamp(0.0, length);
    (x - p[0] - along * ux).hypot(y - p[1] - along * uy)
}

fn samples([p, q]: [[f64; 2]; 2]) -> impl Iterator<Item = [f64; 2]> {
    (0..=24).map(move |i| f64::from(i) / 24.0).map(move |t| [p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])])
}

/// Limbs nearer than their fields are wide that point more than 120 degrees apart.
fn vanishing(a: [[f64; 2]; 2], b: [[f64; 2]; 2]) -> bool {
    let ([ax, ay], [bx, by]) = (unit(a), unit(b));
    ax * bx + ay * by < -0.5 && samples(a).any(|point| distance(point, b) < 28.0)
}

/// Whether the line from the start of `a` to the end of `b` lies in the fields of both and along them.
fn exchangeable(a: [[f64; 2]; 2], b: [[f64; 2]; 2]) -> bool {
    let line = [a[0], b[1]];
    let [x, y] = unit(line);
    let agreement = |limb: [[f64; 2]; 2]| unit(limb)[0] * x + unit(limb)[1] * y;
    let sum: f64 = samples(line)
        .map(|point| {
            let of = |limb| if distance(point, limb) < 16.0 { agreement(limb) } else { 0.0 };
            f64::max(of(a), of(b))
        })
        .sum();
    sum / 25.0 > 0.7
}
