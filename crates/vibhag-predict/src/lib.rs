//! From a model bundle and images to masks: tiling, test-time augmentation, outputs.
