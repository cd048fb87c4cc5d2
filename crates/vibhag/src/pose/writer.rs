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

    /// Writes `STEM_keypoints.json`, where OpenPose's format is asked for.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn keypoints(&self, stem: &str, shown: &[Pose]) -> Result<Option<PathBuf>> {
        let Some(path) = self.keypoints_path(stem) else { return Ok(None) };
        write_json(&path, &openpose::file(shown))?;
        Ok(Some(path))
    }

    /// The file that [`Self::keypoints`] writes.
    pub(super) fn keypoints_path(&self, stem: &str) -> Option<PathBuf> {
        let wanted = self.formats.contains(&PoseFormat::OpenPose);
        wanted.then(|| self.out.join(format!("{stem}_keypoints.json")))
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
