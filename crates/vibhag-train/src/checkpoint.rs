//! Checkpoints: weights, average, optimizer and position of a run in `RUN/checkpoint/`, written
//! beside the old one and swapped in by renames, so that a full disk or a kill leaves one intact.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result};
use vibhag_nn::NamedTensor;
use vibhag_nn::weights::{Precision, read_tensors, write_tensors};

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Optimizer steps done.
    pub step: u64,
    /// The epoch under way.
    pub epoch: u64,
    /// Batches of that epoch already used.
    pub batch: u64,
    /// Seconds of training so far, over all resumes.
    pub seconds: f64,
    /// Best validation score so far; absent before the first validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<f64>,
    /// Step of the best validation score.
    pub best_step: u64,
    /// Validations since the best.
    pub stale: u64,
}

/// Everything that a run needs to go on.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Where the run stands.
    pub position: Position,
    /// Trained weights and running statistics.
    pub weights: Vec<NamedTensor>,
    /// Their moving average; empty when switched off.
    pub average: Vec<NamedTensor>,
    /// Optimizer state.
    pub optimizer: Vec<NamedTensor>,
}

const FILES: [&str; 3] = ["weights.safetensors", "average.safetensors", "optimizer.safetensors"];

/// Writes `checkpoint` into the run folder, replacing the previous one only once it is complete.
///
/// # Errors
/// I/O errors; the previous checkpoint survives them.
pub fn save(run: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let (current, partial, old) = folders(run);
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(|e| Error::io(&partial, e))?;
    }
    std::fs::create_dir_all(&partial).map_err(|e| Error::io(&partial, e))?;
    for (name, tensors) in FILES.iter().zip([&checkpoint.weights, &checkpoint.average, &checkpoint.optimizer]) {
        write_tensors(tensors, &partial.join(name), Precision::F32)?;
    }
    let text =
        toml::to_string(&checkpoint.position).map_err(|e| Error::config("cannot write the position").because(e))?;
    let path = partial.join("position.toml");
    std::fs::write(&path, text).map_err(|e| Error::io(&path, e))?;
    if current.exists() {
        if old.exists() {
            std::fs::remove_dir_all(&old).map_err(|e| Error::io(&old, e))?;
        }
        std::fs::rename(&current, &old).map_err(|e| Error::io(&old, e))?;
    }
    std::fs::rename(&partial, &current).map_err(|e| Error::io(&current, e))?;
    if old.exists() {
        std::fs::remove_dir_all(&old).map_err(|e| Error::io(&old, e))?;
    }
    Ok(())
}

/// Reads the checkpoint of a run, or `None` when it has none yet.
///
/// # Errors
/// When it is damaged.
pub fn load(run: &Path) -> Result<Option<Checkpoint>> {
    let (current, _, old) = folders(run);
    // A kill between the two renames leaves only the old one.
    let Some(folder) = [current, old].into_iter().find(|folder| folder.join("position.toml").exists()) else {
        return Ok(None);
    };
    let path = folder.join("position.toml");
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    let position =
        toml::from_str(&text).map_err(|e| Error::new(ErrorKind::Model, e.message().to_owned()).at_path(&path))?;
    let read = |name: &str| {
        read_tensors(&folder.join(name)).map(|mut tensors| {
            tensors.sort_by(|a, b| a.name.cmp(&b.name));
            tensors
        })
    };
    let [weights, average, optimizer] = FILES.map(read);
    Ok(Some(Checkpoint { position, weights: weights?, average: average?, optimizer: optimizer? }))
}

fn folders(run: &Path) -> (PathBuf, PathBuf, PathBuf) {
    (run.join("checkpoint"), run.join("checkpoint.partial"), run.join("checkpoint.old"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(step: u64) -> Checkpoint {
        let values = vec![step as f32, f32::MIN_POSITIVE];
        let tensor =
            |name: &str| vec![NamedTensor { name: name.to_owned(), shape: vec![2, 1], values: values.clone() }];
        Checkpoint {
            position: Position { step, epoch: 1, batch: 2, seconds: 3.25, best: Some(0.5), best_step: 1, stale: 0 },
            weights: tensor("a"),
            average: Vec::new(),
            optimizer: tensor("a/first"),
        }
    }

    #[test]
    fn round_trips_bit_for_bit() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(dir.path()).unwrap().is_none());
        save(dir.path(), &checkpoint(7)).unwrap();
        save(dir.path(), &checkpoint(8)).unwrap();
        let back = load(dir.path()).unwrap().unwrap();
        let want = checkpoint(8);
        assert_eq!(
            (back.position, back.weights, back.average, back.optimizer),
            (want.position, want.weights, want.average, want.optimizer)
        );
    }

    #[test]
    fn the_old_checkpoint_survives_a_failed_write() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &checkpoint(7)).unwrap();
        // A file where the staging folder should go makes the write fail as a full disk would.
        std::fs::write(dir.path().join("checkpoint.partial"), "in the way").unwrap();
        assert!(save(dir.path(), &checkpoint(8)).is_err());
        assert_eq!(load(dir.path()).unwrap().unwrap().position.step, 7);
    }

    /// Runs itself again inside a mount namespace, on a file system of 64 KiB that really fills up.
    #[test]
    fn the_old_checkpoint_survives_a_full_disk() {
        const DISK: &str = "VIBHAG_TEST_FULL_DISK";
        if let Some(disk) = std::env::var_os(DISK) {
            let disk = Path::new(&disk);
            save(disk, &checkpoint(7)).unwrap();
            let mut large = checkpoint(8);
            large.weights[0].shape = vec![50_000];
            large.weights[0].values = vec![0.5; 50_000];
            let error = save(disk, &large).unwrap_err().to_string();
            assert!(error.contains("weights.safetensors"), "{error}");
            assert_eq!(load(disk).unwrap().unwrap().position.step, 7);
            return;
        }
        let disk = tempfile::tempdir().unwrap();
        let inside = |script: &str| {
            std::process::Command::new("unshare")
                .args(["--user", "--map-root-user", "--mount", "sh", "-ec", script])
                .env(DISK, disk.path())
                .arg(std::env::current_exe().unwrap())
                .output()
        };
        let mount = "mount -t tmpfs -o size=64k tmpfs \"$VIBHAG_TEST_FULL_DISK\"";
        if !inside(mount).is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: this system lets no test mount a file system of its own");
            return;
        }
        let test = "checkpoint::tests::the_old_checkpoint_survives_a_full_disk";
        let output = inside(&format!("{mount}; exec \"$0\" --exact {test}")).unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }

    #[test]
    fn a_kill_between_the_renames_leaves_a_loadable_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &checkpoint(7)).unwrap();
        std::fs::rename(dir.path().join("checkpoint"), dir.path().join("checkpoint.old")).unwrap();
        assert_eq!(load(dir.path()).unwrap().unwrap().position.step, 7);
    }

    #[test]
    fn a_damaged_checkpoint_is_named() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &checkpoint(7)).unwrap();
        std::fs::write(dir.path().join("checkpoint/weights.safetensors"), b"short").unwrap();
        assert!(load(dir.path()).unwrap_err().to_string().contains("weights.safetensors"));
    }
}
