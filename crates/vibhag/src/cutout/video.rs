//! A video or a webcam, frame by frame: what is held does not grow with its length.

use std::path::Path;

use vibhag_core::{Image, Result};
use vibhag_imaging::matte::{TemporalFilter, TemporalOptions};
use vibhag_video::{Frame, Tools, Writer, WriterOptions};

use super::background::Backdrop;
use super::cutter::Cutter;
use super::items::Item;
use super::photo::mean;
use super::{CutoutRequest, Row};
use crate::media::Footage;
use crate::progress::FrameBar;

/// Cuts out every frame of `item` and writes its target, with the sound of a file. The target appears when it is whole.
///
/// # Errors
/// When the source cannot be read, a file breaks off by a failure of ffmpeg, or the video cannot be written. A webcam
/// that goes away leaves what there is, and says so in the row.
pub(super) fn cut(cutter: &Cutter, tools: &Tools, item: &Item, request: &CutoutRequest, row: &mut Row) -> Result<()> {
    let mut footage = Footage::open(tools, &item.source, request.seconds)?;
    let sound_from = item.source.path().map(Path::to_owned);
    let (width, height, frame_rate) = (footage.info().width, footage.info().height, footage.info().frame_rate);
    row.size = Some([width, height]);
    let mut backdrop = Backdrop::open(request, Some(tools), Some((width, height)))?;
    let options = WriterOptions { width, height, frame_rate, alpha: backdrop.is_transparent(), sound_from };
    let mut writer = Writer::create(tools, &item.target, options)?;
    let mut filter = request.smoothing.then(|| TemporalFilter::new(TemporalOptions::default()));
    let bar = FrameBar::new(footage.info().frames, &item.name, request.quiet);
    let (mut shares, mut frames) = (0.0, 0u64);
    while let Some(Frame { image, seconds, .. }) = footage.next_frame()? {
        let alpha = cutter.alpha(&image, filter.as_mut())?;
        shares += mean(&alpha);
        let shown = three_channels(backdrop.show(&image, &alpha, seconds)?)?;
        if footage.is_live() {
            writer.push_at(&shown, seconds)?;
        } else {
            writer.push(&shown)?;
        }
        frames += 1;
        bar.show(&footage.progress());
    }
    bar.finish();
    row.frames_per_second = Some(footage.progress().frames_per_second);
    row.damage = footage.damage();
    drop(footage);
    row.frames = Some(writer.finish()?);
    row.share = Some(shares / frames.max(1) as f64);
    Ok(())
}

/// A video has no grey frames.
fn three_channels(picture: Image) -> Result<Image> {
    if picture.channels() == 1 { picture.with_channels(3) } else { Ok(picture) }
}
