//! A decoded sample in the form that the cache keeps: brought near the network's size once, so
//! that every epoch pays for one warp only.

use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Geometry, Image, LabelMap, Preprocessing, Result};
use vibhag_imaging::{resize_image, resize_labels};

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
    /// The labels, of the same content and perhaps another size.
    pub(crate) labels: LabelMap,
    /// For windows: positions (x, y) of pixels of each foreground class that is present.
    pub(crate) anchors: Vec<Vec<[u32; 2]>>,
}

impl Prepared {
    /// Brings `image` and `labels` into shape for `preprocessing`; `warped` says whether
    /// geometric augmentation will follow (otherwise the size is exact).
    ///
    /// # Errors
    /// When sizes differ or the channels cannot be converted.
    pub fn new(
        image: Image,
        labels: LabelMap,
        preprocessing: &Preprocessing,
        warped: bool,
        ignore: Option<u16>,
    ) -> Result<Self> {
        if (image.width(), image.height()) != (labels.width(), labels.height()) {
            return Err(Error::new(
                ErrorKind::SizeMismatch,
                format!(
                    "image is {}x{}, its mask {}x{}",
                    image.width(),
                    image.height(),
                    labels.width(),
                    labels.height()
                ),
            )
            .hint("export the mask at the image's size"));
        }
        match preprocessing.geometry {
            Geometry::Resize { height, width } => {
                let side = |native: usize, target: usize| {
                    if warped { native.min((target as f64 * IMAGE_MARGIN).round() as usize) } else { target }
                };
                let label_side =
                    |native: usize, target: usize| if warped { native.min(target * LABEL_MARGIN) } else { target };
                // Resizing first leaves fewer pixels to convert.
                let image = resize_image(&image, side(image.width(), width), side(image.height(), height))?;
                let labels =
                    resize_labels(&labels, label_side(labels.width(), width), label_side(labels.height(), height))?;
                Ok(Self { image: image.with_channels(preprocessing.channels)?, labels, anchors: Vec::new() })
            }
            Geometry::Window { .. } => {
                let anchors = if warped { anchors(&labels, ignore) } else { Vec::new() };
                Ok(Self { image: image.with_channels(preprocessing.channels)?, labels, anchors })
            }
        }
    }

    /// Bytes that it occupies.
    pub fn byte_len(&self) -> usize {
        let anchors = self.anchors.iter().map(|list| 8 * list.len()).sum::<usize>();
        self.image.byte_len() + 2 * self.labels.labels().len() + anchors
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

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocessing(geometry: Geometry) -> Preprocessing {
        Preprocessing { channels: 1, mean: vec![0.0], std: vec![1.0], geometry }
    }

    #[test]
    fn a_resized_sample_is_kept_near_the_networks_size() {
        let image = Image::from_u8(200, 100, 3, vec![9; 60_000]).unwrap();
        let labels = LabelMap::filled(200, 100, 1);
        let shape = preprocessing(Geometry::Resize { height: 64, width: 40 });
        let sample = Prepared::new(image.clone(), labels.clone(), &shape, true, None).unwrap();
        assert_eq!((sample.image.width(), sample.image.height(), sample.image.channels()), (50, 80, 1));
        assert_eq!((sample.labels.width(), sample.labels.height()), (80, 100));
        let exact = Prepared::new(image, labels, &shape, false, None).unwrap();
        assert_eq!((exact.image.width(), exact.image.height()), (40, 64));
        assert_eq!(exact.byte_len(), 40 * 64 * 3);
    }

    #[test]
    fn another_mask_size_is_an_error_with_both_sizes() {
        let image = Image::from_u8(4, 4, 1, vec![0; 16]).unwrap();
        let shape = preprocessing(Geometry::Resize { height: 4, width: 4 });
        let error = Prepared::new(image, LabelMap::filled(5, 4, 0), &shape, true, None).unwrap_err();
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
