//! What the formats with one label map an image share: their source and their writer.

use std::path::{Path, PathBuf};

use vibhag_core::{Annotation, BinaryMask, IdMap, ImageAnnotations, Result, Shape};
use vibhag_imaging::{Connectivity, label_components};

use super::export::{Export, Outgoing};
use super::flatten::{flatten, objects_of};
use super::id_map_file::{Storage, extension_for, largest, read_ids, write_ids};
use super::image_files::{expect_size, make_parent, with_ending};
use super::listed::Listed;
use super::{AnnotationSource, Category, Holds, ImageEntry, Written};
use crate::fault::Fault;

/// What a map with one number a pixel can hold.
pub(super) const HOLDS: Holds = Holds {
    masks: true,
    polygons: false,
    holes: true,
    parts: true,
    overlap: false,
    crowd: false,
    categories: false,
    stuff: false,
    scores: false,
};

/// A source over images and their label maps.
pub(super) fn source(
    format: &'static str,
    category: &str,
    items: Vec<(ImageEntry, PathBuf)>,
    faults: Vec<Fault>,
) -> Box<dyn AnnotationSource> {
    let categories = vec![Category::thing(1, category)];
    Box::new(Listed::without_faults(format, categories, items, faults, |entry, map: &PathBuf| read(entry, map)))
}

fn read(entry: &ImageEntry, path: &Path) -> Result<ImageAnnotations> {
    let (map, _) = read_ids(path)?;
    if let Some(image) = &entry.path {
        expect_size(image, (map.width(), map.height()))?;
    }
    Ok(objects_of(&map))
}

/// Where the files of an image go.
pub(super) struct Places {
    /// The image.
    pub(super) image: PathBuf,
    /// The label map, without the end of its name.
    pub(super) map: PathBuf,
    /// The end of its name, without the dot and the kind of file.
    pub(super) suffix: &'static str,
}

/// How label maps are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// 16-bit PNG, 32-bit TIFF above 65535.
    Deep,
    /// PNG of as few bits as hold the numbers, which begin anew above 65535.
    Narrow,
}

/// Writes the images of `export` with their maps to where `places` says.
pub(super) fn write(export: Export<'_>, depth: Depth, places: impl Fn(&ImageEntry) -> Result<Places>) -> Written {
    let mut export = export;
    export.objects_only = true;
    export.needs_images = true;
    export.each(|out| {
        let Places { image, map, suffix } = places(out.entry)?;
        let ids = numbered(out, depth)?;
        let path = with_ending(&map, &format!("{suffix}.{}", extension_for(&ids)));
        // Images of equal names but for their ending would share the label map.
        out.claim(&with_ending(&map, suffix))?;
        out.claim(&image)?;
        make_parent(&path)?;
        write_ids(&path, &ids, depth == Depth::Narrow)?;
        out.copy_image(&image)
    })
}

fn numbered(out: &mut Outgoing<'_>, depth: Depth) -> Result<IdMap> {
    let (mut map, losses) = flatten(&out.image, &out.objects(), &out.entry.name)?;
    out.losses.extend(losses);
    if depth == Depth::Narrow && u16::try_from(largest(&map)).is_err() {
        map.make_dense();
        out.losses.push(format!("{}: objects are numbered anew: their ids are above 65535", out.entry.name));
    }
    Ok(map)
}

/// What a label map looks like to somebody who does not know what its numbers mean.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    objects: usize,
    /// Objects in one piece.
    whole: usize,
    largest: u32,
    deep: bool,
    palette: bool,
    background: bool,
}

/// Whether the numbers in the first of `files` are surely those of objects, not of classes.
///
/// More than 8 bits a pixel are used for nothing else, as long as most numbers are in one piece. Of 8 bits, numbers must
/// run from 1 on without gaps, each in one piece, at least ten in one file, and not equally many in all; class masks
/// repeat their few numbers from file to file, in pieces.
pub(super) fn numbers_objects(files: &[PathBuf]) -> bool {
    const LOOKED_AT: usize = 8;
    let looks: Vec<Look> = files.iter().take(LOOKED_AT).filter_map(|file| look(file)).collect();
    let (objects, whole) = looks.iter().fold((0, 0), |sum, look| (sum.0 + look.objects, sum.1 + look.whole));
    let most = looks.iter().map(|look| look.objects).max().unwrap_or(0);
    let white = looks.iter().any(|look| look.largest == u32::from(if look.deep { u16::MAX } else { 255 }));
    if most < 2 || white {
        return false;
    }
    if looks.iter().all(|look| look.deep) {
        return whole * 10 >= objects * 8;
    }
    let dense = looks.iter().all(|look| look.objects == look.largest as usize && look.background && !look.palette);
    let differ = looks.len() == 1 || looks.windows(2).any(|pair| pair[0].objects != pair[1].objects);
    dense && differ && most >= 10 && whole * 100 >= objects * 95
}

fn look(file: &Path) -> Option<Look> {
    let (map, Storage { deep, palette }) = read_ids(file).ok()?;
    let image = objects_of(&map);
    let largest = largest(&map);
    let background = map.ids().contains(&0);
    let whole = image.annotations.iter().filter(|object| in_one_piece(object)).count();
    Some(Look { objects: image.annotations.len(), whole, largest, deep, palette, background })
}

fn in_one_piece(object: &Annotation) -> bool {
    let Shape::Mask(mask) = &object.shape else { return false };
    let Some([left, top, width, height]) = mask.bounds() else { return false };
    let mut pixels = vec![false; width * height];
    mask.for_each(|x, y| pixels[(y - top) * width + x - left] = true);
    let Ok(crop) = BinaryMask::new(width, height, pixels) else { return false };
    label_components(&crop, Connectivity::Eight).count() == 1
}
