//! Networks on burn: blocks, encoders, decoders, heads, losses and their registries.
