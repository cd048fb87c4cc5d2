//! Whole JSON files.

use std::cell::Cell;
use std::path::Path;

use serde::de::DeserializeOwned;
use vibhag_core::{Error, Result};

use super::json::{JsonReader, json_error};
use crate::decode::read_bytes;

/// The content of the JSON file at `path`.
///
/// # Errors
/// When it cannot be read, is no JSON (with line and column), or is not of this kind.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = read_bytes(path)?;
    // Few files have what JSON has not.
    if let Ok(value) = serde_json::from_slice(&bytes) {
        return Ok(value);
    }
    let position = Cell::new(0);
    let mut reader = JsonReader::new(bytes.as_slice(), &position);
    reader.skip_mark().map_err(|error| Error::io(path, error))?;
    serde_json::from_reader(reader).map_err(|error| json_error(path, error))
}
