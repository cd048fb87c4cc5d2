//! Masks drawn over images: class colours under crisp outlines, and truth beside prediction with
//! the wrong pixels tinted.

use vibhag_core::error::ErrorKind;
use vibhag_core::{ClassTable, Error, Image, LabelMap, Result, Rgb};

use crate::picture::{Picture, fit, nearest, row};

/// Share of the class colour in a filled pixel.
const FILL: f32 = 0.30;
/// Share of the tint in a wrong pixel.
const WRONG: f32 = 0.60;
/// Share of grey in a void pixel.
pub(crate) const VOID: f32 = 0.55;
/// Colour between the panels of a comparison.
pub(crate) const GUTTER: Rgb = [255, 255, 255];
/// Pixels between the panels of a comparison.
pub(crate) const GUTTER_WIDTH: usize = 6;

/// Colours of the wrong pixels. They differ in lightness as well as in hue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tints {
    /// Predicted as a foreground class where the truth is background.
    pub false_positive: Rgb,
    /// Predicted as background where the truth is a foreground class.
    pub false_negative: Rgb,
    /// One foreground class taken for another.
    pub confused: Rgb,
}

impl Tints {
    /// Red, blue and magenta.
    pub const DEFAULT: Self =
        Self { false_positive: [230, 40, 30], false_negative: [40, 110, 255], confused: [225, 60, 225] };
}

/// The image with every foreground class filled in its colour and outlined. With `max_side` the
/// result is shrunk first, so that outlines stay crisp.
///
/// # Errors
/// When the sizes of image and labels differ.
pub fn overlay(image: &Image, labels: &LabelMap, classes: &ClassTable, max_side: Option<usize>) -> Result<Picture> {
    let (mut picture, labels) = prepare(image, labels, max_side)?;
    fill(&mut picture, &labels, classes);
    outline(&mut picture, &labels, classes);
    Ok(picture)
}

/// Three panels: the image; the image with the truth; the image with the prediction, where
/// wrong pixels are tinted by [`Tints::DEFAULT`] and right ones keep the class colour. Void
/// pixels are greyed in both.
///
/// # Errors
/// When the sizes of image, truth and prediction differ.
pub fn comparison(
    image: &Image,
    truth: &LabelMap,
    prediction: &LabelMap,
    classes: &ClassTable,
    max_side: Option<usize>,
) -> Result<Picture> {
    truth.same_size(prediction, "truth and prediction")?;
    let (plain, truth) = prepare(image, truth, max_side)?;
    let prediction = shrink_labels(prediction, plain.width(), plain.height())?;

    let mut left = plain.clone();
    fill(&mut left, &truth, classes);
    outline(&mut left, &truth, classes);

    let mut right = plain.clone();
    judge(&mut right, &truth, &prediction, classes, Tints::DEFAULT);
    outline(&mut right, &prediction, classes);

    row(&[plain, left, right], GUTTER_WIDTH, GUTTER)
}

fn prepare(image: &Image, labels: &LabelMap, max_side: Option<usize>) -> Result<(Picture, LabelMap)> {
    if (image.width(), image.height()) != (labels.width(), labels.height()) {
        let what = format!(
            "image and mask: {}x{} against {}x{}",
            image.width(),
            image.height(),
            labels.width(),
            labels.height()
        );
        return Err(Error::new(ErrorKind::SizeMismatch, what));
    }
    let picture = Picture::from_image(image)?;
    let Some(side) = max_side else { return Ok((picture, labels.clone())) };
    let (width, height) = fit(image.width(), image.height(), side.max(1));
    Ok((picture.shrunk_to(side.max(1)), shrink_labels(labels, width, height)?))
}

fn shrink_labels(labels: &LabelMap, width: usize, height: usize) -> Result<LabelMap> {
    LabelMap::new(width, height, nearest(labels.labels(), (labels.width(), labels.height()), (width, height)))
}

fn fill(picture: &mut Picture, labels: &LabelMap, classes: &ClassTable) {
    for_each_pixel(labels, |x, y, label| match color_of(classes, label) {
        Some(color) => picture.blend(x, y, color, FILL),
        None if is_void(classes, label) => picture.blend(x, y, [128; 3], VOID),
        None => {}
    });
}

fn judge(picture: &mut Picture, truth: &LabelMap, prediction: &LabelMap, classes: &ClassTable, tints: Tints) {
    for_each_pixel(prediction, |x, y, predicted| {
        let wanted = truth.get(x, y).unwrap_or(predicted);
        if is_void(classes, wanted) {
            return picture.blend(x, y, [128; 3], VOID);
        }
        match (wanted, predicted) {
            (0, 0) => {}
            (0, _) => picture.blend(x, y, tints.false_positive, WRONG),
            (_, 0) => picture.blend(x, y, tints.false_negative, WRONG),
            _ if wanted != predicted => picture.blend(x, y, tints.confused, WRONG),
            _ => picture.blend(x, y, color_of(classes, predicted).unwrap_or([255; 3]), FILL),
        }
    });
}

/// Draws the inner boundary of every foreground region in its class colour and a dark line just
/// outside of it, so that it shows on any background. Classes meet with their colours side by
/// side.
fn outline(picture: &mut Picture, labels: &LabelMap, classes: &ClassTable) {
    let thickness = ((labels.width().min(labels.height()) + 60) / 120).clamp(1, 12);
    let casing = |picture: &mut Picture, x, y| picture.blend(x, y, [0; 3], 0.65);
    for_each_pixel(labels, |x, y, label| match color_of(classes, label) {
        Some(color) if differs_within(labels, x, y, thickness, |other| other != label) => {
            picture.set(x, y, color);
        }
        None if differs_within(labels, x, y, thickness, |other| color_of(classes, other).is_some()) => {
            casing(picture, x, y);
        }
        _ => {}
    });
}

/// Whether a pixel within `distance` of (x, y) along the row or the column satisfies `wanted`.
/// The image's border does not count: a region cut by it stays open there.
fn differs_within(labels: &LabelMap, x: usize, y: usize, distance: usize, wanted: impl Fn(u16) -> bool) -> bool {
    (1..=distance).any(|d| {
        let neighbours = [
            labels.get(x + d, y),
            labels.get(x, y + d),
            x.checked_sub(d).and_then(|x| labels.get(x, y)),
            y.checked_sub(d).and_then(|y| labels.get(x, y)),
        ];
        neighbours.into_iter().flatten().any(&wanted)
    })
}

fn for_each_pixel(labels: &LabelMap, mut visit: impl FnMut(usize, usize, u16)) {
    for (y, line) in labels.labels().chunks_exact(labels.width()).enumerate() {
        for (x, &label) in line.iter().enumerate() {
            visit(x, y, label);
        }
    }
}

/// The colour of a foreground class; `None` for background, void and labels without a class.
fn color_of(classes: &ClassTable, label: u16) -> Option<Rgb> {
    if label == 0 || is_void(classes, label) {
        return None;
    }
    classes.classes.get(usize::from(label)).map(|class| class.color)
}

fn is_void(classes: &ClassTable, label: u16) -> bool {
    classes.ignore == Some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREY: u8 = 100;

    fn grey(side: usize) -> Image {
        Image::from_u8(side, side, 1, vec![GREY; side * side]).unwrap()
    }

    /// A square of `label` from `from` to `to` (exclusive) in both directions.
    fn square(side: usize, from: usize, to: usize, label: u16) -> LabelMap {
        let mut map = LabelMap::filled(side, side, 0);
        for y in from..to {
            for x in from..to {
                map.labels_mut()[y * side + x] = label;
            }
        }
        map
    }

    fn mixed(color: Rgb, share: f32) -> Rgb {
        color.map(|c| (f32::from(GREY) * (1.0 - share) + f32::from(c) * share).round() as u8)
    }

    #[test]
    fn regions_are_filled_and_outlined_and_background_is_untouched() {
        let classes = ClassTable::binary("cell");
        let color = classes.classes[1].color;
        let picture = overlay(&grey(20), &square(20, 5, 15, 1), &classes, None).unwrap();
        assert_eq!(picture.get(0, 0), Some([GREY; 3]));
        assert_eq!(picture.get(5, 10), Some(color), "inner boundary in the class colour");
        assert_eq!(picture.get(4, 10), Some(mixed([0; 3], 0.65)), "dark casing outside");
        assert_eq!(picture.get(10, 10), Some(mixed(color, FILL)));
    }

    #[test]
    fn wrong_pixels_carry_their_tint() {
        let classes = ClassTable::from_names(["background", "a", "b"]);
        let side = 40;
        let mut truth = square(side, 0, 20, 1);
        let mut prediction = square(side, 10, 30, 1);
        // A block where class b was meant and a was found.
        for y in 13..18 {
            for x in 13..18 {
                truth.labels_mut()[y * side + x] = 2;
                prediction.labels_mut()[y * side + x] = 1;
            }
        }
        let picture = comparison(&grey(side), &truth, &prediction, &classes, None).unwrap();
        assert_eq!((picture.width(), picture.height()), (3 * side + 2 * GUTTER_WIDTH, side));
        let right = 2 * (side + GUTTER_WIDTH);
        assert_eq!(picture.get(5, 5), Some([GREY; 3]), "the first panel is the plain image");
        assert_eq!(picture.get(right + 5, 5), Some(mixed(Tints::DEFAULT.false_negative, WRONG)));
        assert_eq!(picture.get(right + 25, 25), Some(mixed(Tints::DEFAULT.false_positive, WRONG)));
        assert_eq!(picture.get(right + 15, 15), Some(mixed(Tints::DEFAULT.confused, WRONG)));
        assert_eq!(picture.get(right + 12, 19), Some(mixed(classes.classes[1].color, FILL)));
    }

    #[test]
    fn void_is_greyed_and_never_judged() {
        let classes = ClassTable::binary("cell").with_ignore(Some(255));
        let picture =
            comparison(&grey(8), &LabelMap::filled(8, 8, 255), &LabelMap::filled(8, 8, 1), &classes, None).unwrap();
        let right = 2 * (8 + GUTTER_WIDTH);
        assert_eq!(picture.get(right + 4, 4), Some(mixed([128; 3], VOID)));
    }

    #[test]
    fn large_images_are_shrunk_before_outlines_are_drawn() {
        let classes = ClassTable::binary("cell");
        let picture = overlay(&grey(400), &square(400, 100, 300, 1), &classes, Some(40)).unwrap();
        assert_eq!((picture.width(), picture.height()), (40, 40));
        assert_eq!(picture.get(10, 20), Some(classes.classes[1].color));
        assert_eq!(picture.get(8, 20), Some([GREY; 3]));
    }

    #[test]
    fn sizes_that_differ_are_an_error_with_both_sizes() {
        let classes = ClassTable::binary("cell");
        let error = overlay(&grey(8), &LabelMap::filled(9, 8, 0), &classes, None).unwrap_err();
        assert!(error.to_string().contains("8x8 against 9x8"));
        let (a, b) = (LabelMap::filled(8, 8, 0), LabelMap::filled(8, 9, 0));
        assert!(comparison(&grey(8), &a, &b, &classes, None).is_err());
    }

    #[test]
    fn one_pixel_and_labels_without_a_class_are_drawn() {
        let classes = ClassTable::binary("cell");
        assert!(overlay(&grey(1), &LabelMap::filled(1, 1, 1), &classes, Some(512)).is_ok());
        let picture = overlay(&grey(4), &LabelMap::filled(4, 4, 9), &classes, None).unwrap();
        assert_eq!(picture.get(2, 2), Some([GREY; 3]));
    }
}
