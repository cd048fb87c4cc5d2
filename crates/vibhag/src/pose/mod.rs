//! `vibhag pose`: images in, people's keypoints and pictures of them out. One bad image is a row, not an end.

mod coco;
mod openpose;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vibhag_core::skeleton::Conversion;
use vibhag_core::{DisplacementDecoding, Error, Image, Keypoint, Pose, Result, Skeleton};
use vibhag_data::decode;
use vibhag_nn::device::DeviceChoice;
use vibhag_predict::pose::{PoseOptions, PosePredictor};
use vibhag_report::{Picture, draw_poses};

use crate::inputs;
use crate::predict::unique_names;
use crate::progress::ItemBar;

/// A format of poses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoseFormat {
    /// `NAME_keypoints.json` for each image, as OpenPose writes it.
    OpenPose,
    /// `coco_results.json`: COCO's results of keypoint detection, of all images.
    Coco,
}

/// Every format with its name on the command line.
pub const POSE_FORMATS: &[(&str, PoseFormat)] = &[("openpose", PoseFormat::OpenPose), ("coco", PoseFormat::Coco)];

/// Skeletons that OpenPose's format has, the usual one first.
pub const OPENPOSE_SKELETONS: &[&str] = &["body-25", "coco-18"];

/// What `vibhag pose` was asked for.
#[derive(Debug, Clone)]
pub struct PoseRequest {
    /// Files, folders, globs.
    pub inputs: Vec<String>,
    /// Where the output goes.
    pub out: PathBuf,
    /// Formats to write; empty means OpenPose's.
    pub formats: BTreeSet<PoseFormat>,
    /// The skeleton of OpenPose's files and of the pictures: one of [`OPENPOSE_SKELETONS`].
    pub skeleton: String,
    /// Also write `NAME_rendered.png`: the skeletons over the image.
    pub render: bool,
    /// Draw over black instead of the image.
    pub black: bool,
    /// The longer side of what the network sees; any number is brought to the nearest one that is allowed.
    pub size: usize,
    /// Most people in an image.
    pub max_people: usize,
    /// Least score of a person, the mean over its keypoints.
    pub min_score: f32,
    /// Keypoints below this score are absent from OpenPose's files and from pictures. COCO's results keep all of them,
    /// as its metric wants.
    pub min_keypoint_score: f32,
    /// The device.
    pub device: DeviceChoice,
    /// No progress.
    pub quiet: bool,
}

impl Default for PoseRequest {
    fn default() -> Self {
        let PoseOptions { size, decoding } = PoseOptions::default();
        Self {
            inputs: Vec::new(),
            out: "poses".into(),
            formats: BTreeSet::new(),
            skeleton: OPENPOSE_SKELETONS[0].to_owned(),
            render: false,
            black: false,
            size,
            max_people: decoding.max_people,
            min_score: decoding.min_score,
            min_keypoint_score: 0.1,
            device: DeviceChoice::Cpu,
            quiet: false,
        }
    }
}

/// One image's result.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The image.
    pub image: PathBuf,
    /// Its number in COCO's results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<u64>,
    /// Width and height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// The people by falling score, keypoints of COCO-17 in pixels.
    pub people: Vec<Pose>,
    /// Files written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Seconds, decoding and writing included.
    pub seconds: f64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Finds the people of every image that the request names, and writes them; failures are rows with an error. `poses.json`
/// holds the rows.
///
/// # Errors
/// When an option is out of range, no image is named, or the output folder cannot be written.
pub fn pose(request: &PoseRequest) -> Result<Vec<Row>> {
    let images = inputs::expand(&request.inputs)?;
    let predictor = PosePredictor::posenet(request.device, options(request)?)?;
    let writer = Writer::new(request, predictor.skeleton())?;
    std::fs::create_dir_all(&request.out)
        .map_err(|e| Error::io(&request.out, e).hint("choose a writable folder with -o"))?;
    let ids = writer.formats.contains(&PoseFormat::Coco).then(|| coco::image_ids(&images));
    let mut bar = ItemBar::new(images.len(), "finding people", request.quiet);
    let mut rows = Vec::with_capacity(images.len());
    for (index, (path, name)) in images.iter().zip(unique_names(&images)).enumerate() {
        let began = std::time::Instant::now();
        let image_id = ids.as_ref().and_then(|ids| ids.get(index).copied());
        let mut row = Row {
            image: path.clone(),
            image_id,
            size: None,
            people: Vec::new(),
            files: Vec::new(),
            seconds: 0.0,
            error: None,
        };
        let done = decode::read_image(path).and_then(|image| {
            row.size = Some([image.width(), image.height()]);
            row.people = predictor.predict(&image)?;
            writer.image(&name, &image, &row.people, &mut row.files)
        });
        row.error = done.err().map(|error| error.to_string());
        row.seconds = began.elapsed().as_secs_f64();
        rows.push(row);
        bar.next();
    }
    bar.finish();
    if writer.formats.contains(&PoseFormat::Coco) {
        write_json(&request.out.join("coco_results.json"), &coco::results(&rows))?;
    }
    write_json(&request.out.join("poses.json"), &rows)?;
    Ok(rows)
}

fn options(request: &PoseRequest) -> Result<PoseOptions> {
    if !(0.0..=1.0).contains(&request.min_keypoint_score) {
        return Err(Error::config("the least score of a keypoint is not between 0 and 1")
            .at(request.min_keypoint_score.to_string()));
    }
    let decoding = DisplacementDecoding {
        max_people: request.max_people,
        min_score: request.min_score,
        ..PoseOptions::default().decoding
    };
    Ok(PoseOptions { size: PoseOptions::nearest_size(request.size), decoding })
}

/// Writes one image's files.
struct Writer<'a> {
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
    fn new(request: &'a PoseRequest, from: &Skeleton) -> Result<Self> {
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

    fn image(&self, name: &str, image: &Image, people: &[Pose], files: &mut Vec<PathBuf>) -> Result<()> {
        let shown: Vec<Pose> = people
            .iter()
            .map(|pose| self.conversion.apply(&without_guesses(pose, self.min_keypoint_score)))
            .collect::<Result<_>>()?;
        if self.formats.contains(&PoseFormat::OpenPose) {
            let path = self.out.join(format!("{name}_keypoints.json"));
            write_json(&path, &openpose::file(&shown))?;
            files.push(path);
        }
        if self.render {
            let mut picture = if self.black {
                Picture::filled(image.width(), image.height(), [0; 3])?
            } else {
                Picture::from_image(image)?
            };
            draw_poses(&mut picture, &shown, &self.skeleton);
            let path = self.out.join(format!("{name}_rendered.png"));
            std::fs::write(&path, picture.to_png()?).map_err(|e| Error::io(&path, e))?;
            files.push(path);
        }
        Ok(())
    }
}

/// The pose without keypoints below a score.
fn without_guesses(pose: &Pose, min_score: f32) -> Pose {
    let keypoint = |keypoint: &Keypoint| if keypoint.score >= min_score { *keypoint } else { Keypoint::ABSENT };
    Pose { keypoints: pose.keypoints.iter().map(keypoint).collect(), ..pose.clone() }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string(value).map_err(|e| Error::config("cannot write JSON").at_path(path).because(e))?;
    std::fs::write(path, json).map_err(|e| Error::io(path, e))
}

/// Rounded to hundredths, which is finer than any keypoint is known.
fn hundredths(value: f64) -> f64 {
    (100.0 * value).round() / 100.0
}
