//! Types that every part of Vibhag shares: images, label maps, class tables, skeletons and poses, colours,
//! errors and counter-based random numbers. No I/O, no tensors.

pub mod annotation;
pub mod class_table;
pub mod color;
pub mod error;
pub mod foreground;
pub mod id_map;
pub mod image;
pub mod label_map;
pub mod pose;
pub mod pose_decoding;
pub mod preprocessing;
pub mod rle;
pub mod rng;
pub mod skeleton;
pub mod task;

pub use annotation::{Annotation, ImageAnnotations, Polygon, Shape};
pub use class_table::{Class, ClassTable};
pub use color::Rgb;
pub use error::{Error, ErrorKind, Result};
pub use foreground::Foreground;
pub use id_map::{IdMap, Panoptic, Segment};
pub use image::{Image, Samples};
pub use label_map::{BinaryMask, LabelMap};
pub use pose::{Keypoint, Person, Pose, Visibility};
pub use pose_decoding::{AffinityDecoding, DisplacementDecoding, PoseReading};
pub use preprocessing::{Geometry, Preprocessing};
pub use rle::Rle;
pub use rng::{Purpose, Rng};
pub use skeleton::{SKELETONS, Skeleton};
pub use task::{Grouping, Head, LENGTH_UNIT, RAYS, Task};
