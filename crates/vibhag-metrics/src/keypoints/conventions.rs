//! What the figures of an evaluation of keypoints mean, and what a reader must know of this one.

use super::builder::KeypointEvaluationBuilder;
use super::pck::PckReference;
use super::summary::RESAMPLES;

pub(super) fn conventions(builder: &KeypointEvaluationBuilder) -> Vec<String> {
    let length = match builder.reference {
        PckReference::Torso => {
            "from a shoulder to the hip of the other side (the mean of both diagonals, or the one that is labelled)"
        }
        PckReference::Head => "from the neck to the top of the head",
        PckReference::Box => "the longer side of the person's box",
    };
    vec![
        "People: those with at least one labelled keypoint who are no crowd. A prediction whose partner is a crowd or somebody without labels counts as nothing.".to_owned(),
        format!("AP, AR: COCO's, by object keypoint similarity (OKS) with the sigmas of skeleton {:?} and the annotation's area; thresholds 0.50 to 0.95, precision at 101 recalls, at most {} people in an image, those with the highest scores. Equal scores are ordered by the names of the images, then by their order in the image.", builder.skeleton.name, builder.most),
        "AP_medium, AP_large, AR_medium, AR_large: people of 32 x 32 to 96 x 96 pixels and from there on, by the annotation's area, predictions by the box around their keypoints; both ends included.".to_owned(),
        format!("pck@0.2: share of the labelled keypoints of all images together whose prediction lies within 0.2 of the reference length, {length}; keypoints of people whom no prediction is taken for are wrong. Each prediction is taken for at most one person, the most similar two first."),
        "mean_oks and the oks of an image: mean over people of the similarity to the prediction taken for them, 0 where there is none. An image without people scores 1 if nobody is predicted, else 0.".to_owned(),
        "tp, fp, fn: people at a similarity of 0.50, matched as for AP.".to_owned(),
        format!("pck@0.2_ci95: percentile bootstrap over images, {RESAMPLES} resamples, seed 0."),
    ]
}

pub(super) fn notes(builder: &KeypointEvaluationBuilder) -> Vec<String> {
    let images = &builder.images;
    let sum = |of: fn(&super::builder::ScoredImage) -> u64| images.iter().map(of).sum::<u64>();
    let people = sum(|image| image.score.people_truth);
    let mut notes = Vec::new();
    if !images.is_empty() && people == 0 {
        notes.push("nobody in the truth has a labelled keypoint: no figure can be computed".to_owned());
    } else if people > 0 && images.iter().all(|image| image.found.is_empty()) {
        notes.push(format!("nobody was predicted; the truth has {people} people"));
    }
    let cut = sum(|image| image.cut);
    if cut > 0 {
        let crowded = images.iter().filter(|image| image.cut > 0).count();
        notes.push(format!(
            "{crowded} images have more than {} predictions: the {cut} with the lowest scores take no part",
            builder.most
        ));
    }
    let ignored = sum(|image| image.ignored);
    if ignored > 0 {
        notes.push(format!("{ignored} predictions in crowds or on people without labels were not counted"));
    }
    let without = sum(|image| image.without_length);
    if without > 0 {
        notes.push(format!(
            "{without} people lack the joints of the {} and take no part in the PCK",
            builder.reference.name()
        ));
    }
    let mut scores = images.iter().flat_map(|image| image.found.iter().map(|found| found.score));
    if let Some(first) = scores.next() {
        let mut others = scores.peekable();
        if others.peek().is_some() && others.all(|score| score == first) {
            notes.push(
                "every prediction has the same score: AP, which goes through them by score, then depends on their order"
                    .to_owned(),
            );
        }
    }
    notes
}
