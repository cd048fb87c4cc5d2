//! A video or a webcam, frame by frame: people keep their numbers, and what is held does not grow with its length.

use std::path::Path;

use vibhag_core::{Image, Pose, Result};
use vibhag_imaging::pose::{OneEuroParams, PoseSmoother, TrackParams, Tracker};
use vibhag_video::{Frame, Tools, WriterOptions};

use super::finder::Finder;
use super::writer::Writer;
use super::{Output, PoseRequest, Row};
use crate::media::{Footage, Source};
use crate::progress::FrameBar;

/// Finds the people of every frame of `source`, writes their keypoints and, where pictures are asked for, a video of their
/// skeletons with the sound of the file, which appears when it is whole.
///
/// # Errors
/// When the source cannot be read, a file breaks off by a failure of ffmpeg, or something cannot be written. A webcam that
/// goes away leaves what there is, and says so in the row.
pub(super) fn follow(
    finder: &Finder,
    tools: &Tools,
    source: &Source,
    request: &PoseRequest,
    output: &mut Output<'_>,
    row: &mut Row,
) -> Result<()> {
    let (writer, stem) = (output.writer, output.stem);
    let mut footage = Footage::open(tools, source, request.seconds)?;
    let (width, height, frame_rate) = (footage.info().width, footage.info().height, footage.info().frame_rate);
    row.size = Some([width, height]);
    let film_path = writer.film_path(stem);
    let sound_from = source.path().map(Path::to_owned);
    let options = WriterOptions { width, height, frame_rate, alpha: false, sound_from };
    let mut film = film_path.as_ref().map(|path| vibhag_video::Writer::create(tools, path, options)).transpose()?;
    let frame_files = writer.frames(stem)?;
    let mut tracks = Tracks::new(finder, request)?;
    let bar = FrameBar::new(footage.info().frames, &row.input, request.quiet);
    let (mut frames, mut most) = (0, 0);
    while let Some(Frame { image, index, seconds }) = footage.next_frame()? {
        let mut people = finder.find(&image)?;
        tracks.follow(&mut people, seconds, writer);
        most = most.max(people.len());
        let shown = writer.shown(&people)?;
        if let Some(files) = &frame_files {
            files.write(index, &shown)?;
        }
        if let Some(results) = &mut output.results {
            let number = output.numbers.frame();
            row.image_id.get_or_insert(number);
            results.add(number, &people);
        }
        if let Some(film) = &mut film {
            let picture = Image::from_u8(width, height, 3, writer.drawn(&image, &shown)?.rgb().to_vec())?;
            if footage.is_live() {
                film.push_at(&picture, seconds)?;
            } else {
                film.push(&picture)?;
            }
        }
        frames += 1;
        bar.show(&footage.progress());
    }
    bar.finish();
    row.frames = Some(frames);
    row.frames_per_second = Some(footage.progress().frames_per_second);
    (row.most_people, row.different_people) = (Some(most), Some(tracks.people));
    row.damage = footage.damage();
    drop(footage);
    if let Some(film) = film {
        film.finish()?;
    }
    row.files.extend(frame_files.map(|files| files.pattern()));
    row.files.extend(film_path);
    Ok(())
}

/// Who is who, and without trembling.
struct Tracks {
    tracker: Tracker,
    smoother: Option<PoseSmoother>,
    /// Time of the last frame, in seconds.
    last: Option<f64>,
    /// People so far: numbers count from 1.
    people: u32,
}

impl Tracks {
    fn new(finder: &Finder, request: &PoseRequest) -> Result<Self> {
        let smoother = request.smoothing.then(|| PoseSmoother::new(OneEuroParams::default())).transpose()?;
        let tracker = Tracker::new(finder.skeleton(), TrackParams::default())?;
        Ok(Self { tracker, smoother, last: None, people: 0 })
    }

    /// Numbers the people of the frame at `seconds` and smooths them.
    fn follow(&mut self, people: &mut [Pose], seconds: f64, writer: &Writer<'_>) {
        // A guess at what is hidden jumps from frame to frame, and makes a person unlike himself.
        let mut sure: Vec<Pose> = people.iter().map(|pose| writer.sure(pose)).collect();
        self.tracker.update(&mut sure);
        for (pose, sure) in people.iter_mut().zip(&sure) {
            pose.id = sure.id;
            self.people = self.people.max(sure.id.unwrap_or_default());
        }
        let passed = self.last.replace(seconds).map_or(0.0, |last| seconds - last);
        if let Some(smoother) = &mut self.smoother {
            smoother.smooth(people, passed);
        }
    }
}
