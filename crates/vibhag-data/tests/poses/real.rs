//! Real sets of keypoints, where they lie beside the workspace.

use std::path::PathBuf;

use vibhag_core::Task;
use vibhag_data::dataset::OpenOptions;
use vibhag_data::fingerprint;

fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("SKIPPED: {} is not here", path.display());
    None
}

#[test]
fn real_sets_are_recognised_and_have_no_fault() {
    for (name, images, people, skeleton, most) in
        [("lsp_pose", 600, 600, "lsp-14", 1), ("coco_mini", 80, 86, "coco-17", 11)]
    {
        let Some(root) = shared(name) else { continue };
        let dataset = vibhag_data::open(&root, &OpenOptions { task: Task::Pose, ..OpenOptions::default() }).unwrap();
        let found = fingerprint::scan(&dataset, &|_, _| {});
        assert!(found.faults.is_empty(), "{name}: {:?}", found.faults);
        let summary = found.people.unwrap();
        assert_eq!((found.usable, summary.count), (images, people), "{name}");
        assert_eq!((summary.skeleton.as_str(), summary.most_per_image), (skeleton, most), "{name}");
    }
}
