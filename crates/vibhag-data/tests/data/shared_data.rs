//! Real data sets, where they lie beside the workspace.

use std::collections::BTreeMap;
use std::path::PathBuf;

use vibhag_data::split::assign;
use vibhag_data::{Split, SplitOptions, fingerprint};

use crate::files::open_default;

/// The folder of a real data set, or `None` with a printed line.
fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("SKIPPED: {} is not here", path.display());
    None
}

#[test]
fn ph2_has_160_cases_with_diagnosis() {
    let Some(root) = shared("ph2") else { return };
    let dataset = open_default(&root);
    assert_eq!((dataset.format.as_str(), dataset.len()), ("ph2", 160));
    assert!(dataset.faults.is_empty(), "{:?}", dataset.faults);
    let mut diagnoses: BTreeMap<&str, usize> = BTreeMap::new();
    for sample in &dataset.samples {
        *diagnoses.entry(&sample.tags["diagnosis"]).or_default() += 1;
    }
    assert_eq!(diagnoses.keys().copied().collect::<Vec<_>>(), ["atypical_nevus", "common_nevus", "melanoma"]);
    assert_eq!(dataset.coding.to_string(), "binary masks: 0 = background, 1 or 255 = lesion");
    let fingerprint = fingerprint::scan(&dataset, &|_, _| {});
    assert_eq!((fingerprint.usable, fingerprint.channels), (160, 3));
    assert_eq!(fingerprint.images_with_class[1], 160);
    // The lesion covers about a third of these images.
    assert!((0.2..0.5).contains(&fingerprint.class_shares()[1]), "{:?}", fingerprint.class_shares());
    let splits = assign(&dataset, &fingerprint, SplitOptions::default());
    let of = |split| splits.iter().filter(|found| **found == split).count();
    assert_eq!(of(Split::Val), 32);
    let melanomas = dataset
        .samples
        .iter()
        .zip(&splits)
        .filter(|(s, split)| s.tags["diagnosis"] == "melanoma" && **split == Split::Val);
    assert!(melanomas.count().abs_diff(diagnoses["melanoma"] / 5) <= 1);
    let (image, labels) = dataset.load(0).unwrap();
    assert_eq!((image.width(), image.height()), (labels.width(), labels.height()));
}

#[test]
fn ph2_workbook_and_csv_agree() {
    let Some(root) = shared("ph2") else { return };
    let from_workbook = open_default(&root);
    assert!(from_workbook.notes.iter().any(|note| note.contains("xlsx")), "{:?}", from_workbook.notes);
    let mut reader = csv::Reader::from_path(root.join("diagnosis.csv")).unwrap();
    let expected: BTreeMap<String, String> =
        reader.records().map(|row| row.unwrap()).map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
    for sample in &from_workbook.samples {
        assert_eq!(sample.tags["diagnosis"], expected[&sample.id], "{}", sample.id);
    }
}

#[test]
fn camvid_has_its_splits_and_eleven_classes() {
    let Some(root) = shared("camvid") else { return };
    let dataset = open_default(&root);
    assert_eq!(dataset.format, "camvid");
    let of = |split| dataset.samples.iter().filter(|sample| sample.split == Some(split)).count();
    assert_eq!((of(Split::Train), of(Split::Val), of(Split::Test)), (367, 101, 0));
    assert_eq!((dataset.classes.len(), dataset.classes.ignore), (11, Some(11)));
    assert!(dataset.faults.is_empty(), "{:?}", dataset.faults);
    let (image, labels) = dataset.load(0).unwrap();
    assert_eq!((image.width(), image.height(), labels.width()), (480, 360, 480));
}

#[test]
fn nuclei_are_foreground() {
    let Some(root) = shared("dsb2018") else { return };
    let dataset = open_default(&root);
    assert_eq!((dataset.format.as_str(), dataset.len()), ("label-pairs", 350));
    assert_eq!(dataset.classes.names(), ["background", "nucleus"]);
    assert!(dataset.faults.is_empty(), "{:?}", dataset.faults);
    assert!(dataset.load(0).unwrap().1.labels().iter().all(|&label| label <= 1));
}

#[test]
fn clothing_labels_are_indices() {
    let Some(root) = shared("ccp_body") else { return };
    let dataset = open_default(&root);
    assert_eq!((dataset.format.as_str(), dataset.len()), ("folders", 260));
    assert!(dataset.faults.is_empty(), "{:?}", dataset.faults);
    assert!((50..=59).contains(&dataset.classes.len()), "{}", dataset.coding);
    assert_eq!(dataset.classes.ignore, None);
}

#[test]
fn membranes_are_binary() {
    let Some(root) = shared("isbi2012") else { return };
    let dataset = open_default(&root);
    assert_eq!((dataset.format.as_str(), dataset.len(), dataset.classes.len()), ("folders", 24, 2));
    assert!(dataset.faults.is_empty(), "{:?}", dataset.faults);
}
