//! Bad label maps, and which are taken for numbers of objects.

use std::fs::File;
use std::path::Path;

use tempfile::TempDir;
use tiff::encoder::{TiffEncoder, colortype};
use vibhag_core::Shape;
use vibhag_data::annotations::named;
use vibhag_data::encode::{write_gray8_png, write_gray16_png, write_rgb_png};

use crate::fixtures::{HEIGHT, WIDTH, block, image_file, masks, object, open_error, opened, source_of, written};

/// Ids for every pixel: those of the blocks where they lie.
fn ids(blocks: &[(u32, [usize; 4])]) -> Vec<u32> {
    let mut ids = vec![0; WIDTH * HEIGHT];
    for &(id, [left, top, right, bottom]) in blocks {
        block(left, top, right, bottom).for_each(|x, y| ids[y * WIDTH + x] = id);
    }
    ids
}

fn tiff<C: colortype::ColorType>(path: &Path, values: &[C::Inner])
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = File::create(path).unwrap();
    TiffEncoder::new(&mut file).unwrap().write_image::<C>(WIDTH as u32, HEIGHT as u32, values).unwrap();
}

fn dataset() -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    image_file(&folder.path().join("images/a.png"));
    std::fs::create_dir(folder.path().join("labels")).unwrap();
    let label = folder.path().join("labels/a.tif");
    (folder, label)
}

#[test]
fn numbers_above_65535_are_read_and_written() {
    let values = ids(&[(70_000, [0, 0, 5, 5]), (3, [10, 10, 20, 20]), (u32::MAX, [30, 20, 40, 30])]);
    let (folder, label) = dataset();
    let float: Vec<f32> = values.iter().map(|&id| if id == u32::MAX { 16_000_000.0 } else { id as f32 }).collect();
    for kind in ["u32", "f32", "i64"] {
        match kind {
            "u32" => tiff::<colortype::Gray32>(&label, &values),
            "f32" => tiff::<colortype::Gray32Float>(&label, &float),
            _ => tiff::<colortype::GrayI64>(&label, &values.iter().map(|&id| i64::from(id)).collect::<Vec<_>>()),
        }
        assert!((named("instance-maps").unwrap().detect)(folder.path()), "{kind}");
        let source = opened("instance-maps", folder.path());
        let last = if kind == "f32" { 16_000_000 } else { u64::from(u32::MAX) };
        let found = masks(&*source, "a.png");
        assert_eq!(
            found.iter().map(|(id, mask)| (*id, mask.area())).collect::<Vec<_>>(),
            [(3, 100), (70_000, 25), (last, 100)]
        );
        let (_folder, out, losses) = written(&*source, "instance-maps");
        assert!(losses.iter().all(|line| line.contains("names of categories")), "{losses:?}");
        assert!(out.join("labels/a.tif").is_file());
        assert_eq!(masks(&*opened("instance-maps", &out), "a.png"), found);
        let (_folder, out, losses) = written(&*source, "penn-fudan");
        assert!(losses.iter().any(|line| line.contains("numbered anew: their ids are above 65535")), "{losses:?}");
        assert_eq!(masks(&*opened("penn-fudan", &out), "a.png").len(), 3);
    }
}

#[test]
fn ids_that_fit_go_into_png() {
    let folder = TempDir::new().unwrap();
    let source =
        source_of(folder.path(), &["cell"], vec![vec![object(65_535, 0, Shape::Mask(block(0, 0, 3, 3)))], vec![]]);
    let (_folder, out, _) = written(&source, "instance-maps");
    assert!(out.join("labels/a.png").is_file() && out.join("labels/b.png").is_file());
    let back = opened("instance-maps", &out);
    assert_eq!((masks(&*back, "a.png")[0].0, masks(&*back, "b.png").len()), (65_535, 0));
}

#[test]
fn what_is_no_number_of_an_object_is_an_error_of_its_image() {
    let (folder, label) = dataset();
    image_file(&folder.path().join("images/b.png"));
    let good = folder.path().join("labels/b.png");
    write_gray16_png(&good, WIDTH, HEIGHT, &vec![7; WIDTH * HEIGHT]).unwrap();
    let read = || opened("instance-maps", folder.path()).read(0).unwrap_err().to_string();
    for (value, what) in [(f32::NAN, "NaN"), (1.5, "1.5"), (-1.0, "-1"), (5e9, "5000000000"), (f32::INFINITY, "inf")] {
        let mut values = vec![0.0; WIDTH * HEIGHT];
        values[WIDTH + 3] = value;
        tiff::<colortype::Gray32Float>(&label, &values);
        let error = read();
        assert!(error.contains(what) && error.contains("column 3, row 1") && error.contains("a.tif"), "{error}");
    }
    tiff::<colortype::GrayI32>(&label, &vec![-7; WIDTH * HEIGHT]);
    assert!(read().contains("-7"), "{}", read());
    tiff::<colortype::RGB16>(&label, &vec![7; 3 * WIDTH * HEIGHT]);
    assert!(read().contains("grey channel"), "{}", read());
    let whole = std::fs::read(&label).unwrap();
    std::fs::write(&label, &whole[..whole.len() / 2]).unwrap();
    assert!(read().contains("a.tif"), "{}", read());
    std::fs::write(&label, b"").unwrap();
    assert!(read().contains("empty"), "{}", read());
    // The other image is in use all the while.
    let source = opened("instance-maps", folder.path());
    assert_eq!(masks(&*source, "b.png")[0].1.area(), (WIDTH * HEIGHT) as u64);
    std::fs::remove_file(&label).unwrap();
    write_gray16_png(&folder.path().join("labels/a.png"), 3, 3, &[1; 9]).unwrap();
    assert!(read().contains("40x30") && read().contains("3x3"), "{}", read());
    let mut colors = vec![9; 3 * WIDTH * HEIGHT];
    colors[0] = 1;
    write_rgb_png(&folder.path().join("labels/a.png"), WIDTH, HEIGHT, &colors).unwrap();
    assert!(read().contains("colours"), "{}", read());
}

#[test]
fn pages_are_refused() {
    let (folder, label) = dataset();
    let mut file = File::create(&label).unwrap();
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    for _ in 0..2 {
        encoder.write_image::<colortype::Gray16>(WIDTH as u32, HEIGHT as u32, &[1; WIDTH * HEIGHT]).unwrap();
    }
    drop(file);
    let error = opened("instance-maps", folder.path()).read(0).unwrap_err().to_string();
    assert!(error.contains("several pages"), "{error}");
}

#[test]
fn images_and_label_maps_without_each_other_are_faults() {
    let (folder, _) = dataset();
    write_gray16_png(&folder.path().join("labels/z.png"), WIDTH, HEIGHT, &[0; WIDTH * HEIGHT]).unwrap();
    assert!(open_error("instance-maps", folder.path()).contains("no image with a label map"));
    image_file(&folder.path().join("images/z.png"));
    write_gray16_png(&folder.path().join("labels/y.png"), WIDTH, HEIGHT, &[0; WIDTH * HEIGHT]).unwrap();
    let source = opened("instance-maps", folder.path());
    let lines: Vec<String> = source.faults().iter().map(ToString::to_string).collect();
    assert_eq!((lines.len(), source.images().len()), (2, 1));
    assert!(lines.iter().any(|line| line.contains("a.png") && line.contains("no label map")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("y.png") && line.contains("no image")), "{lines:?}");
}

/// Whether a folder with these 8-bit label maps is taken for numbers of objects.
fn detected(maps: &[Vec<u8>]) -> bool {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("labels")).unwrap();
    for (index, map) in maps.iter().enumerate() {
        image_file(&folder.path().join(format!("images/{index}.png")));
        write_gray8_png(&folder.path().join(format!("labels/{index}.png")), WIDTH, HEIGHT, map).unwrap();
    }
    (named("instance-maps").unwrap().detect)(folder.path())
}

/// Blocks numbered from 1 on.
fn numbered(count: usize) -> Vec<u8> {
    let blocks: Vec<(u32, [usize; 4])> =
        (0..count).map(|n| (n as u32 + 1, [n % 10 * 4, n / 10 * 4, n % 10 * 4 + 3, n / 10 * 4 + 3])).collect();
    ids(&blocks).into_iter().map(|id| id as u8).collect()
}

#[test]
fn eight_bits_are_numbers_of_objects_only_where_they_look_so() {
    assert!(detected(&[numbered(15), numbered(22), numbered(3)]));
    assert!(detected(&[numbered(40)]));
    // Few, equally many, with gaps, in pieces, without background, binary, white: classes, for all one can see.
    assert!(!detected(&[numbered(4), numbered(5)]));
    assert!(!detected(&[numbered(12), numbered(12), numbered(12)]));
    assert!(!detected(&[numbered(15).iter().map(|id| id * 2).collect(), numbered(3)]));
    let pieces = |count: u8| (0..WIDTH * HEIGHT).map(|at| (at / 7) as u8 % count).collect::<Vec<u8>>();
    assert!(!detected(&[pieces(12), pieces(15)]));
    assert!(!detected(&[vec![1; WIDTH * HEIGHT]]));
    assert!(!detected(&[numbered(1), numbered(1)]));
    assert!(!detected(&[numbered(20).iter().map(|id| if *id == 20 { 255 } else { *id }).collect()]));
    assert!(!detected(&[]));
}

#[test]
fn sixteen_bit_class_masks_are_not_numbers_of_objects() {
    let folder = TempDir::new().unwrap();
    image_file(&folder.path().join("images/a.png"));
    std::fs::create_dir(folder.path().join("labels")).unwrap();
    let classes: Vec<u16> = (0..WIDTH * HEIGHT).map(|at| (at / 9 % 5) as u16).collect();
    let path = folder.path().join("labels/a.png");
    write_gray16_png(&path, WIDTH, HEIGHT, &classes).unwrap();
    let detect = named("instance-maps").unwrap().detect;
    assert!(!detect(folder.path()));
    let objects: Vec<u16> = numbered(5).into_iter().map(u16::from).collect();
    write_gray16_png(&path, WIDTH, HEIGHT, &objects).unwrap();
    assert!(detect(folder.path()));
    std::fs::write(folder.path().join("classes.txt"), "background\ncell\n").unwrap();
    assert!(!detect(folder.path()), "a class file says that these are classes");
}
