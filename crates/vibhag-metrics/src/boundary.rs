//! Boundary IoU (Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021): the
//! IoU of the pixels of each mask that lie within a distance of its outline, which large objects cannot hide errors
//! from.

use vibhag_core::error::ErrorKind;
use vibhag_core::{BinaryMask, Error, LabelMap, Result};

use crate::counts::Counts;
use crate::functions;

/// The distance as a share of the image's diagonal.
pub const BOUNDARY_RATIO: f64 = 0.02;

/// The distance within which a pixel belongs to a boundary: 2% of the diagonal in whole pixels, at least 1.
pub fn boundary_distance(width: usize, height: usize) -> usize {
    let diagonal = ((width * width + height * height) as f64).sqrt();
    ((BOUNDARY_RATIO * diagonal).round_ties_even() as usize).max(1)
}

/// Intersection over union of the boundaries of two masks; 1 where both masks are empty.
///
/// # Errors
/// When the sizes differ.
pub fn boundary_iou(truth: &BinaryMask, prediction: &BinaryMask) -> Result<f64> {
    let (width, height) = (truth.width(), truth.height());
    if (width, height) != (prediction.width(), prediction.height()) {
        return Err(Error::new(
            ErrorKind::SizeMismatch,
            format!("{width}x{height} against {}x{}", prediction.width(), prediction.height()),
        ));
    }
    let distance = boundary_distance(width, height);
    let of = |mask: &BinaryMask| -> Vec<bool> {
        let near = near_boundary(width, mask.pixels(), distance);
        near.iter().zip(mask.pixels()).map(|(&near, &inside)| near && inside).collect()
    };
    Ok(functions::iou(Counts::of_masks(&of(truth), &of(prediction))))
}

/// The pixels of each class within [`boundary_distance`] of its outline, which is also that of the image: counts of class
/// `c` at index `c`, for classes below `classes`. Pixels whose truth is `ignore` are in no count.
pub(crate) fn boundary_counts(
    truth: &LabelMap,
    prediction: &LabelMap,
    classes: usize,
    ignore: Option<u16>,
) -> Vec<Counts> {
    let (width, height) = (truth.width(), truth.height());
    let distance = boundary_distance(width, height);
    let near_truth = near_boundary(width, truth.labels(), distance);
    let near_prediction = near_boundary(width, prediction.labels(), distance);
    let mut counts = vec![Counts::default(); classes];
    let pixels = truth.labels().iter().zip(&near_truth).zip(prediction.labels().iter().zip(&near_prediction));
    for ((&truth, &near_truth), (&found, &near_found)) in pixels.filter(|((truth, _), _)| Some(**truth) != ignore) {
        if near_truth && near_found && truth == found {
            counts.iter_mut().skip(usize::from(truth)).take(1).for_each(|count| count.true_positive += 1);
            continue;
        }
        if near_truth {
            counts.iter_mut().skip(usize::from(truth)).take(1).for_each(|count| count.false_negative += 1);
        }
        if near_found {
            counts.iter_mut().skip(usize::from(found)).take(1).for_each(|count| count.false_positive += 1);
        }
    }
    counts
}

/// Which pixels of a map of regions lie at most `distance` (at least 1) from the outline of their own region.
///
/// Such a pixel is taken away by eroding its region `distance` times with a 3 x 3 square, outside of the image being no
/// region's: the square of `2 * distance + 1` around it is not all of its region. One pass for all regions together.
pub(crate) fn near_boundary<T: Copy + PartialEq>(width: usize, regions: &[T], distance: usize) -> Vec<bool> {
    let side = 2 * distance + 1;
    let mut near = vec![true; regions.len()];
    // Rows up to this one, without a gap, in which the pixel's row of `side` pixels is all of one region.
    let mut rows = vec![0; width];
    for (y, row) in regions.chunks_exact(width).enumerate() {
        let above = y.checked_sub(1).map(|above| &regions[above * width..y * width]);
        let mut start = 0;
        while start < width {
            let region = row[start];
            let end = (start + 1..width).find(|&x| row[x] != region).unwrap_or(width);
            for x in start..end {
                let inside = x - start >= distance && end - 1 - x >= distance;
                let goes_on = above.is_some_and(|above| above[x] == region);
                rows[x] = match (inside, goes_on) {
                    (false, _) => 0,
                    (true, false) => 1,
                    (true, true) => rows[x] + 1,
                };
                if rows[x] >= side {
                    near[(y - distance) * width + x] = false;
                }
            }
            start = end;
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_distance_is_rounded_as_python_does() {
        assert_eq!(boundary_distance(10, 10), 1);
        assert_eq!(boundary_distance(640, 480), 16);
        assert_eq!(boundary_distance(75, 100), 2);
    }

    #[test]
    fn empty_masks_follow_the_convention() {
        let mask = |inside| BinaryMask::new(3, 3, vec![inside; 9]).unwrap();
        assert_eq!(boundary_iou(&mask(false), &mask(false)).unwrap(), 1.0);
        assert_eq!(boundary_iou(&mask(true), &mask(false)).unwrap(), 0.0);
        assert!(boundary_iou(&mask(true), &BinaryMask::new(9, 1, vec![true; 9]).unwrap()).is_err());
    }

    #[test]
    fn the_boundaries_of_classes_are_those_of_their_masks() {
        // Three classes in blocks, in two versions that differ at their edges.
        let map = |shift: usize| {
            let label = |i: usize| ((i % 60 + shift) / 23 + usize::from(i / 60 > 30 + shift)) as u16 % 3;
            LabelMap::new(60, 50, (0..3000).map(label).collect()).unwrap()
        };
        let (truth, found) = (map(0), map(2));
        let counts = boundary_counts(&truth, &found, 3, None);
        for (class, &counts) in counts.iter().enumerate() {
            let mask = |map: &LabelMap| {
                let inside = map.labels().iter().map(|&label| usize::from(label) == class).collect();
                BinaryMask::new(60, 50, inside).unwrap()
            };
            let alone = boundary_iou(&mask(&truth), &mask(&found)).unwrap();
            assert!(alone > 0.1 && alone < 1.0);
            assert_eq!(functions::iou(counts), alone, "class {class}");
        }
    }

    #[test]
    fn void_pixels_are_in_no_boundary() {
        let truth = LabelMap::new(4, 1, vec![0, 1, 255, 255]).unwrap();
        let found = LabelMap::new(4, 1, vec![0, 1, 1, 0]).unwrap();
        let counts = boundary_counts(&truth, &found, 2, Some(255));
        assert_eq!(
            counts.iter().map(|c| (c.true_positive, c.false_positive, c.false_negative)).collect::<Vec<_>>(),
            [(1, 0, 0), (1, 0, 0)]
        );
    }

    proptest! {
        #[test]
        fn near_is_what_a_square_around_the_pixel_says(
            width in 1_usize..14, distance in 1_usize..4, regions in prop::collection::vec(0_u8..2, 14 * 12),
            block in 1_usize..8,
        ) {
            let height = 12;
            // Blocks, so that there are interiors.
            let regions: Vec<u8> = (0..width * height).map(|i| regions[(i / width / block) * 14 + (i % width) / block]).collect();
            let near = near_boundary(width, &regions, distance);
            for y in 0..height {
                for x in 0..width {
                    let d = distance as isize;
                    let all = (-d..=d).flat_map(|dy| (-d..=d).map(move |dx| (dx, dy))).all(|(dx, dy)| {
                        let (x, y) = (x as isize + dx, y as isize + dy);
                        (0..width as isize).contains(&x) && (0..height as isize).contains(&y)
                            && regions[y as usize * width + x as usize] == regions[(y - dy) as usize * width + (x - dx) as usize]
                    });
                    prop_assert_eq!(near[y * width + x], !all, "x {} y {}", x, y);
                }
            }
        }
    }
}
