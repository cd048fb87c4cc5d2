//! From a dataset to a trained model: the planner looks at the data once and decides, the plan
//! says what and why, the trainer carries it out and can be stopped and resumed at any time.

pub mod checkpoint;
pub mod ema;
pub mod history;
pub mod objective;
pub mod optimizer;
pub mod plan;
pub mod planner;
pub mod poses;
pub mod preset;
pub mod schedule;
pub mod timing;
pub mod trainer;
pub mod validation;

mod objects;

pub use plan::Plan;
pub use planner::{PlanRequest, plan};
pub use poses::PosePlan;
pub use preset::{Goal, PRESETS, Preset};
pub use trainer::{TrainOptions, TrainOutcome, train};
