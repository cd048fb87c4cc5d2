//! The inputs of a request, and where the result of each goes.

use std::path::{Path, PathBuf};

use vibhag_core::{Error, Result};
use vibhag_data::decode::is_image_path;
use vibhag_video::{Format, is_video_path};

use super::CutoutRequest;
use crate::inputs;
use crate::media::{self, Source};

/// One input and where its result goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// What the user named, or the file found there.
    pub(super) name: String,
    /// Where its pictures come from.
    pub(super) source: Source,
    /// The file to write.
    pub(super) target: PathBuf,
}

/// What `request` names, files in order of their paths and then webcams.
///
/// # Errors
/// When an input names nothing, or one file would have to hold several results.
pub(super) fn of(request: &CutoutRequest) -> Result<Vec<Item>> {
    let sources = media::sources(&request.inputs, request.seconds)?;
    let transparent = request.background.is_none() && !request.matte;
    if let ([(name, source)], true) = (&sources[..], is_file_name(&request.out)) {
        check_file(source, &request.out, transparent)?;
        return Ok(vec![Item { name: name.clone(), source: source.clone(), target: request.out.clone() }]);
    }
    if is_file_name(&request.out) {
        return Err(Error::config(format!("one file cannot hold {} results", sources.len()))
            .at_path(&request.out)
            .hint("name a folder with -o"));
    }
    let paths: Vec<PathBuf> = sources.iter().map(|(_, source)| source.stem_path().to_owned()).collect();
    let names = inputs::unique_names(&paths);
    let video_ending = if transparent { "mov" } else { "mp4" };
    let item = |((name, source), stem): ((String, Source), String)| {
        let ending = if matches!(source, Source::Photo(_)) { "png" } else { video_ending };
        Item { name, source, target: request.out.join(format!("{stem}.{ending}")) }
    };
    Ok(sources.into_iter().zip(names).map(item).collect())
}

/// Whether `path` is the name of a picture or video rather than that of a folder.
fn is_file_name(path: &Path) -> bool {
    !path.is_dir() && (is_image_path(path) || is_video_path(path))
}

/// Whether the result of `source` can be written under the name `path`.
fn check_file(source: &Source, path: &Path, transparent: bool) -> Result<()> {
    if !matches!(source, Source::Photo(_)) {
        return Format::of(path, transparent).map(drop).map_err(|error| {
            let hint = error.hint.clone().unwrap_or_default();
            if transparent { error.hint(format!("{hint}; or put something behind with --background")) } else { error }
        });
    }
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        return Ok(());
    }
    Err(Error::config("a photo's cut-out is written as PNG")
        .at_path(path)
        .hint("end the name in .png, or name a folder"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_nn::device::DeviceChoice;

    fn request(inputs: &[String], out: &Path) -> CutoutRequest {
        CutoutRequest {
            model: None,
            inputs: inputs.to_vec(),
            out: out.to_owned(),
            background: None,
            matte: false,
            seconds: None,
            smoothing: true,
            tta: None,
            device: DeviceChoice::Cpu,
            quiet: true,
        }
    }

    #[test]
    fn every_input_gets_a_name_that_tells_its_kind() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.jpg", "a.mp4", "b.PNG", "notes.txt"] {
            std::fs::write(dir.path().join(name), b"x").unwrap();
        }
        let out = dir.path().join("out");
        let mut request = request(&[dir.path().display().to_string(), "webcam:1".to_owned()], &out);
        request.seconds = Some(2.0);
        let targets = |request: &CutoutRequest| -> Vec<String> {
            let name = |item: Item| item.target.file_name().unwrap().to_string_lossy().into_owned();
            of(request).unwrap().into_iter().map(name).collect()
        };
        assert_eq!(targets(&request), ["a.png", "a_mp4.mov", "b.png", "webcam.mov"]);
        request.matte = true;
        assert_eq!(targets(&request), ["a.png", "a_mp4.mp4", "b.png", "webcam.mp4"]);
        request.out = "all.mp4".into();
        assert!(of(&request).unwrap_err().to_string().contains("4 results"));
    }

    #[test]
    fn a_single_result_may_name_its_file() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.jpg", "a.mp4"] {
            std::fs::write(dir.path().join(name), b"x").unwrap();
        }
        let one = |input: &str, out: &str| {
            of(&request(&[dir.path().join(input).display().to_string()], &dir.path().join(out)))
        };
        assert!(one("a.jpg", "cut.png").unwrap()[0].target.ends_with("cut.png"));
        assert!(one("a.jpg", "cut.jpg").unwrap_err().to_string().contains("PNG"));
        assert!(one("a.mp4", "cut.webm").unwrap()[0].target.ends_with("cut.webm"));
        let error = one("a.mp4", "cut.mp4").unwrap_err().to_string();
        assert!(error.contains("no alpha") && error.contains("--background"), "{error}");
        assert!(one("a.jpg", "folder.v1").unwrap()[0].target.ends_with("folder.v1/a.png"));
    }
}
