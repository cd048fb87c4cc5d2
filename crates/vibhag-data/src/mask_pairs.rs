//! Two folders of masks under the same names: anybody's predictions against the truth.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vibhag_core::{ClassTable, Error, ErrorKind, Foreground, LabelMap, Result};

use crate::classes::{self, Declaration};
use crate::coding::{CodingKind, MaskCoding};
use crate::decide::decide;
use crate::decode::is_image_path;
use crate::mask::read_mask;
use crate::survey::survey;

/// Paired masks, read by one interpretation.
#[derive(Debug, Clone)]
pub struct MaskPairs {
    /// Name, true mask, predicted mask; sorted by name.
    pub pairs: Vec<(String, PathBuf, PathBuf)>,
    /// Masks without a partner: name and what is missing.
    pub unpaired: Vec<(String, String)>,
    /// The classes, from `classes.txt` or `classes.toml` beside the true masks or from the values.
    pub classes: ClassTable,
    /// How values become labels.
    pub coding: MaskCoding,
    /// The same of predicted masks, which hold two values where only those of the truth are merged.
    pub predicted: MaskCoding,
}

/// Pairs the masks in `truth` and `pred` by file stem and decides what their values mean. The values of `foreground` are
/// merged into one class in the truth; in predictions too, unless these hold just two values.
///
/// # Errors
/// When a folder cannot be read, nothing pairs, or the values cannot be understood.
pub fn open(truth: &Path, pred: &Path, foreground: Option<&Foreground>) -> Result<MaskPairs> {
    let (truths, mut preds) = (masks_in(truth)?, masks_in(pred)?);
    let (mut pairs, mut unpaired) = (Vec::new(), Vec::new());
    for (name, truth) in truths {
        match preds.remove(&name) {
            Some(pred) => pairs.push((name, truth, pred)),
            None => unpaired.push((name, "there is no predicted mask of this name".to_owned())),
        }
    }
    unpaired.extend(preds.into_keys().map(|name| (name, "there is no true mask of this name".to_owned())));
    if pairs.is_empty() {
        return Err(Error::new(ErrorKind::MissingPair, "no predicted mask has the name of a true one")
            .at_path(pred)
            .hint("both folders need masks of equal names, such as truth/a.png and pred/a.png"));
    }
    let paths: Vec<PathBuf> = pairs.iter().flat_map(|(_, truth, pred)| [truth.clone(), pred.clone()]).collect();
    // Unreadable masks fail when their pair is loaded.
    let records: Vec<_> = survey(&paths).into_iter().filter_map(Result::ok).collect();
    let mut declared = classes::read(truth)?.unwrap_or_else(Declaration::default);
    declared.foreground = foreground.cloned().or(declared.foreground);
    let (coding, classes) = decide(&records, &declared, "foreground").map_err(|error| error.at_path(truth))?;
    let mut predicted = coding.clone();
    if declared.foreground.is_some() {
        let paths: Vec<PathBuf> = pairs.iter().map(|(_, _, pred)| pred.clone()).collect();
        let records: Vec<_> = survey(&paths).into_iter().filter_map(Result::ok).collect();
        let undeclared = decide(&records, &Declaration::default(), "foreground");
        if let Ok((own, _)) = undeclared
            && own.kind == CodingKind::Binary
        {
            predicted = own;
        }
    }
    Ok(MaskPairs { pairs, unpaired, classes, coding, predicted })
}

impl MaskPairs {
    /// True and predicted labels of pair `index`.
    ///
    /// # Errors
    /// When a mask cannot be read, holds an unexpected value, or the sizes differ.
    pub fn load(&self, index: usize) -> Result<(LabelMap, LabelMap)> {
        let (_, truth_path, pred_path) = &self.pairs[index];
        let read =
            |path: &Path, coding: &MaskCoding| coding.decode(&read_mask(path)?).map_err(|error| error.at_path(path));
        let (truth, pred) = (read(truth_path, &self.coding)?, read(pred_path, &self.predicted)?);
        truth.same_size(&pred, "true and predicted mask").map_err(|error| {
            error
                .at_path(pred_path)
                .hint("predictions are scored at the original size; resize them with nearest neighbour")
        })?;
        Ok((truth, pred))
    }
}

fn masks_in(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let mut found = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        if let (true, Some(stem)) = (path.is_file() && is_image_path(&path), path.file_stem()) {
            found.insert(stem.to_string_lossy().into_owned(), path.clone());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::write_gray8_png;

    #[test]
    fn masks_pair_by_stem_and_share_one_interpretation() {
        let dir = tempfile::tempdir().unwrap();
        let (truth, pred) = (dir.path().join("truth"), dir.path().join("pred"));
        for folder in [&truth, &pred] {
            std::fs::create_dir(folder).unwrap();
        }
        write_gray8_png(&truth.join("a.png"), 2, 1, &[0, 255]).unwrap();
        write_gray8_png(&pred.join("a.png"), 2, 1, &[255, 255]).unwrap();
        write_gray8_png(&truth.join("b.png"), 2, 1, &[0, 255]).unwrap();
        write_gray8_png(&pred.join("c.png"), 1, 2, &[0, 255]).unwrap();
        let pairs = open(&truth, &pred, None).unwrap();
        assert_eq!(pairs.pairs.len(), 1);
        assert_eq!(pairs.unpaired.len(), 2);
        let (t, p) = pairs.load(0).unwrap();
        assert_eq!((t.labels(), p.labels()), (&[0, 1][..], &[1, 1][..]));
    }

    #[test]
    fn parts_of_the_truth_are_merged_and_binary_predictions_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let (truth, pred) = (dir.path().join("truth"), dir.path().join("pred"));
        for folder in [&truth, &pred] {
            std::fs::create_dir(folder).unwrap();
        }
        write_gray8_png(&truth.join("a.png"), 4, 1, &[0, 3, 7, 9]).unwrap();
        write_gray8_png(&pred.join("a.png"), 4, 1, &[0, 255, 255, 255]).unwrap();
        let parts: Foreground = "1..7".parse().unwrap();
        let (t, p) = open(&truth, &pred, Some(&parts)).unwrap().load(0).unwrap();
        assert_eq!((t.labels(), p.labels()), (&[0, 1, 1, 0][..], &[0, 1, 1, 1][..]));
        write_gray8_png(&pred.join("a.png"), 4, 1, &[9, 7, 3, 0]).unwrap();
        let (t, p) = open(&truth, &pred, Some(&parts)).unwrap().load(0).unwrap();
        assert_eq!((t.labels(), p.labels()), (&[0, 1, 1, 0][..], &[0, 1, 1, 0][..]));
    }

    #[test]
    fn another_size_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (truth, pred) = (dir.path().join("t"), dir.path().join("p"));
        for folder in [&truth, &pred] {
            std::fs::create_dir(folder).unwrap();
        }
        write_gray8_png(&truth.join("a.png"), 2, 1, &[0, 255]).unwrap();
        write_gray8_png(&pred.join("a.png"), 1, 1, &[255]).unwrap();
        let error = open(&truth, &pred, None).unwrap().load(0).unwrap_err().to_string();
        assert!(error.contains("a.png") && error.contains("2x1 against 1x1"), "{error}");
    }
}
