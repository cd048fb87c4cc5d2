//! The report's sections on panoptic segments.

use vibhag_metrics::{PanopticClassScore, PanopticEvaluation};

use super::gallery::{ObjectGallery, galleries, legend};
use super::{Tile, swatch_of};
use crate::chart::Chart;
use crate::curves::histogram_of;
use crate::data::ReportData;
use crate::object_example::Measure;
use crate::tables::{MAX_IMAGES, bar, grouped, number, tags, worst_first};

pub(super) struct PanopticSection<'a> {
    pub(super) means: Vec<MeanRow>,
    pub(super) classes: Vec<ClassRow>,
    /// Classes that occur nowhere, which have no row.
    pub(super) absent: usize,
    pub(super) conventions: &'a [String],
    pub(super) galleries: Vec<ObjectGallery<'a>>,
    pub(super) legend: Vec<(String, String)>,
    pub(super) histogram: Option<Chart>,
    pub(super) images: Vec<ImageRow>,
    pub(super) left_out: usize,
    /// Whether any image has tags.
    pub(super) tagged: bool,
}

/// The means over all classes, over things and over stuff.
pub(super) struct MeanRow {
    pub(super) name: &'static str,
    pub(super) classes: usize,
    pub(super) pq: String,
    /// Length of the bar, in percent.
    pub(super) bar: String,
    pub(super) sq: String,
    pub(super) rq: String,
}

pub(super) struct ClassRow {
    pub(super) name: String,
    pub(super) swatch: String,
    pub(super) kind: &'static str,
    pub(super) pq: String,
    /// Length of the bar, in percent.
    pub(super) bar: String,
    pub(super) sq: String,
    pub(super) rq: String,
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
    pub(super) found: String,
    pub(super) missed: String,
    pub(super) false_found: String,
    pub(super) tags: String,
}

pub(super) fn section<'a>(data: &'a ReportData, evaluation: &'a PanopticEvaluation) -> PanopticSection<'a> {
    let rows: Vec<ImageRow> = worst_first(&evaluation.per_image, |score| score.pq)
        .take(MAX_IMAGES)
        .enumerate()
        .map(|(index, score)| ImageRow {
            place: index + 1,
            name: score.image.clone(),
            score: number(score.pq),
            bar: bar(score.pq),
            found: grouped(score.tp),
            missed: grouped(score.fn_),
            false_found: grouped(score.fp),
            tags: tags(&score.tags),
        })
        .collect();
    let occurs = |class: &&PanopticClassScore| class.tp + class.fp + class.fn_ > 0;
    let classes: Vec<ClassRow> = evaluation.classes.iter().filter(occurs).map(|class| class_row(data, class)).collect();
    let scores = evaluation.per_image.iter().map(|score| score.pq);
    PanopticSection {
        means: means(evaluation),
        absent: evaluation.classes.len() - classes.len(),
        classes,
        conventions: &evaluation.conventions,
        galleries: galleries(data, Measure::PQ),
        legend: legend(data, Measure::PQ),
        histogram: if evaluation.images > 1 { histogram_of("histogram-segments", "PQ", scores) } else { None },
        left_out: evaluation.per_image.len() - rows.len(),
        tagged: rows.iter().any(|row| !row.tags.is_empty()),
        images: rows,
    }
}

fn means(evaluation: &PanopticEvaluation) -> Vec<MeanRow> {
    let PanopticEvaluation { things, stuff, .. } = evaluation;
    [
        ("all", things.n + stuff.n, evaluation.pq, evaluation.sq, evaluation.rq),
        ("things", things.n, things.pq, things.sq, things.rq),
        ("stuff", stuff.n, stuff.pq, stuff.sq, stuff.rq),
    ]
    .into_iter()
    .filter(|&(_, classes, ..)| classes > 0)
    .map(|(name, classes, pq, sq, rq)| MeanRow {
        name,
        classes,
        pq: number(pq),
        bar: bar(pq),
        sq: number(sq),
        rq: number(rq),
    })
    .collect()
}

fn class_row(data: &ReportData, class: &PanopticClassScore) -> ClassRow {
    ClassRow {
        name: class.name.clone(),
        swatch: swatch_of(data, &class.name),
        kind: if class.thing { "thing" } else { "stuff" },
        pq: number(class.pq),
        bar: bar(class.pq),
        sq: number(class.sq),
        rq: number(class.rq),
        found: grouped(class.tp),
        missed: grouped(class.fn_),
        false_found: grouped(class.fp),
    }
}

pub(super) fn tiles(evaluation: &PanopticEvaluation) -> Vec<Tile> {
    if evaluation.images == 0 {
        return Vec::new();
    }
    let tile = |value: f64, label, note: String| Tile { value: number(value), label, note };
    let PanopticEvaluation { things, stuff, .. } = evaluation;
    let interval = evaluation
        .pq_ci95
        .as_ref()
        .map_or_else(|| "panoptic quality".to_owned(), |ci| format!("95% CI {:.3} to {:.3}", ci.low, ci.high));
    let of = |classes: usize| format!("mean over {classes} class{}", if classes == 1 { "" } else { "es" });
    let mut tiles = vec![
        tile(evaluation.pq, "PQ", interval),
        tile(evaluation.sq, "SQ", "mean IoU of segments that were found".to_owned()),
        tile(evaluation.rq, "RQ", "F1 of the segments".to_owned()),
    ];
    if things.n > 0 && stuff.n > 0 {
        tiles.push(tile(things.pq, "PQ of things", of(things.n)));
        tiles.push(tile(stuff.pq, "PQ of stuff", of(stuff.n)));
    }
    tiles.push(tile(evaluation.mean_iou, "mean IoU", "pixel by pixel".to_owned()));
    if let Some(worst) = worst_first(&evaluation.per_image, |score| score.pq).next() {
        tiles.push(tile(worst.pq, "worst image (PQ)", worst.image.clone()));
    }
    tiles
}
