//! Reading data sets: bad input, mask codings, formats, splits.

mod bad_input;
mod codings;
mod files;
mod formats;
mod shared_data;
mod splits;
