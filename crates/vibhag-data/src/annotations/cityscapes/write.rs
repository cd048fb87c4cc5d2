//! Writes Cityscapes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use vibhag_core::{Annotation, Error, ErrorKind, IdMap, Result};

use super::super::export::{Export, Outgoing};
use super::super::flatten::{stack, unite};
use super::super::image_files::{relative, write_text};
use super::super::placing::copy_to;
use super::super::{AnnotationSource, Category, Written};
use super::labels::{id_of, is_thing};
use super::{FORMAT, IMAGES, OFFSET, polygons};
use crate::encode::{write_gray8_png, write_gray16_png};
use crate::split::Split;

/// The city of an image that lies in no folder.
const NO_CITY: &str = "city";

/// Writes `source` as `gtFine/` with instance ids, label ids and polygons, and `leftImg8bit/`.
///
/// # Errors
/// When `root` is not empty or cannot be written to, or a category that is used has no label of its name.
pub(super) fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let labels: Vec<Option<u32>> =
        source.categories().iter().map(|category| id_of(&category.name).filter(|&id| id > 0)).collect();
    refuse_unknown(source, &labels)?;
    let labels: Vec<u32> = labels.into_iter().map(Option::unwrap_or_default).collect();
    Ok(Export::new(source, root, FORMAT.holds)?.each(|outgoing| add(outgoing, root, source.categories(), &labels)))
}

fn refuse_unknown(source: &dyn AnnotationSource, labels: &[Option<u32>]) -> Result<()> {
    if labels.iter().all(Option::is_some) {
        return Ok(());
    }
    let used: BTreeSet<usize> = (0..source.images().len())
        .into_par_iter()
        // An image that cannot be read is listed when it is written.
        .flat_map_iter(|index| source.read(index).map_or_else(|_| Vec::new(), |image| image.annotations))
        .map(|annotation| annotation.category)
        .collect();
    let unknown = used.iter().filter(|&&category| labels.get(category).is_some_and(Option::is_none));
    let names: Vec<&str> = unknown.map(|&category| source.categories()[category].name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, format!("Cityscapes has no label called {}", names.join(", ")))
        .hint("rename these categories to labels of Cityscapes, or choose another format"))
}

fn add(outgoing: &mut Outgoing<'_>, root: &Path, categories: &[Category], labels: &[u32]) -> Result<()> {
    let is_object = |annotation: &Annotation| {
        !annotation.crowd && is_thing(labels[annotation.category]) && categories[annotation.category].thing
    };
    for annotation in &outgoing.image.annotations {
        let (category, label) = (&categories[annotation.category], labels[annotation.category]);
        if category.thing != is_thing(label) {
            let what =
                if category.thing { "it is stuff in Cityscapes" } else { "it is a group of objects in Cityscapes" };
            outgoing.losses.push(format!("{}: object {}: {what}", outgoing.entry.name, annotation.id));
        } else if annotation.crowd && !category.thing {
            outgoing.losses.push(format!("{}: object {}: stuff is no crowd", outgoing.entry.name, annotation.id));
        }
    }
    unite(outgoing, |annotation| (!is_object(annotation)).then(|| u64::from(labels[annotation.category])))?;
    let numbers = numbers(&outgoing.image.annotations, labels, &is_object)?;
    let mut losses = Vec::new();
    let map = stack(&outgoing.image, &outgoing.objects(), &numbers, &outgoing.entry.name, &mut losses)?;
    outgoing.losses.extend(losses);
    let split = outgoing.entry.split.as_deref().filter(|split| Split::from_name(split).is_some());
    if split.is_none() {
        outgoing.note("an image of no split is put under train");
    }
    let (city, stem, extension) = parts_of(&outgoing.entry.name)?;
    let below = PathBuf::from(split.unwrap_or("train")).join(city);
    let truth = root.join("gtFine").join(&below);
    let file = |ending: &str| truth.join(format!("{stem}_gtFine_{ending}"));
    outgoing.claim(&file("instanceIds.png"))?;
    write_maps(&map, &file("instanceIds.png"), &file("labelIds.png"))?;
    write_text(&file("polygons.json"), &polygons::text(&map)?)?;
    copy_to(outgoing, &root.join(IMAGES).join(&below).join(format!("{stem}_{IMAGES}.{extension}")))
}

/// The value of each annotation's pixels. Objects keep their ids where these are values of their label.
fn numbers(annotations: &[Annotation], labels: &[u32], is_object: &dyn Fn(&Annotation) -> bool) -> Result<Vec<u32>> {
    let own = |annotation: &Annotation| {
        let label = labels[annotation.category];
        u32::try_from(annotation.id).ok().filter(|id| is_object(annotation) && id / OFFSET == label)
    };
    let mut taken: HashSet<u32> = annotations.iter().filter_map(own).collect();
    let mut kept: HashSet<u32> = HashSet::new();
    let mut next: HashMap<u32, u32> = HashMap::new();
    let mut numbers = Vec::with_capacity(annotations.len());
    for annotation in annotations {
        let label = labels[annotation.category];
        if !is_object(annotation) {
            numbers.push(label);
            continue;
        }
        if let Some(id) = own(annotation).filter(|&id| kept.insert(id)) {
            numbers.push(id);
            continue;
        }
        let count = next.entry(label).or_insert(label * OFFSET);
        while !taken.insert(*count) {
            *count += 1;
        }
        if *count >= (label + 1) * OFFSET {
            let what = format!("more than {OFFSET} objects of one label on one image");
            return Err(Error::new(ErrorKind::Unsupported, what).hint("choose a format with larger numbers"));
        }
        numbers.push(*count);
    }
    Ok(numbers)
}

/// City, stem and extension of the name that an image gets.
fn parts_of(name: &str) -> Result<(String, String, String)> {
    let path = relative(name).or_else(|error| {
        let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
        relative(last).map_err(|_| error)
    })?;
    let text =
        |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = text(path.file_stem()).trim_end_matches(&format!("_{IMAGES}")).to_owned();
    let folders: Vec<String> =
        path.parent().into_iter().flat_map(Path::components).map(|part| text(Some(part.as_os_str()))).collect();
    let city = if folders.is_empty() { NO_CITY.to_owned() } else { folders.join("_") };
    let extension = text(path.extension());
    Ok((city, stem, if extension.is_empty() { "png".to_owned() } else { extension }))
}

fn write_maps(map: &IdMap, instances: &Path, labels: &Path) -> Result<()> {
    let (width, height) = (map.width(), map.height());
    // The largest value is 33999.
    let values: Vec<u16> = map.ids().iter().map(|&value| value as u16).collect();
    write_gray16_png(instances, width, height, &values)?;
    let label = |&value: &u32| if value < OFFSET { value as u8 } else { (value / OFFSET) as u8 };
    write_gray8_png(labels, width, height, &map.ids().iter().map(label).collect::<Vec<u8>>())
}
