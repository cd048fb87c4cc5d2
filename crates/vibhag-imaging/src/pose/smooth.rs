//! Poses without trembling: a one-euro filter for each coordinate of each person.

use std::collections::BTreeMap;

use vibhag_core::{Pose, Result};

use super::one_euro::{OneEuro, OneEuroParams};

/// Smooths the keypoints of people who have numbers (see [`Tracker`](super::Tracker)) from frame to frame.
#[derive(Debug, Clone)]
pub struct PoseSmoother {
    parameters: OneEuroParams,
    people: BTreeMap<u32, Vec<Option<[OneEuro; 2]>>>,
}

impl PoseSmoother {
    /// A smoother that has seen nobody.
    ///
    /// # Errors
    /// When a parameter is out of range.
    pub fn new(parameters: OneEuroParams) -> Result<Self> {
        parameters.validate()?;
        Ok(Self { parameters, people: BTreeMap::new() })
    }

    /// Moves the keypoints of one frame, `seconds` after the last one. People without a number stay as they are. A keypoint
    /// that was absent in the last frame, and a person who was, begins anew.
    pub fn smooth(&mut self, poses: &mut [Pose], seconds: f64) {
        let mut before = std::mem::take(&mut self.people);
        for pose in poses {
            let Some(id) = pose.id else { continue };
            let mut filters = before.remove(&id).unwrap_or_default();
            filters.resize(pose.keypoints.len(), None);
            for (keypoint, filter) in pose.keypoints.iter_mut().zip(&mut filters) {
                if keypoint.is_present() {
                    let [x, y] = filter.get_or_insert_with(|| [OneEuro::new(self.parameters); 2]);
                    keypoint.x = x.filter(keypoint.x, seconds);
                    keypoint.y = y.filter(keypoint.y, seconds);
                } else {
                    *filter = None;
                }
            }
            self.people.insert(id, filters);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Keypoint;

    fn frame(x: f64, present: bool, id: Option<u32>) -> Vec<Pose> {
        let second = if present { Keypoint::found(x, 1.0, 0.5) } else { Keypoint::ABSENT };
        vec![Pose { keypoints: vec![Keypoint::found(x, 2.0, 0.5), second], score: 1.0, id }]
    }

    #[test]
    fn people_are_smoothed_by_number_and_begin_anew_after_a_gap() {
        let mut smoother = PoseSmoother::new(OneEuroParams::default()).unwrap();
        let mut run = |mut poses: Vec<Pose>| {
            smoother.smooth(&mut poses, 0.04);
            [poses[0].keypoints[0].x, poses[0].keypoints[1].x]
        };
        assert_eq!(run(frame(10.0, true, Some(1))), [10.0, 10.0]);
        let [first, second] = run(frame(12.0, true, Some(1)));
        assert!(first > 10.0 && first < 12.0 && first == second);
        assert_eq!(run(frame(12.0, true, None)), [12.0, 12.0]);
        assert_eq!(run(frame(12.0, false, Some(1))), [12.0, 0.0]);
        assert_eq!(run(frame(20.0, true, Some(1)))[1], 20.0);
        assert_eq!(run(frame(90.0, true, Some(2)))[0], 90.0);
        assert_eq!(run(frame(99.0, true, Some(1)))[0], 99.0);
    }
}
