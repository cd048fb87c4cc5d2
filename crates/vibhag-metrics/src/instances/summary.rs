//! The figures of an evaluation of objects from what was kept of its images.

use std::collections::BTreeMap;

use super::builder::{InstanceEvaluationBuilder, ScoredImage, bowl_thresholds};
use super::coco::{ClassAverages, Detection, THRESHOLDS, View, average};
use super::conventions::{conventions, notes};
use super::counting::{MAX_SIZES, count_bias, count_error, count_mae, size_histogram, thinned};
use super::evaluation::{CountPair, InstanceClassScore, InstanceEvaluation};
use crate::bootstrap_pooled::bootstrap_pooled;
use crate::counts::Counts;
use crate::functions::{dice, iou, mean, precision, recall};

pub(super) const RESAMPLES: usize = 1000;
/// Places of IoU 0.50 and 0.75 among the thresholds.
const AT_50: usize = 0;
const AT_75: usize = 5;

/// The evaluation of images in the order of their names.
pub(super) fn summarize(builder: &InstanceEvaluationBuilder) -> InstanceEvaluation {
    let images = &builder.images;
    // Perfect scores on no data would be taken for a result.
    let or_zero = |value: f64| if images.is_empty() { 0.0 } else { value };
    let pooled: [Counts; THRESHOLDS] = std::array::from_fn(|at| total(images.iter().map(|image| image.counts[at])));
    let half = pooled[AT_50];
    let averages = views(builder);
    let of = |view: View, figure: fn(&ClassAverages) -> f64| {
        let classes: Vec<f64> = averages[&(view as usize)].values().flatten().map(figure).collect();
        (!classes.is_empty()).then(|| mean(classes))
    };
    let ap = |class: &ClassAverages| mean(class.precision);
    let ap50 = |class: &ClassAverages| class.precision[AT_50];
    let counts: Vec<CountPair> = images
        .iter()
        .map(|image| CountPair {
            image: image.score.image.clone(),
            truth: image.score.objects_truth,
            predicted: image.score.objects_predicted,
        })
        .collect();
    let areas = |of: fn(&ScoredImage) -> &[u64]| images.iter().flat_map(of).copied().collect::<Vec<u64>>();
    let iou_sum: f64 = images.iter().map(|image| image.iou_sum).sum();
    let mut per_image: Vec<_> = images.iter().map(|image| image.score.clone()).collect();
    per_image.sort_by(|a, b| a.ap_mean.total_cmp(&b.ap_mean).then(a.ap50.total_cmp(&b.ap50)));
    InstanceEvaluation {
        images: images.len(),
        objects_truth: half.truth(),
        objects_predicted: half.predicted(),
        ap_dsb: bowl_thresholds()
            .into_iter()
            .zip(pooled)
            .map(|(threshold, counts)| (format!("{threshold:.2}"), or_zero(iou(counts))))
            .collect(),
        ap_dsb_mean: or_zero(mean(pooled.map(iou))),
        ap_dsb_by_image: mean(images.iter().map(|image| image.score.ap_mean)),
        ap_dsb_50_ci95: bootstrap_pooled(images.len(), RESAMPLES, 0.95, 0, |drawn| {
            iou(total(drawn.iter().map(|&image| images[image].counts[AT_50])))
        }),
        ap: of(View::Masks, ap),
        ap50: of(View::Masks, ap50),
        ap75: of(View::Masks, |class| class.precision[AT_75]),
        ap_small: of(View::Small, ap),
        ap_medium: of(View::Medium, ap),
        ap_large: of(View::Large, ap),
        ar: of(View::Masks, |class| mean(class.recall)),
        ap_bbox: of(View::Boxes, ap),
        ap50_bbox: of(View::Boxes, ap50),
        ap_boundary: of(View::Boundaries, ap),
        count_mae: count_mae(&counts),
        count_error: count_error(&counts),
        count_bias: count_bias(&counts),
        precision50: or_zero(precision(half)),
        recall50: or_zero(recall(half)),
        f1_50: or_zero(dice(half)),
        mean_matched_iou: (half.true_positive > 0).then(|| iou_sum / half.true_positive as f64),
        classes: class_scores(builder, &averages[&(View::Masks as usize)]),
        sizes: thinned(images.iter().flat_map(|image| image.sizes.iter().copied()).collect(), MAX_SIZES),
        size_histogram: size_histogram(&areas(|image| &image.truth_areas), &areas(|image| &image.predicted_areas)),
        counts,
        per_image,
        conventions: conventions(builder.most),
        notes: notes(builder),
    }
}

/// By view (its number) and class, COCO's averages.
type Averages = BTreeMap<usize, BTreeMap<u16, Option<ClassAverages>>>;

fn views(builder: &InstanceEvaluationBuilder) -> Averages {
    let mut averages: Averages = View::ALL.iter().map(|&view| (view as usize, BTreeMap::new())).collect();
    for class in things(builder) {
        let kept = || builder.images.iter().filter_map(|image| image.detections.get(&class));
        let mut detections: Vec<Detection> = kept().flat_map(|kept| kept.predicted.iter().copied()).collect();
        // Stable: equal scores stay in the order of the images.
        detections.sort_by(|a, b| b.score.total_cmp(&a.score));
        for view in View::ALL {
            let truths = kept().map(|kept| kept.truths[view as usize]).sum();
            let of_class = average(detections.iter().map(|detection| detection.outcomes[view as usize]), truths);
            averages.entry(view as usize).or_default().insert(class, of_class);
        }
    }
    averages
}

fn class_scores(
    builder: &InstanceEvaluationBuilder,
    averages: &BTreeMap<u16, Option<ClassAverages>>,
) -> Vec<InstanceClassScore> {
    things(builder)
        .map(|class| {
            let counts = total(builder.images.iter().filter_map(|image| image.class_counts.get(&class).copied()));
            let average = averages.get(&class).and_then(Option::as_ref);
            InstanceClassScore {
                name: builder.classes.classes[usize::from(class)].name.clone(),
                ap: average.map(|average| mean(average.precision)),
                ap50: average.map(|average| average.precision[AT_50]),
                objects_truth: counts.truth(),
                objects_predicted: counts.predicted(),
                tp: counts.true_positive,
                fp: counts.false_positive,
                fn_: counts.false_negative,
            }
        })
        .collect()
}

/// The thing classes, in label order.
fn things(builder: &InstanceEvaluationBuilder) -> impl Iterator<Item = u16> + '_ {
    (0..builder.classes.len() as u16).filter(|&class| builder.classes.is_thing(class))
}

fn total(counts: impl Iterator<Item = Counts>) -> Counts {
    counts.fold(Counts::default(), |mut sum, counts| {
        sum += counts;
        sum
    })
}
