//! Cityscapes.

use tempfile::TempDir;
use vibhag_core::Shape;
use vibhag_data::annotations::{Category, named, recognise};
use vibhag_data::encode::write_gray16_png;
use vibhag_data::mask::{MaskPixels, read_mask};

use crate::source::{Memory, block, comes_back, converted, masks, memory, object};

/// Writes the instance ids of one image and opens them.
fn written(values: &[u16]) -> (TempDir, Box<dyn vibhag_data::annotations::AnnotationSource>) {
    let folder = TempDir::new().unwrap();
    let city = folder.path().join("gtFine/val/ulm");
    std::fs::create_dir_all(&city).unwrap();
    write_gray16_png(&city.join("ulm_000000_000001_gtFine_instanceIds.png"), values.len(), 1, values).unwrap();
    let source = (named("cityscapes").unwrap().open)(folder.path()).unwrap();
    (folder, source)
}

#[test]
fn objects_groups_and_stuff_come_back() {
    let folder = TempDir::new().unwrap();
    let source = memory(folder.path(), named("cityscapes").unwrap().holds);
    let (out, conversion) = comes_back(&source, "cityscapes", false);
    assert_eq!(conversion.written.losses, ["an outline is held as the pixels inside it (2 in all)"]);
    let out = out.path().join("out");
    assert_eq!(recognise(&out).unwrap().name, "cityscapes");
    let labels = read_mask(&out.join("gtFine/train/city/a_gtFine_labelIds.png")).unwrap();
    let MaskPixels::Values(values) = labels.pixels else { panic!("colours") };
    // A person, its group, the sky.
    assert_eq!([values[2 * 40 + 3], values[16 * 40 + 3], values[25 * 40 + 3]], [24, 24, 23]);
    assert!(out.join("leftImg8bit/val/city/b_leftImg8bit.png").is_file());
    // Ids of its own are kept.
    let back = (named("cityscapes").unwrap().open)(&out).unwrap();
    comes_back(&*back, "cityscapes", true);
}

#[test]
fn outlines_alone_give_the_same_masks() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("cityscapes").unwrap().holds);
    // An outline is one object there, so one of several parts would come back as several.
    source.annotations[0].annotations.remove(2);
    source.annotations[0].annotations.remove(0);
    let (out, _) = comes_back(&source, "cityscapes", false);
    let out = out.path().join("out");
    let whole = (named("cityscapes").unwrap().open)(&out).unwrap();
    let before: Vec<_> = (0..3).map(|index| masks(&*whole, index)).collect();
    for (split, name) in [("train", "a"), ("val", "b"), ("train", "c")] {
        std::fs::remove_file(out.join(format!("gtFine/{split}/city/{name}_gtFine_instanceIds.png"))).unwrap();
    }
    let drawn = (named("cityscapes").unwrap().open)(&out).unwrap();
    assert_eq!((0..3).map(|index| masks(&*drawn, index)).collect::<Vec<_>>(), before);
}

#[test]
fn values_mean_labels_and_numbers() {
    let (_folder, source) = written(&[0, 7, 7, 26_000, 26_001, 26, 33_999, 24_003]);
    assert_eq!(source.images()[0].name, "ulm/ulm_000000_000001_leftImg8bit.png");
    assert_eq!((source.images()[0].path.as_ref(), source.images()[0].split.as_deref()), (None, Some("val")));
    let rows: Vec<(String, u64, bool)> =
        masks(&*source, 0).into_iter().map(|(name, id, crowd, _)| (name, id, crowd)).collect();
    let expected = [
        ("road", 7, false),
        ("car", 26, true),
        ("person", 24_003, false),
        ("car", 26_000, false),
        ("car", 26_001, false),
        ("bicycle", 33_999, false),
    ];
    assert_eq!(rows, expected.map(|(name, id, crowd)| (name.to_owned(), id, crowd)));
    for wrong in [34, 999, 500, 34_000, 65_535] {
        let (_folder, source) = written(&[0, wrong]);
        let error = source.read(0).unwrap_err().to_string();
        assert!(error.contains(&format!("{wrong} is no value")) && error.contains("instanceIds"), "{error}");
    }
}

#[test]
fn classes_that_cityscapes_lacks_are_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("cityscapes").unwrap().holds);
    source.categories[1].name = "zebra".into();
    // Of categories that nothing uses nothing is said.
    source.categories.push(Category::thing(50, "unicorn"));
    let error = converted(&source, "cityscapes", true).unwrap_err().to_string();
    assert!(error.contains("no label called zebra;"), "{error}");
}

#[test]
fn an_image_with_too_many_objects_fails_alone() {
    let folder = TempDir::new().unwrap();
    let mut source = memory(folder.path(), named("cityscapes").unwrap().holds);
    let pixel = |id: usize| object(id as u64 + 1, 0, Shape::Mask(block(id % 40, id / 40, id % 40 + 1, id / 40 + 1)));
    source.annotations[1].annotations = (0..1000).map(pixel).collect();
    comes_back(&source, "cityscapes", false);
    source.annotations[1].annotations.push(pixel(1000));
    let (_folder, conversion, _) = converted(&source, "cityscapes", false).unwrap();
    assert!(conversion.written.failed[0].contains("b.png: more than 1000 objects"), "{:?}", conversion.written.failed);
}

#[test]
fn a_source_without_splits_goes_under_train_and_says_so() {
    let folder = TempDir::new().unwrap();
    let mut source: Memory = memory(folder.path(), named("cityscapes").unwrap().holds);
    source.images.iter_mut().for_each(|image| image.split = None);
    let (out, conversion, back) = converted(&source, "cityscapes", false).unwrap();
    assert!(conversion.written.losses.iter().any(|line| line.contains("under train (3 in all)")));
    assert!(out.path().join("out/leftImg8bit/train/city/a_leftImg8bit.png").is_file());
    assert_eq!((back.images().len(), conversion.round_trip.mean_iou), (3, 1.0));
}
