//! COCO's results of keypoint detection: one list for all images, as `pycocotools` loads it, written as it grows.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use vibhag_core::{Error, Pose, Result};

use crate::files::hundredths;

/// COCO's number of people.
const PERSON: u32 = 1;

/// A person in one of the images.
#[derive(Debug, Serialize)]
struct Detection {
    image_id: u64,
    category_id: u32,
    /// x, y and 1 of each keypoint; zeros where there is none.
    keypoints: Vec<f64>,
    score: f32,
    /// The number in a video, as PoseTrack has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    track_id: Option<u32>,
}

impl Detection {
    fn new(image_id: u64, pose: &Pose) -> Self {
        let keypoints = pose.keypoints.iter().flat_map(|keypoint| {
            if keypoint.is_present() { [hundredths(keypoint.x), hundredths(keypoint.y), 1.0] } else { [0.0; 3] }
        });
        Self { image_id, category_id: PERSON, keypoints: keypoints.collect(), score: pose.score, track_id: pose.id }
    }
}

/// The file, which appears under its name when it is whole.
#[derive(Debug)]
pub(super) struct Results {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    begun: bool,
    /// The first failure, after which nothing is written any more.
    fault: Option<std::io::Error>,
}

impl Results {
    /// An empty list.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial).map_err(|error| Error::io(path, error))?;
        Ok(Self { path: path.to_owned(), partial, file: BufWriter::new(file), begun: false, fault: None })
    }

    /// Appends the people of an image. That it could not be written is said by [`Self::finish`].
    pub(super) fn add(&mut self, image_id: u64, people: &[Pose]) {
        for pose in people {
            if self.fault.is_none() {
                self.fault = self.append(&Detection::new(image_id, pose)).err();
            }
        }
    }

    fn append(&mut self, detection: &Detection) -> std::io::Result<()> {
        self.file.write_all(if self.begun { b",\n" } else { b"[" })?;
        self.begun = true;
        serde_json::to_writer(&mut self.file, detection)?;
        Ok(())
    }

    /// Completes the list and gives the file its name.
    ///
    /// # Errors
    /// When some of it could not be written; nothing is left then.
    pub(super) fn finish(self) -> Result<()> {
        let Self { path, partial, mut file, begun, fault } = self;
        let end: &[u8] = if begun { b"]\n" } else { b"[]\n" };
        let written = fault.map_or(Ok(()), Err).and_then(|()| file.write_all(end)).and_then(|()| file.flush());
        drop(file);
        written.and_then(|()| std::fs::rename(&partial, &path)).map_err(|error| {
            // Best effort: the error that matters is the one above.
            let _ = std::fs::remove_file(&partial);
            Error::io(path, error)
        })
    }
}

/// The numbers of images.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Those of the photos, by order, where their names say them.
    named: Option<std::vec::IntoIter<u64>>,
    next: u64,
}

impl Numbers {
    /// The numbers in the names of photos, where there are only photos, every name has one and no two the same, as COCO
    /// names them (`000000000139.jpg`, `COCO_val2014_000000000139.jpg`); otherwise from 1 on by order, frames included.
    pub(super) fn of(paths: &[PathBuf], only_photos: bool) -> Self {
        let numbers: Option<Vec<u64>> = paths.iter().map(|path| number_of(path)).collect();
        let named = numbers
            .filter(|numbers| only_photos && numbers.iter().collect::<BTreeSet<_>>().len() == numbers.len())
            .map(Vec::into_iter);
        Self { named, next: 1 }
    }

    /// The number of the next photo.
    pub(super) fn photo(&mut self) -> u64 {
        self.named.as_mut().and_then(Iterator::next).unwrap_or_else(|| self.frame())
    }

    /// The number of the next frame.
    pub(super) fn frame(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

/// The digits at the end of a file's stem, which must begin it or follow an underscore.
fn number_of(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    stem.rsplit('_').next().filter(|last| last.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Keypoint;

    #[test]
    fn images_have_the_numbers_of_their_names_where_all_have_one() {
        let ids = |names: &[&str], only_photos: bool| {
            let mut numbers = Numbers::of(&names.iter().map(PathBuf::from).collect::<Vec<_>>(), only_photos);
            names.iter().map(|_| numbers.photo()).collect::<Vec<_>>()
        };
        let coco = ["a/000000000139.jpg", "COCO_val2014_000000000042.jpg"];
        assert_eq!(ids(&coco, true), [139, 42]);
        assert_eq!(ids(&coco, false), [1, 2]);
        assert_eq!(ids(&["5.jpg", "a/5.png"], true), [1, 2]);
        assert_eq!(ids(&["5.jpg", "photo7.png"], true), [1, 2]);
        assert_eq!(ids(&["_.jpg"], true), [1]);
        let mut numbers = Numbers::of(&["a.mp4".into(), "b.jpg".into()], false);
        assert_eq!([numbers.frame(), numbers.frame(), numbers.photo()], [1, 2, 3]);
    }

    #[test]
    fn a_list_grows_and_appears_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("coco_results.json");
        let keypoints = vec![Keypoint::found(3.0, 4.567, 0.2), Keypoint::ABSENT];
        let pose = Pose { keypoints, score: 0.5, id: None };
        let mut results = Results::create(&path).unwrap();
        results.add(9, std::slice::from_ref(&pose));
        results.add(10, &[]);
        results.add(11, &[Pose { id: Some(3), ..pose }]);
        assert!(!path.exists());
        results.finish().unwrap();
        let expected = concat!(
            "[{\"image_id\":9,\"category_id\":1,\"keypoints\":[3.0,4.57,1.0,0.0,0.0,0.0],\"score\":0.5},\n",
            "{\"image_id\":11,\"category_id\":1,\"keypoints\":[3.0,4.57,1.0,0.0,0.0,0.0],\"score\":0.5,\"track_id\":3}]\n"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        Results::create(&path).unwrap().finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[]\n");
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    }
}
