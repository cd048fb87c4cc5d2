//! The layouts of Cellpose, Penn-Fudan and the Data Science Bowl, and what can be wrong in them.

use tempfile::TempDir;
use vibhag_data::annotations::named;
use vibhag_data::encode::{write_gray8_png, write_gray16_png};

use crate::fixtures::{HEIGHT, WIDTH, image_file, masks, open_error, opened, put};

const PIXELS: usize = WIDTH * HEIGHT;

/// Two objects side by side.
fn halves() -> Vec<u16> {
    (0..PIXELS).map(|at| if at % WIDTH < 20 { 4 } else { 9 }).collect()
}

#[test]
fn cellpose_names_its_label_maps_in_several_ways() {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    for name in ["train/000_img.png", "test/b.png", "c.png", "d.png", "e.png"] {
        image_file(&root.join(name));
    }
    for name in ["train/000_masks.png", "test/b_cp_masks.png", "c_masks.png"] {
        write_gray16_png(&root.join(name), WIDTH, HEIGHT, &halves()).unwrap();
    }
    image_file(&root.join("c_flows.png"));
    put(&root.join("d_seg.npy"), "numpy");
    write_gray16_png(&root.join("lost_masks.png"), WIDTH, HEIGHT, &halves()).unwrap();
    assert!((named("cellpose").unwrap().detect)(root));
    let source = opened("cellpose", root);
    let images: Vec<(&str, Option<&str>)> =
        source.images().iter().map(|entry| (entry.name.as_str(), entry.split.as_deref())).collect();
    assert_eq!(images, [("000_img.png", Some("train")), ("b.png", Some("test")), ("c.png", None)]);
    assert_eq!(masks(&*source, "c.png").iter().map(|(id, _)| *id).collect::<Vec<_>>(), [4, 9]);
    let lines: Vec<String> = source.faults().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("d_seg.npy") && line.contains("Save masks")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("e.png") && line.contains("no label map")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("lost_masks.png")), "{lines:?}");
}

#[test]
fn cellpose_without_exported_masks_says_how_to_export_them() {
    let folder = TempDir::new().unwrap();
    image_file(&folder.path().join("a.png"));
    put(&folder.path().join("a_seg.npy"), "numpy");
    let error = open_error("cellpose", folder.path());
    assert!(error.contains("only _seg.npy") && error.contains("Save masks"), "{error}");
    // A binary mask of the usual name is no label map.
    write_gray8_png(&folder.path().join("a_masks.png"), WIDTH, HEIGHT, &[255; PIXELS]).unwrap();
    assert!(!(named("cellpose").unwrap().detect)(folder.path()));
}

#[test]
fn penn_fudan_pairs_masks_by_name() {
    let folder = TempDir::new().unwrap();
    // The archive holds one folder.
    let root = folder.path().join("PennFudanPed");
    for name in ["FudanPed00001", "FudanPed00002"] {
        image_file(&root.join(format!("PNGImages/{name}.png")));
    }
    std::fs::create_dir_all(root.join("PedMasks")).unwrap();
    let persons: Vec<u8> = halves().iter().map(|&id| if id == 4 { 1 } else { 2 }).collect();
    write_gray8_png(&root.join("PedMasks/FudanPed00001_mask.png"), WIDTH, HEIGHT, &persons).unwrap();
    write_gray8_png(&root.join("PedMasks/FudanPed00009_mask.png"), WIDTH, HEIGHT, &persons).unwrap();
    assert!((named("penn-fudan").unwrap().detect)(folder.path()));
    let source = opened("penn-fudan", folder.path());
    assert_eq!(source.categories()[0].name, "pedestrian");
    assert_eq!(
        masks(&*source, "FudanPed00001.png").iter().map(|(id, m)| (*id, m.area())).collect::<Vec<_>>(),
        [(1, 600), (2, 600)]
    );
    assert_eq!(source.faults().len(), 2);
}

#[test]
fn bad_masks_of_single_objects_are_faults_in_the_bowls_layout() {
    let folder = TempDir::new().unwrap();
    let one = folder.path().join("stage1_train/one");
    image_file(&one.join("images/one.png"));
    std::fs::create_dir_all(one.join("masks")).unwrap();
    let half: Vec<u8> = halves().iter().map(|&id| if id == 4 { 255 } else { 0 }).collect();
    write_gray8_png(&one.join("masks/good.png"), WIDTH, HEIGHT, &half).unwrap();
    write_gray8_png(&one.join("masks/empty.png"), WIDTH, HEIGHT, &[0; PIXELS]).unwrap();
    write_gray8_png(&one.join("masks/small.png"), 3, 3, &[255; 9]).unwrap();
    let bytes = std::fs::read(one.join("masks/good.png")).unwrap();
    std::fs::write(one.join("masks/torn.png"), &bytes[..bytes.len() / 2]).unwrap();
    // Without masks: nothing in an annotated split, all to be predicted in another.
    image_file(&folder.path().join("stage1_train/two/images/two.png"));
    image_file(&folder.path().join("stage1_test/three/images/three.png"));
    std::fs::create_dir_all(folder.path().join("stage1_train/four/images")).unwrap();
    image_file(&folder.path().join("stage1_train/five/images/five.png"));
    std::fs::create_dir_all(folder.path().join("stage1_train/five/masks")).unwrap();
    assert!((named("dsb2018").unwrap().detect)(folder.path()));
    let source = opened("dsb2018", folder.path());
    let names: Vec<&str> = source.images().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["five.png", "one.png"]);
    assert!(source.images().iter().all(|entry| entry.split.as_deref() == Some("train")));
    assert_eq!((masks(&*source, "one.png").len(), masks(&*source, "five.png").len()), (1, 0));
    let lines: Vec<String> = source.faults().iter().map(ToString::to_string).collect();
    for part in ["empty.png", "small.png", "torn.png", "two.png", "0 images where one belongs"] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}: {lines:?}");
    }
    assert_eq!(lines.len(), 5, "{lines:?}");
    // The folder of the split itself is as good.
    assert_eq!(opened("dsb2018", &folder.path().join("stage1_train")).images()[1].split.as_deref(), Some("train"));
}
