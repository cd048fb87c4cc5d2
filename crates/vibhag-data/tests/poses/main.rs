//! Data sets of people's keypoints.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

mod coco;
mod real;
