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

/// The file stems; where two inputs share one, the extension or a number tells them apart.
pub(crate) fn unique_names(images: &[PathBuf]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    images
        .iter()
        .map(|path| {
            let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
            let mut name = text(path.file_stem());
            if !taken.insert(name.clone()) {
                name = text(path.file_name()).replace('.', "_");
                let base = name.clone();
                let mut number = 2;
                while !taken.insert(name.clone()) {
                    name = format!("{base}_{number}");
                    number += 1;
                }
            }
            name
        })
        .collect()
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

    #[test]
    fn equal_stems_do_not_overwrite_each_other() {
        let paths = ["a/x.png", "b/x.jpg", "c/x.jpg", "c/y.v2.png"].map(PathBuf::from);
        assert_eq!(unique_names(&paths), ["x", "x_jpg", "x_jpg_2", "y.v2"]);
    }
}
