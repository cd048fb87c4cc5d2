//! What mask values mean is decided over the whole data set.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;
use vibhag_core::{ClassTable, LabelMap};
use vibhag_data::encode::{write_binary_png, write_gray16_png, write_mask_png};
use vibhag_data::mask::{MaskPixels, read_mask};
use vibhag_data::{CodingKind, OpenOptions, open};

use crate::files::{half, image_path, mask_path, open_default, pairs, photo, save};

fn write_palette(path: &Path, indices: &[u8], palette: &[u8], width: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, width, indices.len() as u32 / width);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(palette.to_vec());
    encoder.write_header().unwrap().write_image_data(indices).unwrap();
}

fn images(root: &Path, names: &[&str], width: u32, height: u32) {
    for (index, name) in names.iter().enumerate() {
        save(&image_path(root, &format!("{name}.png")), photo(width, height, index as u8));
    }
}

#[test]
fn zero_and_255_one_bit_and_rgb_masks_mix() {
    let root = pairs(2);
    images(root.path(), &["a", "b", "c"], 16, 12);
    save(&mask_path(root.path(), "b.bmp"), RgbImage::from_pixel(16, 12, Rgb([255; 3])));
    fs::remove_file(mask_path(root.path(), "b.png")).unwrap();
    save(&mask_path(root.path(), "c.png"), half(16, 12, 1));
    let dataset = open_default(root.path());
    assert_eq!(dataset.coding.to_string(), "binary masks: 0 = background, 1 or 255 = foreground");
    assert!(dataset.faults.is_empty());
    for index in 0..3 {
        assert_eq!(dataset.load(index).unwrap().1.get(0, 0), Some(1), "sample {index}");
    }
}

#[test]
fn an_rgba_mask_is_read_by_its_colour_and_an_alpha_mask_by_its_alpha() {
    let root = pairs(3);
    save(
        &mask_path(root.path(), "b.png"),
        RgbaImage::from_fn(16, 12, |x, _| if x < 8 { Rgba([255, 255, 255, 255]) } else { Rgba([0, 0, 0, 255]) }),
    );
    save(
        &mask_path(root.path(), "c.png"),
        RgbaImage::from_fn(16, 12, |x, _| Rgba([9, 9, 9, if x < 8 { 255 } else { 0 }])),
    );
    let dataset = open_default(root.path());
    assert!(dataset.faults.is_empty(), "{:?}", dataset.faults);
    let expected = dataset.load(0).unwrap().1;
    assert_eq!(dataset.load(1).unwrap().1, expected);
    assert_eq!(dataset.load(2).unwrap().1, expected);
}

#[test]
fn a_palette_mask_is_read_as_indices_and_lends_its_colours() {
    let root = tempfile::tempdir().unwrap();
    images(root.path(), &["a", "b"], 4, 1);
    let palette = [0, 0, 0, 200, 10, 10, 10, 200, 10];
    write_palette(&mask_path(root.path(), "a.png"), &[0, 1, 2, 2], &palette, 4);
    write_palette(&mask_path(root.path(), "b.png"), &[0, 0, 1, 255], &[&palette[..], &[9; 759]].concat(), 4);
    let dataset = open_default(root.path());
    assert_eq!(dataset.coding.kind, CodingKind::Indices);
    assert_eq!(dataset.classes.len(), 3);
    assert_eq!(dataset.classes.ignore, Some(255));
    assert_eq!(dataset.classes.classes[1].color, [200, 10, 10]);
    assert_eq!(dataset.load(0).unwrap().1.labels(), [0, 1, 2, 2]);
    assert_eq!(dataset.load(1).unwrap().1.labels(), [0, 0, 1, 255]);
}

#[test]
fn palettes_in_different_orders_are_read_by_colour() {
    let root = tempfile::tempdir().unwrap();
    images(root.path(), &["a", "b"], 4, 1);
    write_palette(&mask_path(root.path(), "a.png"), &[0, 1, 1, 0], &[0, 0, 0, 255, 255, 255], 4);
    write_palette(&mask_path(root.path(), "b.png"), &[0, 1, 1, 0], &[255, 255, 255, 0, 0, 0], 4);
    let dataset = open_default(root.path());
    assert_eq!(dataset.load(0).unwrap().1.labels(), [0, 1, 1, 0]);
    assert_eq!(dataset.load(1).unwrap().1.labels(), [1, 0, 0, 1]);
    assert!(dataset.coding.to_string().contains("rgb(255, 255, 255) = foreground"), "{}", dataset.coding);
}

#[test]
fn colours_are_discovered_or_matched_against_the_class_file() {
    let root = tempfile::tempdir().unwrap();
    images(root.path(), &["a", "b"], 3, 1);
    let (red, green) = (Rgb([255, 0, 0]), Rgb([0, 255, 0]));
    let row = |colors: [Rgb<u8>; 3]| RgbImage::from_fn(3, 1, move |x, _| colors[x as usize]);
    save(&mask_path(root.path(), "a.png"), row([Rgb([0; 3]), red, green]));
    save(&mask_path(root.path(), "b.png"), row([Rgb([0; 3]), Rgb([0; 3]), Rgb([0; 3])]));
    let dataset = open_default(root.path());
    assert_eq!((dataset.coding.kind, dataset.classes.len()), (CodingKind::Colors, 3));
    assert_eq!(dataset.load(0).unwrap().1.labels(), [0, 2, 1]);
    assert_eq!(dataset.load(1).unwrap().1.labels(), [0, 0, 0]);

    fs::write(root.path().join("classes.txt"), "sky 0 0 0\ncar 255 0 0\n").unwrap();
    let dataset = open_default(root.path());
    assert_eq!(dataset.classes.names(), ["sky", "car"]);
    assert_eq!(dataset.faults.len(), 1);
    let message = dataset.faults[0].to_string();
    assert!(message.contains("rgb(0, 255, 0) x1") && message.contains("column 2, row 0"), "{message}");
}

#[test]
fn indices_levels_and_declared_values_are_told_apart() {
    let values = |values: &'static [u8]| {
        let root = tempfile::tempdir().unwrap();
        images(root.path(), &["a"], values.len() as u32, 1);
        save(
            &mask_path(root.path(), "a.png"),
            GrayImage::from_fn(values.len() as u32, 1, |x, _| Luma([values[x as usize]])),
        );
        root
    };
    let indices = values(&[0, 1, 2, 5, 255]);
    let dataset = open_default(indices.path());
    assert_eq!((dataset.coding.kind, dataset.classes.len()), (CodingKind::Indices, 6));
    assert_eq!(dataset.classes.ignore, Some(255));

    let void = values(&[0, 1, 255]);
    let dataset = open_default(void.path());
    assert_eq!(dataset.coding.to_string(), "class indices: 0 = background, 1 = foreground, 255 = ignored");

    let levels = values(&[0, 128, 255]);
    let dataset = open_default(levels.path());
    assert_eq!((dataset.coding.kind, dataset.load(0).unwrap().1.labels()), (CodingKind::Levels, &[0, 1, 2][..]));
    fs::write(levels.path().join("classes.txt"), "void\nedge\ncore\n").unwrap();
    let dataset = open_default(levels.path());
    assert_eq!(dataset.coding.to_string(), "grey levels: 0 = void, 128 = edge, 255 = core");

    let declared = values(&[4, 7, 9]);
    fs::write(
        declared.path().join("classes.toml"),
        "ignore = 9\n[[class]]\nname = \"road\"\nindex = 7\n[[class]]\nname = \"tree\"\nindex = 4\n",
    )
    .unwrap();
    let dataset = open_default(declared.path());
    assert_eq!(dataset.classes.names(), ["tree", "road"]);
    assert_eq!(dataset.load(0).unwrap().1.labels(), [0, 1, 9]);
}

#[test]
fn the_coding_can_be_prescribed() {
    let root = tempfile::tempdir().unwrap();
    images(root.path(), &["a"], 4, 1);
    save(&mask_path(root.path(), "a.png"), GrayImage::from_fn(4, 1, |x, _| Luma([x as u8 * 3])));
    let options = OpenOptions { coding: Some("foreground".into()), ..OpenOptions::default() };
    assert_eq!(open(root.path(), &options).unwrap().load(0).unwrap().1.labels(), [0, 1, 1, 1]);
    let options = OpenOptions { coding: Some("guess".into()), ..OpenOptions::default() };
    assert!(
        open(root.path(), &options).unwrap_err().to_string().contains("binary, indices, levels, colors, foreground")
    );
}

#[test]
fn named_values_are_merged_into_one_class() {
    let root = tempfile::tempdir().unwrap();
    images(root.path(), &["a"], 8, 1);
    let write = |values: [u8; 8]| {
        save(&mask_path(root.path(), "a.png"), GrayImage::from_fn(8, 1, |x, _| Luma([values[x as usize]])));
    };
    write([0, 1, 2, 3, 4, 57, 58, 59]);
    let read = |options: &OpenOptions| open(root.path(), options);
    let named = |text: &str| OpenOptions { foreground: Some(text.parse().unwrap()), ..OpenOptions::default() };
    let merged = read(&named("1..2, 57..")).unwrap();
    assert_eq!(merged.load(0).unwrap().1.labels(), [0, 1, 1, 0, 0, 1, 1, 1]);
    assert_eq!(merged.coding.to_string(), "foreground masks: 1..2,57.. = foreground, every other value = background");
    assert!(merged.classes.is_binary() && merged.faults.is_empty());

    let void = OpenOptions { ignore: Some(59), ..named("1..58") };
    let void = read(&void).unwrap();
    assert_eq!(void.load(0).unwrap().1.labels(), [0, 1, 1, 1, 1, 1, 1, 59]);
    assert_eq!((void.classes.ignore, void.coding.merged_void()), (Some(59), Some(59)));
    let error = read(&OpenOptions { ignore: Some(5), ..named("1..58") }).unwrap_err().to_string();
    assert!(error.contains("ignored value 5"), "{error}");

    // What the user asks for stands above what the class file says.
    fs::write(root.path().join("classes.toml"), "foreground = \"3..4\"\n").unwrap();
    assert_eq!(read(&OpenOptions::default()).unwrap().load(0).unwrap().1.labels(), [0, 0, 0, 1, 1, 0, 0, 0]);
    assert_eq!(read(&named("58")).unwrap().load(0).unwrap().1.labels(), [0, 0, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn a_subject_takes_every_part_and_says_so() {
    let root = tempfile::tempdir().unwrap();
    images(root.path(), &["a", "b"], 6, 1);
    let write = |name: &str, values: [u8; 6]| {
        save(&mask_path(root.path(), name), GrayImage::from_fn(6, 1, |x, _| Luma([values[x as usize]])));
    };
    let person = OpenOptions { subject: Some("person".into()), merge: true, ..OpenOptions::default() };
    write("a.png", [0, 0, 255, 255, 0, 255]);
    write("b.png", [0, 0, 0, 0, 0, 255]);
    let binary = open(root.path(), &person).unwrap();
    assert_eq!((binary.coding.kind, binary.notes.len()), (CodingKind::Binary, 0));
    assert_eq!(binary.classes.names(), ["background", "person"]);

    write("a.png", [0, 1, 2, 3, 4, 255]);
    write("b.png", [0, 5, 0, 0, 0, 255]);
    let parts = open(root.path(), &person).unwrap();
    assert_eq!(parts.load(0).unwrap().1.labels(), [0, 1, 1, 1, 1, 255]);
    assert!(parts.notes[0].contains("6 classes") && parts.notes[0].contains("--foreground 1..5"), "{:?}", parts.notes);
    // Read again as the plan records it, nothing differs.
    let recorded = OpenOptions {
        foreground: parts.coding.foreground.clone(),
        ignore: parts.coding.merged_void(),
        ..person.clone()
    };
    let again = open(root.path(), &recorded).unwrap();
    assert_eq!((again.content_hash(), again.notes.len()), (parts.content_hash(), 0));
}

#[test]
fn sixteen_bit_and_tiff_masks_are_read() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.png");
    write_gray16_png(&path, 3, 1, &[0, 300, 65_535]).unwrap();
    let mask = read_mask(&path).unwrap();
    assert_eq!((mask.pixels, mask.deep), (MaskPixels::Values(vec![0, 300, 65_535]), true));
    let path = root.path().join("a.tif");
    save(&path, image::ImageBuffer::from_fn(2, 1, |x, _| Luma([x as u16 * 700])));
    assert_eq!(read_mask(&path).unwrap().pixels, MaskPixels::Values(vec![0, 700]));
}

#[test]
fn written_binary_masks_are_zero_and_255() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.png");
    write_binary_png(&path, &LabelMap::new(3, 1, vec![0, 1, 2]).unwrap(), 1).unwrap();
    assert_eq!(read_mask(&path).unwrap().pixels, MaskPixels::Values(vec![0, 255, 0]));
    assert!(write_binary_png(&root.path().join("no/such/a.png"), &LabelMap::filled(1, 1, 0), 1).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn written_label_maps_are_read_back(width in 1usize..20, height in 1usize..20, top in prop_oneof![1u16..256, 256u16..2000], seed in any::<u64>()) {
        let mut rng = vibhag_core::Rng::new(seed, 0, 0, vibhag_core::Purpose::Synthesis);
        let labels: Vec<u16> = (0..width * height).map(|_| rng.below(usize::from(top) + 1) as u16).collect();
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("m.png");
        let map = LabelMap::new(width, height, labels.clone()).unwrap();
        write_mask_png(&path, &map, &ClassTable::from_names(["a", "b", "c"])).unwrap();
        prop_assert_eq!(read_mask(&path).unwrap().pixels, MaskPixels::Values(labels));
    }

    #[test]
    fn packed_grey_masks_of_any_depth_are_read_back(width in 1u32..40, height in 1u32..6, depth in 0usize..3, seed in any::<u64>()) {
        let (bits, depth) = [(1usize, png::BitDepth::One), (2, png::BitDepth::Two), (4, png::BitDepth::Four)][depth];
        let mut rng = vibhag_core::Rng::new(seed, 0, 0, vibhag_core::Purpose::Synthesis);
        let values: Vec<u16> = (0..width * height).map(|_| rng.below(1 << bits) as u16).collect();
        let line = (width as usize * bits).div_ceil(8);
        let mut packed = vec![0u8; line * height as usize];
        for (index, value) in values.iter().enumerate() {
            let (y, x) = (index / width as usize, index % width as usize);
            packed[y * line + x * bits / 8] |= (*value as u8) << (8 - bits - (x * bits) % 8);
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(depth);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&packed).unwrap();
        writer.finish().unwrap();
        let mask = vibhag_data::mask::decode_mask(&bytes, Path::new("m.png")).unwrap();
        prop_assert_eq!(mask.pixels, MaskPixels::Values(values));
    }
}
