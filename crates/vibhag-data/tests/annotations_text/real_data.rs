//! Nuclei of the Data Science Bowl 2018, where they lie beside the workspace.

use std::path::PathBuf;

use vibhag_data::annotations::memory::Memory;
use vibhag_data::annotations::{AnnotationSource, ConvertOptions, convert, mask_of, named, recognise};

use crate::fixtures::opened;

/// The folder of a real data set, or `None` with a printed line.
fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("SKIPPED: {} is not here", path.display());
    None
}

/// Every `step`th image of `source`.
fn some(source: &dyn AnnotationSource, step: usize) -> Memory {
    let picked: Vec<usize> = (0..source.images().len()).step_by(step).collect();
    let images = picked.iter().map(|&index| source.images()[index].clone()).collect();
    Memory::new(source.categories().to_vec(), images, picked.iter().map(|&index| source.read(index).unwrap()).collect())
}

#[test]
fn nuclei_of_label_maps_go_through_every_format() {
    let Some(root) = shared("dsb2018") else { return };
    assert_eq!(recognise(&root).map(|format| format.name), Some("instance-maps"));
    let source = opened("instance-maps", &root);
    assert_eq!((source.images().len(), source.faults().len()), (350, 0));
    assert_eq!(source.categories()[0].name, "nucleus");
    assert_eq!(source.read(0).unwrap().annotations.len(), 27);
    let few = some(&*source, 50);
    let (from, folder) = (named("instance-maps").unwrap(), tempfile::TempDir::new().unwrap());
    for name in crate::fixtures::FORMATS {
        let out = folder.path().join(name);
        let conversion =
            convert(&few, from, named(name).unwrap(), &out, ConvertOptions::default(), &|_, _| {}).unwrap();
        assert_eq!(conversion.written.failed, Vec::<String>::new(), "{name}");
        let trip = &conversion.round_trip;
        assert_eq!((trip.min_iou, trip.missing), (1.0, 0), "{name}: {trip:?}");
        assert!(trip.annotations > 100, "{name}: {trip:?}");
        assert_eq!(recognise(&out).map(|format| format.name), Some(name));
    }
}

#[test]
fn nuclei_in_files_of_their_own_equal_those_of_the_label_maps() {
    let (Some(native), Some(maps)) = (shared("dsb2018_native"), shared("dsb2018")) else { return };
    assert_eq!(recognise(&native).map(|format| format.name), Some("dsb2018"));
    let (source, maps) = (opened("dsb2018", &native), opened("instance-maps", &maps));
    assert_eq!((source.images().len(), source.faults().len()), (12, 0));
    let mut compared = 0;
    for (index, entry) in source.images().iter().enumerate() {
        assert_eq!(entry.split.as_deref(), Some("train"));
        let image = source.read(index).unwrap();
        let Some(place) = maps.images().iter().position(|other| other.name == entry.name) else { continue };
        let other = maps.read(place).unwrap();
        let areas = |image: &vibhag_core::ImageAnnotations| {
            let mask = |a| mask_of(a, image.width, image.height).unwrap().counts().to_vec();
            let mut all: Vec<Vec<u32>> = image.annotations.iter().map(mask).collect();
            all.sort();
            all
        };
        assert_eq!(areas(&image).len(), areas(&other).len(), "{}", entry.name);
        compared += usize::from(areas(&image) == areas(&other));
    }
    println!("{compared} of 12 images are equal to the pixel");
    assert!(compared > 0);
    // Objects of their own files may overlap; nothing is lost.
    let folder = tempfile::TempDir::new().unwrap();
    let format = named("dsb2018").unwrap();
    let out = folder.path().join("out");
    let conversion = convert(&*source, format, format, &out, ConvertOptions::default(), &|_, _| {}).unwrap();
    assert_eq!((conversion.round_trip.min_iou, conversion.round_trip.missing), (1.0, 0));
}

#[test]
fn class_masks_are_not_taken_for_numbers_of_objects() {
    for name in ["camvid", "ph2", "ccp_body", "isbi2012"] {
        let Some(root) = shared(name) else { continue };
        let found = recognise(&root).map(|format| format.name);
        assert_eq!(found, None, "{name}");
    }
    for (name, format) in [("coco_mini", "coco"), ("lsp_pose", "coco")] {
        let Some(root) = shared(name) else { continue };
        assert_eq!(recognise(&root).map(|format| format.name), Some(format), "{name}");
    }
}
