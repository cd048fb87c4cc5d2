//! Where `ffmpeg` and `ffprobe` are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use vibhag_core::{Error, ErrorKind, Result};

/// The programs that read and write video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// Converts.
    pub ffmpeg: PathBuf,
    /// Says what a file holds.
    pub ffprobe: PathBuf,
}

impl Tools {
    /// Looks along the `PATH` of this process.
    ///
    /// # Errors
    /// When one of the two is not there; the hint is the line that installs them.
    pub fn find() -> Result<Self> {
        Self::find_in(&std::env::var_os("PATH").unwrap_or_default())
    }

    /// Looks along `path`, a list of folders as `PATH` holds it.
    ///
    /// # Errors
    /// As [`Tools::find`].
    pub fn find_in(path: &OsStr) -> Result<Self> {
        Ok(Self { ffmpeg: program("ffmpeg", path)?, ffprobe: program("ffprobe", path)? })
    }
}

fn program(name: &str, path: &OsStr) -> Result<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let found = std::env::split_paths(path).map(|folder| folder.join(&file)).find(|file| is_program(file));
    // A child may run in another folder.
    let found = found.map(|file| std::path::absolute(&file).unwrap_or(file));
    found.ok_or_else(|| {
        let what = format!("{name} is not installed, and video is read and written through it");
        Error::new(ErrorKind::Io, what).hint(format!("install it: {INSTALL}"))
    })
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// The line that installs both.
pub const INSTALL: &str = if cfg!(target_os = "macos") {
    "brew install ffmpeg"
} else if cfg!(windows) {
    "winget install --id Gyan.FFmpeg"
} else {
    "sudo apt-get install -y ffmpeg (Debian, Ubuntu), or the package ffmpeg of your system"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_it_gives_the_line_that_installs_it() {
        let empty = tempfile::tempdir().unwrap();
        std::fs::create_dir(empty.path().join("ffmpeg")).unwrap();
        std::fs::write(empty.path().join("ffprobe"), "no program").unwrap();
        let error = Tools::find_in(empty.path().as_os_str()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Io);
        assert!(
            error.to_string().contains("ffmpeg is not installed") && error.to_string().contains(INSTALL),
            "{error}"
        );
        assert!(Tools::find_in(OsStr::new("")).is_err());
    }
}
