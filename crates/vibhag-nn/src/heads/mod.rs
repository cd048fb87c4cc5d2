//! Heads: from the decoder's map to a task's outputs.

mod semantic;

pub use semantic::SemanticHead;
