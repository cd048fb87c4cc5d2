//! MADS full body (Zhang et al., "Martial Arts, Dancing and Sports dataset", Image and Vision
//! Computing 61, 2017), as published for segmentation: `images/` and `masks/` with equal names.

use std::path::Path;

use vibhag_core::Result;

use super::folders::{FolderPair, find_pairs, unwrapped};
use super::pairing::{Side, finish, pair};
use super::{Listing, file_name, folders};

/// Whether `root` is called after MADS and holds `images/` and `masks/`.
pub fn detect(root: &Path) -> bool {
    let base = unwrapped(root);
    let named = [root, &base].iter().any(|path| file_name(path).to_ascii_lowercase().contains("mads"));
    named && !find_pairs(&base).is_empty()
}

/// Lists the samples below `root`. Frames of one performance, from whichever camera, form a
/// group: they show the same person in nearly the same pose.
///
/// # Errors
/// As [`folders::load`].
pub fn load(root: &Path) -> Result<Listing> {
    let pairs = find_pairs(&unwrapped(root));
    if pairs.is_empty() {
        return folders::load(root);
    }
    let mut listing = Listing { foreground: "person".into(), ..Listing::default() };
    for FolderPair { images, masks, split } in &pairs {
        pair(&Side::below(images), &Side::below(masks), *split, &mut listing);
    }
    finish(&mut listing);
    for sample in &mut listing.samples {
        sample.group = performance(&sample.id);
    }
    Ok(listing)
}

/// `HipHop_HipHop1_C0_00180` belongs to `HipHop_HipHop1`.
fn performance(id: &str) -> Option<String> {
    let (head, frame) = id.rsplit_once('_')?;
    if frame.is_empty() || !frame.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let head = match head.rsplit_once('_') {
        Some((rest, camera)) if is_camera(camera) => rest,
        _ => head,
    };
    Some(head.to_owned())
}

fn is_camera(part: &str) -> bool {
    part.strip_prefix(['C', 'c']).is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_and_frames_of_a_performance_are_one_group() {
        assert_eq!(performance("HipHop_HipHop1_C0_00180").as_deref(), Some("HipHop_HipHop1"));
        assert_eq!(performance("HipHop_HipHop1_C2_00005").as_deref(), Some("HipHop_HipHop1"));
        assert_eq!(performance("Kata_F2_00005").as_deref(), Some("Kata_F2"));
        assert_eq!(performance("photo"), None);
    }
}
