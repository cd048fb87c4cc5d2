//! Objects drawn over images: each in its own colour with its number, and truth beside prediction with missed and
//! false objects in loud colours.

use vibhag_core::{ClassTable, IdMap, Image, Panoptic, Result, Rgb};
use vibhag_metrics::Matching;

use crate::marks::{Mark, Slant, draw, ground, on, same_size};
use crate::numbers::number_objects;
use crate::overlay::{GUTTER, GUTTER_WIDTH};
use crate::palette::{COOL, MANY, deal, neighbours, renumbered};
use crate::picture::{Picture, row};

/// Share of an object's colour within its outline.
const FILL: f32 = 0.22;

/// Colours of wrong objects. Their hatches differ too, for those who see the colours alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdicts {
    /// There, but not found.
    pub missed: Rgb,
    /// Found, but not there.
    pub false_found: Rgb,
    /// Not judged: a group that nobody told apart, and what was found in it.
    pub unjudged: Rgb,
}

impl Verdicts {
    /// Magenta, red and grey.
    pub const DEFAULT: Self = Self { missed: [255, 0, 230], false_found: [255, 48, 24], unjudged: [160; 3] };

    pub(crate) fn missed(self) -> Mark {
        loud(self.missed, Slant::Rising)
    }

    pub(crate) fn false_found(self) -> Mark {
        loud(self.false_found, Slant::Falling)
    }

    pub(crate) fn unjudged(self) -> Mark {
        Mark::filled(self.unjudged, 0.4).hatched(self.unjudged, Slant::Rising)
    }
}

fn loud(color: Rgb, slant: Slant) -> Mark {
    Mark::filled(color, 0.3).hatched(color, slant).outlined(color, 2)
}

/// The image with every object outlined in a colour of its own, neighbours in different ones, and its number at its
/// centre where there is room. Objects are the segments of thing classes; crowds are hatched in grey. The colours are
/// the same in every rendering.
///
/// With `side` the longer side of the picture is that; a small image is enlarged at most four times, so that outlines
/// and numbers are fine beside the objects. Images of little contrast are stretched, so that people see what is there.
///
/// # Errors
/// When image and objects have different sizes.
pub fn overlay_instances(
    image: &Image,
    objects: &Panoptic,
    classes: &ClassTable,
    side: Option<usize>,
) -> Result<Picture> {
    same_size(image, &objects.ids, "objects")?;
    let mut picture = ground(image, side)?;
    let ids = on(&picture, &objects.ids)?;
    let colors = own_colors(&ids, objects, classes);
    let marks = marks(objects, |id| match colors[id as usize] {
        Some(color) => Mark::filled(color, FILL).outlined(color, 1),
        None if objects.segments[id as usize - 1].crowd => Verdicts::DEFAULT.unjudged(),
        None => Mark::default(),
    });
    draw(&mut picture, &ids, &marks);
    number_objects(&mut picture, &ids, |id| colors.get(id as usize).is_some_and(Option::is_some))?;
    Ok(picture)
}

/// Three panels: the image; the image with the true objects, where missed ones are hatched in magenta; the image with
/// the predicted objects, where false ones are hatched in red. The two objects of a pair have one colour, a green, a
/// blue or white. Crowds and what was found in them are grey.
///
/// `matching` is that of [`vibhag_metrics::match_objects`]; `side` is that of a panel, see [`overlay_instances`].
///
/// # Errors
/// When the sizes of image, truth and prediction differ.
pub fn comparison_instances(
    image: &Image,
    truth: &Panoptic,
    prediction: &Panoptic,
    matching: &Matching,
    classes: &ClassTable,
    side: Option<usize>,
) -> Result<Picture> {
    same_size(image, &truth.ids, "true objects")?;
    same_size(image, &prediction.ids, "predicted objects")?;
    let plain = ground(image, side)?;
    let (true_ids, predicted_ids) = (on(&plain, &truth.ids)?, on(&plain, &prediction.ids)?);
    let colors = PairColors::new(truth, prediction, matching, &true_ids, &predicted_ids);
    let right = |color: Rgb| Mark::filled(color, 0.15).outlined(color, 1);

    let missed = flags(truth, &matching.missed);
    let mut left = plain.clone();
    let mark = |id| match colors.of_truth(id) {
        Some(color) => right(color),
        None if missed[id as usize] => Verdicts::DEFAULT.missed(),
        None if classes.is_thing(truth.segments[id as usize - 1].class) => Verdicts::DEFAULT.unjudged(),
        None => Mark::default(),
    };
    draw(&mut left, &true_ids, &marks(truth, mark));

    let (false_objects, ignored) = (flags(prediction, &matching.false_objects), flags(prediction, &matching.ignored));
    let mut judged = plain.clone();
    let mark = |id| match colors.of_predicted(id) {
        Some(color) => right(color),
        None if false_objects[id as usize] => Verdicts::DEFAULT.false_found(),
        None if ignored[id as usize] => Verdicts::DEFAULT.unjudged(),
        None => Mark::default(),
    };
    draw(&mut judged, &predicted_ids, &marks(prediction, mark));

    row(&[plain, left, judged], GUTTER_WIDTH, GUTTER)
}

/// The marks of all segments, after that of no segment, which is plain.
pub(crate) fn marks(segments: &Panoptic, mark: impl FnMut(u32) -> Mark) -> Vec<Mark> {
    std::iter::once(Mark::default()).chain((1..=segments.segments.len() as u32).map(mark)).collect()
}

/// Which segments are among `ids`; starts with that of no segment.
pub(crate) fn flags(segments: &Panoptic, ids: &[u32]) -> Vec<bool> {
    let mut flags = vec![false; segments.segments.len() + 1];
    for &id in ids {
        if let Some(flag) = flags.get_mut(id as usize) {
            *flag = true;
        }
    }
    flags
}

/// A colour by id for each object, neighbours in different ones; `None` for 0 and for segments that are no objects.
pub(crate) fn own_colors(ids: &IdMap, objects: &Panoptic, classes: &ClassTable) -> Vec<Option<Rgb>> {
    let mut numbers = vec![0; objects.segments.len() + 1];
    for id in objects.objects(classes) {
        numbers[id as usize] = id;
    }
    let dealt = deal(objects.segments.len(), &neighbours(&renumbered(ids, &numbers)), MANY.len());
    numbers.iter().map(|&id| (id as usize).checked_sub(1).map(|index| MANY[dealt[index]])).collect()
}

/// The colours of the matched objects: one for the two of a pair, other ones for their neighbours.
pub(crate) struct PairColors {
    /// The pair of each segment, counted from 1; 0 without one.
    truth: Vec<u32>,
    predicted: Vec<u32>,
    colors: Vec<Rgb>,
}

impl PairColors {
    pub(crate) fn new(
        truth: &Panoptic,
        prediction: &Panoptic,
        matching: &Matching,
        true_ids: &IdMap,
        predicted_ids: &IdMap,
    ) -> Self {
        let mut of_truth = vec![0; truth.segments.len() + 1];
        let mut of_predicted = vec![0; prediction.segments.len() + 1];
        for (pair, &(t, p, _)) in (1..).zip(&matching.pairs) {
            for (list, id) in [(&mut of_truth, t), (&mut of_predicted, p)] {
                if let Some(place) = list.get_mut(id as usize) {
                    *place = pair;
                }
            }
        }
        let mut beside = neighbours(&renumbered(true_ids, &of_truth));
        beside.extend(neighbours(&renumbered(predicted_ids, &of_predicted)));
        beside.sort_unstable();
        beside.dedup();
        let colors = deal(matching.pairs.len(), &beside, COOL.len()).into_iter().map(|color| COOL[color]).collect();
        Self { truth: of_truth, predicted: of_predicted, colors }
    }

    /// The colour of a true segment that has a partner.
    pub(crate) fn of_truth(&self, id: u32) -> Option<Rgb> {
        self.of_pair(*self.truth.get(id as usize)?)
    }

    /// The colour of a predicted segment that has a partner.
    pub(crate) fn of_predicted(&self, id: u32) -> Option<Rgb> {
        self.of_pair(*self.predicted.get(id as usize)?)
    }

    fn of_pair(&self, pair: u32) -> Option<Rgb> {
        self.colors.get((pair as usize).checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests;
