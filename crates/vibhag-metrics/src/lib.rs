//! Segmentation metrics: pure functions and mergeable accumulators.
