//! Pascal VOC.

use std::path::Path;

use tempfile::TempDir;
use vibhag_core::color::voc_color;
use vibhag_core::{Class, ClassTable, LabelMap, Shape};
use vibhag_data::annotations::{AnnotationSource, named, recognise};
use vibhag_data::encode::{write_mask_png, write_rgb_png};
use vibhag_data::mask::read_mask;

use crate::source::{block, comes_back, converted, masks, memory, object};

fn open(path: &Path) -> Box<dyn AnnotationSource> {
    (named("voc").unwrap().open)(path).unwrap()
}

#[test]
fn objects_and_splits_come_back() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("voc").unwrap().holds);
    let (out, conversion) = comes_back(&source, "voc", false);
    assert!(conversion.written.losses.iter().any(|line| line.contains("a.png: objects are numbered anew")));
    let out = out.path().join("out");
    assert_eq!(recognise(&out).unwrap().name, "voc");
    assert_eq!(std::fs::read_to_string(out.join("ImageSets/Segmentation/train.txt")).unwrap(), "a\nc\n");
    let mask = read_mask(&out.join("SegmentationClass/a.png")).unwrap();
    assert_eq!(mask.palette.unwrap()[15], [192, 128, 128]);
    let back = open(&out);
    assert_eq!((back.categories().len(), back.categories()[14].name.as_str()), (20, "person"));
    comes_back(&*back, "voc", true);
    // Other classes than VOC's get values in their order.
    source.categories[0].name = "zebra".into();
    let (out, _) = comes_back(&source, "voc", false);
    let names = std::fs::read_to_string(out.path().join("out/labels.txt")).unwrap();
    assert_eq!(names, "background\nzebra\ncar\n");
}

#[test]
fn the_void_border_belongs_to_no_object_and_colours_are_read() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("VOCdevkit/VOC2012");
    for name in ["SegmentationObject", "SegmentationClass", "JPEGImages"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    let palette = ClassTable {
        classes: (0..256usize)
            .map(|index| Class { name: String::new(), color: voc_color(index), thing: false })
            .collect(),
        ignore: None,
    };
    let (objects, classes) = (vec![1, 1, 255, 2, 0, 255], vec![15, 15, 255, 15, 0, 255]);
    for (name, values) in [("SegmentationObject", &objects), ("SegmentationClass", &classes)] {
        let path = root.join(name).join("x.png");
        write_mask_png(&path, &LabelMap::new(6, 1, values.clone()).unwrap(), &palette).unwrap();
        let colors: Vec<u8> = values.iter().flat_map(|&value| voc_color(usize::from(value))).collect();
        write_rgb_png(&root.join(name).join("y.png"), 6, 1, &colors).unwrap();
    }
    let source = open(folder.path());
    for index in 0..2 {
        let rows: Vec<_> =
            masks(&*source, index).into_iter().map(|(name, id, _, mask)| (name, id, mask.area())).collect();
        assert_eq!(rows, [("person".to_owned(), 1, 2), ("person".to_owned(), 2, 1)]);
    }
    assert_eq!(source.images()[0].name, "x.jpg");
    // Two classes in one object.
    let path = root.join("SegmentationClass/x.png");
    write_mask_png(&path, &LabelMap::new(6, 1, vec![15, 7, 255, 15, 0, 255]).unwrap(), &palette).unwrap();
    let error = source.read(0).unwrap_err().to_string();
    assert!(error.contains("classes 15 and 7") && error.contains("object 1"), "{error}");
    // A class that the list does not have.
    write_mask_png(&path, &LabelMap::new(6, 1, vec![21, 21, 255, 15, 0, 255]).unwrap(), &palette).unwrap();
    assert!(source.read(0).unwrap_err().to_string().contains("no class has the value 21"));
    std::fs::write(root.join("classes.txt"), "background\nzebra\n").unwrap();
    assert_eq!(open(folder.path()).categories()[0].name, "zebra");
    std::fs::remove_file(path).unwrap();
    let source = open(folder.path());
    assert_eq!((source.images().len(), source.faults().len()), (1, 1));
}

#[test]
fn an_image_with_too_many_objects_fails_alone() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("voc").unwrap().holds);
    let pixel = |id: usize| object(id as u64 + 1, 0, Shape::Mask(block(id % 40, id / 40, id % 40 + 1, id / 40 + 1)));
    source.annotations[1].annotations = (0..254).map(pixel).collect();
    comes_back(&source, "voc", false);
    source.annotations[1].annotations.push(pixel(254));
    let (_folder, conversion, _) = converted(&source, "voc", false).unwrap();
    assert_eq!((conversion.written.failed.len(), conversion.written.images), (1, 2));
    assert!(conversion.written.failed[0].contains("255 objects"), "{:?}", conversion.written.failed);
}
