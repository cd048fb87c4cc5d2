//! `vibhag cutout`: people out of photos, videos and webcams, over nothing or over another background. One bad input is
//! a row, not an end.

mod background;
pub(crate) mod cutter;
mod items;
mod photo;
mod video;

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use vibhag_core::{Error, Result};
use vibhag_nn::bundle::Flips;
use vibhag_nn::device::DeviceChoice;
use vibhag_video::Tools;

pub use background::Background;

use crate::media::{Source, said_again};
use crate::progress::ItemBar;
use background::Backdrop;
use cutter::Cutter;
use items::Item;

/// Mean alpha below which nothing counts as found.
const NOTHING: f64 = 5e-4;
const NOTHING_FOUND: &str = "nothing was found to cut out";
const NOBODY_NEAR: &str = "nobody near the camera was found to cut out; for people further away train a model \
                           (vibhag train PHOTOS --task body -o run) and name it with --model run";

/// What `vibhag cutout` was asked for.
#[derive(Debug, Clone)]
pub struct CutoutRequest {
    /// The bundle or run of a model with one foreground class; none takes the network that comes with the program, which
    /// is made for one person or a few near the camera.
    pub model: Option<PathBuf>,
    /// Photos, videos, folders, globs, `webcam` or `webcam:DEVICE`.
    pub inputs: Vec<String>,
    /// A folder, or the file for a single input.
    pub out: PathBuf,
    /// What is put behind; none leaves the foreground alone, with alpha.
    pub background: Option<Background>,
    /// Write the matte alone, grey, instead of colours.
    pub matte: bool,
    /// How long a webcam is read, in seconds.
    pub seconds: Option<f64>,
    /// Steady the probabilities of a video over time.
    pub smoothing: bool,
    /// Mirrored copies that are averaged for photos; the model's own choice when absent. Videos take none.
    pub tta: Option<Flips>,
    /// The device.
    pub device: DeviceChoice,
    /// No progress.
    pub quiet: bool,
}

/// One input's result.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Row {
    /// The input.
    pub input: String,
    /// `photo`, `video` or `webcam`.
    pub kind: &'static str,
    /// What was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<PathBuf>,
    /// Width and height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// Mean alpha, 0..=1: the share of the picture that is foreground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Frames written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Frames a second, reading and writing included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames_per_second: Option<f64>,
    /// Seconds, reading and writing included.
    pub seconds: f64,
    /// What was broken in an input that could be used all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// What a user should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Cuts out what the request names; failures are rows with an error.
///
/// # Errors
/// When no input is named, the model or the background cannot be used, the output cannot be written to, or there is
/// nothing but video and no ffmpeg.
pub fn cutout(request: &CutoutRequest) -> Result<Vec<Row>> {
    let items = items::of(request)?;
    let photos = items.iter().filter(|item| matches!(item.source, Source::Photo(_))).count();
    let mut tools = Tools::find();
    if photos == 0 {
        tools = Ok(tools?);
    }
    // A background that cannot be used fails at once, not after the first minute of work.
    let backdrop = Backdrop::open(request, tools.as_ref().ok(), None)?;
    if photos > 0 && backdrop.moves() {
        return Err(Error::config("a photo cannot have a video behind it")
            .hint("give a picture, a colour or blur, or cut out videos"));
    }
    // Each video opens its own.
    let mut behind_photos = (photos > 0).then_some(backdrop);
    let cutter = |tta: Option<Flips>| Cutter::load(request.model.as_deref(), request.device, tta);
    let still = (photos > 0).then(|| cutter(request.tta)).transpose()?;
    let moving = (photos < items.len()).then(|| cutter(Some(Flips::None))).transpose()?;
    for folder in items.iter().filter_map(|item| item.target.parent()).filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::io(folder, error).hint("choose a writable folder with -o"))?;
    }
    let mut bar = ItemBar::new(photos, "cutting out", request.quiet || photos == 0);
    let mut rows = Vec::with_capacity(items.len());
    for item in &items {
        let began = Instant::now();
        let mut row = Row { input: item.name.clone(), kind: item.source.kind(), ..Row::default() };
        let done = check_target(item).and_then(|()| match (&item.source, &still, &mut behind_photos) {
            (Source::Photo(path), Some(cutter), Some(backdrop)) => {
                photo::cut(cutter, path, &item.target, backdrop, &mut row)
            }
            _ => match (&moving, &tools) {
                (Some(cutter), Ok(tools)) => video::cut(cutter, tools, item, request, &mut row),
                (_, Err(missing)) => Err(said_again(missing)),
                (None, Ok(_)) => Ok(()),
            },
        });
        if matches!(item.source, Source::Photo(_)) {
            bar.next();
        }
        match done {
            Ok(()) => {
                row.output = Some(item.target.clone());
                if row.share.is_some_and(|share| share < NOTHING) {
                    row.notes.push(if request.model.is_some() { NOTHING_FOUND } else { NOBODY_NEAR }.to_owned());
                }
            }
            Err(error) => {
                let placed = error.at.path.is_some();
                let text = error.to_string();
                row.error = Some(if placed { text } else { format!("{}: {text}", item.name) });
            }
        }
        row.seconds = began.elapsed().as_secs_f64();
        rows.push(row);
    }
    bar.finish();
    Ok(rows)
}

/// Nobody wants a photo or video replaced by its own cut-out.
fn check_target(item: &Item) -> Result<()> {
    let Some(path) = item.source.path() else { return Ok(()) };
    let same = path.canonicalize().ok().zip(item.target.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if same {
        return Err(Error::config("the result would be written over its own input")
            .at_path(path)
            .hint("choose another folder or name with -o"));
    }
    Ok(())
}
