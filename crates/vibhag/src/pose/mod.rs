//! `vibhag pose`: images and videos in, people's keypoints and pictures of them out. One bad file is a row, not an end.

mod coco;
mod openpose;
mod video;
mod writer;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vibhag_core::{DisplacementDecoding, Error, ErrorKind, Pose, Result};
use vibhag_data::decode;
use vibhag_nn::device::DeviceChoice;
use vibhag_predict::pose::{PoseOptions, PosePredictor};
use vibhag_video::{FORMATS, Tools};

use crate::inputs;
use crate::inputs::unique_names;
use crate::progress::ItemBar;

use writer::{Writer, write_json};

/// A format of poses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoseFormat {
    /// `NAME_keypoints.json` for each image and `NAME_FRAME_keypoints.json` for each frame, as OpenPose writes them.
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
    /// Also write `NAME_rendered.png`: the skeletons over the image; of a video `NAME_rendered.mp4`.
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

/// One image's or video's result.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The file.
    pub image: PathBuf,
    /// Its number in COCO's results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<u64>,
    /// Width and height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// The people by falling score, keypoints of COCO-17 in pixels; empty of a video, whose files hold them.
    pub people: Vec<Pose>,
    /// Frames of a video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// How many of them were worked on in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames_per_second: Option<f64>,
    /// How many different people a video shows: the largest number of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub different_people: Option<u32>,
    /// What was wrong with a video that could be read all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// Files written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Seconds, decoding and writing included.
    pub seconds: f64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Row {
    fn new(path: &Path, image_id: Option<u64>) -> Self {
        Self {
            image: path.to_owned(),
            image_id,
            size: None,
            people: Vec::new(),
            frames: None,
            frames_per_second: None,
            different_people: None,
            damage: None,
            files: Vec::new(),
            seconds: 0.0,
            error: None,
        }
    }
}

/// Finds the people of every image and video that the request names, and writes them; failures are rows with an error.
/// `poses.json` holds the rows. In a video people keep their numbers, and keypoints are smoothed over time.
///
/// # Errors
/// When an option is out of range, no image is named, or the output folder cannot be written.
pub fn pose(request: &PoseRequest) -> Result<Vec<Row>> {
    let images = inputs::expand(&request.inputs)?;
    let predictor = PosePredictor::posenet(request.device, options(request)?)?;
    let writer = Writer::new(request, predictor.skeleton())?;
    let videos = images.iter().filter(|path| is_video(path)).count();
    if videos > 0 && writer.formats.contains(&PoseFormat::Coco) {
        return Err(Error::new(ErrorKind::Unsupported, "COCO's results hold images, not frames of videos")
            .hint("use --format openpose, or the frames as images"));
    }
    let tools = if videos > 0 { Some(Tools::find()?) } else { None };
    std::fs::create_dir_all(&request.out)
        .map_err(|e| Error::io(&request.out, e).hint("choose a writable folder with -o"))?;
    let ids = writer.formats.contains(&PoseFormat::Coco).then(|| coco::image_ids(&images));
    let mut bar = ItemBar::new(images.len(), "finding people", request.quiet);
    let mut rows = Vec::with_capacity(images.len());
    for (index, (path, name)) in images.iter().zip(unique_names(&images)).enumerate() {
        let began = std::time::Instant::now();
        let mut row = Row::new(path, ids.as_ref().and_then(|ids| ids.get(index).copied()));
        let done = match &tools {
            Some(tools) if is_video(path) => video::follow(&predictor, tools, &writer, &name, request, &mut row),
            _ => photo(&predictor, &writer, &name, &mut row),
        };
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

fn photo(predictor: &PosePredictor, writer: &Writer<'_>, name: &str, row: &mut Row) -> Result<()> {
    let image = decode::read_image(&row.image)?;
    row.size = Some([image.width(), image.height()]);
    row.people = predictor.predict(&image)?;
    let shown = writer.shown(&row.people)?;
    row.files.extend(writer.keypoints(name, &shown)?);
    if let Some(picture) = writer.picture(&image, &shown)? {
        let path = writer.out.join(format!("{name}_rendered.png"));
        std::fs::write(&path, picture.to_png()?).map_err(|e| Error::io(&path, e))?;
        row.files.push(path);
    }
    Ok(())
}

/// Whether the file's ending is that of a video.
fn is_video(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    FORMATS.iter().any(|format| format.extensions.contains(&ending.as_str()))
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

/// Rounded to hundredths, which is finer than any keypoint is known.
fn hundredths(value: f64) -> f64 {
    (100.0 * value).round() / 100.0
}
