//! The hidden place where a video grows until it is whole.

use std::fs;
use std::path::{Path, PathBuf};

use vibhag_core::{Error, ErrorKind, Result};

/// The wanted name of a file or folder of pictures, and the hidden one beside it. Dropping it removes what lies under
/// the hidden name.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) target: PathBuf,
    pub(crate) partial: PathBuf,
    folder: bool,
    /// Tells another writer of the same name, in whatever process, that this one is at work.
    #[cfg(unix)]
    held: Option<fs::File>,
}

impl Place {
    /// Makes the folders that lead to `target`, and the hidden file or folder.
    ///
    /// # Errors
    /// When the name is taken by what cannot be replaced, or the place cannot be written to.
    pub(crate) fn new(target: &Path, folder: bool) -> Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(Error::config("this is no name for a video").at_path(target));
        };
        let taken = |what: &str| Err(Error::new(ErrorKind::Config, what).at_path(target).hint("choose another name"));
        if folder && target.is_file() {
            return taken("a file has this name, and the pictures need a folder");
        }
        if folder && fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
            return taken("the folder holds files already");
        }
        if !folder && target.is_dir() {
            return taken("a folder has this name");
        }
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".part");
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(|error| Error::io(parent, error))?;
        // From here on whole, since ffmpeg may run in another folder.
        let parent = parent.canonicalize().map_err(|error| Error::io(parent, error))?;
        let partial = parent.join(hidden);
        #[cfg(unix)]
        if fs::File::open(&partial).is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock))) {
            return taken("another run is writing a video of this name");
        }
        clear(&partial, folder);
        let made = if folder { fs::create_dir(&partial) } else { fs::File::create(&partial).map(drop) };
        made.map_err(|error| Error::io(target, error))?;
        Ok(Self {
            target: parent.join(name),
            #[cfg(unix)]
            held: hold(&partial),
            partial,
            folder,
        })
    }

    /// Gives what lies under the hidden name the wanted one.
    pub(crate) fn publish(&self) -> Result<()> {
        if self.folder {
            // Succeeds for an empty folder alone.
            let _ = fs::remove_dir(&self.target);
        }
        fs::rename(&self.partial, &self.target).map_err(|error| Error::io(&self.target, error))
    }
}

/// The locked file or folder; none where the file system knows no locks, which then guard nothing.
#[cfg(unix)]
fn hold(partial: &Path) -> Option<fs::File> {
    fs::File::open(partial).ok().filter(|file| file.try_lock().is_ok())
}

/// Removes what a writer left under the hidden name, and nothing that no writer makes.
fn clear(partial: &Path, folder: bool) {
    if folder {
        let pictures = fs::read_dir(partial).into_iter().flatten().flatten().map(|entry| entry.path());
        for picture in pictures.filter(|path| is_picture(path)) {
            let _ = fs::remove_file(picture);
        }
        let _ = fs::remove_dir(partial);
    } else {
        let _ = fs::remove_file(partial);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // After `publish` there is nothing any more.
        clear(&self.partial, self.folder);
        #[cfg(unix)]
        drop(self.held.take());
    }
}

fn is_picture(path: &Path) -> bool {
    let numbered = path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.parse::<u64>().is_ok());
    numbered && path.extension().is_some_and(|ending| ending == "png")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_published_vanishes_and_what_is_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("new/clip.mp4");
        let place = Place::new(&target, false).unwrap();
        fs::write(&place.partial, "first").unwrap();
        drop(place);
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 0);
        for text in ["second", "third"] {
            let place = Place::new(&target, false).unwrap();
            fs::write(&place.partial, text).unwrap();
            place.publish().unwrap();
            drop(place);
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
        }
        #[cfg(unix)]
        {
            let first = Place::new(&target, false).unwrap();
            assert!(Place::new(&target, false).unwrap_err().to_string().contains("another run"));
            drop(first);
            drop(Place::new(&target, false).unwrap());
        }
        assert!(Place::new(dir.path(), false).is_err());
        assert!(Place::new(&target, true).is_err());
        assert!(Place::new(Path::new("/"), true).is_err());
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("frames");
        fs::create_dir(&target).unwrap();
        let place = Place::new(&target, true).unwrap();
        fs::write(place.partial.join("000000.png"), "").unwrap();
        place.publish().unwrap();
        assert!(target.join("000000.png").is_file());
        assert!(Place::new(&target, true).unwrap_err().to_string().contains("holds files"));
        let foreign = dir.path().join(".other.part");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("notes.txt"), "").unwrap();
        assert!(Place::new(&dir.path().join("other"), true).is_err());
        assert!(foreign.join("notes.txt").is_file());
    }
}
