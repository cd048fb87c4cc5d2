//! Files damaged at any place give errors or faults, and never bring the program down.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use tempfile::TempDir;
use vibhag_data::annotations::named;

use crate::fixtures::{FORMATS, everything, written};

/// The files that are no images, but for label maps.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.to_string_lossy().into_owned();
        let is_map = ["labels", "masks", "PedMasks", "_masks"].iter().any(|part| name.contains(part));
        if path.is_dir() {
            files(&path, found);
        } else if is_map || path.extension().is_none_or(|extension| extension != "png") {
            found.push(path);
        }
    }
}

/// A place in a file (as a share of its length), how many bytes go there, and what comes in their place.
fn damage() -> impl Strategy<Value = (prop::sample::Index, prop::sample::Index, usize, Vec<u8>)> {
    let text = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "-1",
            "1e400",
            "9999999999999999999999",
            "NaN",
            "null",
            "[",
            "\"",
            "<",
            "&",
            ": ",
            "*a",
            "\n\t"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..40, text)
}

#[test]
fn damaged_files_are_errors_or_faults() {
    for name in FORMATS {
        let folder = TempDir::new().unwrap();
        let format = named(name).unwrap();
        let (_folder, out, _) = written(&everything(folder.path(), format.holds), name);
        let mut all = Vec::new();
        files(&out, &mut all);
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let strategy = proptest::collection::vec(damage(), 1..4);
        for _ in 0..60 {
            let changes = strategy.new_tree(&mut runner).unwrap().current();
            let path = changes[0].0.get(&all);
            let whole = std::fs::read(path).unwrap();
            let mut bytes = whole.clone();
            for (_, place, gone, new) in changes {
                let from = place.index(bytes.len() + 1);
                let to = (from + gone).min(bytes.len());
                bytes.splice(from..to, new);
            }
            std::fs::write(path, &bytes).unwrap();
            let _ = (format.detect)(&out);
            if let Ok(source) = (format.open)(&out) {
                for index in 0..source.images().len() {
                    let _ = source.read(index);
                }
            }
            std::fs::write(path, whole).unwrap();
        }
    }
}
