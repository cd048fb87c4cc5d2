//! The files of one picture: OpenPose's JSON, and the skeletons drawn.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vibhag_core::skeleton::Conversion;
use vibhag_core::{Error, Image, Pose, Result, Skeleton};
use vibhag_report::{Picture, draw_poses};

use super::coco::Results;
use super::finder::sure;
use super::openpose;
use super::{OPENPOSE_SKELETONS, OWN_SKELETON, PoseFormat, PoseRequest};
use crate::files::write_json;

/// How the names of OpenPose's files end.
const KEYPOINTS: &str = "_keypoints.json";

/// Writes what a request asks for.
pub(super) struct Writer<'a> {
    out: &'a Path,
    formats: BTreeSet<PoseFormat>,
    /// The skeleton of files and pictures, and the way to it.
    skeleton: Skeleton,
    conversion: Conversion,
    render: bool,
    black: bool,
    min_keypoint_score: f32,
}

impl<'a> Writer<'a> {
    /// A writer of poses of the skeleton `from`.
    ///
    /// # Errors
    /// When an option is out of range, or the skeleton that is asked for is none of OpenPose's or shares no joint with
    /// `from`.
    pub(super) fn new(request: &'a PoseRequest, from: &Skeleton) -> Result<Self> {
        let score = request.min_keypoint_score;
        if !(0.0..=1.0).contains(&score) {
            return Err(Error::config("the least score of a keypoint is not between 0 and 1").at(score.to_string()));
        }
        let skeleton =
            if request.skeleton == OWN_SKELETON { from.clone() } else { Skeleton::named(&request.skeleton)? };
        if request.skeleton != OWN_SKELETON && !OPENPOSE_SKELETONS.contains(&skeleton.name.as_str()) {
            return Err(Error::config(format!("OpenPose's format has no skeleton {:?}", skeleton.name))
                .hint(format!("use {}, or {OWN_SKELETON} for the network's", OPENPOSE_SKELETONS.join(" or "))));
        }
        let mut formats = request.formats.clone();
        if formats.is_empty() {
            formats.insert(PoseFormat::OpenPose);
        }
        let conversion = Conversion::new(from, &skeleton)
            .map_err(|error| error.hint(format!("use --skeleton {OWN_SKELETON} for the network's own keypoints")))?;
        Ok(Self {
            out: &request.out,
            formats,
            skeleton,
            conversion,
            render: request.render,
            black: request.black,
            min_keypoint_score: score,
        })
    }

    /// The file of COCO's results, where it is asked for.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn results(&self) -> Result<Option<Results>> {
        let wanted = self.formats.contains(&PoseFormat::Coco);
        wanted.then(|| Results::create(&self.out.join("coco_results.json"))).transpose()
    }

    /// The poses as files and pictures show them.
    ///
    /// # Errors
    /// When a pose has another number of keypoints than the network's skeleton.
    pub(super) fn shown(&self, people: &[Pose]) -> Result<Vec<Pose>> {
        people.iter().map(|pose| self.conversion.apply(&self.sure(pose))).collect()
    }

    /// The pose without keypoints that are guesses.
    pub(super) fn sure(&self, pose: &Pose) -> Pose {
        sure(pose, self.min_keypoint_score)
    }

    /// Writes `json/STEM_keypoints.json` of a photo, where OpenPose's format is asked for.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn keypoints(&self, stem: &str, shown: &[Pose]) -> Result<Option<PathBuf>> {
        if !self.formats.contains(&PoseFormat::OpenPose) {
            return Ok(None);
        }
        let folder = self.out.join("json");
        create_folder(&folder)?;
        let path = folder.join(format!("{stem}{KEYPOINTS}"));
        write_json(&path, &openpose::file(shown))?;
        Ok(Some(path))
    }

    /// The folder for the frames of the video `stem`, where OpenPose's format is asked for. Frames of an earlier and
    /// longer video of that name are removed from it.
    ///
    /// # Errors
    /// When the folder cannot be made or emptied.
    pub(super) fn frames(&self, stem: &str) -> Result<Option<Frames>> {
        if !self.formats.contains(&PoseFormat::OpenPose) {
            return Ok(None);
        }
        let frames = Frames { folder: self.out.join(format!("{stem}_json")), stem: stem.to_owned() };
        create_folder(&frames.folder)?;
        frames.clear()?;
        Ok(Some(frames))
    }

    /// The file of a video with its skeletons, where pictures are asked for.
    pub(super) fn film_path(&self, stem: &str) -> Option<PathBuf> {
        self.render.then(|| self.out.join(format!("{stem}_rendered.mp4")))
    }

    /// Writes `STEM_rendered.png`, where pictures are asked for.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn picture(&self, stem: &str, image: &Image, shown: &[Pose]) -> Result<Option<PathBuf>> {
        if !self.render {
            return Ok(None);
        }
        let path = self.out.join(format!("{stem}_rendered.png"));
        std::fs::write(&path, self.drawn(image, shown)?.to_png()?).map_err(|error| Error::io(&path, error))?;
        Ok(Some(path))
    }

    /// The skeletons over the image, or over black.
    ///
    /// # Errors
    /// Only when the image contradicts its own size.
    pub(super) fn drawn(&self, image: &Image, shown: &[Pose]) -> Result<Picture> {
        let mut picture = if self.black {
            Picture::filled(image.width(), image.height(), [0; 3])?
        } else {
            Picture::from_image(image)?
        };
        draw_poses(&mut picture, shown, &self.skeleton);
        Ok(picture)
    }
}

/// The files of a video's frames. Readers of OpenPose's format take every file of a folder for one, so nothing else is
/// there.
pub(super) struct Frames {
    folder: PathBuf,
    stem: String,
}

impl Frames {
    /// Writes `STEM_000000000000_keypoints.json` of frame `index`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write(&self, index: u64, shown: &[Pose]) -> Result<()> {
        write_json(&self.folder.join(format!("{}_{index:012}{KEYPOINTS}", self.stem)), &openpose::file(shown))
    }

    /// The names of all frames' files.
    pub(super) fn pattern(&self) -> PathBuf {
        self.folder.join(format!("{}_%012d{KEYPOINTS}", self.stem))
    }

    fn clear(&self) -> Result<()> {
        let failed = |error| Error::io(&self.folder, error);
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let number = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_prefix(&self.stem)?.strip_prefix('_')?.strip_suffix(KEYPOINTS));
            if number.is_some_and(|number| number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit())) {
                std::fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
            }
        }
        Ok(())
    }
}

fn create_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))
}
