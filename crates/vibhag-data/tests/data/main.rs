//! Reading data sets: bad input, mask codings, formats, splits.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking, its helpers too")]

mod bad_input;
mod codings;
mod files;
mod formats;
mod shared_data;
mod splits;
