//! Segments drawn over an image: fills, hatches and outlines, one mark for each segment.

use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, IdMap, Image, Result, Rgb};

use crate::exposure::exposed;
use crate::picture::{Picture, fit, nearest};

/// The largest factor by which a small image is enlarged.
const MAX_ENLARGEMENT: usize = 4;
/// Share of a hatch's colour on its lines.
const HATCH: f32 = 0.85;

/// How the pixels of a segment are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Mark {
    /// A colour and its share.
    pub(crate) fill: Option<(Rgb, f32)>,
    /// Lines across the segment.
    pub(crate) hatch: Option<(Rgb, Slant)>,
    /// A line along the inside of the segment's border, so many strokes thick.
    pub(crate) outline: Option<(Rgb, usize)>,
}

impl Mark {
    pub(crate) fn filled(color: Rgb, share: f32) -> Self {
        Self { fill: Some((color, share)), ..Self::default() }
    }

    #[must_use]
    pub(crate) fn outlined(self, color: Rgb, strokes: usize) -> Self {
        Self { outline: Some((color, strokes)), ..self }
    }

    #[must_use]
    pub(crate) fn hatched(self, color: Rgb, slant: Slant) -> Self {
        Self { hatch: Some((color, slant)), ..self }
    }
}

/// The direction of a hatch; it tells kinds of mistakes apart without their colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slant {
    /// Rising to the right.
    Rising,
    /// Falling to the right.
    Falling,
}

/// Checks that ids and image have one size.
///
/// # Errors
/// When they differ, with both sizes; `what` names the ids.
pub(crate) fn same_size(image: &Image, ids: &IdMap, what: &str) -> Result<()> {
    if (image.width(), image.height()) == (ids.width(), ids.height()) {
        return Ok(());
    }
    let sizes = format!("{}x{} against {}x{}", image.width(), image.height(), ids.width(), ids.height());
    Err(Error::new(ErrorKind::SizeMismatch, format!("image and {what}: {sizes}")))
}

/// The image on which segments are drawn: dark images brightened, and with `side` its longer side brought to that, so
/// that outlines and numbers are fine beside the objects; a small image is enlarged at most four times.
pub(crate) fn ground(image: &Image, side: Option<usize>) -> Result<Picture> {
    let picture = Picture::new(image.width(), image.height(), exposed(image))?;
    let Some(side) = side.map(|side| side.max(1)) else { return Ok(picture) };
    let (width, height) = (picture.width(), picture.height());
    let side = side.min(MAX_ENLARGEMENT * width.max(height));
    let (width, height) = fit(width * side, height * side, side);
    Ok(picture.resized(width, height))
}

/// The ids at the pixels of `picture`.
pub(crate) fn on(picture: &Picture, ids: &IdMap) -> Result<IdMap> {
    let to = (picture.width(), picture.height());
    IdMap::new(to.0, to.1, nearest(ids.ids(), (ids.width(), ids.height()), to))
}

/// Draws the mark of each segment; `marks` starts with that of no segment (0), and an id beyond it has none. A thin
/// dark line around outlined segments sets them off from any background.
pub(crate) fn draw(picture: &mut Picture, ids: &IdMap, marks: &[Mark]) {
    const CASING: f32 = 0.55;
    let stroke = ((ids.width().min(ids.height()) + 128) / 256).clamp(1, 6);
    let mark_of = |id: u32| marks.get(id as usize).copied().unwrap_or_default();
    for y in 0..ids.height() {
        for x in 0..ids.width() {
            let id = ids.ids()[y * ids.width() + x];
            let mark = mark_of(id);
            if let Some((color, strokes)) = mark.outline
                && any_within(ids, x, y, strokes * stroke, |other| other != id)
            {
                picture.set(x, y, color);
                continue;
            }
            if let Some((color, share)) = mark.fill {
                picture.blend(x, y, color, share);
            }
            if let Some((color, slant)) = mark.hatch
                && on_hatch(x, y, stroke, slant)
            {
                picture.blend(x, y, color, HATCH);
            }
            if mark.outline.is_none() && any_within(ids, x, y, 1, |other| mark_of(other).outline.is_some()) {
                picture.blend(x, y, [0; 3], CASING);
            }
        }
    }
}

/// Whether (x, y) lies on a hatch's line: one stroke in five.
fn on_hatch(x: usize, y: usize, stroke: usize, slant: Slant) -> bool {
    let period = 5 * stroke;
    let along = match slant {
        Slant::Rising => x + y,
        Slant::Falling => x + period - y % period,
    };
    along % period < stroke
}

/// Whether a pixel within `distance` of (x, y) along the row or the column satisfies `wanted`. The image's border does
/// not count: an object cut by it stays open there.
fn any_within(ids: &IdMap, x: usize, y: usize, distance: usize, wanted: impl Fn(u32) -> bool) -> bool {
    let (width, height) = (ids.width(), ids.height());
    let at = |x: usize, y: usize| ids.ids()[y * width + x];
    (1..=distance).any(|d| {
        (x >= d && wanted(at(x - d, y)))
            || (x + d < width && wanted(at(x + d, y)))
            || (y >= d && wanted(at(x, y - d)))
            || (y + d < height && wanted(at(x, y + d)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: usize, height: usize) -> Image {
        Image::from_u8(width, height, 1, vec![100; width * height]).unwrap()
    }

    #[test]
    fn small_images_grow_at_most_four_times_and_large_ones_shrink() {
        let size = |width, height, side| {
            let picture = ground(&grey(width, height), side).unwrap();
            (picture.width(), picture.height())
        };
        assert_eq!(size(200, 100, Some(512)), (512, 256));
        assert_eq!(size(10, 5, Some(512)), (40, 20));
        assert_eq!(size(1024, 512, Some(512)), (512, 256));
        assert_eq!(size(1024, 512, None), (1024, 512));
        assert_eq!(size(1000, 1, Some(10)), (10, 1));
    }

    #[test]
    fn outline_fill_and_casing_lie_where_they_should() {
        let mut ids = IdMap::empty(12, 12);
        for y in 3..9 {
            for x in 3..9 {
                ids.ids_mut()[y * 12 + x] = 1;
            }
        }
        let mut picture = ground(&grey(12, 12), None).unwrap();
        let mark = Mark::filled([200, 0, 0], 0.5).outlined([0, 255, 0], 1);
        draw(&mut picture, &ids, &[Mark::default(), mark]);
        assert_eq!(picture.get(3, 5), Some([0, 255, 0]));
        assert_eq!(picture.get(5, 5), Some([150, 50, 50]));
        assert_eq!(picture.get(2, 5), Some([45; 3]));
        assert_eq!(picture.get(0, 0), Some([100; 3]));
    }

    #[test]
    fn hatches_slant_both_ways_and_an_id_without_a_mark_is_plain() {
        let ids = IdMap::new(10, 10, vec![1; 100]).unwrap();
        for (slant, along) in [(Slant::Rising, -1), (Slant::Falling, 1)] {
            let mut picture = ground(&grey(10, 10), None).unwrap();
            draw(&mut picture, &ids, &[Mark::default(), Mark::default().hatched([255; 3], slant)]);
            let bright = |x: i64, y: i64| picture.get(x as usize, y as usize) != Some([100; 3]);
            assert!((0..10).any(|x| bright(x, 5)) && (0..10).any(|x| !bright(x, 5)));
            for y in 1..9 {
                for x in 1..9 {
                    assert_eq!(bright(x, y), bright(x + along, y + 1));
                }
            }
        }
        let mut picture = ground(&grey(10, 10), None).unwrap();
        draw(&mut picture, &ids, &[]);
        assert_eq!(picture.get(5, 5), Some([100; 3]));
    }
}
