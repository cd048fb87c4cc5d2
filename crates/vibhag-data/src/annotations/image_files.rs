//! Image files of annotated data sets: their size without decoding, their copies, and names that stay below a folder.

use std::io::BufReader;
use std::path::{Component, Path, PathBuf};

use image::metadata::Orientation;
use image::{ImageDecoder, ImageReader};
use vibhag_core::{Error, ErrorKind, Result};

use super::ImageEntry;
use crate::decode::decode_error;
use crate::split::Split;

/// Width and height of the image at `path`, upright, from its header.
///
/// # Errors
/// When the file cannot be read or is no image.
pub(crate) fn image_size(path: &Path) -> Result<(usize, usize)> {
    let file = std::fs::File::open(path).map_err(|error| Error::io(path, error))?;
    let reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(|e| Error::io(path, e))?;
    let mut decoder = reader.into_decoder().map_err(|error| decode_error(error, path))?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    Ok(match decoder.orientation().unwrap_or(Orientation::NoTransforms) {
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            (height, width)
        }
        _ => (width, height),
    })
}

/// Fails unless the image at `path` has the size that its annotations are for.
///
/// # Errors
/// A size mismatch that states both sizes, or an image that cannot be read.
pub(super) fn expect_size(path: &Path, (width, height): (usize, usize)) -> Result<()> {
    let (own_width, own_height) = image_size(path)?;
    if (own_width, own_height) == (width, height) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::SizeMismatch,
        format!("the image has {own_width}x{own_height} pixels, its annotation is for {width}x{height}"),
    )
    .at_path(path)
    .hint("put the image back in the size in which it was annotated, or annotate it again"))
}

/// `name` (with `/` or `\` between folders) as a path below some folder.
///
/// # Errors
/// When it is empty, absolute, or leads out of the folder.
pub(super) fn relative(name: &str) -> Result<PathBuf> {
    let path = PathBuf::from(name.replace('\\', "/"));
    let below = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if name.is_empty() || !below {
        return Err(Error::new(ErrorKind::Unsupported, format!("{name:?} is no name below the folder of images"))
            .hint("give images names without .. and without a leading /"));
    }
    Ok(path.components().filter(|part| matches!(part, Component::Normal(_))).collect())
}

/// `path` below `base`, with `/` between folders.
pub(super) fn name_below(base: &Path, path: &Path) -> String {
    let below = path.strip_prefix(base).unwrap_or(path);
    below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The entry of the image file `path` below `base`: the first folder of its name is a split if it is called like one.
pub(super) fn entry_below(base: &Path, path: &Path) -> ImageEntry {
    let name = name_below(base, path);
    let (split, name) = match name.split_once('/') {
        Some((folder, rest)) if Split::from_name(folder).is_some() => (Split::from_name(folder), rest.to_owned()),
        _ => (None, name),
    };
    ImageEntry { id: None, name, path: Some(path.to_owned()), split: split.map(|split| split.to_string()) }
}

/// `path` with another ending: `a/b.jpg` with `_masks.png` is `a/b_masks.png`.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(stem + ending)
}

/// Makes the folder that `path` will lie in.
///
/// # Errors
/// When the operating system refuses.
pub(super) fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(parent).map_err(|error| Error::io(parent, error).hint("check free space and permissions"))
}

/// Copies the image file `from`, if it is known, to `to`.
///
/// # Errors
/// When it cannot be copied.
pub(super) fn copy_image(from: Option<&Path>, to: &Path) -> Result<()> {
    let Some(from) = from else { return Ok(()) };
    make_parent(to)?;
    std::fs::copy(from, to).map(drop).map_err(|error| Error::io(from, error).hint("check free space and permissions"))
}

/// Writes `text` to `path`.
///
/// # Errors
/// When the operating system refuses.
pub(super) fn write_text(path: &Path, text: &str) -> Result<()> {
    make_parent(path)?;
    std::fs::write(path, text).map_err(|error| Error::io(path, error).hint("check free space and permissions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_their_folder() {
        assert_eq!(relative("a\\b.png").unwrap(), Path::new("a/b.png"));
        assert_eq!(relative("./a/b.png").unwrap(), Path::new("a/b.png"));
        for name in ["", "../a.png", "a/../../b.png", "/etc/passwd"] {
            assert!(relative(name).is_err(), "{name}");
        }
        assert_eq!(with_ending(Path::new("a/b.c.jpg"), "_masks.png"), Path::new("a/b.c_masks.png"));
    }
}
