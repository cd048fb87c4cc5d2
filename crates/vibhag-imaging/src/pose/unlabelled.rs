//! Where a loss of keypoints must not look: people whom nobody labelled would count as background there.

use vibhag_core::{Error, ErrorKind, Result, Rle};

/// What is known of where a person is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Area<'a> {
    /// The pixels, in a mask of the image's size.
    Mask(&'a Rle),
    /// A box: left, top, width, height in pixels, from the image's corner.
    Box([f64; 4]),
}

/// An annotated person or crowd.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region<'a> {
    /// Where it is.
    pub area: Area<'a>,
    /// A group of people that nobody told apart.
    pub crowd: bool,
    /// Whether any of its keypoints is labelled.
    pub labelled: bool,
}

/// The pixels (row-major) of people without labelled keypoints and of crowds in an image of `width` x `height`.
///
/// A crowd's mask covers people in it who are annotated by themselves: there each of them decides (OpenPose's
/// `mask_miss`). Boxes reach beyond the people in them; they cover nobody else's mask or box that is labelled.
///
/// # Errors
/// When a mask has another size, or a box is not finite.
pub fn unlabelled(width: usize, height: usize, regions: &[Region<'_>]) -> Result<Vec<bool>> {
    let mut unknown = vec![false; width * height];
    // The later ones prevail.
    let crowds = regions.iter().filter(|region| region.crowd);
    let boxes = regions.iter().filter(|r| !r.crowd && !r.labelled && matches!(r.area, Area::Box(_)));
    let labelled = regions.iter().filter(|region| !region.crowd && region.labelled);
    let masks = regions.iter().filter(|r| !r.crowd && !r.labelled && matches!(r.area, Area::Mask(_)));
    for region in crowds.chain(boxes).chain(labelled).chain(masks) {
        paint(&mut unknown, width, height, region.area, region.crowd || !region.labelled)?;
    }
    Ok(unknown)
}

fn paint(pixels: &mut [bool], width: usize, height: usize, area: Area<'_>, value: bool) -> Result<()> {
    match area {
        Area::Mask(mask) if (mask.width(), mask.height()) == (width, height) => {
            mask.for_each(|x, y| pixels[y * width + x] = value);
        }
        Area::Mask(mask) => {
            return Err(Error::new(
                ErrorKind::SizeMismatch,
                format!("a mask of {}x{} in an image of {width}x{height}", mask.width(), mask.height()),
            ));
        }
        Area::Box(bounds) => {
            if bounds.iter().any(|value| !value.is_finite()) {
                return Err(
                    Error::new(ErrorKind::Decode, "the box of a person is not finite").at(format!("{bounds:?}"))
                );
            }
            let span = |from: f64, length: f64, side: usize| {
                let edge = |value: f64| (value.round().max(0.0) as usize).min(side);
                edge(from)..edge(from + length)
            };
            let columns = span(bounds[0], bounds[2], width);
            for y in span(bounds[1], bounds[3], height) {
                if !columns.is_empty() {
                    pixels[y * width + columns.start..y * width + columns.end].fill(value);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(regions: &[Region<'_>]) -> String {
        let unknown = unlabelled(8, 1, regions).unwrap();
        unknown.iter().map(|&bit| if bit { '#' } else { '.' }).collect()
    }

    #[test]
    fn a_crowd_spares_the_people_in_it_and_a_person_without_labels_is_covered() {
        let of = |from: usize, to: usize| Rle::from_fn(8, 1, |x, _| (from..to).contains(&x));
        let (wide, left, right) = (of(0, 6), of(1, 4), of(3, 5));
        let crowd = Region { area: Area::Mask(&wide), crowd: true, labelled: false };
        let person = Region { area: Area::Mask(&left), crowd: false, labelled: true };
        let unknown = Region { area: Area::Mask(&right), crowd: false, labelled: false };
        assert_eq!(shown(&[]), "........");
        assert_eq!(shown(&[person]), "........");
        assert_eq!(shown(&[crowd]), "######..");
        assert_eq!(shown(&[person, crowd]), "#...##..");
        assert_eq!(shown(&[unknown, person, crowd]), "#..###..");
    }

    #[test]
    fn a_box_spares_labelled_people_and_may_reach_beyond_the_image() {
        let boxed = Region { area: Area::Box([-3.0, -1.0, 6.0, 9.0]), crowd: false, labelled: false };
        let person = Region { area: Area::Box([1.0, 0.0, 1.0, 1.0]), crowd: false, labelled: true };
        assert_eq!(shown(&[boxed]), "###.....");
        assert_eq!(shown(&[person, boxed]), "#.#.....");
        let negative = Region { area: Area::Box([5.0, 0.0, -4.0, 1.0]), ..boxed };
        assert_eq!(shown(&[negative]), "........");
        let broken = Region { area: Area::Box([f64::NAN, 0.0, 1.0, 1.0]), ..boxed };
        assert!(unlabelled(8, 1, &[broken]).is_err());
        let other = Rle::from_fn(4, 1, |_, _| true);
        let wrong = Region { area: Area::Mask(&other), ..boxed };
        assert!(unlabelled(8, 1, &[wrong]).unwrap_err().to_string().contains("4x1"));
    }
}
