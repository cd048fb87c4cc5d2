//! What is known of an image: a class or a segment for each pixel, or the keypoints of the people on it.

use vibhag_core::{ClassTable, LabelMap, Panoptic, Person, Segment, Skeleton};
use vibhag_imaging::pose::AffinityTargets;

/// The truth of one image.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// A class for every pixel.
    Labels(LabelMap),
    /// A segment for every pixel.
    Segments(Panoptic),
    /// The people.
    People(People),
}

/// The people on an image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct People {
    /// Width of the image in pixels.
    pub width: usize,
    /// Height of the image in pixels.
    pub height: usize,
    /// Everybody annotated, in pixels of the image; crowds and people without labelled keypoints too.
    pub people: Vec<Person>,
}

impl Truth {
    /// Width in pixels.
    pub fn width(&self) -> usize {
        match self {
            Self::Labels(map) => map.width(),
            Self::Segments(map) => map.ids.width(),
            Self::People(people) => people.width,
        }
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        match self {
            Self::Labels(map) => map.height(),
            Self::Segments(map) => map.ids.height(),
            Self::People(people) => people.height,
        }
    }

    /// Bytes that it occupies.
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Labels(map) => 2 * map.labels().len(),
            Self::Segments(map) => 4 * map.ids.ids().len() + 8 * map.segments.len(),
            Self::People(people) => people
                .people
                .iter()
                .map(|person| size_of::<Person>() + size_of_val(person.pose.keypoints.as_slice()))
                .sum(),
        }
    }
}

impl From<LabelMap> for Truth {
    fn from(map: LabelMap) -> Self {
        Self::Labels(map)
    }
}

impl From<Panoptic> for Truth {
    fn from(map: Panoptic) -> Self {
        Self::Segments(map)
    }
}

impl From<People> for Truth {
    fn from(people: People) -> Self {
        Self::People(people)
    }
}

/// How people become what a network learns from.
#[derive(Debug, Clone, PartialEq)]
pub struct PoseRules {
    /// Keypoints and limbs.
    pub skeleton: Skeleton,
    /// How heat and fields are drawn, in pixels of the network's input.
    pub targets: AffinityTargets,
    /// Pixels of the network's input for one value of its output, along both axes.
    pub stride: usize,
    /// Whether images are turned so that their people stand upright.
    pub upright: bool,
    /// Share of the augmented views that are turned besides, where nobody is to be found.
    pub fallen: f32,
}

/// How segments become what a network learns from.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentRules {
    /// The classes; their things are objects.
    pub classes: ClassTable,
    /// Label of pixels of no segment: the background's, or the ignored one where every pixel should have a segment.
    pub nothing: u16,
    /// Label of pixels that nothing is known of.
    pub ignore: u16,
}

impl SegmentRules {
    /// The rules of `classes`: where they have a void, nothing is known of pixels of no segment.
    pub fn new(classes: ClassTable) -> Self {
        Self { nothing: classes.nothing(), ignore: classes.ignore.unwrap_or(u16::MAX), classes }
    }

    /// The class of the pixels of segment `id`, counted from 1.
    pub fn label(&self, segments: &[Segment], id: u32) -> u16 {
        match id {
            0 => self.nothing,
            _ => segments.get(id as usize - 1).map_or(self.ignore, |segment| segment.class),
        }
    }

    /// The number under which segment `id` counts as an object: its own, 0 for none, [`VOID`] where nothing is known.
    ///
    /// [`VOID`]: vibhag_imaging::instances::VOID
    pub fn object(&self, segments: &[Segment], id: u32) -> u32 {
        use vibhag_imaging::instances::VOID;
        let Some(index) = (id as usize).checked_sub(1) else {
            return if self.nothing == self.ignore { VOID } else { 0 };
        };
        match segments.get(index) {
            None => VOID,
            Some(segment) if segment.crowd => VOID,
            Some(segment) if self.classes.is_thing(segment.class) => id,
            Some(_) => 0,
        }
    }
}
