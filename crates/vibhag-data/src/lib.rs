//! Decoders, dataset formats, fingerprint, splits, augmentation and the threaded batch loader.
