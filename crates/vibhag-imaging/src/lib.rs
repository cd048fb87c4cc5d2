//! Pure pixel algorithms: resampling, warping, connected components, contours.
