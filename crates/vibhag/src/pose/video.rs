//! A video, frame by frame: what is held does not grow with its length.

use vibhag_core::{Image, Result};
use vibhag_imaging::pose::{OneEuroParams, PoseSmoother, TrackParams, Tracker};
use vibhag_predict::pose::PosePredictor;
use vibhag_report::Picture;
use vibhag_video::{Damage, Frame, Reader, Tools, Writer as VideoWriter, WriterOptions};

use super::writer::Writer;
use super::{PoseRequest, Row};
use crate::progress::counter;

/// Finds and follows the people of the video `row.image`: a file of keypoints for each frame, and with pictures a video of
/// them with the sound. That video appears when it is whole.
///
/// # Errors
/// When the video cannot be read or a file cannot be written.
pub(super) fn follow(
    predictor: &PosePredictor,
    tools: &Tools,
    writer: &Writer<'_>,
    name: &str,
    request: &PoseRequest,
    row: &mut Row,
) -> Result<()> {
    let mut reader = Reader::open(tools, &row.image)?;
    let (width, height, frame_rate) = (reader.info().width, reader.info().height, reader.info().frame_rate);
    row.size = Some([width, height]);
    let target = request.out.join(format!("{name}_rendered.mp4"));
    let options = WriterOptions { width, height, frame_rate, alpha: false, sound_from: Some(row.image.clone()) };
    let mut video = if writer.renders() { Some(VideoWriter::create(tools, &target, options)?) } else { None };
    let mut tracker = Tracker::new(predictor.skeleton(), TrackParams::default())?;
    let mut smoother = PoseSmoother::new(OneEuroParams::default())?;
    let length = reader.info().frames.and_then(|frames| frames.try_into().ok()).unwrap_or(0);
    let bar = counter(length, "following people", request.quiet);
    let (mut frames, mut different) = (0, 0);
    while let Some(Frame { image, index, .. }) = reader.next_frame()? {
        let mut people: Vec<_> = predictor.predict(&image)?.iter().map(|pose| writer.without_guesses(pose)).collect();
        people.retain(|pose| pose.present() > 0);
        tracker.update(&mut people);
        smoother.smooth(&mut people, 1.0 / frame_rate.per_second());
        different = people.iter().filter_map(|pose| pose.id).fold(different, u32::max);
        let shown = writer.shown(&people)?;
        writer.keypoints(&format!("{name}_{index:012}"), &shown)?;
        if let (Some(video), Some(picture)) = (&mut video, writer.picture(&image, &shown)?) {
            video.push(&as_image(&picture)?)?;
        }
        frames += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    row.frames_per_second = Some(reader.progress().frames_per_second);
    row.damage = damage_text(&reader.damage());
    drop(reader);
    if let Some(video) = video {
        video.finish()?;
        row.files.push(target);
    }
    row.frames = Some(frames);
    row.different_people = Some(different);
    Ok(())
}

fn as_image(picture: &Picture) -> Result<Image> {
    Image::from_u8(picture.width(), picture.height(), 3, picture.rgb().to_vec())
}

fn damage_text(damage: &Damage) -> Option<String> {
    let mut parts = Vec::new();
    if damage.broken > 0 {
        let first = damage.first.as_deref().unwrap_or("unknown");
        parts.push(format!("{} broken frames were repaired or left out (the first: {first})", damage.broken));
    }
    if damage.missing > 0 {
        parts.push(format!("the file is cut off: {} frames are missing at its end", damage.missing));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
