//! A video or a webcam, frame by frame: what is held does not grow with its length.

use std::path::PathBuf;

use vibhag_core::{Image, Result};
use vibhag_imaging::matte::{TemporalFilter, TemporalOptions};
use vibhag_video::{Damage, Frame, Reader, Tools, Writer, WriterOptions};

use super::background::Backdrop;
use super::cutter::Cutter;
use super::items::{Item, Source};
use super::photo::mean;
use super::{CutoutRequest, Row};
use crate::progress::FrameBar;

/// Cuts out every frame of `item` and writes its target, with the sound of a file. The target appears when it is whole.
///
/// # Errors
/// When the source cannot be read, a file breaks off by a failure of ffmpeg, or the video cannot be written. A webcam
/// that goes away leaves what there is, and says so in the row.
pub(super) fn cut(cutter: &Cutter, tools: &Tools, item: &Item, request: &CutoutRequest, row: &mut Row) -> Result<()> {
    let (mut reader, sound_from): (Reader, Option<PathBuf>) = match &item.source {
        Source::Camera(camera) => (Reader::camera(tools, camera)?, None),
        Source::Photo(path) | Source::Video(path) => (Reader::open(tools, path)?, Some(path.clone())),
    };
    let is_camera = matches!(item.source, Source::Camera(_));
    let (width, height, frame_rate) = (reader.info().width, reader.info().height, reader.info().frame_rate);
    row.size = Some([width, height]);
    let mut backdrop = Backdrop::open(request, Some(tools), Some((width, height)))?;
    let options = WriterOptions { width, height, frame_rate, alpha: backdrop.is_transparent(), sound_from };
    let mut writer = Writer::create(tools, &item.target, options)?;
    let mut filter = request.smoothing.then(|| TemporalFilter::new(TemporalOptions::default()));
    let bar = FrameBar::new(reader.info().frames, &item.name, request.quiet);
    let (mut shares, mut frames) = (0.0, 0u64);
    let end = request.seconds.filter(|_| is_camera).unwrap_or(f64::INFINITY);
    loop {
        let Frame { image, seconds, .. } = match reader.next_frame() {
            Ok(Some(frame)) if frame.seconds < end => frame,
            Ok(_) => break,
            Err(error) if is_camera && frames > 0 => {
                row.damage = Some(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        };
        let alpha = cutter.alpha(&image, filter.as_mut())?;
        shares += mean(&alpha);
        let shown = three_channels(backdrop.show(&image, &alpha, seconds)?)?;
        if is_camera {
            writer.push_at(&shown, seconds)?;
        } else {
            writer.push(&shown)?;
        }
        frames += 1;
        bar.show(&reader.progress());
    }
    bar.finish();
    row.frames_per_second = Some(reader.progress().frames_per_second);
    if row.damage.is_none() {
        row.damage = damage_text(&reader.damage());
    }
    drop(reader);
    row.frames = Some(writer.finish()?);
    row.share = Some(shares / frames.max(1) as f64);
    Ok(())
}

/// A video has no grey frames.
fn three_channels(picture: Image) -> Result<Image> {
    if picture.channels() == 1 { picture.with_channels(3) } else { Ok(picture) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_only_where_there_is_some() {
        assert_eq!(damage_text(&Damage::default()), None);
        let damage = Damage { broken: 2, first: Some("bad slice".to_owned()), missing: 5 };
        let text = damage_text(&damage).unwrap();
        assert!(text.contains("2 broken") && text.contains("bad slice") && text.contains("5 frames"), "{text}");
    }
}
