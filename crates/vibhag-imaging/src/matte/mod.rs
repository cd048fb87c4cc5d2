//! Soft edges: from a network's probabilities to a cut-out and what is put behind it.
//!
//! [`TemporalFilter`] steadies the probabilities of a video, [`alpha_matte`] makes alpha of them, [`estimate_foreground`]
//! takes the old background out of soft pixels, and [`composite`] or [`rgba`] show the result. All of it works at the
//! image's own size and gives the same on any number of threads.

mod alpha;
mod blur;
mod composite;
mod foreground;
mod grid;
mod guided;
mod pixels;
mod temporal;
mod window;

pub use alpha::{MatteOptions, Pass, alpha_matte};
pub use blur::blur_around;
pub use composite::{Background, composite, cover, grey, rgba};
pub use foreground::estimate_foreground;
pub use guided::{GuidedFilter, guided_filter};
pub use temporal::{TemporalFilter, TemporalOptions};
