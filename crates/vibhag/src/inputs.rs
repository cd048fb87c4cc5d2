//! The images that a user names: files, folders and globs, in a stable order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result};
use vibhag_data::decode::is_image_path;

/// All image files that `inputs` name: a file is itself, a folder is every image in it (not
/// below it), anything else is a glob. Duplicates are named once; the order is by path.
///
/// # Errors
/// When an input names nothing: silence would look like success.
pub fn expand(inputs: &[String]) -> Result<Vec<PathBuf>> {
    expand_kind(inputs, &is_image_path, "image")
}

/// As [`expand`], with the files of a folder that `wanted` accepts; `what` they are called in errors.
///
/// # Errors
/// As [`expand`].
pub fn expand_kind(inputs: &[String], wanted: &dyn Fn(&Path) -> bool, what: &str) -> Result<Vec<PathBuf>> {
    let mut found = BTreeSet::new();
    for input in inputs {
        let path = Path::new(input);
        let mut matched: Vec<PathBuf> = Vec::new();
        if path.is_file() {
            matched.push(path.to_owned());
        } else if path.is_dir() {
            for entry in std::fs::read_dir(path).map_err(|e| Error::io(path, e))? {
                let file = entry.map_err(|e| Error::io(path, e))?.path();
                if file.is_file() && wanted(&file) {
                    matched.push(file);
                }
            }
        } else {
            let matches = glob::glob(input)
                .map_err(|e| Error::config(format!("{input:?} is neither a file, a folder nor a pattern: {e}")))?;
            matched.extend(matches.filter_map(std::result::Result::ok).filter(|file| file.is_file()));
        }
        if matched.is_empty() {
            return Err(Error::new(ErrorKind::Io, format!("no {what} found"))
                .at_path(path)
                .hint(format!("name {what} files, a folder of {what}s, or a pattern in quotes")));
        }
        found.extend(matched);
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_globs_are_merged_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.png", "a.jpg", "notes.txt"] {
            std::fs::write(dir.path().join(name), b"x").unwrap();
        }
        let root = dir.path().display().to_string();
        let found = expand(&[root.clone(), format!("{root}/*.png")]).unwrap();
        let names: Vec<_> = found.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.jpg", "b.png"]);
        assert!(expand(&[format!("{root}/*.bmp")]).is_err());
    }
}
