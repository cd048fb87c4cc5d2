//! Pure pixel algorithms: resampling, warping, connected components, contours, polygons, distances,
//! objects and poses as maps that a network learns, soft edges.
//!
//! Coordinates are continuous and start at the image's corner: pixel `i` covers `[i, i + 1)` and
//! its centre is `i + 0.5`. Resizing is then a pure scaling and mirroring is `x -> width - x`.

pub mod blur;
pub mod components;
pub mod contours;
pub mod displacement;
pub mod distance;
pub mod exposure;
pub mod holes;
pub mod instances;
pub mod matte;
pub mod objects;
pub mod polygon;
pub mod pose;
pub mod regions;
pub mod resample;
pub mod warp;
pub mod watershed;

mod gaussian;
mod maxima;

pub use blur::gaussian_blur;
pub use components::{Components, Connectivity, label_components};
pub use contours::{Contour, boundary, fill_contours, label_boundaries, trace_contours};
pub use displacement::Displacement;
pub use holes::{fill_holes, keep_largest_part, remove_specks};
pub use polygon::{outlines, rasterize};
pub use regions::{Region, measure};
pub use resample::{resize_image, resize_labels, resize_plane_bilinear};
pub use warp::{Affine, warp_ids, warp_image, warp_labels};
