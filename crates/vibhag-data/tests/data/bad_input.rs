//! Every bad file is named with what to do about it, and the rest of the data set stays usable.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma};
use vibhag_core::error::ErrorKind;
use vibhag_data::decode::read_image;
use vibhag_data::{Dataset, FaultKind, OpenOptions, fingerprint, open};

use crate::files::{half, image_path, jpeg_with_orientation, mask_path, open_default, pairs, photo, save};

/// Scans and returns the only fault; checks that it names `file` and that the others are usable.
fn only_fault(dataset: &Dataset, kind: FaultKind, file: &Path) -> String {
    let fingerprint = fingerprint::scan(dataset, &|_, _| {});
    assert_eq!(fingerprint.faults.len(), 1, "{:?}", fingerprint.faults);
    let fault = &fingerprint.faults[0];
    assert_eq!((fault.kind, fault.path.as_path()), (kind, file));
    assert!(!fault.hint.is_empty());
    let bad = dataset.samples.iter().filter(|sample| Some(&sample.id) == fault.sample.as_ref()).count();
    assert_eq!(fingerprint.usable, dataset.len() - bad);
    for (index, record) in fingerprint.samples.iter().enumerate() {
        assert_eq!(dataset.load(index).is_ok(), record.usable, "{}", record.id);
    }
    fault.to_string()
}

#[test]
fn a_truncated_jpeg_is_named() {
    let root = pairs(3);
    let path = image_path(root.path(), "d.jpg");
    let bytes = jpeg_with_orientation(&photo(16, 12, 9), 1);
    fs::write(&path, &bytes[..bytes.len() - 40]).unwrap();
    save(&mask_path(root.path(), "d.png"), half(16, 12, 255));
    let message = only_fault(&open_default(root.path()), FaultKind::Unreadable, &path);
    assert!(message.contains("truncated"), "{message}");
}

#[test]
fn a_zero_byte_image_and_a_zero_byte_mask_are_named() {
    let root = pairs(3);
    let image = image_path(root.path(), "b.png");
    fs::write(&image, []).unwrap();
    let message = only_fault(&open_default(root.path()), FaultKind::Unreadable, &image);
    assert!(message.contains("0 bytes"), "{message}");

    let root = pairs(3);
    let mask = mask_path(root.path(), "b.png");
    fs::write(&mask, []).unwrap();
    only_fault(&open_default(root.path()), FaultKind::Unreadable, &mask);
}

#[test]
fn a_truncated_png_and_a_text_file_are_named() {
    let root = pairs(3);
    let path = mask_path(root.path(), "c.png");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    only_fault(&open_default(root.path()), FaultKind::Unreadable, &path);

    let root = pairs(3);
    let path = image_path(root.path(), "c.png");
    fs::write(&path, "<html>404</html>").unwrap();
    let message = only_fault(&open_default(root.path()), FaultKind::Unreadable, &path);
    assert!(message.contains("not PNG"), "{message}");
}

#[test]
fn a_mask_of_another_size_is_named_with_both_sizes() {
    let root = pairs(3);
    let path = mask_path(root.path(), "b.png");
    save(&path, half(17, 12, 255));
    let message = only_fault(&open_default(root.path()), FaultKind::SizeMismatch, &path);
    assert!(message.contains("17x12") && message.contains("16x12"), "{message}");
}

#[test]
fn a_stray_value_is_named_with_count_and_place() {
    let root = pairs(5);
    let path = mask_path(root.path(), "b.png");
    let mut mask = half(16, 12, 255);
    mask.put_pixel(5, 7, Luma([93]));
    mask.put_pixel(6, 7, Luma([93]));
    save(&path, mask);
    let dataset = open_default(root.path());
    assert_eq!(dataset.classes.len(), 2);
    let message = only_fault(&dataset, FaultKind::MaskValue, &path);
    for part in ["93 x2", "column 5, row 7", "expected 0, 255"] {
        assert!(message.contains(part), "{part:?} not in {message}");
    }
}

#[test]
fn jpeg_noise_is_named_and_snapping_removes_it() {
    let root = pairs(5);
    let path = mask_path(root.path(), "b.jpg");
    fs::remove_file(mask_path(root.path(), "b.png")).unwrap();
    let disc = |x: u32, y: u32| if (x as i32 - 7).pow(2) + (y as i32 - 6).pow(2) < 20 { 255 } else { 0 };
    save(&path, GrayImage::from_fn(16, 12, |x, y| Luma([disc(x, y)])));
    let dataset = open_default(root.path());
    let message = only_fault(&dataset, FaultKind::MaskValue, &path);
    assert!(message.contains("JPEG compression changes mask values"), "{message}");

    let snapped = open(root.path(), &OpenOptions { snap: true, ..OpenOptions::default() }).unwrap();
    assert!(snapped.faults.is_empty(), "{:?}", snapped.faults);
    let (_, labels) = snapped.load(1).unwrap();
    for (index, &label) in labels.labels().iter().enumerate() {
        assert_eq!(label, u16::from(disc(index as u32 % 16, index as u32 / 16) == 255), "pixel {index}");
    }
    fs::write(root.path().join("classes.toml"), "snap = true\n").unwrap();
    assert!(open_default(root.path()).faults.is_empty());
}

#[test]
fn a_data_set_of_jpeg_masks_alone_is_binary() {
    let root = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        save(&image_path(root.path(), &format!("{name}.png")), photo(64, 64, name.as_bytes()[0]));
        let mask = GrayImage::from_fn(64, 64, |x, y| Luma([if (20..45).contains(&x) && y > 17 { 255 } else { 0 }]));
        save(&mask_path(root.path(), &format!("{name}.jpg")), mask);
    }
    let dataset = open_default(root.path());
    assert_eq!(dataset.coding.to_string(), "binary masks: 0 = background, 255 = foreground");
    assert_eq!(dataset.faults.len(), 3);
    assert!(dataset.faults.iter().all(|fault| fault.kind == FaultKind::MaskValue));
}

#[test]
fn an_image_without_a_mask_and_a_mask_without_an_image_are_named() {
    let root = pairs(3);
    fs::remove_file(mask_path(root.path(), "c.png")).unwrap();
    only_fault(&open_default(root.path()), FaultKind::MissingMask, &image_path(root.path(), "c.png"));

    let root = pairs(3);
    fs::remove_file(image_path(root.path(), "c.png")).unwrap();
    only_fault(&open_default(root.path()), FaultKind::MissingImage, &mask_path(root.path(), "c.png"));
}

#[test]
fn two_images_of_one_name_are_named() {
    let root = pairs(3);
    save(&image_path(root.path(), "a.bmp"), photo(16, 12, 77));
    only_fault(&open_default(root.path()), FaultKind::Ambiguous, &image_path(root.path(), "a.png"));
}

#[test]
fn empty_missing_and_maskless_folders_say_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let error = open(root.path(), &OpenOptions::default()).unwrap_err();
    assert!(error.to_string().contains("the folder is empty") && error.to_string().contains("images/"), "{error}");

    fs::create_dir_all(root.path().join("images")).unwrap();
    fs::create_dir_all(root.path().join("masks")).unwrap();
    let error = open(root.path(), &OpenOptions::default()).unwrap_err();
    assert!(error.to_string().contains("no image found"), "{error}");

    let error = open(&root.path().join("nowhere"), &OpenOptions::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Io);
    let error =
        open(root.path(), &OpenOptions { format: Some("none-such".into()), ..OpenOptions::default() }).unwrap_err();
    assert!(error.to_string().contains("ph2, mads, camvid, label-pairs, folders"), "{error}");
}

#[test]
fn an_exif_rotated_photo_is_read_upright() {
    let root = pairs(2);
    let mut stored = photo(16, 24, 0);
    for x in 0..16 {
        for y in 0..24 {
            stored.put_pixel(x, y, image::Rgb(if x < 8 && y < 8 { [255; 3] } else { [0; 3] }));
        }
    }
    // Orientation 6: the camera's top left is the photo's top right.
    let path = image_path(root.path(), "r.jpg");
    fs::write(&path, jpeg_with_orientation(&stored, 6)).unwrap();
    let image = read_image(&path).unwrap();
    assert_eq!((image.width(), image.height()), (24, 16));
    let rgb = image.to_rgb8();
    assert!(rgb[3 * 23] > 200 && rgb[0] < 50, "bright corner must be at the top right");

    save(&mask_path(root.path(), "r.png"), half(24, 16, 255));
    let dataset = open_default(root.path());
    let index = dataset.samples.iter().position(|sample| sample.id == "r").unwrap();
    assert!(dataset.load(index).is_ok());

    save(&mask_path(root.path(), "r.png"), half(16, 24, 255));
    let message = only_fault(&open_default(root.path()), FaultKind::SizeMismatch, &mask_path(root.path(), "r.png"));
    assert!(message.contains("EXIF"), "{message}");
}

#[test]
fn one_pixel_is_an_image() {
    let root = pairs(3);
    save(&image_path(root.path(), "p.png"), photo(1, 1, 200));
    save(&mask_path(root.path(), "p.png"), GrayImage::from_pixel(1, 1, Luma([255])));
    let dataset = open_default(root.path());
    assert!(dataset.faults.is_empty());
    let (image, labels) = dataset.load(3).unwrap();
    assert_eq!((image.width(), image.height(), labels.labels()), (1, 1, &[1u16][..]));
    assert_eq!(fingerprint::scan(&dataset, &|_, _| {}).width_range, (1, 16));
}

#[test]
fn twelve_thousand_by_nine_thousand_is_read() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("large.png");
    let file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    let mut encoder = png::Encoder::new(file, 12_000, 9_000);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_compression(png::Compression::Fastest);
    encoder.write_header().unwrap().write_image_data(&vec![0xFF; 1500 * 9_000]).unwrap();
    let image = read_image(&path).unwrap();
    assert_eq!((image.width(), image.height(), image.channels()), (12_000, 9_000, 1));
    assert_eq!(vibhag_data::mask::read_mask(&path).unwrap().occurrences().len(), 1);
}

#[test]
fn a_decompression_bomb_is_refused_before_memory_is_taken() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("bomb.png");
    let mut bytes = Vec::new();
    {
        let mut encoder = png::Encoder::new(&mut bytes, 100_000, 100_000);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().unwrap();
        writer.write_chunk(png::chunk::IDAT, &[0; 64]).unwrap();
    }
    fs::write(&path, bytes).unwrap();
    for message in
        [read_image(&path).unwrap_err().to_string(), vibhag_data::mask::read_mask(&path).unwrap_err().to_string()]
    {
        assert!(message.contains("100000x100000") || message.to_lowercase().contains("limit"), "{message}");
    }
}

#[test]
fn every_prefix_of_every_format_is_an_error_or_an_image_but_no_panic() {
    for (extension, format) in [
        ("png", image::ImageFormat::Png),
        ("jpg", image::ImageFormat::Jpeg),
        ("bmp", image::ImageFormat::Bmp),
        ("tif", image::ImageFormat::Tiff),
        ("webp", image::ImageFormat::WebP),
    ] {
        let mut bytes = Vec::new();
        photo(13, 9, 3).write_to(&mut std::io::Cursor::new(&mut bytes), format).unwrap();
        let name = format!("x.{extension}");
        let path = Path::new(&name);
        assert!(vibhag_data::decode::decode_image(&bytes, path).is_ok(), "{extension}");
        for length in (1..bytes.len()).step_by(7) {
            let image = vibhag_data::decode::decode_image(&bytes[..length], path);
            let mask = vibhag_data::mask::decode_mask(&bytes[..length], path);
            assert!(length * 4 > bytes.len() * 3 || (image.is_err() && mask.is_err()), "{extension} cut at {length}");
        }
    }
}
