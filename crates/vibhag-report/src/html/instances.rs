//! The report's sections on objects.

use vibhag_metrics::InstanceEvaluation;

use super::gallery::{ObjectGallery, galleries, legend};
use super::{Tile, swatch_of};
use crate::chart::Chart;
use crate::curves::histogram_of;
use crate::data::ReportData;
use crate::object_charts::instance_charts;
use crate::object_example::Measure;
use crate::tables::{MAX_IMAGES, bar, grouped, number, tags, worst_first};

pub(super) struct InstanceSection<'a> {
    pub(super) charts: Vec<Chart>,
    pub(super) classes: Vec<ClassRow>,
    /// Names and values that have no tile.
    pub(super) figures: Vec<(&'static str, String)>,
    pub(super) conventions: &'a [String],
    pub(super) galleries: Vec<ObjectGallery<'a>>,
    pub(super) legend: Vec<(String, String)>,
    pub(super) histogram: Option<Chart>,
    pub(super) images: Vec<ImageRow>,
    pub(super) left_out: usize,
    /// Whether any image has tags.
    pub(super) tagged: bool,
}

/// A class of things.
pub(super) struct ClassRow {
    pub(super) name: String,
    pub(super) swatch: String,
    pub(super) ap50: String,
    /// Length of the bar, in percent.
    pub(super) bar: String,
    pub(super) ap: String,
    pub(super) truth: String,
    pub(super) predicted: String,
    pub(super) found: String,
    pub(super) missed: String,
    pub(super) false_found: String,
}

pub(super) struct ImageRow {
    pub(super) place: usize,
    pub(super) name: String,
    pub(super) score: String,
    /// Length of the bar, in percent.
    pub(super) bar: String,
    pub(super) ap50: String,
    pub(super) truth: String,
    pub(super) predicted: String,
    pub(super) missed: String,
    pub(super) false_found: String,
    pub(super) tags: String,
}

pub(super) fn section<'a>(data: &'a ReportData, evaluation: &'a InstanceEvaluation) -> InstanceSection<'a> {
    let images = worst_first(&evaluation.per_image, |score| score.ap_mean);
    let rows: Vec<ImageRow> = images
        .take(MAX_IMAGES)
        .enumerate()
        .map(|(index, score)| ImageRow {
            place: index + 1,
            name: score.image.clone(),
            score: number(score.ap_mean),
            bar: bar(score.ap_mean),
            ap50: number(score.ap50),
            truth: grouped(score.objects_truth),
            predicted: grouped(score.objects_predicted),
            missed: grouped(score.fn_),
            false_found: grouped(score.fp),
            tags: tags(&score.tags),
        })
        .collect();
    let scores = evaluation.per_image.iter().map(|score| score.ap_mean);
    InstanceSection {
        charts: instance_charts(evaluation),
        classes: class_rows(data, evaluation),
        figures: figures(evaluation),
        conventions: &evaluation.conventions,
        galleries: galleries(data, Measure::AP),
        legend: legend(data, Measure::AP),
        histogram: if evaluation.images > 1 { histogram_of("histogram-objects", "AP", scores) } else { None },
        left_out: evaluation.per_image.len() - rows.len(),
        tagged: rows.iter().any(|row| !row.tags.is_empty()),
        images: rows,
    }
}

fn class_rows(data: &ReportData, evaluation: &InstanceEvaluation) -> Vec<ClassRow> {
    evaluation
        .classes
        .iter()
        .map(|class| ClassRow {
            name: class.name.clone(),
            swatch: swatch_of(data, &class.name),
            ap50: or_dash(class.ap50),
            bar: bar(class.ap50.unwrap_or(0.0)),
            ap: or_dash(class.ap),
            truth: grouped(class.objects_truth),
            predicted: grouped(class.objects_predicted),
            found: grouped(class.tp),
            missed: grouped(class.fn_),
            false_found: grouped(class.fp),
        })
        .collect()
}

/// COCO's other figures; those without anything to be computed from are left out.
fn figures(evaluation: &InstanceEvaluation) -> Vec<(&'static str, String)> {
    let known = [
        ("COCO AP75", evaluation.ap75),
        ("COCO AP of small objects (up to 32 × 32)", evaluation.ap_small),
        ("COCO AP of medium objects", evaluation.ap_medium),
        ("COCO AP of large objects (from 96 × 96)", evaluation.ap_large),
        ("COCO AR", evaluation.ar),
        ("COCO AP of boxes", evaluation.ap_bbox),
        ("COCO AP50 of boxes", evaluation.ap50_bbox),
        ("COCO AP of boundaries", evaluation.ap_boundary),
        ("AP, mean over images", (evaluation.images > 0).then_some(evaluation.ap_dsb_by_image)),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, number(value?)))).collect()
}

pub(super) fn tiles(evaluation: &InstanceEvaluation) -> Vec<Tile> {
    if evaluation.images == 0 {
        return Vec::new();
    }
    let tile = |value: f64, label, note: String| Tile { value: number(value), label, note };
    let mut tiles = Vec::new();
    if let Some(&ap50) = evaluation.ap_dsb.get("0.50") {
        let interval = evaluation.ap_dsb_50_ci95.as_ref();
        let interval = interval.map_or_else(String::new, |ci| format!(", 95% CI {:.3} to {:.3}", ci.low, ci.high));
        tiles.push(tile(ap50, "AP50", format!("TP / (TP + FP + FN) at IoU 0.5{interval}")));
    }
    tiles.push(tile(evaluation.ap_dsb_mean, "AP", "the same, mean over IoU 0.50 to 0.95".to_owned()));
    if let Some(ap) = evaluation.ap {
        tiles.push(tile(ap, "COCO AP", format!("COCO AP50 {}", or_dash(evaluation.ap50))));
    }
    let right = format!("precision {}, recall {}", number(evaluation.precision50), number(evaluation.recall50));
    tiles.push(tile(evaluation.f1_50, "F1 at IoU 0.5", right));
    if let Some(iou) = evaluation.mean_matched_iou {
        tiles.push(tile(iou, "IoU of found objects", "mean, those at IoU 0.5 or more".to_owned()));
    }
    let off = format!("off by {:.1} an image, bias {:+.1}", evaluation.count_mae, evaluation.count_bias);
    tiles.push(match evaluation.count_error {
        Some(error) => Tile { value: format!("{:.1}%", 100.0 * error), label: "count error", note: off },
        None => Tile { value: format!("{:.1}", evaluation.count_mae), label: "count error", note: off },
    });
    if let Some(worst) = worst_first(&evaluation.per_image, |score| score.ap_mean).next() {
        tiles.push(tile(worst.ap_mean, "worst image (AP)", worst.image.clone()));
    }
    tiles
}

fn or_dash(value: Option<f64>) -> String {
    number(value.unwrap_or(f64::NAN))
}
