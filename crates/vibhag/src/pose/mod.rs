//! `vibhag pose`: photos, videos and webcams in, people's keypoints and pictures of them out. One bad input is a row, not
//! an end.

mod coco;
pub(crate) mod finder;
mod openpose;
mod video;
mod writer;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use vibhag_core::{Error, Pose, Result};
use vibhag_data::decode;
use vibhag_nn::device::DeviceChoice;
use vibhag_video::Tools;

use crate::files::write_json;
use crate::inputs::unique_names;
use crate::media::{self, Source, said_again};
use crate::progress::ItemBar;
use coco::{Numbers, Results};
use finder::Finder;
use writer::Writer;

/// A format of poses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoseFormat {
    /// `json/NAME_keypoints.json` for each image, `NAME_json/NAME_000000000000_keypoints.json` for each frame, named as
    /// OpenPose does.
    OpenPose,
    /// `coco_results.json`: COCO's results of keypoint detection, of all images and frames.
    Coco,
}

/// Every format with its name on the command line.
pub const POSE_FORMATS: &[(&str, PoseFormat)] = &[("openpose", PoseFormat::OpenPose), ("coco", PoseFormat::Coco)];

/// Skeletons that OpenPose's format has, the usual one first.
pub const OPENPOSE_SKELETONS: &[&str] = &["body-25", "coco-18"];

/// Stands for the skeleton of the network, as it is.
pub const OWN_SKELETON: &str = "own";

/// What `vibhag pose` was asked for. What is `None` is left to the network.
#[derive(Debug, Clone)]
pub struct PoseRequest {
    /// Photos, videos, folders, globs, `webcam` or `webcam:DEVICE`.
    pub inputs: Vec<String>,
    /// A model of task pose in place of the network that comes with the program.
    pub model: Option<PathBuf>,
    /// The folder for the output.
    pub out: PathBuf,
    /// Formats to write; empty means OpenPose's.
    pub formats: BTreeSet<PoseFormat>,
    /// The skeleton of OpenPose's files and of the pictures: one of [`OPENPOSE_SKELETONS`] or [`OWN_SKELETON`].
    pub skeleton: String,
    /// Also draw the skeletons: `NAME_rendered.png`, of a video `NAME_rendered.mp4`.
    pub render: bool,
    /// Draw over black instead of the picture.
    pub black: bool,
    /// About the longer side of what the network that comes with the program sees, in pixels.
    pub size: Option<usize>,
    /// In how many turns the model looks at a picture: 1, 4 or 8.
    pub turns: Option<u8>,
    /// Most people in a picture.
    pub max_people: Option<usize>,
    /// Least score of a person, 0..=1.
    pub min_score: Option<f32>,
    /// Keypoints below this score are absent from OpenPose's files and from pictures, and tell nobody apart in a video.
    /// COCO's results keep all of them, as its metric wants.
    pub min_keypoint_score: f32,
    /// How long a webcam is watched, in seconds.
    pub seconds: Option<f64>,
    /// Take the trembling out of videos.
    pub smoothing: bool,
    /// The device.
    pub device: DeviceChoice,
    /// No progress.
    pub quiet: bool,
}

impl Default for PoseRequest {
    fn default() -> Self {
        Self {
            inputs: Vec::new(),
            model: None,
            out: "poses".into(),
            formats: BTreeSet::new(),
            skeleton: OPENPOSE_SKELETONS[0].to_owned(),
            render: false,
            black: false,
            size: None,
            turns: None,
            max_people: None,
            min_score: None,
            min_keypoint_score: 0.2,
            seconds: None,
            smoothing: true,
            device: DeviceChoice::Cpu,
            quiet: false,
        }
    }
}

/// One input's result.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Row {
    /// The input.
    pub input: String,
    /// `photo`, `video` or `webcam`.
    pub kind: &'static str,
    /// The number of the photo in COCO's results, or that of the first frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<u64>,
    /// Width and height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// The people of a photo by falling score, in the order of the network's keypoints and in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<Vec<Pose>>,
    /// Frames of a video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Frames a second, reading and writing included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames_per_second: Option<f64>,
    /// The largest number of people in a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_people: Option<usize>,
    /// How many people were told apart in a video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub different_people: Option<u32>,
    /// Files written; `%012d` stands for the number of a frame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Seconds, reading and writing included.
    pub seconds: f64,
    /// What was broken in an input that could be used all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Finds the people in everything that the request names, and writes them; failures are rows with an error. `poses.json`
/// holds the rows.
///
/// # Errors
/// When an option is out of range, no input is named, the model cannot be used, the output cannot be written, or there is
/// nothing but video and no ffmpeg.
pub fn pose(request: &PoseRequest) -> Result<Vec<Row>> {
    let sources = media::sources(&request.inputs, request.seconds)?;
    let photos = sources.iter().filter(|(_, source)| matches!(source, Source::Photo(_))).count();
    let mut tools = Tools::find();
    if photos == 0 {
        tools = Ok(tools?);
    }
    let finder = Finder::load(request)?;
    let writer = Writer::new(request, finder.skeleton())?;
    std::fs::create_dir_all(&request.out)
        .map_err(|error| Error::io(&request.out, error).hint("choose a writable folder with -o"))?;
    let paths: Vec<PathBuf> = sources.iter().map(|(_, source)| source.stem_path().to_owned()).collect();
    let mut numbers = Numbers::of(&paths, photos == sources.len());
    let mut results = writer.results()?;
    let mut bar = ItemBar::new(photos, "finding people", request.quiet || photos == 0);
    let mut rows = Vec::with_capacity(sources.len());
    for ((name, source), stem) in sources.iter().zip(unique_names(&paths)) {
        let began = Instant::now();
        let mut row = Row { input: name.clone(), kind: source.kind(), ..Row::default() };
        let mut output = Output { writer: &writer, stem: &stem, numbers: &mut numbers, results: results.as_mut() };
        let done = match (source, &tools) {
            (Source::Photo(path), _) => photo(&finder, path, &mut output, &mut row),
            (_, Ok(tools)) => video::follow(&finder, tools, source, request, &mut output, &mut row),
            (_, Err(missing)) => Err(said_again(missing)),
        };
        if matches!(source, Source::Photo(_)) {
            bar.next();
        }
        row.error = done.err().map(|error| {
            let text = error.to_string();
            if error.at.path.is_some() { text } else { format!("{name}: {text}") }
        });
        row.seconds = began.elapsed().as_secs_f64();
        rows.push(row);
    }
    bar.finish();
    if let Some(results) = results {
        results.finish()?;
    }
    write_json(&request.out.join("poses.json"), &rows)?;
    Ok(rows)
}

/// Where the results of one input go.
struct Output<'a> {
    writer: &'a Writer<'a>,
    /// What names begin with.
    stem: &'a str,
    numbers: &'a mut Numbers,
    results: Option<&'a mut Results>,
}

fn photo(finder: &Finder, path: &Path, output: &mut Output<'_>, row: &mut Row) -> Result<()> {
    // Every photo has its number, read or not, so that the others keep theirs.
    let number = output.numbers.photo();
    let image = decode::read_image(path)?;
    row.size = Some([image.width(), image.height()]);
    let people = finder.find(&image).map_err(|error| error.at_path(path))?;
    let shown = output.writer.shown(&people)?;
    row.files.extend(output.writer.keypoints(output.stem, &shown)?);
    row.files.extend(output.writer.picture(output.stem, &image, &shown)?);
    if let Some(results) = &mut output.results {
        row.image_id = Some(number);
        results.add(number, &people);
    }
    row.people = Some(people);
    Ok(())
}
