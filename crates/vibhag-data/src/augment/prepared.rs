//! A decoded sample in the form that the cache keeps: brought near the network's size once, so
//! that every epoch pays for one warp only.

use std::collections::BTreeMap;

use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Geometry, Image, LabelMap, Panoptic, Preprocessing, Result};
use vibhag_imaging::exposure::stretch;
use vibhag_imaging::{resize_image, resize_labels};

use super::people::{anchors_of_people, shrunk, unknown};
use crate::truth::Truth;

/// How much larger than the network's input a resized image is kept when it will be warped:
/// room for magnification, yet close enough that bilinear sampling does not alias.
const IMAGE_MARGIN: f64 = 1.25;
/// The same for labels, which suffer from being rounded twice.
const LABEL_MARGIN: usize = 2;
/// Pixels remembered per class for foreground-centred windows.
const ANCHORS_PER_CLASS: usize = 256;

/// A sample ready to be rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The image with the network's channels.
    pub(crate) image: Image,
    /// The truth, of the same content and perhaps another size.
    pub(crate) truth: Truth,
    /// For windows: positions (x, y) of pixels of each foreground class that is present, or of each class and size of
    /// objects.
    pub(crate) anchors: Vec<Vec<[u32; 2]>>,
    /// Of people: 1 for each pixel where somebody may be whom nobody labelled, else 0.
    pub(crate) unknown: Option<LabelMap>,
}

impl Prepared {
    /// Brings `image` and `truth` into shape for `preprocessing`; `warped` says whether
    /// geometric augmentation will follow (otherwise the size is exact).
    ///
    /// # Errors
    /// When sizes differ, the channels cannot be converted, or segments would have to be resized.
    pub fn new(
        image: Image,
        truth: Truth,
        preprocessing: &Preprocessing,
        warped: bool,
        ignore: Option<u16>,
    ) -> Result<Self> {
        if (image.width(), image.height()) != (truth.width(), truth.height()) {
            return Err(Error::new(
                ErrorKind::SizeMismatch,
                format!("image is {}x{}, its mask {}x{}", image.width(), image.height(), truth.width(), truth.height()),
            )
            .hint("export the mask at the image's size"));
        }
        let image = match preprocessing.stretch {
            Some(percentiles) => stretch(&image, percentiles),
            None => image,
        };
        match (preprocessing.geometry, truth) {
            (Geometry::Resize { height, width }, Truth::Labels(labels)) => {
                let side = |native: usize, target: usize| {
                    if warped { native.min((target as f64 * IMAGE_MARGIN).round() as usize) } else { target }
                };
                let label_side =
                    |native: usize, target: usize| if warped { native.min(target * LABEL_MARGIN) } else { target };
                // Resizing first leaves fewer pixels to convert.
                let image = resize_image(&image, side(image.width(), width), side(image.height(), height))?;
                let labels =
                    resize_labels(&labels, label_side(labels.width(), width), label_side(labels.height(), height))?;
                let image = image.with_channels(preprocessing.channels)?;
                Ok(Self { image, truth: labels.into(), anchors: Vec::new(), unknown: None })
            }
            (Geometry::Resize { .. }, Truth::Segments(_) | Truth::People(_)) => {
                Err(Error::new(ErrorKind::Unsupported, "objects are learnt at the images' own proportions")
                    .hint("use input.geometry.kind = \"window\""))
            }
            (Geometry::Window { .. }, Truth::People(people)) => {
                let (image, people) = shrunk(image, people, preprocessing.scale)?;
                let anchors = if warped { anchors_of_people(&people) } else { Vec::new() };
                let unknown = Some(unknown(&people)?);
                let image = image.with_channels(preprocessing.channels)?;
                Ok(Self { image, truth: people.into(), anchors, unknown })
            }
            (Geometry::Window { .. }, truth) => {
                let anchors = match &truth {
                    _ if !warped => Vec::new(),
                    Truth::Labels(labels) => anchors(labels, ignore),
                    Truth::Segments(map) => object_anchors(map),
                    Truth::People(_) => Vec::new(),
                };
                Ok(Self { image: image.with_channels(preprocessing.channels)?, truth, anchors, unknown: None })
            }
        }
    }

    /// Bytes that it occupies.
    pub fn byte_len(&self) -> usize {
        let anchors = self.anchors.iter().map(|list| 8 * list.len()).sum::<usize>();
        let unknown = self.unknown.as_ref().map_or(0, |map| 2 * map.labels().len());
        self.image.byte_len() + self.truth.byte_len() + anchors + unknown
    }

    /// What is left of the magnification `scale`: images of people are shrunk when they are prepared.
    pub(crate) fn scale_left(&self, scale: f32) -> f32 {
        if matches!(self.truth, Truth::People(_)) { scale.max(1.0) } else { scale }
    }
}

/// Evenly spaced pixels of every class but background and void, in label order.
fn anchors(labels: &LabelMap, ignore: Option<u16>) -> Vec<Vec<[u32; 2]>> {
    let mut counts = vec![0usize; usize::from(u16::MAX) + 1];
    for &label in labels.labels() {
        counts[usize::from(label)] += 1;
    }
    counts[0] = 0;
    if let Some(ignore) = ignore {
        counts[usize::from(ignore)] = 0;
    }
    let mut lists = vec![Vec::new(); counts.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1)];
    let mut seen = vec![0usize; lists.len()];
    for (index, &label) in labels.labels().iter().enumerate() {
        let class = usize::from(label);
        if class >= lists.len() || counts[class] == 0 {
            continue;
        }
        let stride = counts[class].div_ceil(ANCHORS_PER_CLASS);
        // Half a stride in, so that a small object is entered near its middle.
        if seen[class] % stride == stride / 2 {
            lists[class].push([(index % labels.width()) as u32, (index / labels.width()) as u32]);
        }
        seen[class] += 1;
    }
    lists.retain(|list| !list.is_empty());
    lists
}

/// A pixel of every segment, grouped by class and size (doubling areas), so that a class or size that is rare gets as
/// many windows as a frequent one.
fn object_anchors(map: &Panoptic) -> Vec<Vec<[u32; 2]>> {
    let areas = map.areas();
    let mut seen = vec![0usize; areas.len()];
    let mut lists: BTreeMap<(u16, u32), Vec<[u32; 2]>> = BTreeMap::new();
    for (index, &id) in map.ids.ids().iter().enumerate() {
        let Some(segment) = (id as usize).checked_sub(1) else { continue };
        // The middle one of its pixels in row-major order lies in its middle rows.
        if seen[segment] == areas[segment] / 2 {
            let key = (map.segments[segment].class, areas[segment].ilog2() / 2);
            let position = [(index % map.ids.width()) as u32, (index / map.ids.width()) as u32];
            lists.entry(key).or_default().push(position);
        }
        seen[segment] += 1;
    }
    lists.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocessing(geometry: Geometry) -> Preprocessing {
        Preprocessing { stretch: None, scale: 1.0, channels: 1, mean: vec![0.0], std: vec![1.0], geometry }
    }

    #[test]
    fn a_resized_sample_is_kept_near_the_networks_size() {
        let image = Image::from_u8(200, 100, 3, vec![9; 60_000]).unwrap();
        let labels = LabelMap::filled(200, 100, 1);
        let shape = preprocessing(Geometry::Resize { height: 64, width: 40 });
        let sample = Prepared::new(image.clone(), labels.clone().into(), &shape, true, None).unwrap();
        assert_eq!((sample.image.width(), sample.image.height(), sample.image.channels()), (50, 80, 1));
        assert_eq!((sample.truth.width(), sample.truth.height()), (80, 100));
        let exact = Prepared::new(image, labels.into(), &shape, false, None).unwrap();
        assert_eq!((exact.image.width(), exact.image.height()), (40, 64));
        assert_eq!(exact.byte_len(), 40 * 64 * 3);
    }

    #[test]
    fn another_mask_size_is_an_error_with_both_sizes() {
        let image = Image::from_u8(4, 4, 1, vec![0; 16]).unwrap();
        let shape = preprocessing(Geometry::Resize { height: 4, width: 4 });
        let error = Prepared::new(image, LabelMap::filled(5, 4, 0).into(), &shape, true, None).unwrap_err();
        assert!(error.to_string().contains("4x4, its mask 5x4"));
    }

    #[test]
    fn anchors_lie_on_their_class_and_are_bounded() {
        let mut labels = LabelMap::filled(100, 100, 0);
        labels.labels_mut()[..5000].fill(2);
        labels.labels_mut()[6000] = 3;
        labels.labels_mut()[7000] = 255;
        let lists = anchors(&labels, Some(255));
        assert_eq!(lists.len(), 2);
        assert!(lists[0].len() <= ANCHORS_PER_CLASS && lists[0].len() > ANCHORS_PER_CLASS / 2);
        assert!(lists[0].iter().all(|&[x, y]| labels.get(x as usize, y as usize) == Some(2)));
        assert_eq!(lists[1], [[0, 60]]);
    }
}
