//! What the figures of an evaluation of objects mean, and what a reader must know of this one.

use super::builder::InstanceEvaluationBuilder;
use super::summary::RESAMPLES;
use crate::boundary::BOUNDARY_RATIO;

pub(super) fn conventions(most: usize) -> Vec<String> {
    vec![
        "Objects: segments of the thing classes with at least one pixel; only objects of the same class match. Stuff and pixels of no segment are background.".to_owned(),
        "ap_dsb: TP / (TP + FP + FN) at one IoU threshold, IoU equal to the threshold being a match; the counts of all images are added first, with one division at the end (StarDist's default). As many objects as possible are matched. Scores play no part.".to_owned(),
        "ap_dsb_by_image: the image's mean over the thresholds 0.50, 0.55, ..., 0.95, then the mean over images with equal weight (2018 Data Science Bowl). An image without objects scores 1 if none is predicted, else 0; StarDist scores both 0.".to_owned(),
        format!("AP, AR: COCO's, for each class by itself, then the mean over the classes that have objects; precision at 101 recalls, thresholds 0.50 to 0.95, at most {most} predictions of a class in an image, those with the highest scores. Equal scores are ordered by the names of the images, then by segment number."),
        "AP_small, AP_medium, AP_large: up to 32 x 32, from there up to 96 x 96, and from there on, in pixels of the mask, both ends included.".to_owned(),
        "AP_bbox, AP50_bbox: the same with the boxes around the masks.".to_owned(),
        format!("AP_boundary: the same with the smaller of mask IoU and boundary IoU; a boundary is what lies within {:.0} % of the image's diagonal of the outline.", 100.0 * BOUNDARY_RATIO),
        "Crowds: a crowd of the truth is no object. A prediction without a partner of which at least the threshold's share lies in a crowd of its class counts as nothing, here and in the number of predicted objects (at 0.50).".to_owned(),
        "count_mae, count_error, count_bias: means over images of |predicted - true|, of |predicted - true| / true where there are objects, and of predicted - true.".to_owned(),
        "precision50, recall50, f1_50, mean_matched_iou: of the objects of all images together, matched as for ap_dsb at IoU 0.50. Nothing to find and nothing found scores 1; only one of the two scores 0.".to_owned(),
        format!("ap_dsb_50_ci95: percentile bootstrap over images of the pooled ap_dsb at IoU 0.50, {RESAMPLES} resamples, seed 0."),
    ]
}

pub(super) fn notes(builder: &InstanceEvaluationBuilder) -> Vec<String> {
    let images = &builder.images;
    let mut notes = Vec::new();
    let truth: u64 = images.iter().map(|image| image.score.objects_truth).sum();
    let predicted: u64 = images.iter().map(|image| image.score.objects_predicted).sum();
    if !images.is_empty() && truth == 0 {
        notes.push("the truth has no object in any image: COCO's figures cannot be computed".to_owned());
    } else if truth > 0 && predicted == 0 {
        notes.push(format!("no object was predicted; the truth has {truth}"));
    }
    let detections = || images.iter().flat_map(|image| image.detections.values());
    let cut: u64 = detections().map(|class| class.cut).sum();
    if cut > 0 {
        let crowded = images.iter().filter(|image| image.detections.values().any(|class| class.cut > 0)).count();
        notes.push(format!(
            "{crowded} images have more than {} predictions of one class: the {cut} with the lowest scores do not enter AP and AR, which are too low for such images; ap_dsb counts them all",
            builder.most
        ));
    }
    let mut scores = detections().flat_map(|class| class.predicted.iter().map(|detection| detection.score));
    if let Some(first) = scores.next() {
        let mut others = scores.peekable();
        if others.peek().is_some() && others.all(|score| score == first) {
            notes.push(
                "every prediction has the same score: AP, which goes through them by score, then depends on their order; ap_dsb does not"
                    .to_owned(),
            );
        }
    }
    let ignored: u64 = images.iter().map(|image| image.ignored).sum();
    if ignored > 0 {
        notes.push(format!("{ignored} predictions lie in crowds of the truth and were not counted"));
    }
    notes
}
