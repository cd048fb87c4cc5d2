//! The images that a report shows: worst, median and best.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use vibhag_core::{ClassTable, Image, LabelMap, Result};
use vibhag_metrics::ImageScore;

use crate::overlay::comparison;
use crate::picture::Picture;

/// Longest side of a panel in the report, in pixels.
pub const PANEL_SIDE: usize = 512;

/// JPEG quality of the report's pictures: outlines stay crisp, a panel row stays near 100 kB.
const QUALITY: u8 = 85;

/// Why an image is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rank {
    /// Among the lowest scores.
    Worst,
    /// Around the median.
    Median,
    /// Among the highest scores.
    Best,
}

/// One image of the report: image, truth and prediction side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The image's identifier.
    pub image: String,
    /// Why it is shown.
    pub rank: Rank,
    /// Its Dice.
    pub dice: f64,
    /// Its IoU.
    pub iou: f64,
    /// What else to say beside it, such as the diagnosis.
    #[serde(default)]
    pub remark: Option<String>,
    /// Width of the picture in pixels.
    pub width: usize,
    /// Height of the picture in pixels.
    pub height: usize,
    /// The picture as JPEG in base64.
    pub jpeg_base64: String,
}

impl Example {
    /// Draws the comparison of `truth` and `prediction` (both of the image's size), with panels
    /// of at most [`PANEL_SIDE`] pixels a side.
    ///
    /// # Errors
    /// When the sizes differ or the picture cannot be encoded.
    pub fn new(
        score: &ImageScore,
        rank: Rank,
        image: &Image,
        truth: &LabelMap,
        prediction: &LabelMap,
        classes: &ClassTable,
    ) -> Result<Self> {
        let picture = comparison(image, truth, prediction, classes, Some(PANEL_SIDE))?;
        Ok(Self {
            image: score.image.clone(),
            rank,
            dice: score.dice,
            iou: score.iou,
            remark: remark(&score.tags),
            width: picture.width(),
            height: picture.height(),
            jpeg_base64: encoded(&picture)?,
        })
    }
}

/// What is known about an image, in one line.
pub(crate) fn remark(tags: &BTreeMap<String, String>) -> Option<String> {
    (!tags.is_empty()).then(|| crate::tables::tags(tags))
}

/// The picture as JPEG in base64.
pub(crate) fn encoded(picture: &Picture) -> Result<String> {
    Ok(STANDARD.encode(picture.to_jpeg(QUALITY)?))
}

/// Which images to show, given scores sorted worst first: `worst` from the front, `best` from
/// the back (best first), `median` around the middle. No image is chosen twice; with too few
/// images the worst have precedence, then the best.
pub fn select_examples<T>(per_image: &[T], worst: usize, median: usize, best: usize) -> Vec<(Rank, &T)> {
    let count = per_image.len();
    let worst = worst.min(count);
    let best = best.min(count - worst);
    let middle = &per_image[worst..count - best];
    let median = median.min(middle.len());
    // The window stays around the median of all images, not of what is left of them.
    let start = (count / 2).saturating_sub(median / 2 + worst).min(middle.len() - median);
    let chosen = |rank| move |score| (rank, score);
    per_image[..worst]
        .iter()
        .map(chosen(Rank::Worst))
        .chain(middle[start..start + median].iter().map(chosen(Rank::Median)))
        .chain(per_image[count - best..].iter().rev().map(chosen(Rank::Best)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(count: usize) -> Vec<ImageScore> {
        (0..count)
            .map(|index| {
                let value = index as f64 / count as f64;
                let image = format!("i{index}");
                ImageScore {
                    image,
                    dice: value,
                    iou: value,
                    boundary_iou: value,
                    precision: value,
                    recall: value,
                    tags: std::collections::BTreeMap::new(),
                }
            })
            .collect()
    }

    fn names(chosen: &[(Rank, &ImageScore)], rank: Rank) -> Vec<String> {
        chosen.iter().filter(|(r, _)| *r == rank).map(|(_, score)| score.image.clone()).collect()
    }

    #[test]
    fn worst_median_and_best_come_from_their_places() {
        let all = scores(100);
        let chosen = select_examples(&all, 2, 2, 2);
        assert_eq!(names(&chosen, Rank::Worst), ["i0", "i1"]);
        assert_eq!(names(&chosen, Rank::Median), ["i49", "i50"]);
        assert_eq!(names(&chosen, Rank::Best), ["i99", "i98"]);
    }

    #[test]
    fn no_image_is_chosen_twice_however_few_there_are() {
        for count in 0..20 {
            let all = scores(count);
            let chosen = select_examples(&all, 8, 4, 4);
            let distinct: std::collections::HashSet<_> = chosen.iter().map(|(_, score)| &score.image).collect();
            assert_eq!(distinct.len(), chosen.len());
            assert_eq!(chosen.len(), count.min(16));
        }
    }
}
