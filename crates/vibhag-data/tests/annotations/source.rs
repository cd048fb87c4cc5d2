//! Annotations made up in memory, and real ones where they lie beside the workspace.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vibhag_core::{Annotation, ImageAnnotations, Polygon, Result, Rle, Shape};
use vibhag_data::annotations::{
    AnnotationSource, Category, Conversion, ConvertOptions, Holds, ImageEntry, convert, mask_of, named,
};
use vibhag_data::encode::write_rgb_png;

/// The folder of a real data set, or `None` with a printed line.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("SKIPPED: {} is not here", path.display());
    None
}

/// A source in memory.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) categories: Vec<Category>,
    pub(crate) images: Vec<ImageEntry>,
    pub(crate) annotations: Vec<ImageAnnotations>,
}

impl AnnotationSource for Memory {
    fn categories(&self) -> &[Category] {
        &self.categories
    }

    fn images(&self) -> &[ImageEntry] {
        &self.images
    }

    fn read(&self, index: usize) -> Result<ImageAnnotations> {
        Ok(self.annotations[index].clone())
    }
}

pub(crate) const SIZE: (usize, usize) = (40, 30);

pub(crate) fn object(id: u64, category: usize, shape: Shape) -> Annotation {
    Annotation { id, category, shape, crowd: false, area: None, bounds: None, score: None }
}

pub(crate) fn rectangle(left: f64, top: f64, right: f64, bottom: f64) -> Vec<[f64; 2]> {
    vec![[left, top], [right, top], [right, bottom], [left, bottom]]
}

pub(crate) fn polygon(exterior: Vec<[f64; 2]>, holes: Vec<Vec<[f64; 2]>>) -> Polygon {
    Polygon { exterior, holes }
}

/// The pixels of columns `left..right` and rows `top..bottom`.
pub(crate) fn block(left: usize, top: usize, right: usize, bottom: usize) -> Rle {
    Rle::from_fn(SIZE.0, SIZE.1, |x, y| (left..right).contains(&x) && (top..bottom).contains(&y))
}

/// Three images with everything that `holds` allows: several parts, holes, crowds, overlap, stuff, scores, large ids; the
/// last one is empty. Image files lie in `folder`.
pub(crate) fn memory(folder: &Path, holds: Holds) -> Memory {
    let (width, height) = SIZE;
    let stuff = Category { thing: false, supercategory: Some("nature".into()), ..Category::thing(23, "sky") };
    let mut categories = vec![Category::thing(1, "person"), Category::thing(3, "car")];
    let two = polygon(rectangle(1.2, 1.3, 6.7, 5.1), vec![]);
    let parts = Shape::Polygons(vec![two, polygon(vec![[9.0, 1.0], [14.5, 2.0], [10.0, 6.9]], vec![])]);
    let ring = polygon(rectangle(16.0, 1.0, 26.0, 11.0), vec![rectangle(19.0, 4.0, 23.0, 8.0)]);
    let island = Rle::union(&[block(20, 5, 22, 7), block(28, 1, 30, 3), block(30, 3, 32, 5)]).unwrap();
    let mut first =
        vec![object(70_001, 0, parts), object(7, 1, Shape::Polygons(vec![ring])), object(8, 1, Shape::Mask(island))];
    if holds.crowd {
        first.push(Annotation { crowd: true, ..object(900, 0, Shape::Mask(block(0, 15, 20, 18))) });
    }
    if holds.overlap {
        first.push(object(10, 0, Shape::Mask(block(5, 2, 30, 10))));
    }
    if holds.stuff {
        categories.push(stuff);
        first.push(object(11, 2, Shape::Mask(block(0, 20, 40, 30))));
    }
    if holds.scores {
        first[0].score = Some(0.625);
    }
    let second = vec![object(1, 1, Shape::Mask(block(0, 0, 40, 30)))];
    let mut images = Vec::new();
    for (index, (name, split)) in [("a.png", "train"), ("b.png", "val"), ("c.png", "train")].into_iter().enumerate() {
        let path = folder.join(name);
        let pixels = vec![50 * index as u8; 3 * width * height];
        write_rgb_png(&path, width, height, &pixels).unwrap();
        images.push(ImageEntry {
            id: Some(index as u64 + 10),
            name: name.into(),
            path: Some(path),
            split: Some(split.into()),
        });
    }
    let annotations = [first, second, vec![]].map(|annotations| ImageAnnotations { width, height, annotations });
    Memory { categories, images, annotations: annotations.into() }
}

/// What `source` becomes in the format `to`, in a new folder, with the source that reads it back.
pub(crate) fn converted(
    source: &dyn AnnotationSource,
    to: &str,
    drop: bool,
) -> Result<(TempDir, Conversion, Box<dyn AnnotationSource>)> {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let (from, to) = (named("coco")?, named(to)?);
    let conversion = convert(source, from, to, &out, ConvertOptions { drop }, &|_, _| {})?;
    let back = (to.open)(&out)?;
    Ok((folder, conversion, back))
}

/// The masks of image `index`, each with its category's name, id and whether it is a crowd.
pub(crate) fn masks(source: &dyn AnnotationSource, index: usize) -> Vec<(String, u64, bool, Rle)> {
    let image = source.read(index).unwrap();
    let mask = |annotation: &Annotation| {
        let name = source.categories()[annotation.category].name.clone();
        (name, annotation.id, annotation.crowd, mask_of(annotation, image.width, image.height).unwrap())
    };
    image.annotations.iter().map(mask).collect()
}

/// Fails unless everything in `source` comes back from the format `to` exactly, with the same ids if `ids`.
pub(crate) fn comes_back(source: &dyn AnnotationSource, to: &str, ids: bool) -> (TempDir, Conversion) {
    let (folder, conversion, back) = converted(source, to, false).unwrap();
    assert_eq!(conversion.written.failed, Vec::<String>::new());
    let round_trip = &conversion.round_trip;
    assert_eq!((round_trip.mean_iou, round_trip.min_iou, round_trip.missing), (1.0, 1.0, 0), "{conversion:?}");
    assert_eq!(round_trip.worst, None);
    assert_eq!(back.images().len(), source.images().len());
    assert_eq!(back.faults(), []);
    let mut compared = 0;
    for (index, entry) in source.images().iter().enumerate() {
        let place = back.images().iter().position(|other| same_stem(&other.name, &entry.name)).unwrap();
        let other = &back.images()[place];
        assert!(other.path.is_some() == entry.path.is_some() && other.split == entry.split, "{other:?}");
        let (mut own, mut theirs) = (masks(source, index), masks(&*back, place));
        if !ids {
            own.iter_mut().chain(&mut theirs).for_each(|row| row.1 = 0);
        }
        own.sort_by(|a, b| a.3.counts().cmp(b.3.counts()));
        theirs.sort_by(|a, b| a.3.counts().cmp(b.3.counts()));
        compared += own.len();
        assert_eq!(own, theirs, "{}", entry.name);
    }
    assert_eq!(compared, round_trip.annotations);
    (folder, conversion)
}

/// Whether two names end in the same stem, but for Cityscapes' ending.
fn same_stem(a: &str, b: &str) -> bool {
    let stem = |name: &str| {
        let last = name.rsplit('/').next().unwrap_or(name);
        last.rsplit_once('.').map_or(last, |(stem, _)| stem).trim_end_matches("_leftImg8bit").to_owned()
    };
    stem(a) == stem(b)
}
