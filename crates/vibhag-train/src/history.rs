//! `history.jsonl`: one line per validation, append-only, so that a killed run keeps its past.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Result};

/// What one validation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Optimizer steps so far.
    pub step: u64,
    /// Epochs so far, with fraction.
    pub epoch: f64,
    /// Minutes of training so far, over all resumes.
    pub minutes: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean training loss since the last record.
    pub train_loss: f64,
    /// Validation loss.
    pub val_loss: f64,
    /// Mean Dice over foreground classes, pooled over validation pixels at the network's size.
    pub val_dice: f64,
    /// Mean IoU over classes (foreground IoU of a binary task), pooled likewise.
    pub val_iou: f64,
    /// Where objects are told apart: average precision over IoU thresholds, or panoptic quality, on validation windows;
    /// of people's keypoints their mean similarity to the true ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_objects: Option<f64>,
    /// Share of the time spent waiting for data.
    pub data_wait: f64,
    /// Median seconds per step since the last record.
    pub step_seconds: f64,
}

/// Appends `record` to the history in `run`.
///
/// # Errors
/// I/O errors.
pub fn append(run: &Path, record: &Record) -> Result<()> {
    let path = file(run);
    let line = serde_json::to_string(record).map_err(|e| Error::config("cannot write history").because(e))?;
    let mut out = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(|e| Error::io(&path, e))?;
    writeln!(out, "{line}").map_err(|e| Error::io(&path, e))
}

/// Reads the history of `run`; empty when there is none yet.
///
/// # Errors
/// I/O errors and malformed lines, with the line number. A torn last line is left out.
pub fn read(run: &Path) -> Result<Vec<Record>> {
    let path = file(run);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(&path, e)),
    };
    let torn = !text.ends_with('\n');
    let lines: Vec<&str> = text.lines().collect();
    let mut records = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(record) => records.push(record),
            Err(_) if torn && index + 1 == lines.len() => {}
            Err(e) => {
                return Err(Error::config("malformed history")
                    .at_path(&path)
                    .at(format!("line {}", index + 1))
                    .because(e));
            }
        }
    }
    Ok(records)
}

/// Drops the records after `step`: a resumed run repeats them.
///
/// # Errors
/// I/O errors.
pub fn truncate_after(run: &Path, step: u64) -> Result<()> {
    let kept: Vec<Record> = read(run)?.into_iter().filter(|record| record.step <= step).collect();
    let path = file(run);
    std::fs::write(&path, "").map_err(|e| Error::io(&path, e))?;
    kept.iter().try_for_each(|record| append(run, record))
}

fn file(run: &Path) -> PathBuf {
    run.join("history.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64) -> Record {
        Record {
            step,
            epoch: 1.5,
            minutes: 2.0,
            learning_rate: 1e-3,
            train_loss: 0.5,
            val_loss: 0.4,
            val_dice: 0.9,
            val_objects: None,
            val_iou: 0.8,
            data_wait: 0.01,
            step_seconds: 1.0,
        }
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_repeated_steps_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap().is_empty());
        for step in [10, 20, 30] {
            append(dir.path(), &record(step)).unwrap();
        }
        std::fs::OpenOptions::new().append(true).open(file(dir.path())).unwrap().write_all(b"{\"step\": 4").unwrap();
        assert_eq!(read(dir.path()).unwrap().len(), 3);
        truncate_after(dir.path(), 20).unwrap();
        assert_eq!(read(dir.path()).unwrap(), vec![record(10), record(20)]);
    }
}
