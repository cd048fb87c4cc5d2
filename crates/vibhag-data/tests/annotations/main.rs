//! Formats of annotations: what each holds comes back as it was, what it does not hold is said, and files with faults cost
//! no more than what is wrong with them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers; clippy exempts test functions only")]

mod cityscapes;
mod coco;
mod coco_faults;
mod coco_large;
mod conversion;
mod panoptic;
mod source;
mod voc;
