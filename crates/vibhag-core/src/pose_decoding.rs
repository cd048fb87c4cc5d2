//! How people are read from the maps of a network that finds keypoints; every value is in the plan and in the model
//! bundle.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Association by part affinity fields, with OpenPose's names and values (Cao et al., "OpenPose", TPAMI 2019).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AffinityDecoding {
    /// A keypoint's heat must be above this (`nmsThreshold`).
    pub nms_threshold: f32,
    /// A sample of the line between two keypoints counts when the field along the line is above this
    /// (`connectInterThreshold`).
    pub inter_threshold: f32,
    /// Two keypoints may be joined when more than this share of the samples counts (`connectInterMinAboveThreshold`).
    pub inter_min_above: f32,
    /// Fewest samples of a line.
    pub min_samples: usize,
    /// Most samples of a line.
    pub max_samples: usize,
    /// Two keypoints closer than this share of the square root of the image's area may be joined whatever the field says,
    /// since a line so short has no field, though any other pair is preferred.
    pub close: f32,
    /// Fewest keypoints of a person, feet not counted (`connectMinSubsetCnt`).
    pub min_keypoints: usize,
    /// Least score of a person by keypoint, the sum of the scores of keypoints and limbs divided by the number of
    /// keypoints (`connectMinSubsetScore`).
    pub min_score: f32,
    /// Most keypoints of a kind, those with the largest heat (`POSE_MAX_PEOPLE`).
    pub max_people: usize,
}

impl Default for AffinityDecoding {
    fn default() -> Self {
        Self {
            nms_threshold: 0.05,
            inter_threshold: 0.05,
            inter_min_above: 0.95,
            min_samples: 5,
            max_samples: 25,
            close: 1.0 / 150.0,
            min_keypoints: 3,
            min_score: 0.4,
            max_people: 127,
        }
    }
}

impl AffinityDecoding {
    /// OpenPose's values for finding as much as possible, at the price of false keypoints (`maximize_positives`).
    pub fn eager() -> Self {
        Self {
            nms_threshold: 0.02,
            inter_threshold: 0.01,
            inter_min_above: 0.75,
            min_keypoints: 2,
            min_score: 0.05,
            ..Self::default()
        }
    }

    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the value that is not.
    pub fn validate(&self) -> Result<()> {
        let at_least_zero = [
            ("nms_threshold", self.nms_threshold),
            ("inter_threshold", self.inter_threshold),
            ("close", self.close),
            ("min_score", self.min_score),
        ];
        for (key, value) in at_least_zero {
            check(key, value, value.is_finite() && value >= 0.0)?;
        }
        check("inter_min_above", self.inter_min_above, (0.0..1.0).contains(&self.inter_min_above))?;
        check("min_samples", self.min_samples, self.min_samples > 0)?;
        check("max_samples", self.max_samples, (self.min_samples..=1000).contains(&self.max_samples))?;
        check("max_people", self.max_people, (1..=10_000).contains(&self.max_people))
    }
}

/// How people are read from the maps of a network with heat maps and part affinity fields; every value is in the plan and
/// in the model bundle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoseReading {
    /// Every image shows one person: the best choice of one peak of heat for each keypoint along the limbs.
    pub single: bool,
    /// How far apart, in pixels of the network's input, two keypoints of a limb of a single person lie at most, beyond which
    /// a choice costs; 0 where that is not known.
    pub reach: f32,
    /// In how many turns the image is looked at (1, 4 or 8), where the network knows people upright alone.
    pub turns: u8,
    /// A keypoint of a person to which no limb leads is where its heat is largest around the person, from this heat on; 1
    /// leaves it absent.
    pub fill: f32,
    /// How keypoints become people.
    pub affinity: AffinityDecoding,
}

impl Default for PoseReading {
    fn default() -> Self {
        Self { single: false, reach: 0.0, turns: 1, fill: 0.05, affinity: AffinityDecoding::default() }
    }
}

impl PoseReading {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the value that is not.
    pub fn validate(&self) -> Result<()> {
        check("reach", self.reach, (0.0..=100_000.0).contains(&self.reach))?;
        check("turns", f32::from(self.turns), [1, 4, 8].contains(&self.turns))?;
        check("fill", self.fill, (0.0..=1.0).contains(&self.fill))?;
        self.affinity.validate()
    }
}

/// Association by displacements along a tree of keypoints, with PoseNet's values (Papandreou et al., "PersonLab", ECCV
/// 2018).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DisplacementDecoding {
    /// Most people in an image (`maxDetections`).
    pub max_people: usize,
    /// Least score of the keypoint at which a person begins (`scoreThreshold`).
    pub score_threshold: f32,
    /// No person begins within this many pixels of the same keypoint of another one, and keypoints so close to those of
    /// a better person do not add to the score (`nmsRadius`).
    pub nms_radius: f32,
    /// A person begins at a cell whose score no other one within this many cells exceeds.
    pub local_maximum_radius: usize,
    /// How often a displaced keypoint is corrected by the offset at its cell.
    pub refine_steps: usize,
    /// Least score of a person, the mean over its keypoints.
    pub min_score: f32,
    /// Keypoints below this score are absent; 0 keeps all of them, as PoseNet does.
    pub min_keypoint_score: f32,
}

impl Default for DisplacementDecoding {
    fn default() -> Self {
        Self {
            max_people: 5,
            score_threshold: 0.5,
            nms_radius: 20.0,
            local_maximum_radius: 1,
            refine_steps: 2,
            min_score: 0.0,
            min_keypoint_score: 0.0,
        }
    }
}

impl DisplacementDecoding {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the value that is not.
    pub fn validate(&self) -> Result<()> {
        let shares = [
            ("score_threshold", self.score_threshold),
            ("min_score", self.min_score),
            ("min_keypoint_score", self.min_keypoint_score),
        ];
        for (key, value) in shares {
            check(key, value, (0.0..=1.0).contains(&value))?;
        }
        check("nms_radius", self.nms_radius, self.nms_radius.is_finite() && self.nms_radius >= 0.0)?;
        check("local_maximum_radius", self.local_maximum_radius, self.local_maximum_radius <= 64)?;
        check("refine_steps", self.refine_steps, self.refine_steps <= 64)?;
        check("max_people", self.max_people, (1..=10_000).contains(&self.max_people))
    }
}

fn check(key: &str, value: impl std::fmt::Display, good: bool) -> Result<()> {
    if good {
        Ok(())
    } else {
        Err(Error::config(format!("pose decoding: {key} is out of range")).at(value.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named() {
        AffinityDecoding::default().validate().unwrap();
        AffinityDecoding::eager().validate().unwrap();
        DisplacementDecoding::default().validate().unwrap();
        let error = |change: fn(&mut AffinityDecoding)| {
            let mut values = AffinityDecoding::default();
            change(&mut values);
            values.validate().unwrap_err().to_string()
        };
        assert!(error(|v| v.nms_threshold = f32::NAN).contains("nms_threshold"));
        assert!(error(|v| v.inter_min_above = 1.0).contains("inter_min_above"));
        assert!(error(|v| v.max_samples = 2).contains("max_samples"));
        assert!(error(|v| v.max_people = 0).contains("max_people"));
        PoseReading::default().validate().unwrap();
        assert!(
            PoseReading { fill: 1.5, ..PoseReading::default() }.validate().unwrap_err().to_string().contains("fill")
        );
        let wrong = DisplacementDecoding { nms_radius: -1.0, ..DisplacementDecoding::default() };
        assert!(wrong.validate().unwrap_err().to_string().contains("nms_radius"));
    }

    #[test]
    fn missing_values_are_the_usual_ones_and_unknown_ones_are_refused() {
        let read: AffinityDecoding = serde_json::from_str(r#"{"min_keypoints": 5}"#).unwrap();
        assert_eq!(read, AffinityDecoding { min_keypoints: 5, ..AffinityDecoding::default() });
        assert!(serde_json::from_str::<DisplacementDecoding>(r#"{"radius": 5}"#).is_err());
    }
}
