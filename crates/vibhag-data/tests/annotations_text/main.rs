//! Formats of annotation tools and label maps: what each holds comes back as it was, what it does not hold is said, and
//! bad input costs no more than what is wrong with it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers; clippy exempts test functions only")]

mod cvat;
mod damage;
mod fixtures;
mod label_maps;
mod label_studio;
mod labelme;
mod native;
mod real_data;
mod round_trips;
mod yolo;
