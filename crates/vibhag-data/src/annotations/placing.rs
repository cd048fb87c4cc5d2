//! Where the writers that keep images under their own names put them.

use std::path::Path;

use vibhag_core::Result;

use super::export::Outgoing;
use super::image_files::relative;

/// Copies the image of `outgoing` below `folder` under its own name, and returns that name with `/` between folders.
///
/// A name that leads out of the folder is cut down to its last part; that, and an image file that is not there, are
/// added to the losses.
///
/// # Errors
/// When another image has that name, or the file cannot be copied.
pub(super) fn place_image(outgoing: &mut Outgoing<'_>, folder: &Path) -> Result<String> {
    let name = outgoing.entry.name.as_str();
    let below = match relative(name) {
        Ok(below) => below,
        Err(error) => {
            let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
            let below = relative(last).map_err(|_| error)?;
            outgoing.losses.push(format!("{name}: the name leads out of the folder of images, so it is now {last}"));
            below
        }
    };
    outgoing.claim(&folder.join(&below))?;
    copy_to(outgoing, &folder.join(&below))?;
    Ok(below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/"))
}

/// Copies the image of `outgoing` to `to`; one whose file is not there is added to the losses.
///
/// # Errors
/// When the file cannot be copied.
pub(super) fn copy_to(outgoing: &mut Outgoing<'_>, to: &Path) -> Result<()> {
    if outgoing.entry.path.as_deref().is_some_and(Path::is_file) {
        return outgoing.copy_image(to);
    }
    let line = format!("{}: its image file is not there, so only its annotations are written", outgoing.entry.name);
    outgoing.losses.push(line);
    Ok(())
}
