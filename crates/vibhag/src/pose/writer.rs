//! What is written of an image or of a frame.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vibhag_core::skeleton::Conversion;
use vibhag_core::{Error, Image, Keypoint, Pose, Result, Skeleton};
use vibhag_report::{Picture, draw_poses};

use super::{OPENPOSE_SKELETONS, PoseFormat, PoseRequest, openpose};

/// Writes one image's files.
pub(super) struct Writer<'a> {
    pub(super) out: &'a Path,
    pub(super) formats: BTreeSet<PoseFormat>,
    /// The skeleton of files and pictures, and the way to it.
    skeleton: Skeleton,
    conversion: Conversion,
    render: bool,
    black: bool,
    min_keypoint_score: f32,
}

impl<'a> Writer<'a> {
    /// What `request` wants of poses of the skeleton `from`.
    pub(super) fn new(request: &'a PoseRequest, from: &Skeleton) -> Result<Self> {
        let skeleton = Skeleton::named(&request.skeleton)?;
        if !OPENPOSE_SKELETONS.contains(&skeleton.name.as_str()) {
            return Err(Error::config(format!("OpenPose's format has no skeleton {:?}", skeleton.name))
                .hint(format!("use {}", OPENPOSE_SKELETONS.join(" or "))));
        }
        let mut formats = request.formats.clone();
        if formats.is_empty() {
            formats.insert(PoseFormat::OpenPose);
        }
        Ok(Self {
            out: &request.out,
            formats,
            conversion: Conversion::new(from, &skeleton)?,
            skeleton,
            render: request.render,
            black: request.black,
            min_keypoint_score: request.min_keypoint_score,
        })
    }

    /// Whether pictures are wanted.
    pub(super) fn renders(&self) -> bool {
        self.render
    }

    /// The poses as files and pictures show them.
    pub(super) fn shown(&self, people: &[Pose]) -> Result<Vec<Pose>> {
        people.iter().map(|pose| self.conversion.apply(&self.without_guesses(pose))).collect()
    }

    /// The pose without keypoints below the least score.
    pub(super) fn without_guesses(&self, pose: &Pose) -> Pose {
        let keep = |keypoint: &Keypoint| keypoint.score >= self.min_keypoint_score;
        let keypoint = |keypoint: &Keypoint| if keep(keypoint) { *keypoint } else { Keypoint::ABSENT };
        Pose { keypoints: pose.keypoints.iter().map(keypoint).collect(), ..pose.clone() }
    }

    /// Writes OpenPose's file of an image called `name`, if it is wanted.
    pub(super) fn keypoints(&self, name: &str, shown: &[Pose]) -> Result<Option<PathBuf>> {
        if !self.formats.contains(&PoseFormat::OpenPose) {
            return Ok(None);
        }
        let path = self.out.join(format!("{name}_keypoints.json"));
        write_json(&path, &openpose::file(shown))?;
        Ok(Some(path))
    }

    /// The skeletons over the image or over black, if that is wanted.
    pub(super) fn picture(&self, image: &Image, shown: &[Pose]) -> Result<Option<Picture>> {
        if !self.render {
            return Ok(None);
        }
        let mut picture = if self.black {
            Picture::filled(image.width(), image.height(), [0; 3])?
        } else {
            Picture::from_image(image)?
        };
        draw_poses(&mut picture, shown, &self.skeleton);
        Ok(Some(picture))
    }
}

pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string(value).map_err(|e| Error::config("cannot write JSON").at_path(path).because(e))?;
    std::fs::write(path, json).map_err(|e| Error::io(path, e))
}
