//! Heads: from the decoder's map to a task's outputs.

mod objects;
mod semantic;

pub use objects::ObjectHead;
pub use semantic::SemanticHead;
