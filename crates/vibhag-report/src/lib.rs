//! Curves, overlays, tables and the self-contained HTML report.
//!
//! Fill a [`ReportData`], then [`render`] it or [`write`](fn@write) it. Overlays are also of use on their
//! own: see [`overlay`](fn@overlay), [`comparison`] and [`picture_grid`].

pub mod chart;
pub mod curves;
pub mod data;
mod digits;
pub mod example;
mod exposure;
pub mod headline;
pub mod html;
pub mod instances;
mod marks;
mod numbers;
pub mod object_charts;
pub mod object_example;
pub mod objects;
pub mod overlay;
mod palette;
pub mod panoptic;
pub mod people;
pub mod picture;
pub mod poses;
pub mod skeletons;
mod strokes;
mod tables;

pub use chart::Chart;
pub use curves::charts;
pub use data::{
    ClassPixels, Command, DataSummary, Environment, FaultEntry, HistoryPoint, PlanEntry, ReportData, SizeCount,
    SplitCount,
};
pub use example::{Example, Rank, select_examples};
pub use headline::{headline, headline_instances, headline_keypoints, headline_panoptic};
pub use html::{render, write};
pub use instances::{Verdicts, comparison_instances, overlay_instances};
pub use object_charts::instance_charts;
pub use object_example::{Measure, ObjectExample};
pub use objects::{ImageObjects, objects_csv};
pub use overlay::{Tints, comparison, overlay};
pub use panoptic::{comparison_panoptic, overlay_panoptic};
pub use people::overlay_people;
pub use picture::{Picture, picture_grid};
pub use poses::comparison_poses;
pub use skeletons::{draw_poses, joint_color};
