//! Who is who from frame to frame: greedy matching by similarity.

use vibhag_core::{Error, Keypoint, Pose, Result, Skeleton};

use super::similarity::closeness;

/// How people are followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackParams {
    /// Least similarity of a person to one of the frames before.
    pub min_similarity: f64,
    /// For how many frames somebody who is not seen is remembered.
    pub memory: usize,
}

impl Default for TrackParams {
    fn default() -> Self {
        Self { min_similarity: 0.2, memory: 30 }
    }
}

/// Gives people the same number in all frames of a video, numbers counting from 1 in the order of appearance.
///
/// A person of the new frame is compared with everybody remembered, where they were last seen and where they would be now
/// at the speed they had, by COCO's similarity over the keypoints that both have. The most similar two are one person, then
/// the next ones. Whoever is like nobody gets a new number.
#[derive(Debug, Clone)]
pub struct Tracker {
    parameters: TrackParams,
    sigmas: Vec<f64>,
    tracks: Vec<Track>,
    next: u32,
}

/// Somebody who was seen.
#[derive(Debug, Clone)]
struct Track {
    id: u32,
    /// As last seen.
    keypoints: Vec<Keypoint>,
    /// Pixels a frame, to the right and down.
    speed: [f64; 2],
    /// Frames since then.
    unseen: usize,
}

impl Tracker {
    /// A tracker of people of `skeleton` that has seen nobody.
    ///
    /// # Errors
    /// When the skeleton has a fault or the least similarity is not in (0, 1].
    pub fn new(skeleton: &Skeleton, parameters: TrackParams) -> Result<Self> {
        skeleton.validate()?;
        if !(parameters.min_similarity > 0.0 && parameters.min_similarity <= 1.0) {
            return Err(Error::config("the least similarity of a tracked person lies above 0 and is at most 1")
                .at(parameters.min_similarity.to_string()));
        }
        Ok(Self { parameters, sigmas: skeleton.sigmas.clone(), tracks: Vec::new(), next: 1 })
    }

    /// Numbers the people of the next frame.
    pub fn update(&mut self, poses: &mut [Pose]) {
        let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
        for (track, seen) in self.tracks.iter().enumerate() {
            for (pose, found) in poses.iter().enumerate() {
                let similarity = seen.similarity(&found.keypoints, &self.sigmas);
                if similarity >= self.parameters.min_similarity {
                    pairs.push((similarity, track, pose));
                }
            }
        }
        // Stable: of equal pairs the one who has been there for longer comes first.
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut matched, mut numbered) = (vec![false; self.tracks.len()], vec![false; poses.len()]);
        for (_, track, pose) in pairs {
            if !matched[track] && !numbered[pose] {
                matched[track] = true;
                numbered[pose] = true;
                poses[pose].id = Some(self.tracks[track].id);
                self.tracks[track].see(&poses[pose].keypoints);
            }
        }
        for (track, matched) in self.tracks.iter_mut().zip(matched) {
            track.unseen = if matched { 0 } else { track.unseen + 1 };
        }
        self.tracks.retain(|track| track.unseen <= self.parameters.memory);
        for (pose, numbered) in poses.iter_mut().zip(numbered) {
            if !numbered {
                pose.id = Some(self.next);
                self.tracks.push(Track {
                    id: self.next,
                    keypoints: pose.keypoints.clone(),
                    speed: [0.0; 2],
                    unseen: 0,
                });
                self.next = self.next.saturating_add(1);
            }
        }
    }
}

impl Track {
    /// How like the person is to a found one: over the keypoints that both have, of those that the one with fewer has.
    fn similarity(&self, found: &[Keypoint], sigmas: &[f64]) -> f64 {
        let present = |keypoints: &[Keypoint]| keypoints.iter().filter(|keypoint| keypoint.is_present()).count();
        let fewer = present(&self.keypoints).min(present(found));
        if fewer == 0 {
            return 0.0;
        }
        // A person seen from the side is as tall as one seen from the front.
        let area = side(&self.keypoints).max(side(found)).powi(2).max(1.0) / 2.0;
        let frames = (self.unseen + 1) as f64;
        let at_speed = |speed: [f64; 2]| {
            let both =
                self.keypoints.iter().zip(found).zip(sigmas).filter(|((a, b), _)| a.is_present() && b.is_present());
            both.map(|((a, b), &sigma)| {
                closeness(b.x - a.x - frames * speed[0], b.y - a.y - frames * speed[1], sigma, area)
            })
            .sum::<f64>()
        };
        let sum = at_speed([0.0; 2]).max(at_speed(self.speed));
        if sum.is_finite() { sum / fewer as f64 } else { 0.0 }
    }

    fn see(&mut self, found: &[Keypoint]) {
        let both = || self.keypoints.iter().zip(found).filter(|(a, b)| a.is_present() && b.is_present());
        let frames = (self.unseen + 1) as f64 * both().count().max(1) as f64;
        let moved = |of: fn(&Keypoint) -> f64| both().map(|(a, b)| of(b) - of(a)).sum::<f64>() / frames;
        self.speed = [moved(|keypoint| keypoint.x), moved(|keypoint| keypoint.y)];
        self.keypoints = found.to_vec();
    }
}

/// The longer side of the box around the known keypoints.
fn side(keypoints: &[Keypoint]) -> f64 {
    let span = |of: fn(&Keypoint) -> f64| {
        let values = keypoints.iter().filter(|keypoint| keypoint.is_present()).map(of);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        (high - low).max(0.0)
    };
    span(|keypoint| keypoint.x).max(span(|keypoint| keypoint.y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::{Purpose, Rng};

    /// A person of 17 keypoints, 200 pixels tall.
    fn person(x: f64, y: f64) -> Pose {
        let keypoint = |k: usize| Keypoint::found(x + f64::from((k % 3) as u8) * 30.0, y + k as f64 * 12.5, 0.9);
        Pose { keypoints: (0..17).map(keypoint).collect(), score: 0.9, id: None }
    }

    fn tracker(memory: usize) -> Tracker {
        let skeleton = Skeleton::named("coco-17").unwrap();
        Tracker::new(&skeleton, TrackParams { memory, ..TrackParams::default() }).unwrap()
    }

    fn ids(poses: &[Pose]) -> Vec<u32> {
        poses.iter().map(|pose| pose.id.unwrap()).collect()
    }

    #[test]
    fn people_who_walk_past_each_other_keep_their_numbers_in_any_order() {
        let mut tracker = tracker(10);
        let mut rng = Rng::new(11, 0, 0, Purpose::Synthesis);
        let mut numbers = [None; 3];
        for frame in 0..80 {
            let t = f64::from(frame);
            // Two cross at different heights, one stands and trembles.
            let mut who = [0usize, 1, 2];
            rng.shuffle(&mut who);
            let places = [[100.0 + 9.0 * t, 100.0], [820.0 - 9.0 * t, 160.0], [400.0 + f64::from(rng.normal()), 500.0]];
            let mut poses: Vec<Pose> = who.iter().map(|&w| person(places[w][0], places[w][1])).collect();
            tracker.update(&mut poses);
            for (&w, id) in who.iter().zip(ids(&poses)) {
                let first = *numbers[w].get_or_insert(id);
                assert_eq!(id, first, "person {w} in frame {frame}");
            }
        }
        assert_eq!(tracker.next, 4);
    }

    #[test]
    fn numbers_follow_the_person_and_not_the_place_in_the_list() {
        let mut tracker = tracker(5);
        let mut first = [person(100.0, 50.0), person(500.0, 50.0)];
        tracker.update(&mut first);
        assert_eq!(ids(&first), [1, 2]);
        let mut second = [person(504.0, 52.0), person(97.0, 49.0), person(900.0, 50.0)];
        tracker.update(&mut second);
        assert_eq!(ids(&second), [2, 1, 3]);
    }

    #[test]
    fn somebody_unseen_is_remembered_for_so_many_frames_and_no_longer() {
        for (gap, expected) in [(3, 1), (4, 2)] {
            let mut tracker = tracker(3);
            tracker.update(&mut [person(100.0, 50.0)]);
            for _ in 0..gap {
                tracker.update(&mut []);
            }
            let mut back = [person(104.0, 50.0)];
            tracker.update(&mut back);
            assert_eq!(ids(&back), [expected], "after {gap} frames");
        }
    }

    #[test]
    fn half_a_person_is_still_the_same_one() {
        let mut tracker = tracker(3);
        tracker.update(&mut [person(100.0, 50.0)]);
        let mut half = [person(102.0, 50.0)];
        half[0].keypoints[8..].fill(Keypoint::ABSENT);
        tracker.update(&mut half);
        assert_eq!(ids(&half), [1]);
        let mut whole = [person(104.0, 51.0)];
        tracker.update(&mut whole);
        assert_eq!(ids(&whole), [1]);
    }

    #[test]
    fn a_person_is_followed_at_speed() {
        let mut tracker = tracker(3);
        for frame in 0..20 {
            // From standing to 80 pixels a frame.
            let x = 2.0 * f64::from(frame * frame);
            let mut poses = [person(x, 50.0)];
            tracker.update(&mut poses);
            assert_eq!(ids(&poses), [1], "frame {frame}");
        }
    }

    #[test]
    fn odd_poses_do_no_harm() {
        let mut tracker = tracker(3);
        let mut broken = person(1.0, 1.0);
        broken.keypoints[3].x = f64::NAN;
        let empty = Pose { keypoints: vec![Keypoint::ABSENT; 17], score: 0.0, id: Some(77) };
        let mut poses = [broken, empty, Pose::default()];
        tracker.update(&mut poses);
        tracker.update(&mut poses);
        assert!(poses.iter().all(|pose| pose.id.is_some()));
        let skeleton = Skeleton::named("coco-17").unwrap();
        assert!(Tracker::new(&skeleton, TrackParams { min_similarity: 0.0, memory: 1 }).is_err());
    }
}
