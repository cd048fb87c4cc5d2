//! Objects drawn over images: each in its own colour with its number, and truth beside prediction with missed and
//! false objects in loud colours.

use vibhag_core::{ClassTable, IdMap, Image, Panoptic, Result, Rgb};
use vibhag_imaging::regions::measure;

use crate::digits;
use crate::marks::{Mark, Slant, draw, ground, on, same_size};
use crate::overlay::{GUTTER, GUTTER_WIDTH};
use crate::palette::{COOL, MANY, deal, neighbours};
use crate::picture::{Picture, row};

/// Share of an object's colour within its outline.
const FILL: f32 = 0.22;
/// Share of the colour within a right object of a comparison.
const RIGHT: f32 = 0.12;
/// Share of the colour below the hatch of a wrong object.
const WRONG: f32 = 0.30;

/// Colours of the wrong objects. Their hatches differ too, for those who see the colours alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdicts {
    /// There, but not found.
    pub missed: Rgb,
    /// Found, but not there.
    pub false_found: Rgb,
    /// Not judged: a group that nobody told apart.
    pub crowd: Rgb,
}

impl Verdicts {
    /// Magenta, red and grey.
    pub const DEFAULT: Self = Self { missed: [255, 0, 230], false_found: [255, 40, 20], crowd: [150; 3] };

    pub(crate) fn missed(self) -> Mark {
        Mark::filled(self.missed, WRONG).hatched(self.missed, Slant::Rising).outlined(self.missed, 2)
    }

    pub(crate) fn false_found(self) -> Mark {
        Mark::filled(self.false_found, WRONG).hatched(self.false_found, Slant::Falling).outlined(self.false_found, 2)
    }

    pub(crate) fn crowd(self) -> Mark {
        Mark::filled(self.crowd, 0.4).hatched(self.crowd, Slant::Rising)
    }
}

/// The image with every object outlined in a colour of its own, neighbours in different ones, and its number at its
/// centre where there is room. Objects are the segments of thing classes; crowds are hatched in grey. The colours are
/// the same in every rendering.
///
/// With `side` the image is first shrunk to that side or, when it is small, enlarged by a whole factor of at most 4.
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
    let marks = marks(objects, classes, Mark::default(), |id| {
        let color = own_colors(&ids, objects, classes)(id);
        Mark::filled(color, FILL).outlined(color, 1)
    });
    draw(&mut picture, &ids, &marks);
    number_objects(&mut picture, &ids, |id| is_object(objects, classes, id))?;
    Ok(picture)
}

/// Three panels: the image; the image with the true objects, where missed ones are magenta; the image with the
/// predicted objects, where false ones are red. The objects of a pair have one colour, a green or a blue.
///
/// `pairs` are the matched objects: the number of the true one, then that of the predicted one. `side` is that of a
/// panel, see [`overlay_instances`].
///
/// # Errors
/// When the sizes of image, truth and prediction differ.
pub fn comparison_instances(
    image: &Image,
    truth: &Panoptic,
    prediction: &Panoptic,
    pairs: &[(u32, u32)],
    classes: &ClassTable,
    side: Option<usize>,
) -> Result<Picture> {
    same_size(image, &truth.ids, "true objects")?;
    same_size(image, &prediction.ids, "predicted objects")?;
    let plain = ground(image, side)?;
    let (true_ids, predicted_ids) = (on(&plain, &truth.ids)?, on(&plain, &prediction.ids)?);
    let partners = Partners::new(truth, prediction, pairs);
    let colors = partners.colors(&true_ids, &predicted_ids);
    let right = |color: Rgb| Mark::filled(color, RIGHT).outlined(color, 1);

    let mut left = plain.clone();
    let found = |id| partners.of_truth(id).map_or(Verdicts::DEFAULT.missed(), |_| right(colors[id as usize - 1]));
    draw(&mut left, &true_ids, &marks(truth, classes, Mark::default(), found));

    let mut judged = plain.clone();
    let meant = |id| match partners.of_predicted(id) {
        Some(partner) => right(colors[partner as usize - 1]),
        None => Verdicts::DEFAULT.false_found(),
    };
    draw(&mut judged, &predicted_ids, &marks(prediction, classes, Mark::default(), meant));

    row(&[plain, left, judged], GUTTER_WIDTH, GUTTER)
}
