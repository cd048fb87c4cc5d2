//! `vibhag people`: whose pixels are whose, skeletons and a matte of the people in photos, in one JSON and one picture. One
//! bad photo is a row, not an end.

mod record;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use vibhag_core::{BinaryMask, Error, ErrorKind, Image, Pose, Result};
use vibhag_data::decode::{is_image_path, read_image};
use vibhag_imaging::matte::grey;
use vibhag_imaging::pose::{PartingOptions, part_people};
use vibhag_nn::bundle::Flips;
use vibhag_nn::device::DeviceChoice;
use vibhag_report::overlay_people;
use vibhag_video::{Camera, is_video_path};

pub use record::{MaskRecord, PersonRecord, PhotoRecord, PolygonRecord, SkeletonRecord};

use crate::cutout::cutter::Cutter;
use crate::files::{write_json, write_picture};
use crate::inputs::{expand_kind, unique_names};
use crate::pose::PoseRequest;
use crate::pose::finder::{Finder, sure};
use crate::progress::ItemBar;

/// Alpha from which a pixel is somebody's.
const FOREGROUND: f32 = 0.5;

/// What `vibhag people` was asked for. What is `None` is left to the networks.
#[derive(Debug, Clone)]
pub struct PeopleRequest {
    /// Photos, folders, globs.
    pub inputs: Vec<String>,
    /// The bundle or run of a model with one foreground class, in place of the network that comes with the program.
    pub model: Option<PathBuf>,
    /// A model of task pose in place of the network that comes with the program.
    pub pose_model: Option<PathBuf>,
    /// The folder for the output.
    pub out: PathBuf,
    /// About the longer side of what the pose network that comes with the program sees, in pixels.
    pub size: Option<usize>,
    /// Most skeletons in a photo.
    pub max_people: Option<usize>,
    /// Least score of a skeleton, 0..=1.
    pub min_score: Option<f32>,
    /// Keypoints below this score part nobody from anybody, and are not drawn; the JSON keeps them with their score.
    pub min_keypoint_score: f32,
    /// How the mask is parted.
    pub parting: PartingOptions,
    /// Mirrored copies that the body model averages; its own choice when absent.
    pub tta: Option<Flips>,
    /// The device.
    pub device: DeviceChoice,
    /// No progress.
    pub quiet: bool,
}

impl Default for PeopleRequest {
    fn default() -> Self {
        Self {
            inputs: Vec::new(),
            model: None,
            pose_model: None,
            out: "people".into(),
            size: None,
            max_people: None,
            min_score: None,
            min_keypoint_score: PoseRequest::default().min_keypoint_score,
            parting: PartingOptions::default(),
            tta: None,
            device: DeviceChoice::Cpu,
            quiet: false,
        }
    }
}

/// One photo's result.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Row {
    /// The photo.
    pub input: String,
    /// What its JSON holds.
    #[serde(flatten)]
    pub found: Option<PhotoRecord>,
    /// Files written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Seconds, reading and writing included.
    pub seconds: f64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Finds everybody in the photos that the request names: `NAME_people.json`, `NAME_people.png` and `NAME_matte.png` of
/// each; failures are rows with an error.
///
/// # Errors
/// When an option is out of range, no input is named, a model cannot be used, or the output cannot be written to.
pub fn people(request: &PeopleRequest) -> Result<Vec<Row>> {
    let paths = paths(&request.inputs)?;
    let finder = Everybody::load(request)?;
    std::fs::create_dir_all(&request.out)
        .map_err(|error| Error::io(&request.out, error).hint("choose a writable folder with -o"))?;
    let inputs: BTreeSet<PathBuf> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut bar = ItemBar::new(paths.len(), "finding people", request.quiet);
    let mut rows = Vec::with_capacity(paths.len());
    for (path, stem) in paths.iter().zip(unique_names(&paths)) {
        let began = Instant::now();
        let mut row = Row { input: path.display().to_string(), ..Row::default() };
        let done = photo(&finder, path, &request.out, &stem, &inputs, &mut row);
        row.error = done.err().map(|error| {
            let error = if error.at.path.is_some() { error } else { error.at_path(path) };
            error.to_string()
        });
        row.seconds = began.elapsed().as_secs_f64();
        rows.push(row);
        bar.next();
    }
    bar.finish();
    Ok(rows)
}

/// The files that `inputs` name. Videos are among them: each becomes a row that says what to do.
fn paths(inputs: &[String]) -> Result<Vec<PathBuf>> {
    let is_camera = |input: &&String| Camera::parse(input).is_some() && !Path::new(input.as_str()).exists();
    if let Some(camera) = inputs.iter().find(is_camera) {
        return Err(no_footage().at(camera.as_str()));
    }
    expand_kind(inputs, &|path| is_image_path(path) || is_video_path(path), "image")
}

fn no_footage() -> Error {
    Error::new(ErrorKind::Unsupported, "people are told apart in photos, not in videos or webcams")
        .hint("use vibhag pose for the skeletons and vibhag cutout for the matte")
}

/// The networks.
struct Everybody {
    cutter: Cutter,
    finder: Finder,
    min_keypoint_score: f32,
    parting: PartingOptions,
}

impl Everybody {
    fn load(request: &PeopleRequest) -> Result<Self> {
        let least = request.min_keypoint_score;
        if !(0.0..=1.0).contains(&least) {
            return Err(Error::config("the least score of a keypoint is not between 0 and 1").at(least.to_string()));
        }
        let skeletons = PoseRequest {
            model: request.pose_model.clone(),
            size: request.size,
            max_people: request.max_people,
            min_score: request.min_score,
            device: request.device,
            ..PoseRequest::default()
        };
        Ok(Self {
            finder: Finder::load(&skeletons)?,
            cutter: Cutter::load(request.model.as_deref(), request.device, request.tta)?,
            min_keypoint_score: least,
            parting: request.parting,
        })
    }
}

fn photo(
    everybody: &Everybody,
    path: &Path,
    out: &Path,
    stem: &str,
    inputs: &BTreeSet<PathBuf>,
    row: &mut Row,
) -> Result<()> {
    if is_video_path(path) {
        return Err(no_footage());
    }
    let [json, picture, matte] = ["people.json", "people.png", "matte.png"].map(|end| format!("{stem}_{end}"));
    // Nobody wants a photo replaced by what was found in another.
    let replaced = |name: &&String| out.join(name).canonicalize().is_ok_and(|target| inputs.contains(&target));
    if let Some(name) = [&picture, &matte].into_iter().find(replaced) {
        return Err(Error::config("the result would be written over an input")
            .at(name.as_str())
            .hint("choose another folder with -o"));
    }
    let image = read_image(path)?;
    let (width, height) = (image.width(), image.height());
    let poses = everybody.finder.find(&image)?;
    let certain: Vec<Pose> = poses.iter().map(|pose| sure(pose, everybody.min_keypoint_score)).collect();
    let alpha = everybody.cutter.alpha(&image, None)?;
    let mask = BinaryMask::new(width, height, alpha.iter().map(|&alpha| alpha >= FOREGROUND).collect())?;
    let skeleton = everybody.finder.skeleton();
    let parting = part_people(&mask, &certain, skeleton, &everybody.parting)?;
    let drawn: Vec<Option<Pose>> =
        parting.people.iter().map(|person| person.and_then(|index| certain.get(index).cloned())).collect();
    let overlay = overlay_people(&image, &parting.ids, &drawn, skeleton)?;
    let overlay = Image::from_u8(width, height, 3, overlay.rgb().to_vec())?;
    let record = PhotoRecord {
        image: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        width,
        height,
        skeleton: SkeletonRecord::of(skeleton),
        people: record::records(&parting, &poses, skeleton),
        matte: matte.clone(),
        picture: picture.clone(),
    };
    let [json, picture, matte] = [json, picture, matte].map(|name| out.join(name));
    write_picture(&matte, &grey(&alpha, width, height)?)?;
    write_picture(&picture, &overlay)?;
    write_json(&json, &record)?;
    row.files.extend([json, picture, matte]);
    row.found = Some(record);
    Ok(())
}
