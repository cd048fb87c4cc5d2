//! Vibhag: image segmentation from two folders to a trusted predictor. Library and command line.
