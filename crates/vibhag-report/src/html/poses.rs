//! The report's sections on people's keypoints.

use vibhag_metrics::KeypointEvaluation;

use super::Tile;
use super::gallery::{ObjectGallery, galleries, legend};
use crate::chart::Chart;
use crate::curves::histogram_of;
use crate::data::ReportData;
use crate::object_example::Measure;
use crate::tables::{MAX_IMAGES, bar, grouped, number, tags, worst_first};

pub(super) struct PoseSection<'a> {
    /// Worst first.
    pub(super) joints: Vec<JointRow>,
    /// Names and values that have no tile.
    pub(super) figures: Vec<(String, String)>,
    pub(super) conventions: &'a [String],
    pub(super) galleries: Vec<ObjectGallery<'a>>,
    pub(super) legend: Vec<(String, String)>,
    pub(super) histogram: Option<Chart>,
    pub(super) images: Vec<ImageRow>,
    pub(super) left_out: usize,
    /// Whether any image has tags.
    pub(super) tagged: bool,
}

pub(super) struct JointRow {
    pub(super) name: String,
    pub(super) pck: String,
    /// Length of the bar, in percent.
    pub(super) bar: String,
    pub(super) error: String,
    pub(super) labelled: String,
    pub(super) found: String,
}

pub(super) struct ImageRow {
    pub(super) place: usize,
    pub(super) name: String,
    pub(super) oks: String,
    /// Length of the bar, in percent.
    pub(super) bar: String,
    pub(super) pck: String,
    pub(super) truth: String,
    pub(super) predicted: String,
    pub(super) missed: String,
    pub(super) false_found: String,
    pub(super) tags: String,
}

pub(super) fn section<'a>(data: &'a ReportData, evaluation: &'a KeypointEvaluation) -> PoseSection<'a> {
    let images: Vec<ImageRow> = worst_first(&evaluation.per_image, |score| score.oks)
        .take(MAX_IMAGES)
        .enumerate()
        .map(|(index, score)| ImageRow {
            place: index + 1,
            name: score.image.clone(),
            oks: number(score.oks),
            bar: bar(score.oks),
            pck: or_dash(score.pck),
            truth: grouped(score.people_truth),
            predicted: grouped(score.people_predicted),
            missed: grouped(score.fn_),
            false_found: grouped(score.fp),
            tags: tags(&score.tags),
        })
        .collect();
    let scores = evaluation.per_image.iter().map(|score| score.oks);
    PoseSection {
        joints: joints(evaluation),
        figures: figures(evaluation),
        conventions: &evaluation.conventions,
        galleries: galleries(data, Measure::OKS),
        legend: legend(data, Measure::OKS),
        histogram: if evaluation.images > 1 { histogram_of("histogram-poses", "OKS", scores) } else { None },
        left_out: evaluation.per_image.len() - images.len(),
        tagged: images.iter().any(|row| !row.tags.is_empty()),
        images,
    }
}

fn joints(evaluation: &KeypointEvaluation) -> Vec<JointRow> {
    worst_first(&evaluation.joints, |joint| joint.pck.unwrap_or(f64::INFINITY))
        .map(|joint| JointRow {
            name: joint.name.clone(),
            pck: or_dash(joint.pck),
            bar: bar(joint.pck.unwrap_or(0.0)),
            error: or_dash(joint.mean_error),
            labelled: grouped(joint.labelled),
            found: grouped(joint.found),
        })
        .collect()
}

/// Those without anything to be computed from are left out.
fn figures(evaluation: &KeypointEvaluation) -> Vec<(String, String)> {
    let known = [
        ("AP75", evaluation.ap75),
        ("AP of medium people (32 × 32 to 96 × 96)", evaluation.ap_medium),
        ("AP of large people", evaluation.ap_large),
        ("AR", evaluation.ar),
        ("AR50", evaluation.ar50),
        ("mean OKS", evaluation.mean_oks),
    ];
    let mut rows: Vec<(String, String)> =
        known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), number(value?)))).collect();
    rows.extend(evaluation.pck_by_alpha.iter().map(|(alpha, &share)| (format!("PCK@{alpha}"), number(share))));
    rows
}

pub(super) fn tiles(evaluation: &KeypointEvaluation) -> Vec<Tile> {
    if evaluation.images == 0 {
        return Vec::new();
    }
    let mut tiles = Vec::new();
    let mut tile = |value: Option<f64>, label, note: String| {
        if let Some(value) = value {
            tiles.push(Tile { value: number(value), label, note });
        }
    };
    let interval = evaluation.pck_ci95.as_ref();
    let interval = interval.map_or_else(String::new, |ci| format!(", 95% CI {:.3} to {:.3}", ci.low, ci.high));
    let length = evaluation.pck_reference.name();
    tile(evaluation.pck, "PCK@0.2", format!("share of keypoints within 0.2 of the {length}{interval}"));
    tile(evaluation.ap, "AP", "by OKS 0.50 to 0.95".to_owned());
    tile(evaluation.ap50, "AP50", "by OKS 0.50".to_owned());
    tile(evaluation.ar, "AR", format!("{} people", evaluation.people_truth));
    if let Some(worst) = worst_first(&evaluation.per_image, |score| score.oks).next() {
        tile(Some(worst.oks), "worst image (OKS)", worst.image.clone());
    }
    tiles
}

fn or_dash(value: Option<f64>) -> String {
    number(value.unwrap_or(f64::NAN))
}
