//! What is asked of a model, and the maps by which it tells objects apart.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a model is to find.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// A class for every pixel.
    #[default]
    Semantic,
    /// Objects, each on its own; the rest is background.
    Instance,
    /// Objects of the things and one segment for each stuff class, together covering the image.
    Panoptic,
    /// The keypoints of every person.
    Pose,
}

impl Task {
    /// The names, in the order of the variants.
    pub const NAMES: [&'static str; 4] = ["semantic", "instance", "panoptic", "pose"];

    /// The name that users type.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Whether segments are told apart.
    pub fn has_objects(self) -> bool {
        matches!(self, Self::Instance | Self::Panoptic)
    }
}

impl std::str::FromStr for Task {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let all = [Self::Semantic, Self::Instance, Self::Panoptic, Self::Pose];
        all.into_iter().find(|task| task.name() == name).ok_or_else(|| {
            Error::config(format!("unknown task {name:?}")).hint(format!("use one of {}", Self::NAMES.join(", ")))
        })
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The maps that a network gives beside the logits of the classes, and how objects are read from them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// None: classes only.
    #[default]
    Semantic,
    /// A heat map of centres and the offset of every pixel to its centre (Cheng et al., Panoptic-DeepLab, CVPR 2020).
    Center,
    /// The probability of being well inside an object and the distances to its outline along 32 rays (Schmidt et al.,
    /// Cell detection with star-convex polygons, MICCAI 2018).
    Star,
    /// Flows towards the middle of the object (Stringer et al., Cellpose, Nature Methods 2021).
    Flow,
    /// Heat maps of keypoints and part affinity fields (Cao et al., OpenPose, TPAMI 2019) in place of class logits, at a
    /// quarter of the resolution. Their number is that of the skeleton, so that they are counted as output channels.
    Pose,
}

/// Rays of [`Head::Star`], evenly spaced, the first pointing right, the next ones turning down (clockwise on screen).
pub const RAYS: usize = 32;

/// A network gives lengths (offsets, distances) in units of this many pixels, about the radius of a small object, so that
/// its numbers are near one.
pub const LENGTH_UNIT: f32 = 8.0;

impl Head {
    /// The names, in the order of the variants.
    pub const NAMES: [&'static str; 5] = ["semantic", "center", "star", "flow", "pose"];

    /// The name that users type.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Channels that follow the class logits in the network's output.
    ///
    /// - center: heat, offset down, offset right ([`LENGTH_UNIT`])
    /// - star: logit of the object probability, [`RAYS`] distances ([`LENGTH_UNIT`])
    /// - flow: flow down, flow right, five times a unit vector
    pub fn maps(self) -> usize {
        match self {
            Self::Semantic | Self::Pose => 0,
            Self::Center => 3,
            Self::Star => 1 + RAYS,
            Self::Flow => 2,
        }
    }

    /// The first of the maps that are lengths, as all after it are; [`Head::maps`] if none is.
    pub fn first_length(self) -> usize {
        match self {
            Self::Center | Self::Star => 1,
            Self::Semantic | Self::Flow | Self::Pose => self.maps(),
        }
    }

    /// Pixels of the input, along both axes, for one value of the output.
    pub fn stride(self) -> usize {
        if self == Self::Pose { 4 } else { 1 }
    }

    /// Planes of a training target: the maps (lengths in pixels), then the weights of the loss.
    ///
    /// - center: heat, offset down, offset right, weight of the heat, weight of the offsets, 1 on small objects
    /// - star: object probability, distances, weight of the probability (distances weigh by weight and probability)
    /// - flow: flow down, flow right (unit vectors), weight (above 1 on small objects)
    pub fn target_planes(self) -> usize {
        match self {
            Self::Semantic | Self::Pose => 0,
            Self::Center => 6,
            Self::Star => 2 + RAYS,
            Self::Flow => 3,
        }
    }
}

impl std::str::FromStr for Head {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let all = [Self::Semantic, Self::Center, Self::Star, Self::Flow, Self::Pose];
        all.into_iter().find(|head| head.name() == name).ok_or_else(|| {
            Error::config(format!("unknown head {name:?}")).hint(format!("use one of {}", Self::NAMES.join(", ")))
        })
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How objects are read from a network's maps; every value is in the plan and in the model bundle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grouping {
    /// Where an object may begin: least heat of a centre (center), least object probability (star). Unused by flow.
    pub objectness: f32,
    /// Which pixels belong to any object: least probability of the foreground (flow) or of the things together (center).
    pub foreground: f32,
    /// Two stars are one object from this share of the smaller one on (star).
    pub overlap: f32,
    /// Largest mean squared difference between the predicted flow, as a share of its full length, and the unit flow of
    /// the object found; 0 switches the check off (flow).
    pub flow_error: f32,
    /// Side of the square in which a centre has the largest heat, in pixels, odd (center).
    pub peak_window: usize,
    /// Objects with fewer pixels are dropped.
    pub min_area: usize,
    /// Stuff segments with fewer pixels are dropped (panoptic).
    pub min_stuff: usize,
    /// Fill holes that an object closes around.
    pub fill_holes: bool,
}

impl Default for Grouping {
    fn default() -> Self {
        Self {
            objectness: 0.5,
            foreground: 0.5,
            overlap: 0.3,
            flow_error: 0.4,
            peak_window: 7,
            min_area: 12,
            min_stuff: 64,
            fill_holes: true,
        }
    }
}

impl Grouping {
    /// The usual values of a head.
    pub fn of(head: Head) -> Self {
        match head {
            // Things of a scene may have holes of their own.
            Head::Center => Self { objectness: 0.1, fill_holes: false, ..Self::default() },
            Head::Semantic | Head::Star | Head::Flow | Head::Pose => Self::default(),
        }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// A configuration error that names the key and its value.
    pub fn validate(&self) -> Result<()> {
        let shares = [
            ("objectness", self.objectness),
            ("foreground", self.foreground),
            ("overlap", self.overlap),
            ("flow_error", self.flow_error / 4.0),
        ];
        for (key, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::config(format!("grouping.{key} is out of range")).at(value.to_string()));
            }
        }
        if self.peak_window.is_multiple_of(2) || self.peak_window > 255 {
            return Err(
                Error::config("grouping.peak_window must be odd and at most 255").at(self.peak_window.to_string())
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in Task::NAMES {
            assert_eq!(name.parse::<Task>().unwrap().to_string(), name);
        }
        for name in Head::NAMES {
            assert_eq!(name.parse::<Head>().unwrap().to_string(), name);
        }
        assert!("pose3d".parse::<Task>().is_err() && "mask-rcnn".parse::<Head>().is_err());
    }

    #[test]
    fn usual_values_are_valid_and_wrong_ones_named() {
        for head in [Head::Center, Head::Star, Head::Flow] {
            Grouping::of(head).validate().unwrap();
        }
        let wrong = Grouping { overlap: f32::NAN, ..Grouping::default() };
        assert!(wrong.validate().unwrap_err().to_string().contains("grouping.overlap"));
        assert!(Grouping { peak_window: 4, ..Grouping::default() }.validate().is_err());
    }
}
