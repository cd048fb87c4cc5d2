//! The planner's choices for people who are to be cut out.

use vibhag_core::{ClassTable, Error, Geometry, Result};
use vibhag_data::augment::AugmentConfig;
use vibhag_data::fingerprint::Fingerprint;
use vibhag_nn::losses::{Edge, LossConfig, LossTerm};

use super::STRIDE;

/// Pixels of input that two CPU cores train on in a minute with the planner's network, roughly.
const PIXELS_PER_MINUTE: f64 = 30e6;
/// Photos in a step at least: fewer make the statistics of normalisation unsteady.
pub(super) const LEAST_BATCH: usize = 4;
/// How often a photo should be seen: a pretrained encoder needs no more to find people.
const VIEWS: f64 = 30.0;
/// Fewest and most pixels of an input. Below, hands and feet go; above, what is gained lies within the width of the edges
/// that people draw.
const PIXELS: [f64; 2] = [192.0 * 128.0, 480.0 * 320.0];
/// Minutes that a length in epochs is taken for: it says nothing of the time there is.
const USUAL_MINUTES: f64 = 20.0;
/// Longest side against the shortest: beyond, an image is squeezed.
const LONGEST: f64 = 3.0;
/// Photos that choose the best weights.
const VAL_IMAGES: f32 = 32.0;
/// Factor of the cross-entropy beside edges.
const EDGE_WEIGHT: f64 = 0.5;

/// Checks that there is one kind of people and nothing else.
pub(super) fn check(classes: &ClassTable, format: &str) -> Result<()> {
    if classes.is_binary() {
        return Ok(());
    }
    Err(Error::config(format!(
        "the body preset cuts out one foreground class, and {format} has {} classes",
        classes.len()
    ))
    .at(classes.names().join(", "))
    .hint("merge the values of label masks with --foreground, such as --foreground 1..58"))
}

/// Whole images at their own aspect (bodies are tall, and so are photos of them), as large as the minutes allow.
pub(super) fn choose_geometry(
    fingerprint: &Fingerprint,
    minutes: Option<f64>,
    because: &mut impl FnMut(&str, String),
) -> Geometry {
    let aspect = median_aspect(fingerprint);
    let learnt = fingerprint.usable as f64 * (1.0 - f64::from(super::VAL_FRACTION));
    let minutes = minutes.unwrap_or(USUAL_MINUTES);
    let affordable = minutes * PIXELS_PER_MINUTE / (VIEWS * learnt.max(1.0));
    let native = (fingerprint.median_width.max(1) * fingerprint.median_height.max(1)) as f64;
    let pixels = affordable.clamp(PIXELS[0], PIXELS[1]).min(native);
    let (height, width) = fitted(aspect, pixels);
    because(
        "input.geometry",
        format!(
            "whole photos at their aspect (the median is {aspect:.2} times as high as wide) keep bodies upright and whole; \
             {width}x{height} suits {} photos and {minutes} minutes on two cores",
            fingerprint.usable
        ),
    );
    Geometry::Resize { height, width }
}

/// Height and width, multiples of the stride, near `pixels` and the `aspect` (height over width).
fn fitted(aspect: f64, pixels: f64) -> (usize, usize) {
    let aspect = aspect.clamp(1.0 / LONGEST, LONGEST);
    let around = |length: f64| {
        let steps = (length / STRIDE as f64) as usize;
        (steps.max(2)..=(steps + 1).max(2)).map(|steps| steps * STRIDE)
    };
    // A wrong aspect bends every body; a few pixels more or less do no harm.
    let miss = |(height, width): (usize, usize)| {
        let (height, width) = (height as f64, width as f64);
        (height / width / aspect).ln().abs() + 0.5 * (height * width / pixels).ln().abs()
    };
    let heights = around((pixels * aspect).sqrt());
    let sizes = heights.flat_map(|height| around((pixels / aspect).sqrt()).map(move |width| (height, width)));
    sizes.min_by(|a, b| miss(*a).total_cmp(&miss(*b))).unwrap_or((2 * STRIDE, 2 * STRIDE))
}

/// Height over width of the median image: not that of the median height and the median width, which may be of two images.
fn median_aspect(fingerprint: &Fingerprint) -> f64 {
    let usable = fingerprint.samples.iter().filter(|sample| sample.usable && sample.width > 0);
    let mut aspects: Vec<f64> = usable.map(|sample| sample.height as f64 / sample.width as f64).collect();
    aspects.sort_by(f64::total_cmp);
    aspects.get(aspects.len() / 2).copied().unwrap_or(1.0)
}

/// Binary cross-entropy and Dice as elsewhere, and the edges once more.
pub(super) fn add_edges(loss: &mut LossConfig, because: &mut impl FnMut(&str, String)) {
    loss.terms.push(LossTerm::Edge(Edge { weight: EDGE_WEIGHT, ..Edge::default() }));
    because(
        "loss",
        "BCE calibrates pixels, Dice counts overlap; a cut-out is judged by its edges, so pixels beside them count once more"
            .into(),
    );
}

/// Left and right are alike, up is up, and cameras differ.
pub(super) fn choose_augmentation(because: &mut impl FnMut(&str, String)) -> AugmentConfig {
    because(
        "augment",
        "people stand upright: left-right flips, mild rotation, bodies from far to cropped, and the colours of any camera".into(),
    );
    AugmentConfig::body()
}

/// Some dozens of photos are enough to choose the best weights; the others are better learnt from.
pub(super) fn choose_val_fraction(fingerprint: &Fingerprint, because: &mut impl FnMut(&str, String)) -> f32 {
    let share = (VAL_IMAGES / fingerprint.usable.max(1) as f32).clamp(0.05, super::VAL_FRACTION);
    let share = (share * 100.0).round() / 100.0;
    because("split.val_fraction", format!("{VAL_IMAGES} photos are enough to choose the best weights"));
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_data::fingerprint::SampleRecord;

    fn photos(count: usize, width: usize, height: usize) -> Fingerprint {
        let sample = SampleRecord { width, height, usable: true, ..SampleRecord::default() };
        Fingerprint {
            samples: vec![sample; count],
            usable: count,
            median_width: width,
            median_height: height,
            ..Fingerprint::default()
        }
    }

    fn size(fingerprint: &Fingerprint, minutes: Option<f64>) -> (usize, usize) {
        choose_geometry(fingerprint, minutes, &mut |_, _| {}).size()
    }

    #[test]
    fn photos_keep_their_aspect_and_grow_with_the_minutes() {
        let tall = photos(200, 550, 825);
        assert_eq!(size(&tall, Some(20.0)), (448, 288));
        assert_eq!(size(&tall, Some(600.0)), (480, 320));
        let (height, width) = size(&tall, Some(20.0));
        assert!(height > width && (height, width) == size(&tall, None), "{height}x{width}");
        let aspect = height as f64 / width as f64;
        assert!((aspect / 1.5 - 1.0).abs() < 0.12, "{aspect}");
        let pixels = |minutes| {
            let (height, width) = size(&tall, Some(minutes));
            height * width
        };
        assert!(pixels(2.0) < pixels(8.0) && pixels(8.0) < pixels(20.0) && pixels(600.0) == pixels(6000.0));
        let wide = size(&photos(200, 1280, 720), Some(20.0));
        assert!(wide.1 > wide.0, "{wide:?}");
    }

    #[test]
    fn small_and_long_images_are_neither_magnified_nor_refused() {
        assert_eq!(size(&photos(10, 64, 96), Some(20.0)), (96, 64));
        let long = size(&photos(10, 20, 4000), Some(20.0));
        assert!(long.0 <= 4 * long.1 && long.0 > long.1, "{long:?}");
        assert_eq!(size(&photos(1, 1, 1), None), (64, 64));
    }

    #[test]
    fn other_classes_than_one_are_refused_with_the_way_out() {
        check(&ClassTable::binary("person"), "folders").unwrap();
        let many = ClassTable::from_names(["background", "shirt", "shoe"]);
        let error = check(&many, "folders").unwrap_err().to_string();
        assert!(error.contains("--foreground") && error.contains("shirt"), "{error}");
    }
}
