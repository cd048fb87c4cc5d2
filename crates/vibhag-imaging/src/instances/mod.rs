//! Objects as maps that a network can learn, and back: centres, stars and flows.
//!
//! [`targets`] turns numbered objects into the planes that the loss compares with, [`decode_center`], [`Stars`] and
//! [`decode_flow`] read objects from predicted planes, [`assemble`] gives them classes, and [`mirrored`] says where each
//! map goes when the image is mirrored. Everything works on slices in row-major order; positions are those of pixel
//! centres, so pixel `(x, y)` lies at `(x, y)`. Results do not depend on the number of threads.

mod assemble;
mod center;
mod center_targets;
mod diffusion;
mod extent;
mod flow;
mod flow_targets;
mod mirrored;
mod nms;
mod objects;
mod rays;
mod runs;
mod sinks;
mod spans;
mod star_targets;
mod stars;
mod targets;

pub use assemble::assemble;
pub use center::decode_center;
pub use flow::decode_flow;
pub use mirrored::mirrored;
pub use objects::Objects;
pub use stars::Stars;
pub use targets::{VOID, targets};
