//! The planner's choices where objects are told apart.

use vibhag_core::{Geometry, Head, Task};
use vibhag_data::fingerprint::{Fingerprint, ObjectSummary};
use vibhag_nn::losses::{LossConfig, LossTerm, Pooling};

/// Side of a window; larger objects get larger ones up to [`LARGEST_WINDOW`].
const WINDOW: usize = 256;
const LARGEST_WINDOW: usize = 512;
/// Images whose objects choose the best weights.
const VAL_IMAGES: f32 = 40.0;
/// An object that is easy to find and to outline has about this many pixels a side.
const EASY_SIDE: f32 = 12.0;
const MOST_SCALE: f32 = 2.0;
/// Sides of the windows that are learnt from are multiples of this, at least [`SMALLEST_CROP`].
const CROP_STEP: usize = 64;
const SMALLEST_CROP: usize = 128;
/// Context that an object has around it at least, in pixels.
const MARGIN: f32 = 16.0;

/// Chooses the head that suits the objects.
pub(super) fn choose_head(
    fingerprint: &Fingerprint,
    task: Task,
    wish: Option<Head>,
    because: &mut impl FnMut(&str, String),
) -> Head {
    let objects = fingerprint.objects.clone().unwrap_or_default();
    because(
        "task",
        format!(
            "{} objects in {} images, {} in the median image and at most {}",
            objects.count, fingerprint.usable, objects.median_per_image, objects.most_per_image
        ),
    );
    if let Some(head) = wish {
        because("network.head", "asked for".into());
        return head;
    }
    let (head, reason) = suitable_head(&objects, task);
    because("network.head", reason);
    head
}

fn suitable_head(objects: &ObjectSummary, task: Task) -> (Head, String) {
    let ObjectSummary { median_solidity, median_per_image, extent_95, .. } = *objects;
    if task == Task::Panoptic {
        let reason = "pixels vote for a centre, so an object that another one divides stays one object".to_owned();
        return (Head::Center, reason);
    }
    if extent_95 as usize > WINDOW {
        let reason = format!(
            "objects reach {extent_95} pixels, more than a window shows: pixels vote for a centre that may lie outside"
        );
        return (Head::Center, reason);
    }
    let reason = format!(
        "{median_per_image} objects in the median image, which fill {:.0} % of their convex hulls and stay below \
         {extent_95} pixels: flows follow any shape, keep touching ones apart and are learnt fastest",
        100.0 * median_solidity
    );
    (Head::Flow, reason)
}

/// The share by which windows overlap: enough that an object which one of them cuts lies whole in a neighbour.
pub(super) fn choose_overlap(
    fingerprint: &Fingerprint,
    scale: f32,
    geometry: &Geometry,
    because: &mut impl FnMut(&str, String),
) -> f32 {
    let extent = fingerprint.objects.as_ref().map_or(0, |objects| objects.extent_95) as f32;
    let extent = (scale * extent).round();
    let (height, width) = geometry.size();
    let share = ((extent + MARGIN) / height.min(width) as f32).clamp(0.125, 0.5);
    // Two digits are enough for a plan that people read.
    let share = (share * 100.0).round() / 100.0;
    because(
        "postprocessing.overlap",
        format!("an object of {extent} pixels that one window cuts lies whole in its neighbour"),
    );
    share
}

/// The objects of some dozens of images choose the weights; the other images are better learnt from.
pub(super) fn choose_val_fraction(fingerprint: &Fingerprint, because: &mut impl FnMut(&str, String)) -> f32 {
    let share = (VAL_IMAGES / fingerprint.usable.max(1) as f32).clamp(0.05, super::VAL_FRACTION);
    let share = (share * 100.0).round() / 100.0;
    because("split.val_fraction", format!("the objects of {VAL_IMAGES} images are enough to choose the best weights"));
    share
}

/// How far images are magnified so that the median object has [`EASY_SIDE`] pixels a side, in steps of a half.
pub(super) fn choose_scale(fingerprint: &Fingerprint, because: &mut impl FnMut(&str, String)) -> f32 {
    let Some(objects) = fingerprint.objects.as_ref().filter(|objects| objects.median_area > 0) else { return 1.0 };
    let side = (objects.median_area as f32).sqrt();
    // What is magnified must still fit into a window.
    let fits = LARGEST_WINDOW as f32 / (2.0 * objects.extent_95.max(1) as f32);
    let scale = ((2.0 * EASY_SIDE / side).round() / 2.0).clamp(1.0, MOST_SCALE).min(fits.max(1.0));
    let scale = (2.0 * scale).floor() / 2.0;
    if scale != 1.0 {
        because(
            "input.scale",
            format!("the median object is {side:.0} pixels a side; a network tells larger ones apart better"),
        );
    }
    scale
}

/// Side of the windows that are learnt from: as small as shows nearly all objects whole.
pub(super) fn choose_crop(
    fingerprint: &Fingerprint,
    scale: f32,
    geometry: &Geometry,
    because: &mut impl FnMut(&str, String),
) -> usize {
    let extent = fingerprint.objects.as_ref().map_or(0.0, |objects| objects.extent_95 as f32 * scale);
    let steps = (extent / CROP_STEP as f32).ceil() as usize;
    let (height, width) = geometry.size();
    let side = (steps * CROP_STEP).max(SMALLEST_CROP).min(height.min(width));
    because(
        "loop.crop",
        format!(
            "windows of {side} pixels show objects of {extent:.0} whole, and many small windows show more images than few large ones"
        ),
    );
    side
}

/// Windows over the images, magnified by `scale`, large enough for the objects.
pub(super) fn choose_geometry(
    fingerprint: &Fingerprint,
    scale: f32,
    because: &mut impl FnMut(&str, String),
) -> Geometry {
    let extent = fingerprint.objects.as_ref().map_or(0, |objects| (objects.extent_95 as f32 * scale) as usize);
    let side = if 2 * extent > WINDOW { LARGEST_WINDOW } else { WINDOW };
    because(
        "input.geometry",
        format!(
            "objects are told apart where they are large enough; windows of {side} pixels show them whole ({extent} pixels hold 95 of 100)"
        ),
    );
    Geometry::Window { height: side, width: side }
}

/// A window shows a few of the classes: Dice counts those, over the batch.
pub(super) fn count_present_classes(loss: &mut LossConfig, because: &mut impl FnMut(&str, String)) {
    for term in &mut loss.terms {
        if let LossTerm::Dice(dice) = term {
            (dice.over, dice.present_only) = (Pooling::Batch, true);
        }
    }
    because(
        "loss",
        "cross-entropy plus Dice of the classes that a batch holds: windows show few of them, and an absent class would count for nothing but false alarms"
            .into(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(usable: usize, median_area: u32, extent_95: u32) -> Fingerprint {
        let objects = ObjectSummary { median_area, extent_95, median_solidity: 0.95, ..ObjectSummary::default() };
        Fingerprint { usable, objects: Some(objects), ..Fingerprint::default() }
    }

    #[test]
    fn tiny_objects_are_magnified_as_far_as_a_window_shows_them() {
        let scale = |area, extent| choose_scale(&fingerprint(100, area, extent), &mut |_, _| {});
        assert_eq!(scale(320, 56), 1.0);
        assert_eq!(scale(64, 20), 1.5);
        assert_eq!(scale(16, 12), 2.0);
        // Large ones among tiny ones.
        assert_eq!(scale(16, 200), 1.0);
        assert_eq!(choose_scale(&Fingerprint::default(), &mut |_, _| {}), 1.0);
    }

    #[test]
    fn windows_to_learn_from_show_objects_whole() {
        let window = Geometry::Window { height: 256, width: 256 };
        let crop = |extent, geometry| choose_crop(&fingerprint(100, 300, extent), 1.0, &geometry, &mut |_, _| {});
        assert_eq!([crop(0, window), crop(56, window), crop(110, window), crop(400, window)], [128, 128, 128, 256]);
        assert_eq!(crop(56, Geometry::Window { height: 64, width: 96 }), 64);
    }

    #[test]
    fn some_dozens_of_images_validate() {
        let share = |usable| choose_val_fraction(&fingerprint(usable, 300, 56), &mut |_, _| {});
        assert_eq!([share(20), share(200), share(290), share(5000)], [0.2, 0.2, 0.14, 0.05]);
    }

    #[test]
    fn dice_counts_the_classes_that_are_there() {
        let mut loss = LossConfig::for_channels(5);
        count_present_classes(&mut loss, &mut |_, _| {});
        let [LossTerm::CrossEntropy(_), LossTerm::Dice(dice)] = loss.terms[..] else { panic!("{loss:?}") };
        assert!(dice.present_only && dice.over == Pooling::Batch);
    }
}
