//! Each format is recognised by itself, and splits, suffixes and wrappers are understood.

use std::fs;

use image::{DynamicImage, ImageBuffer, Luma, Rgba, RgbaImage};
use vibhag_data::decode::read_image;
use vibhag_data::encode::write_gray16_png;
use vibhag_data::split::assign;
use vibhag_data::{OpenOptions, Split, SplitOptions, fingerprint, open};

use crate::files::{half, image_path, mask_path, open_default, pairs, photo, save};

#[test]
fn folders_under_every_usual_name_are_paired_by_stem() {
    for (images, masks, suffix) in [
        ("images", "masks", ""),
        ("image", "label", "_mask"),
        ("Images", "annotations", "_segmentation"),
        ("img", "labels", "_lesion"),
    ] {
        let root = tempfile::tempdir().unwrap();
        save(&root.path().join(images).join("x 1.jpg"), photo(8, 8, 1));
        save(&root.path().join(masks).join(format!("x 1{suffix}.png")), half(8, 8, 255));
        let dataset = open_default(root.path());
        assert_eq!((dataset.format.as_str(), dataset.samples[0].id.as_str()), ("folders", "x 1"), "{images}/{masks}");
        assert!(dataset.load(0).is_ok() && dataset.faults.is_empty());
    }
}

#[test]
fn images_and_masks_side_by_side_and_a_wrapping_folder_are_understood() {
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("archive/ISIC");
    for index in 0..3 {
        save(&inner.join(format!("ISIC_{index}.jpg")), photo(8, 8, index));
        save(&inner.join(format!("ISIC_{index}_segmentation.png")), half(8, 8, 255));
    }
    let dataset = open_default(root.path());
    assert_eq!(dataset.len(), 3);
    assert!(dataset.faults.is_empty(), "{:?}", dataset.faults);
}

/// Folders of the images and of the masks of a split.
type Layout = fn(&str) -> (String, String);

#[test]
fn split_folders_inside_outside_and_beside_are_honoured() {
    let layouts: [Layout; 3] = [
        |split| (format!("images/{split}"), format!("masks/{split}")),
        |split| (format!("{split}/images"), format!("{split}/masks")),
        |split| (split.to_owned(), format!("{split}annot")),
    ];
    for layout in layouts {
        let root = tempfile::tempdir().unwrap();
        for (split, seed) in [("train", 1), ("val", 2), ("test", 3)] {
            let (images, masks) = layout(split);
            save(&root.path().join(&images).join("same.png"), photo(8, 8, seed));
            save(&root.path().join(&masks).join("same.png"), half(8, 8, 255));
        }
        let dataset = open_default(root.path());
        assert_eq!(dataset.format, "folders");
        let found: Vec<_> = dataset.samples.iter().map(|sample| (sample.id.as_str(), sample.split.unwrap())).collect();
        assert_eq!(found, [("test/same", Split::Test), ("train/same", Split::Train), ("val/same", Split::Val)]);
        assert!(dataset.faults.is_empty(), "{:?}", dataset.faults);
    }
}

#[test]
fn ph2_is_found_at_any_depth_with_its_diagnosis() {
    let root = tempfile::tempdir().unwrap();
    for (case, extension) in [("IMD002", "bmp"), ("IMD003", "jpg")] {
        let folder = root.path().join("deep/PH2Dataset/PH2 Dataset images").join(case);
        save(&folder.join(format!("{case}_Dermoscopic_Image/{case}.{extension}")), photo(12, 8, 1));
        save(&folder.join(format!("{case}_lesion/{case}_lesion.png")), half(12, 8, 255));
        save(&folder.join(format!("{case}_roi/{case}_R1_Label4.bmp")), half(12, 8, 255));
    }
    fs::write(root.path().join("diagnosis.csv"), "image,diagnosis\nIMD002,melanoma\n").unwrap();
    let dataset = open_default(root.path());
    assert_eq!((dataset.format.as_str(), dataset.len()), ("ph2", 2));
    assert_eq!(dataset.classes.names(), ["background", "lesion"]);
    assert_eq!(dataset.samples[0].tags["diagnosis"], "melanoma");
    assert!(!dataset.samples[1].tags.contains_key("diagnosis"));
    assert!(dataset.load(0).is_ok() && dataset.load(1).is_ok());
}

#[test]
fn mads_keeps_performances_together() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().join("segmentation_full_body_mads_dataset_1192_img");
    for name in ["HipHop_HipHop1_C0_00180.png", "HipHop_HipHop1_C2_00005.png", "Kata_F2_C0_00005.png"] {
        save(&base.join("images").join(name), photo(8, 8, name.len() as u8));
        save(&base.join("masks").join(name), half(8, 8, 255));
    }
    for path in [root.path(), &base] {
        let dataset = open_default(path);
        assert_eq!((dataset.format.as_str(), dataset.len()), ("mads", 3));
        assert_eq!(dataset.classes.names(), ["background", "person"]);
        assert_eq!(dataset.samples[0].group, dataset.samples[1].group);
        assert_ne!(dataset.samples[0].group, dataset.samples[2].group);
    }
}

/// Frames of one dance are nearly alike: a validation frame from it would be one that was learnt.
#[test]
fn mads_is_split_by_clip_and_never_by_frame() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().join("segmentation_full_body_mads_dataset_1192_img");
    let clips =
        ["HipHop_HipHop1", "HipHop_HipHop2", "Jazz_Jazz1", "Kata_F2", "Kata_N1", "Sports_Tennis_Left", "TaiChi_S1"];
    for (number, clip) in clips.iter().enumerate() {
        for (index, (camera, frame)) in [(0, 15), (0, 180), (1, 15), (2, 1080)].into_iter().enumerate() {
            let name = format!("{clip}_C{camera}_{frame:05}.png");
            save(&base.join("images").join(&name), photo(8, 8, (4 * number + index) as u8));
            save(&base.join("masks").join(&name), half(8, 8, 255));
        }
    }
    let dataset = open_default(root.path());
    assert_eq!((dataset.format.as_str(), dataset.len()), ("mads", 28));
    let fingerprint = fingerprint::scan(&dataset, &|_, _| {});
    for seed in 0..5 {
        let options = SplitOptions { seed, val_fraction: 0.3, test_fraction: 0.2 };
        let splits = assign(&dataset, &fingerprint, options);
        for clip in clips {
            let of_clip = dataset.samples.iter().zip(&splits).filter(|(sample, _)| sample.id.starts_with(clip));
            let found: std::collections::BTreeSet<Split> = of_clip.map(|(_, split)| *split).collect();
            assert_eq!(found.len(), 1, "{clip} is in {found:?} with seed {seed}");
        }
        for split in [Split::Train, Split::Val, Split::Test] {
            assert!(splits.contains(&split), "no clip for {split} with seed {seed}");
        }
    }
}

#[test]
fn instance_numbers_are_merged_unless_another_format_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    save(&root.path().join("images/n.png"), photo(4, 1, 0));
    fs::create_dir_all(root.path().join("labels")).unwrap();
    write_gray16_png(&root.path().join("labels/n.png"), 4, 1, &[0, 1, 2, 3]).unwrap();
    let dataset = open_default(root.path());
    assert_eq!(dataset.format, "label-pairs");
    assert_eq!(dataset.load(0).unwrap().1.labels(), [0, 1, 1, 1]);
    assert!(dataset.coding.to_string().contains("every other value"), "{}", dataset.coding);

    let options = OpenOptions { format: Some("folders".into()), ..OpenOptions::default() };
    assert_eq!(open(root.path(), &options).unwrap().load(0).unwrap().1.labels(), [0, 1, 2, 3]);
}

#[test]
fn every_pixel_type_is_decoded() {
    let root = tempfile::tempdir().unwrap();
    let grey16 = ImageBuffer::from_fn(5, 4, |x, y| Luma([(x * 1000 + y) as u16]));
    for (name, image, channels) in [
        ("grey.png", DynamicImage::from(half(5, 4, 9)), 1),
        ("grey16.png", DynamicImage::from(grey16.clone()), 1),
        ("grey16.tif", DynamicImage::from(grey16), 1),
        ("rgb.bmp", DynamicImage::from(photo(5, 4, 1)), 3),
        ("rgb.webp", DynamicImage::from(photo(5, 4, 1)), 3),
        ("rgb.tif", DynamicImage::from(photo(5, 4, 1)), 3),
        ("rgb.JPG", DynamicImage::from(photo(5, 4, 1)), 3),
        ("opaque.png", DynamicImage::from(RgbaImage::from_pixel(5, 4, Rgba([1, 2, 3, 255]))), 3),
        ("clear.png", DynamicImage::from(RgbaImage::from_pixel(5, 4, Rgba([1, 2, 3, 100]))), 4),
    ] {
        let path = root.path().join(name);
        save(&path, image);
        let read = read_image(&path).unwrap();
        assert_eq!((read.width(), read.height(), read.channels()), (5, 4, channels), "{name}");
        assert_eq!(read.byte_len(), 20 * channels * if name.contains("16") { 2 } else { 1 }, "{name}");
    }
}

#[test]
fn the_fingerprint_counts_what_is_there() {
    let root = pairs(4);
    save(&image_path(root.path(), "d.png"), photo(16, 12, 0));
    save(&image_path(root.path(), "g.png"), half(20, 10, 100));
    save(&mask_path(root.path(), "g.png"), half(20, 10, 0));
    let dataset = open_default(root.path());
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let fingerprint = fingerprint::scan(&dataset, &|_, total| {
        assert_eq!(total, 5);
        calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(calls.into_inner(), 5);
    assert_eq!(fingerprint.class_pixels, [4 * 96 + 200, 4 * 96]);
    assert_eq!(fingerprint.images_with_class, [5, 4]);
    assert_eq!(fingerprint.duplicates, [["a", "d"]]);
    assert_eq!((fingerprint.channels, fingerprint.usable), (3, 5));
    assert_eq!((fingerprint.median_width, fingerprint.width_range), (16, (16, 20)));
    let pixels = |index: usize| dataset.load_image(index).unwrap().with_channels(3).unwrap().to_f32();
    let blues: Vec<f64> = (0..5).flat_map(pixels).skip(2).step_by(3).map(f64::from).collect();
    let mean = blues.iter().sum::<f64>() / blues.len() as f64;
    let variance = blues.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / blues.len() as f64;
    assert!((fingerprint.mean[2] - mean).abs() < 1e-9 && (fingerprint.std[2] - variance.sqrt()).abs() < 1e-6);
    assert_eq!(fingerprint.content_hash, dataset.content_hash());

    let cache = tempfile::tempdir().unwrap();
    assert_eq!(fingerprint::scan_cached(&dataset, cache.path(), &|_, _| {}), fingerprint);
    let again = fingerprint::scan_cached(&dataset, cache.path(), &|_, _| panic!("the cache was not used"));
    assert_eq!(again, fingerprint);
    save(&image_path(root.path(), "b.png"), photo(16, 12, 55));
    assert_ne!(open_default(root.path()).content_hash(), fingerprint.content_hash);
}
