//! Annotations made up in memory, and small folders to break.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vibhag_core::{Annotation, ImageAnnotations, Polygon, Rle, Shape};
use vibhag_data::annotations::memory::Memory;
use vibhag_data::annotations::{AnnotationSource, Category, Holds, ImageEntry, mask_of, named};
use vibhag_data::encode::write_rgb_png;

pub(crate) const WIDTH: usize = 40;
pub(crate) const HEIGHT: usize = 30;

/// The formats under test.
pub(crate) const FORMATS: [&str; 8] =
    ["yolo", "labelme", "cvat", "label-studio", "instance-maps", "dsb2018", "penn-fudan", "cellpose"];

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
    Rle::from_fn(WIDTH, HEIGHT, |x, y| (left..right).contains(&x) && (top..bottom).contains(&y))
}

/// Writes a grey image file.
pub(crate) fn image_file(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_rgb_png(path, WIDTH, HEIGHT, &[90; 3 * WIDTH * HEIGHT]).unwrap();
}

pub(crate) fn entry(folder: &Path, name: &str, split: Option<&str>) -> ImageEntry {
    let path = folder.join(split.unwrap_or("none")).join(name);
    image_file(&path);
    ImageEntry { id: Some(10), name: name.into(), path: Some(path), split: split.map(str::to_owned) }
}

/// A data set of one category over images with these annotations, called a.png, b.png, ...
pub(crate) fn source_of(folder: &Path, categories: &[&str], images: Vec<Vec<Annotation>>) -> Memory {
    let categories = (1..).zip(categories).map(|(id, name)| Category::thing(id, *name)).collect();
    let names = ('a'..='z').take(images.len()).map(|letter| entry(folder, &format!("{letter}.png"), None));
    let of = |annotations| ImageAnnotations { width: WIDTH, height: HEIGHT, annotations };
    Memory::new(categories, names.collect(), images.into_iter().map(of).collect())
}

/// Everything that `holds` allows: several parts, holes, islands in holes, pixels that touch at corners, crowds, overlap,
/// scores; an object that fills its image; an image without objects. One name lies in a folder, and in two splits.
pub(crate) fn everything(folder: &Path, holds: Holds) -> Memory {
    let mut categories = vec![Category::thing(1, "person & dog")];
    let second = if holds.categories {
        categories.push(Category::thing(3, "Straße: \"8\""));
        1
    } else {
        0
    };
    let triangle = polygon(vec![[9.0, 1.0], [14.5, 2.0], [10.25, 6.9]], vec![]);
    let parts = Shape::Polygons(vec![polygon(rectangle(1.2, 1.3, 6.7, 5.1), vec![]), triangle]);
    let ring = polygon(rectangle(16.0, 1.0, 26.0, 11.0), vec![rectangle(19.0, 4.0, 23.0, 8.0)]);
    let diamond = polygon(vec![[5.0, 12.0], [9.5, 16.5], [5.0, 20.5], [1.5, 16.25]], vec![]);
    let island = Rle::union(&[block(20, 5, 22, 7), block(28, 1, 30, 3), block(30, 3, 32, 5)]).unwrap();
    let chess = Rle::from_fn(WIDTH, HEIGHT, |x, y| (30..36).contains(&x) && (20..26).contains(&y) && (x + y) % 2 == 0);
    let mut first = vec![
        object(70_001, 0, parts),
        object(7, second, Shape::Polygons(vec![ring])),
        object(8, second, Shape::Mask(island)),
        object(9, 0, Shape::Polygons(vec![diamond])),
        object(12, 0, Shape::Mask(chess)),
    ];
    if holds.crowd {
        first.push(Annotation { crowd: true, ..object(900, 0, Shape::Mask(block(0, 22, 20, 25))) });
    }
    if holds.overlap {
        first.push(object(10, 0, Shape::Mask(block(5, 2, 30, 10))));
        let twice =
            vec![polygon(rectangle(2.0, 2.0, 9.0, 9.0), vec![]), polygon(rectangle(5.0, 5.0, 12.0, 12.0), vec![])];
        first.push(object(11, second, Shape::Polygons(twice)));
        first.push(object(13, 0, Shape::Polygons(vec![polygon(rectangle(-5.0, 25.0, 8.0, 50.0), vec![])])));
    }
    if holds.scores {
        first[0].score = Some(0.625);
    }
    let full = vec![object(1, second, Shape::Mask(block(0, 0, WIDTH, HEIGHT)))];
    let column =
        vec![object(3, 0, Shape::Mask(block(0, 0, 1, HEIGHT))), object(2, 0, Shape::Mask(block(4, 29, 40, 30)))];
    let images = vec![
        entry(folder, "a.png", Some("train")),
        entry(folder, "deep er/a.png", Some("val")),
        entry(folder, "c.png", Some("train")),
        entry(folder, "d.png", Some("test")),
    ];
    let of = |annotations| ImageAnnotations { width: WIDTH, height: HEIGHT, annotations };
    Memory::new(categories, images, [first, full, vec![], column].map(of).into())
}

/// Writes `source` in the format `name`, and returns the folder and the losses.
pub(crate) fn written(source: &dyn AnnotationSource, name: &str) -> (TempDir, PathBuf, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let written = (named(name).unwrap().write)(source, &out).unwrap();
    assert_eq!(written.failed, Vec::<String>::new(), "{name}");
    (folder, out, written.losses)
}

pub(crate) fn opened(name: &str, path: &Path) -> Box<dyn AnnotationSource> {
    (named(name).unwrap().open)(path).unwrap()
}

/// The masks of the image called `image`, in the order of their ids.
pub(crate) fn masks(source: &dyn AnnotationSource, image: &str) -> Vec<(u64, Rle)> {
    let index = source.images().iter().position(|entry| entry.name == image).unwrap();
    let image = source.read(index).unwrap();
    let mask = |annotation: &Annotation| (annotation.id, mask_of(annotation, image.width, image.height).unwrap());
    let mut masks: Vec<(u64, Rle)> = image.annotations.iter().map(mask).collect();
    masks.sort_by_key(|(id, _)| *id);
    masks
}

/// The message with which opening `path` as `name` fails.
pub(crate) fn open_error(name: &str, path: &Path) -> String {
    (named(name).unwrap().open)(path).unwrap_err().to_string()
}

pub(crate) fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
