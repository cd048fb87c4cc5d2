//! From a dataset to a trained model: planner, training loop, schedules, EMA, checkpoints.
