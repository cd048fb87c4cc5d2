//! Large COCO files: memory follows the number of annotations, not the size of the file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use tempfile::TempDir;
use vibhag_data::annotations::{AnnotationSource, named};

/// Writes a file of about `bytes` bytes and returns its number of images and annotations.
fn generate(path: &Path, bytes: usize) -> (usize, usize) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    // As in COCO, outlines of some 60 points.
    let annotation = |id: usize, images: usize| {
        let image = (id * 7919) % images;
        let (x, y) = (f64::from(id as u32 % 500) + 30.0, f64::from(id as u32 % 380) + 30.0);
        let point = |step: u32| {
            let turn = f64::from(step) * 0.1;
            format!("{:.2},{:.2}", x + 25.0 * turn.cos(), y + 25.0 * turn.sin())
        };
        let points: Vec<String> = (0..60).map(point).collect();
        format!(
            r#"{{"segmentation":[[{}]],"area":1963.5,"iscrowd":0,"image_id":{image},"bbox":[{},{},50,50],"category_id":{},"id":{}}}"#,
            points.join(","),
            x - 25.0,
            y - 25.0,
            id % 3,
            id + 1
        )
    };
    let count = bytes / annotation(1000, 1).len();
    let images = count.div_ceil(7);
    write!(out, "{{\"info\":{{}},\"images\":[").unwrap();
    for id in 0..images {
        let separator = if id == 0 { "" } else { "," };
        write!(out, "{separator}{{\"id\":{id},\"file_name\":\"{id:012}.jpg\",\"height\":480,\"width\":640}}").unwrap();
    }
    write!(out, "],\"annotations\":[").unwrap();
    for id in 0..count {
        write!(out, "{}{}", if id == 0 { "" } else { "," }, annotation(id, images)).unwrap();
    }
    let names = r#"[{"id":0,"name":"a"},{"id":1,"name":"b"},{"id":2,"name":"c"}]"#;
    write!(out, "],\"categories\":{names}}}").unwrap();
    out.flush().unwrap();
    (images, count)
}

fn open_all(bytes: usize) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("instances_train.json");
    let (images, annotations) = generate(&path, bytes);
    let start = Instant::now();
    let source: Box<dyn AnnotationSource> = (named("coco").unwrap().open)(&path).unwrap();
    println!("{annotations} annotations opened in {:?}", start.elapsed());
    assert_eq!((source.images().len(), source.faults()), (images, &[][..]));
    let start = Instant::now();
    let all: usize = (0..images).map(|index| source.read(index).unwrap().annotations.len()).sum();
    println!("read image by image in {:?}", start.elapsed());
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    }
    assert_eq!(all, annotations);
}

#[test]
fn a_file_of_some_megabytes_is_read_image_by_image() {
    open_all(3_000_000);
}

#[test]
#[ignore = "writes 500 MB: run by hand, with --release --nocapture, to see time and memory"]
fn a_file_of_500_megabytes_is_read_image_by_image() {
    open_all(500_000_000);
}
