//! People drawn over a photo: whose pixels are whose, skeletons and numbers.

use vibhag_core::{IdMap, Image, Pose, Result, Skeleton};

use crate::digits;
use crate::marks::{Mark, draw, same_size};
use crate::numbers::number_objects;
use crate::palette::{MANY, deal, neighbours};
use crate::picture::{Picture, fit, nearest};
use crate::skeletons::draw_poses;

/// Share of a person's colour within the outline.
const FILL: f32 = 0.35;
/// Longer side of the map on which it is looked up who is beside whom.
const NEIGHBOURHOOD: usize = 512;

/// The image at its own size with every person of `ids` filled and outlined in a colour of their own, neighbours in
/// different ones, then the skeletons, then the numbers where there is room. The pose of person `n` is `poses[n - 1]`,
/// `None` where there is none; somebody without pixels has the number in the middle of the skeleton.
///
/// # Errors
/// When image and ids have different sizes.
pub fn overlay_people(image: &Image, ids: &IdMap, poses: &[Option<Pose>], skeleton: &Skeleton) -> Result<Picture> {
    same_size(image, ids, "people")?;
    let mut picture = Picture::from_image(image)?;
    let size = (ids.width(), ids.height());
    let small = fit(size.0, size.1, NEIGHBOURHOOD);
    let beside = neighbours(&IdMap::new(small.0, small.1, nearest(ids.ids(), size, small))?);
    let colors = deal(poses.len(), &beside, MANY.len());
    let mark = |color: usize| Mark::filled(MANY[color], FILL).outlined(MANY[color], 1);
    let marks: Vec<Mark> = std::iter::once(Mark::default()).chain(colors.into_iter().map(mark)).collect();
    draw(&mut picture, ids, &marks);
    let skeletons: Vec<Pose> = poses.iter().flatten().cloned().collect();
    draw_poses(&mut picture, &skeletons, skeleton);
    number_objects(&mut picture, ids, |_| true)?;
    number_unseen(&mut picture, ids, poses);
    Ok(picture)
}

fn number_unseen(picture: &mut Picture, ids: &IdMap, poses: &[Option<Pose>]) {
    let mut seen = vec![false; poses.len() + 1];
    for &id in ids.ids() {
        if let Some(seen) = seen.get_mut(id as usize) {
            *seen = true;
        }
    }
    for ((number, pose), _) in (1u32..).zip(poses).zip(&seen[1..]).filter(|(_, seen)| !**seen) {
        let Some([left, top, width, height]) = pose.as_ref().and_then(Pose::bounds) else { continue };
        let (x, y) = (left + width / 2.0, top + height / 2.0);
        let within = |at: f64, side: usize| at >= 0.0 && at < side as f64;
        if within(x, picture.width()) && within(y, picture.height()) {
            digits::draw(picture, number, x as usize, y as usize, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Keypoint;

    const WHITE: [u8; 3] = [255; 3];

    fn grey(width: usize, height: usize) -> Image {
        Image::from_u8(width, height, 1, vec![100; width * height]).unwrap()
    }

    fn pose(places: [[f64; 2]; 2]) -> Pose {
        let keypoints = places.iter().map(|&[x, y]| Keypoint::found(x, y, 1.0)).collect();
        Pose { keypoints, score: 1.0, id: None }
    }

    #[test]
    fn people_have_their_colours_skeletons_and_numbers() {
        let skeleton = Skeleton::custom("arm", &["left_elbow", "left_wrist"], &[[0, 1]]).unwrap();
        let at = |index: usize| match index % 80 {
            5..35 => 1,
            35..70 => 2,
            _ => 0,
        };
        let ids = IdMap::new(80, 40, (0..3200).map(at).collect()).unwrap();
        let poses = [Some(pose([[10.0, 5.0], [10.0, 30.0]])), None];
        let picture = overlay_people(&grey(80, 40), &ids, &poses, &skeleton).unwrap();
        let color = |x: usize, y: usize| picture.get(x, y).unwrap();
        assert_eq!(color(76, 20), [100; 3]);
        assert!(MANY.contains(&color(34, 2)) && MANY.contains(&color(35, 2)) && color(34, 2) != color(35, 2));
        assert_eq!(color(10, 30), [0, 255, 0], "a wrist over the fill");
        let written = |columns: std::ops::Range<usize>| {
            (0..40).flat_map(|y| columns.clone().map(move |x| (x, y))).filter(|&(x, y)| color(x, y) == WHITE).count()
        };
        assert!(written(5..35) > 5 && written(35..70) > 5);
    }

    #[test]
    fn somebody_without_pixels_is_numbered_on_the_skeleton() {
        let skeleton = Skeleton::custom("arm", &["left_elbow", "left_wrist"], &[[0, 1]]).unwrap();
        let nobody = IdMap::empty(40, 30);
        let count = |pose: Pose| {
            let picture = overlay_people(&grey(40, 30), &nobody, &[Some(pose)], &skeleton).unwrap();
            picture.rgb().chunks_exact(3).filter(|pixel| **pixel == WHITE).count()
        };
        assert!(count(pose([[10.0, 5.0], [20.0, 25.0]])) > 5);
        assert_eq!(count(pose([[-300.0, 5.0], [20.0, 25.0]])), 0);
        assert!(overlay_people(&grey(40, 31), &nobody, &[], &skeleton).is_err());
        assert!(overlay_people(&grey(1, 1), &IdMap::new(1, 1, vec![1]).unwrap(), &[None], &skeleton).is_ok());
    }
}
