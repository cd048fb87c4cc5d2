//! How alike two poses are.

use vibhag_core::{Keypoint, Person};

/// COCO's object keypoint similarity of a predicted pose to a true person, in 0..=1 (`pycocotools.cocoeval.computeOks`).
///
/// Over the labelled keypoints the mean of `exp(-d^2 / (2 area (2 sigma)^2))` at the distance d. A predicted keypoint that
/// is absent lies at (0, 0), as COCO's result files have it. Of a person without labelled keypoints d is the distance to
/// the box grown by its own width and height to all sides, over all keypoints.
///
/// The three lists must have one value for each keypoint of the skeleton; values beyond the shortest are left out.
pub fn oks(person: &Person, predicted: &[Keypoint], sigmas: &[f64]) -> f64 {
    let area = person.area + f64::EPSILON;
    let place = |keypoint: &Keypoint| if keypoint.is_present() { [keypoint.x, keypoint.y] } else { [0.0; 2] };
    let labelled = person.pose.present() > 0;
    let [left, top, width, height] = person.bounds;
    let beyond =
        |at: f64, from: f64, length: f64| (from - length - at).max(0.0) + (at - (from + 2.0 * length)).max(0.0);
    let (mut sum, mut count) = (0.0, 0usize);
    for ((truth, predicted), sigma) in person.pose.keypoints.iter().zip(predicted).zip(sigmas) {
        let [x, y] = place(predicted);
        let (dx, dy) = match (labelled, truth.is_present()) {
            (true, false) => continue,
            (true, true) => (x - truth.x, y - truth.y),
            (false, _) => (beyond(x, left, width), beyond(y, top, height)),
        };
        sum += closeness(dx, dy, *sigma, area);
        count += 1;
    }
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// 1 for a keypoint in its place, less the further off it is.
pub(super) fn closeness(dx: f64, dy: f64, sigma: f64, area: f64) -> f64 {
    let variance = (2.0 * sigma).powi(2);
    (-((dx * dx + dy * dy) / variance / area / 2.0)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Pose;

    fn person(keypoints: &[Keypoint]) -> Person {
        let pose = Pose { keypoints: keypoints.to_vec(), score: 1.0, id: None };
        Person { pose, area: 100.0, bounds: [10.0, 20.0, 4.0, 6.0], crowd: false }
    }

    #[test]
    fn similarity_is_as_computed_by_hand() {
        let truth = [Keypoint::found(3.0, 4.0, 1.0), Keypoint::ABSENT, Keypoint::found(0.0, 0.0, 1.0)];
        let predicted = [Keypoint::found(6.0, 8.0, 0.5), Keypoint::found(99.0, 9.0, 0.5), Keypoint::ABSENT];
        // d = 5, (2 sigma)^2 = 0.25, area 100: exp(-25 / 0.25 / 100 / 2) = exp(-0.5); the other is exactly right.
        let found = oks(&person(&truth), &predicted, &[0.25; 3]);
        assert!((found - f64::midpoint((-0.5f64).exp(), 1.0)).abs() < 1e-12, "{found}");
    }

    #[test]
    fn without_labels_the_box_with_its_margin_counts() {
        let nobody = person(&[Keypoint::ABSENT; 2]);
        // The grown box reaches from (6, 14) to (18, 32).
        let inside = [Keypoint::found(6.0, 14.0, 0.5), Keypoint::found(18.0, 32.0, 0.5)];
        assert_eq!(oks(&nobody, &inside, &[0.25; 2]), 1.0);
        let below = [Keypoint::found(6.0, 14.0, 0.5), Keypoint::found(21.0, 36.0, 0.5)];
        let expected = f64::midpoint(1.0, (-0.5f64).exp());
        assert!((oks(&nobody, &below, &[0.25; 2]) - expected).abs() < 1e-12);
        assert_eq!(oks(&person(&[]), &[], &[]), 0.0);
    }
}
