//! Writes Pascal VOC.

use std::collections::BTreeMap;
use std::path::Path;

use vibhag_core::color::voc_color;
use vibhag_core::{Class, ClassTable, Error, ErrorKind, IdMap, LabelMap, Result};

use super::super::export::{Export, Outgoing};
use super::super::flatten::{numbers, stack};
use super::super::image_files::write_text;
use super::super::placing::place_image;
use super::super::{AnnotationSource, Category, Written};
use super::{CLASSES, FORMAT, SETS, VOID};
use crate::encode::write_mask_png;
use crate::split::Split;

/// Writes `source` as VOC. Objects have no void border: every pixel of theirs is kept.
///
/// # Errors
/// When `root` is not empty or cannot be written to, or there are more than 254 classes.
pub(super) fn write(source: &dyn AnnotationSource, root: &Path) -> Result<Written> {
    let things: Vec<&Category> = source.categories().iter().filter(|category| category.thing).collect();
    let in_voc = |category: &&Category| CLASSES.contains(&category.name.as_str());
    let names: Vec<&str> = if things.iter().all(in_voc) {
        CLASSES.to_vec()
    } else {
        things.iter().map(|category| category.name.as_str()).collect()
    };
    if names.len() as u32 >= VOID {
        return Err(Error::new(ErrorKind::Unsupported, format!("{} classes, the format has 254", names.len()))
            .hint("choose another format, such as coco"));
    }
    // By name, since stuff has no class here.
    let values: Vec<u32> = source
        .categories()
        .iter()
        .map(|category| names.iter().position(|name| *name == category.name).map_or(0, |place| place as u32 + 1))
        .collect();
    let mut export = Export::new(source, root, FORMAT.holds)?;
    export.objects_only = true;
    let mut splits: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let palette = palette();
    let mut written = export.each(|outgoing| {
        let stem = add(outgoing, root, &values, &palette)?;
        if let Some(split) = outgoing.entry.split.as_deref().and_then(Split::from_name) {
            let list = match split {
                Split::Train => "train",
                Split::Val => "val",
                Split::Test => "test",
            };
            splits.entry(list).or_default().push(stem);
        }
        Ok(())
    });
    for (split, stems) in splits {
        write_text(&root.join(SETS).join(format!("{split}.txt")), &(stems.join("\n") + "\n"))?;
    }
    let mut doubled = names.clone();
    doubled.sort_unstable();
    doubled.dedup();
    if doubled.len() < names.len() {
        written.losses.push("categories of one name became one class".to_owned());
    }
    write_text(&root.join("labels.txt"), &format!("background\n{}\n", names.join("\n")))?;
    Ok(written)
}

fn palette() -> ClassTable {
    let class = |index: u32| Class { name: index.to_string(), color: voc_color(index as usize), thing: false };
    ClassTable { classes: (0..=VOID).map(class).collect(), ignore: None }
}

/// Writes one image and returns its name without ending.
fn add(outgoing: &mut Outgoing<'_>, root: &Path, values: &[u32], palette: &ClassTable) -> Result<String> {
    let mut losses = Vec::new();
    let objects = outgoing.objects();
    let numbers = numbers(&objects, VOID - 1, &outgoing.entry.name, &mut losses)?;
    let map = stack(&outgoing.image, &objects, &numbers, &outgoing.entry.name, &mut losses)?;
    let class_of: BTreeMap<u32, u32> =
        numbers.iter().zip(&objects).map(|(&number, object)| (number, values[object.category])).collect();
    outgoing.losses.extend(losses);
    let name = place_image(outgoing, &root.join("JPEGImages"))?;
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name[last..].rfind('.').filter(|&dot| dot > 0).map_or(name.len(), |dot| last + dot);
    let stem = name[..end].to_owned();
    for (folder, by_class) in [("SegmentationObject", false), ("SegmentationClass", true)] {
        let path = root.join(folder).join(format!("{stem}.png"));
        outgoing.claim(&path)?;
        let value = |id: &u32| if by_class { class_of.get(id).copied().unwrap_or_default() } else { *id };
        write_mask_png(&path, &label_map(&map, value)?, palette)?;
    }
    Ok(stem)
}

fn label_map(map: &IdMap, value: impl Fn(&u32) -> u32) -> Result<LabelMap> {
    LabelMap::new(map.width(), map.height(), map.ids().iter().map(|id| value(id) as u16).collect())
}
