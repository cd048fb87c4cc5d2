//! Weights from files of other frameworks.

pub mod tfjs;
