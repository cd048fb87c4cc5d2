//! The result in one sentence.

use vibhag_metrics::{Evaluation, InstanceEvaluation, Interval, KeypointEvaluation, PanopticEvaluation};

use crate::tables::share_text;

/// The result in plain words, for the top of the report and the last line on the terminal.
///
/// `split` names the images, such as `validation`.
pub fn headline(evaluation: &Evaluation, split: Option<&str>) -> String {
    let images = images_of(evaluation.images, split);
    if evaluation.images == 0 {
        return no_scores(&images);
    }
    let interval = within(evaluation.dice_per_image_ci95.as_ref());
    let lead = if is_binary(evaluation) {
        format!("Mean Dice per image {:.3}{interval} on {images}", evaluation.dice_per_image)
    } else {
        format!(
            "Mean IoU {:.3} over {} classes, mean Dice per image {:.3}{interval}, on {images}",
            evaluation.mean_iou,
            evaluation.classes.len(),
            evaluation.dice_per_image
        )
    };
    match evaluation.per_image.first() {
        Some(worst) => format!("{lead}; worst {:.3} ({}).", worst.dice, worst.image),
        None => format!("{lead}."),
    }
}

/// The same for an evaluation of objects.
pub fn headline_instances(evaluation: &InstanceEvaluation, split: Option<&str>) -> String {
    let images = images_of(evaluation.images, split);
    if evaluation.images == 0 {
        return no_scores(&images);
    }
    let (truth, predicted) = (evaluation.objects_truth, evaluation.objects_predicted);
    if truth == 0 {
        return format!(
            "The truth has no object in {images}; {} predicted.",
            plural(predicted, "object was", "objects were")
        );
    }
    let percent = |share: f64| format!("{}%", share_text(u64::from(share > 0.0), share));
    let found = format!(
        "Of {} in {images}, {} were found",
        plural(truth, "true object", "true objects"),
        percent(evaluation.recall50)
    );
    let right = match predicted {
        0 => ", and no object was predicted".to_owned(),
        _ => format!(", and {} of the {predicted} predicted ones are right", percent(evaluation.precision50)),
    };
    let lead = match evaluation.ap_dsb.get("0.50") {
        Some(ap50) => {
            let interval = within(evaluation.ap_dsb_50_ci95.as_ref());
            format!("{found}{right} (at IoU 0.5): AP50 {ap50:.3}{interval}, AP {:.3}", evaluation.ap_dsb_mean)
        }
        None => format!("{found}{right} (at IoU 0.5)"),
    };
    match evaluation.per_image.first() {
        Some(worst) => format!("{lead}; worst image AP {:.3} ({}).", worst.ap_mean, worst.image),
        None => format!("{lead}."),
    }
}

/// The same for a panoptic evaluation.
pub fn headline_panoptic(evaluation: &PanopticEvaluation, split: Option<&str>) -> String {
    let images = images_of(evaluation.images, split);
    if evaluation.images == 0 {
        return no_scores(&images);
    }
    let PanopticEvaluation { pq, sq, rq, things, stuff, .. } = evaluation;
    let interval = within(evaluation.pq_ci95.as_ref());
    let kinds = if things.n > 0 && stuff.n > 0 {
        format!(" (things {:.3}, stuff {:.3})", things.pq, stuff.pq)
    } else {
        String::new()
    };
    let classes = plural((things.n + stuff.n) as u64, "class", "classes");
    let lead = format!(
        "PQ {pq:.3}{interval} over {classes}{kinds} on {images}: F1 of the segments {rq:.3}, mean IoU of those found \
         {sq:.3}"
    );
    match evaluation.per_image.first() {
        Some(worst) => format!("{lead}; worst {:.3} ({}).", worst.pq, worst.image),
        None => format!("{lead}."),
    }
}

/// The same for an evaluation of people's keypoints.
pub fn headline_keypoints(evaluation: &KeypointEvaluation, split: Option<&str>) -> String {
    let images = images_of(evaluation.images, split);
    if evaluation.images == 0 {
        return no_scores(&images);
    }
    let people = plural(evaluation.people_truth, "person", "people");
    let Some(pck) = evaluation.pck else {
        let predicted = plural(evaluation.people_predicted, "person was", "people were");
        return format!("No keypoint of {people} in {images} can be compared; {predicted} predicted.");
    };
    let interval = within(evaluation.pck_ci95.as_ref());
    let length = evaluation.pck_reference.name();
    let precision = evaluation.ap.map_or_else(String::new, |ap| format!("; AP by OKS {ap:.3}"));
    let lead = format!(
        "Of the keypoints of {people} in {images}, {}% lie within 0.2 of the {length}: PCK@0.2 {pck:.3}{interval}{precision}",
        share_text(u64::from(pck > 0.0), pck)
    );
    match evaluation.per_image.first() {
        Some(worst) => format!("{lead}; worst image OKS {:.3} ({}).", worst.oks, worst.image),
        None => format!("{lead}."),
    }
}

fn images_of(images: usize, split: Option<&str>) -> String {
    let what = split.map_or_else(String::new, |split| format!("{split} "));
    format!("{images} {what}image{}", if images == 1 { "" } else { "s" })
}

fn no_scores(images: &str) -> String {
    format!("No scores: there were {images} with a truth to compare with.")
}

fn within(interval: Option<&Interval>) -> String {
    interval.map_or_else(String::new, |ci| format!(" (95% CI {:.3} to {:.3})", ci.low, ci.high))
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Background and one foreground class.
pub(crate) fn is_binary(evaluation: &Evaluation) -> bool {
    evaluation.classes.len() == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_metrics::{InstanceImageScore, PanopticImageScore, PanopticMean};

    #[test]
    fn objects_in_words() {
        let mut evaluation = InstanceEvaluation {
            images: 2,
            objects_truth: 40,
            objects_predicted: 38,
            ap_dsb: [("0.50".to_owned(), 0.857)].into(),
            ap_dsb_mean: 0.6,
            recall50: 0.9,
            precision50: 0.9474,
            per_image: vec![InstanceImageScore {
                image: "a".to_owned(),
                ap_mean: 0.3,
                ..InstanceImageScore::default()
            }],
            ..InstanceEvaluation::default()
        };
        assert_eq!(
            headline_instances(&evaluation, Some("validation")),
            "Of 40 true objects in 2 validation images, 90.0% were found, and 94.7% of the 38 predicted ones are right \
             (at IoU 0.5): AP50 0.857, AP 0.600; worst image AP 0.300 (a)."
        );
        (evaluation.objects_predicted, evaluation.recall50) = (0, 0.0);
        assert!(headline_instances(&evaluation, None).contains("0% were found, and no object was predicted"));
        evaluation.objects_truth = 0;
        assert_eq!(
            headline_instances(&evaluation, None),
            "The truth has no object in 2 images; 0 objects were predicted."
        );
        assert!(headline_instances(&InstanceEvaluation::default(), None).starts_with("No scores"));
    }

    #[test]
    fn keypoints_in_words() {
        let mut evaluation = KeypointEvaluation {
            images: 3,
            people_truth: 1,
            pck: Some(0.625),
            ap: Some(0.4),
            ..KeypointEvaluation::default()
        };
        assert_eq!(
            headline_keypoints(&evaluation, None),
            "Of the keypoints of 1 person in 3 images, 62.5% lie within 0.2 of the torso: PCK@0.2 0.625; AP by OKS 0.400."
        );
        (evaluation.pck, evaluation.people_truth) = (None, 0);
        assert!(headline_keypoints(&evaluation, None).starts_with("No keypoint of 0 people"));
        assert!(headline_keypoints(&KeypointEvaluation::default(), None).starts_with("No scores"));
    }

    #[test]
    fn segments_in_words() {
        let mean = |pq, n| PanopticMean { pq, n, ..PanopticMean::default() };
        let mut evaluation = PanopticEvaluation {
            images: 1,
            pq: 0.5,
            sq: 0.8,
            rq: 0.625,
            things: mean(0.4, 2),
            stuff: mean(0.6, 3),
            per_image: vec![PanopticImageScore { image: "b".to_owned(), pq: 0.5, ..PanopticImageScore::default() }],
            ..PanopticEvaluation::default()
        };
        assert_eq!(
            headline_panoptic(&evaluation, None),
            "PQ 0.500 over 5 classes (things 0.400, stuff 0.600) on 1 image: F1 of the segments 0.625, mean IoU of \
             those found 0.800; worst 0.500 (b)."
        );
        evaluation.stuff.n = 0;
        assert!(headline_panoptic(&evaluation, None).starts_with("PQ 0.500 over 2 classes on 1 image"));
        assert!(headline_panoptic(&PanopticEvaluation::default(), None).starts_with("No scores"));
    }
}
