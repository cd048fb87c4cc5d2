//! Things and stuff drawn over images together.

use vibhag_core::{ClassTable, Image, Panoptic, Result, Rgb};
use vibhag_metrics::Matching;

use crate::instances::{PairColors, Verdicts, flags, marks, own_colors};
use crate::marks::{Mark, Slant, draw, ground, on, same_size};
use crate::numbers::number_objects;
use crate::overlay::{GUTTER, GUTTER_WIDTH, VOID};
use crate::picture::{Picture, row};

/// Share of the class colour in stuff, and within the outline of a thing.
const STUFF: f32 = 0.45;
const THING: f32 = 0.35;

/// The image with stuff filled in the colour of its class, and things filled alike and outlined, each in a colour of
/// its own and with its number where there is room. Pixels of no segment stay as they are.
///
/// `side` is that of the picture, see [`crate::overlay_instances`].
///
/// # Errors
/// When image and segments have different sizes.
pub fn overlay_panoptic(
    image: &Image,
    segments: &Panoptic,
    classes: &ClassTable,
    side: Option<usize>,
) -> Result<Picture> {
    same_size(image, &segments.ids, "segments")?;
    let mut picture = ground(image, side)?;
    let ids = on(&picture, &segments.ids)?;
    let colors = own_colors(&ids, segments, classes);
    let marks = marks(segments, |id| {
        let segment = &segments.segments[id as usize - 1];
        match colors[id as usize] {
            Some(color) => class_fill(classes, segment.class, THING).outlined(color, 1),
            None if segment.crowd => Verdicts::DEFAULT.unjudged(),
            None => class_fill(classes, segment.class, STUFF),
        }
    });
    draw(&mut picture, &ids, &marks);
    number_objects(&mut picture, &ids, |id| colors.get(id as usize).is_some_and(Option::is_some))?;
    Ok(picture)
}

/// Three panels: the image; the image with the true segments, where missed ones are hatched in magenta; the image with
/// the predicted segments, where false ones are hatched in red. What is right keeps the colour of its class; the two
/// objects of a pair have outlines of one colour, a green, a blue or white. Pixels of no true segment, crowds and what was
/// found in them are grey.
///
/// `matching` is that of [`vibhag_metrics::match_segments`]; `side` is that of a panel, see
/// [`crate::overlay_instances`].
///
/// # Errors
/// When the sizes of image, truth and prediction differ.
pub fn comparison_panoptic(
    image: &Image,
    truth: &Panoptic,
    prediction: &Panoptic,
    matching: &Matching,
    classes: &ClassTable,
    side: Option<usize>,
) -> Result<Picture> {
    same_size(image, &truth.ids, "true segments")?;
    same_size(image, &prediction.ids, "predicted segments")?;
    let plain = ground(image, side)?;
    let (true_ids, predicted_ids) = (on(&plain, &truth.ids)?, on(&plain, &prediction.ids)?);
    let things = Matching {
        pairs: matching.pairs.iter().copied().filter(|&(t, _, _)| is_thing(truth, classes, t)).collect(),
        ..Matching::default()
    };
    let colors = PairColors::new(truth, prediction, &things, &true_ids, &predicted_ids);
    let right = |segments: &Panoptic, id: u32, color: Option<Rgb>| {
        let class = segments.segments[id as usize - 1].class;
        match color {
            Some(color) => class_fill(classes, class, THING).outlined(color, 1),
            None => class_fill(classes, class, STUFF),
        }
    };
    let wrong = |segments: &Panoptic, id: u32, mark: Mark| {
        // A hatch is enough for stuff: a thick line around the sky would be about its neighbours.
        if is_thing(segments, classes, id) { mark } else { Mark { outline: None, ..mark } }
    };

    let missed = flags(truth, &matching.missed);
    let mut left = plain.clone();
    let mut true_marks = marks(truth, |id| {
        if missed[id as usize] {
            wrong(truth, id, Verdicts::DEFAULT.missed())
        } else if truth.segments[id as usize - 1].crowd {
            Verdicts::DEFAULT.unjudged()
        } else {
            right(truth, id, colors.of_truth(id))
        }
    });
    true_marks[0] = Mark::filled([128; 3], VOID).hatched(Verdicts::DEFAULT.unjudged, Slant::Rising);
    draw(&mut left, &true_ids, &true_marks);

    let (false_objects, ignored) = (flags(prediction, &matching.false_objects), flags(prediction, &matching.ignored));
    let mut judged = plain.clone();
    let predicted_marks = marks(prediction, |id| {
        if false_objects[id as usize] {
            wrong(prediction, id, Verdicts::DEFAULT.false_found())
        } else if ignored[id as usize] {
            Verdicts::DEFAULT.unjudged()
        } else {
            right(prediction, id, colors.of_predicted(id))
        }
    });
    draw(&mut judged, &predicted_ids, &predicted_marks);

    row(&[plain, left, judged], GUTTER_WIDTH, GUTTER)
}

fn is_thing(segments: &Panoptic, classes: &ClassTable, id: u32) -> bool {
    (id as usize)
        .checked_sub(1)
        .and_then(|index| segments.segments.get(index))
        .is_some_and(|segment| classes.is_thing(segment.class))
}

/// A fill in the colour of `class`. Black is the colour of a background, which is left as it is.
fn class_fill(classes: &ClassTable, class: u16, share: f32) -> Mark {
    match classes.classes.get(usize::from(class)).map(|class| class.color) {
        None | Some([0, 0, 0]) => Mark::default(),
        Some(color) => Mark::filled(color, share),
    }
}
