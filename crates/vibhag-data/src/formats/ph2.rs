//! PH2, dermoscopic images (Mendonça et al., "PH2 - a dermoscopic image database for research
//! and benchmarking", EMBC 2013): `IMDnnn/IMDnnn_Dermoscopic_Image/IMDnnn.bmp` and
//! `IMDnnn/IMDnnn_lesion/IMDnnn_lesion.bmp`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use calamine::{Data, Reader};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result};
use walkdir::WalkDir;

use super::pairing::{finish, images_below};
use super::{Listing, file_name};
use crate::dataset::Sample;
use crate::fault::{Fault, FaultKind};

/// Levels below the opened folder that are searched.
const MAX_DEPTH: usize = 6;

/// Whether there is an `IMDnnn_Dermoscopic_Image` or `IMDnnn_lesion` folder at any depth.
pub fn detect(root: &Path) -> bool {
    folders_below(root).any(|folder| case_of(&folder, IMAGE_ENDING).is_some())
}

const IMAGE_ENDING: &str = "_dermoscopic_image";
const LESION_ENDING: &str = "_lesion";

fn folders_below(root: &Path) -> impl Iterator<Item = PathBuf> {
    let walk = WalkDir::new(root).max_depth(MAX_DEPTH).follow_links(true).sort_by_file_name();
    walk.into_iter().filter_map(Result::ok).filter(|entry| entry.file_type().is_dir()).map(walkdir::DirEntry::into_path)
}

/// The case that a folder called `<case><ending>` belongs to.
fn case_of(folder: &Path, ending: &str) -> Option<String> {
    let name = file_name(folder);
    let start = name.len().checked_sub(ending.len()).filter(|&start| start > 0 && name.is_char_boundary(start))?;
    (name[start..].eq_ignore_ascii_case(ending) && name[..start].to_ascii_uppercase().starts_with("IMD"))
        .then(|| name[..start].to_owned())
}

/// Lists the cases below `root`.
///
/// # Errors
/// When there is no case.
pub fn load(root: &Path) -> Result<Listing> {
    let mut images: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut masks: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut listing = Listing { foreground: "lesion".into(), ..Listing::default() };
    for folder in folders_below(root) {
        for (ending, found) in [(IMAGE_ENDING, &mut images), (LESION_ENDING, &mut masks)] {
            let Some(case) = case_of(&folder, ending) else { continue };
            match images_below(&folder).into_iter().next() {
                Some(file) => _ = found.entry(case).or_insert(file),
                None => listing.faults.push(Fault {
                    sample: None,
                    path: folder.clone(),
                    kind: if ending == IMAGE_ENDING { FaultKind::MissingImage } else { FaultKind::MissingMask },
                    message: "no image file in this folder".into(),
                    hint: "copy the case again".into(),
                }),
            }
        }
    }
    if images.is_empty() {
        return Err(Error::new(ErrorKind::MissingPair, "no IMDnnn_Dermoscopic_Image folder found")
            .at_path(root)
            .hint("give the folder that holds the PH2 cases, or another --format"));
    }
    let diagnoses = diagnoses(root, &mut listing.notes);
    for (case, image) in images {
        let mut tags = BTreeMap::new();
        if let Some(diagnosis) = diagnoses.get(&case.to_ascii_uppercase()) {
            tags.insert("diagnosis".to_owned(), diagnosis.clone());
        }
        let mask = masks.remove(&case);
        listing.samples.push(Sample { id: case, image, mask, group: None, tags, split: None });
    }
    listing.faults.extend(masks.into_values().map(|path| Fault {
        sample: None,
        path,
        kind: FaultKind::MissingImage,
        message: "the lesion mask has no dermoscopic image".into(),
        hint: "copy the case again or remove the mask".into(),
    }));
    finish(&mut listing);
    Ok(listing)
}

/// Diagnosis by case in upper case, from the first table below `root` that has any.
fn diagnoses(root: &Path, notes: &mut Vec<String>) -> BTreeMap<String, String> {
    let walk = WalkDir::new(root).max_depth(3).follow_links(true).sort_by_file_name();
    let files: Vec<PathBuf> = walk
        .into_iter()
        .filter_map(Result::ok)
        .filter(|e| e.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    let readers = [("xlsx", read_xlsx as fn(&Path) -> Result<Table>), ("csv", read_csv)];
    for (extension, read) in readers {
        let is_table = |path: &&PathBuf| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension));
        for path in files.iter().filter(is_table) {
            match read(path).map(|table| diagnoses_in(&table)) {
                Ok(found) if !found.is_empty() => {
                    notes.push(format!("diagnosis of {} cases from {}", found.len(), file_name(path)));
                    return found;
                }
                Ok(_) => {}
                Err(error) => notes.push(format!("no diagnosis read: {error}")),
            }
        }
    }
    BTreeMap::new()
}

type Table = Vec<Vec<String>>;

/// A column of diagnoses, and the diagnosis that a mark in it stands for unless the cell names it.
type Column<'a> = (usize, Option<&'a str>);

fn read_xlsx(path: &Path) -> Result<Table> {
    let failed =
        |error: calamine::XlsxError| Error::new(ErrorKind::Decode, error.to_string()).at_path(path).because(error);
    let mut workbook: calamine::Xlsx<_> = calamine::open_workbook(path).map_err(failed)?;
    let Some(range) = workbook.worksheet_range_at(0) else { return Ok(Table::new()) };
    let text = |cell: &Data| cell.to_string().trim().to_owned();
    Ok(range.map_err(failed)?.rows().map(|row| row.iter().map(text).collect()).collect())
}

fn read_csv(path: &Path) -> Result<Table> {
    let failed = |error: csv::Error| Error::new(ErrorKind::Decode, error.to_string()).at_path(path).because(error);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(path).map_err(failed)?;
    reader.records().map(|row| Ok(row.map_err(failed)?.iter().map(|cell| cell.trim().to_owned()).collect())).collect()
}

/// Reads either a column called "diagnosis", or the columns of the PH2 workbook in which an X
/// stands under the diagnosis. Rows above the heading are skipped.
fn diagnoses_in(table: &Table) -> BTreeMap<String, String> {
    const CROSSED: [(&str, &str); 3] =
        [("common nevus", "common_nevus"), ("atypical nevus", "atypical_nevus"), ("melanoma", "melanoma")];
    let is = |cell: &String, name: &str| cell.eq_ignore_ascii_case(name);
    let mut found = BTreeMap::new();
    let mut heading: Option<(usize, Vec<Column<'_>>)> = None;
    for row in table {
        let names = ["image name", "image", "image_name", "name", "id"];
        let case_column = row.iter().position(|cell| names.iter().any(|name| is(cell, name)));
        let mut columns: Vec<Column<'_>> = Vec::new();
        for (column, cell) in row.iter().enumerate() {
            if is(cell, "diagnosis") {
                columns.push((column, None));
            }
            columns.extend(CROSSED.iter().filter(|(name, _)| is(cell, name)).map(|(_, value)| (column, Some(*value))));
        }
        if let (Some(case_column), false) = (case_column, columns.is_empty()) {
            heading = Some((case_column, columns));
            continue;
        }
        let Some((case_column, columns)) = &heading else { continue };
        let Some(case) = row.get(*case_column).filter(|case| !case.is_empty()) else { continue };
        for (column, value) in columns {
            let Some(cell) = row.get(*column).filter(|cell| !cell.is_empty()) else { continue };
            found.insert(case.to_ascii_uppercase(), value.map_or_else(|| cell.clone(), str::to_owned));
        }
    }
    found
}
