//! The report as one HTML file that needs nothing but itself.

mod gallery;
mod instances;
mod panoptic;
mod poses;
mod summary;

use std::io::Write;
use std::path::{Path, PathBuf};

use askama::Template;
use vibhag_core::color::class_color;
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result, Rgb};
use vibhag_metrics::Evaluation;

use self::instances::InstanceSection;
use self::panoptic::PanopticSection;
use self::poses::PoseSection;
use self::summary::{Summary, summarize};

use crate::chart::Chart;
use crate::curves::{charts, score_histogram};
use crate::data::ReportData;
use crate::example::{Example, Rank};
use crate::headline::{headline, headline_instances, headline_keypoints, headline_panoptic, is_binary};
use crate::overlay::Tints;
use crate::tables::{self, ClassRow, ConfusionRow, GroupRow, ImageRow, number};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    data: &'a ReportData,
    headlines: Vec<String>,
    /// One row for each kind of evaluation.
    tile_rows: Vec<Vec<Tile>>,
    notes: Vec<&'a str>,
    charts: Vec<Chart>,
    histogram: Option<Chart>,
    galleries: Vec<Gallery<'a>>,
    legend: Vec<(String, String)>,
    images: Vec<ImageRow>,
    images_left_out: usize,
    image_tags: bool,
    classes: Vec<ClassRow>,
    groups: Vec<GroupRow>,
    confusion: Vec<ConfusionRow>,
    confusion_names: Vec<String>,
    confusion_unassigned: bool,
    conventions: &'a [String],
    instances: Option<InstanceSection<'a>>,
    panoptic: Option<PanopticSection<'a>>,
    poses: Option<PoseSection<'a>>,
    summary: Option<Summary<'a>>,
    environment: Vec<(String, String)>,
    reasons: bool,
}

/// A headline number.
struct Tile {
    value: String,
    label: &'static str,
    note: String,
}

struct Gallery<'a> {
    title: &'static str,
    figures: Vec<Figure<'a>>,
}

struct Figure<'a> {
    example: &'a Example,
    dice: String,
    iou: String,
    alt: String,
}

/// The report as an HTML document.
///
/// # Errors
/// Only when the template fails to format, which no data causes.
pub fn render(data: &ReportData) -> Result<String> {
    page(data)
        .render()
        .map_err(|e| Error::new(ErrorKind::Unsupported, format!("cannot render the report: {e}")).because(e))
}

/// Renders the report to `path`; a report that is there already is replaced in one step, and
/// survives when this fails.
///
/// # Errors
/// I/O errors, with the path.
pub fn write(path: &Path, data: &ReportData) -> Result<()> {
    let html = render(data)?;
    let temporary = temporary_beside(path)?;
    let result = write_synced(&temporary, html.as_bytes())
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|e| Error::io(path, e).hint("is the folder there, writable, and is there room on the disk?"));
    if result.is_err() {
        // The first error is the one to report; a leftover is only untidy.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

fn temporary_beside(path: &Path) -> Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| Error::config("the report needs a file name").at_path(path).hint("such as report.html"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(hidden))
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn page(data: &ReportData) -> Page<'_> {
    let evaluation = data.evaluation.as_ref();
    let images = evaluation.map(tables::image_rows).unwrap_or_default();
    let confusion = evaluation.map(|e| &e.confusion);
    Page {
        data,
        headlines: headlines(data),
        tile_rows: tile_rows(data),
        notes: notes(data),
        charts: charts(&data.history),
        histogram: evaluation.filter(|e| e.images > 1).and_then(|e| score_histogram(&e.per_image)),
        galleries: galleries(data),
        legend: legend(data),
        images_left_out: evaluation.map_or(0, |e| e.per_image.len() - images.len()),
        image_tags: images.iter().any(|row| !row.tags.is_empty()),
        images,
        classes: evaluation.map(|e| tables::class_rows(e, |index| swatch(data, index))).unwrap_or_default(),
        groups: evaluation.map(tables::group_rows).unwrap_or_default(),
        confusion: confusion.map(tables::confusion_rows).unwrap_or_default(),
        confusion_names: confusion.map(|c| c.classes.clone()).unwrap_or_default(),
        confusion_unassigned: confusion.is_some_and(|c| c.unassigned.iter().any(|&count| count > 0)),
        conventions: evaluation.map_or(&[], |e| &e.conventions),
        instances: data.instances.as_ref().map(|evaluation| instances::section(data, evaluation)),
        panoptic: data.panoptic.as_ref().map(|evaluation| panoptic::section(data, evaluation)),
        poses: data.keypoints.as_ref().map(|evaluation| poses::section(data, evaluation)),
        summary: data.data.as_ref().map(|summary| summarize(data, summary)),
        environment: environment(data),
        reasons: data.plan.iter().any(|entry| entry.reason.is_some()),
    }
}

/// One sentence for each kind of evaluation, the widest first.
fn headlines(data: &ReportData) -> Vec<String> {
    let split = data.split.as_deref();
    let panoptic = data.panoptic.as_ref().map(|evaluation| headline_panoptic(evaluation, split));
    let instances = data.instances.as_ref().map(|evaluation| headline_instances(evaluation, split));
    let masks = data.evaluation.as_ref().map(|evaluation| headline(evaluation, split));
    let poses = data.keypoints.as_ref().map(|evaluation| headline_keypoints(evaluation, split));
    [panoptic, instances, masks, poses].into_iter().flatten().collect()
}

fn tile_rows(data: &ReportData) -> Vec<Vec<Tile>> {
    let panoptic = data.panoptic.as_ref().map(panoptic::tiles);
    let instances = data.instances.as_ref().map(instances::tiles);
    let masks = data.evaluation.as_ref().map(mask_tiles);
    let poses = data.keypoints.as_ref().map(poses::tiles);
    [panoptic, instances, masks, poses].into_iter().flatten().filter(|tiles| !tiles.is_empty()).collect()
}

/// The report's own notes and those of the evaluations of objects and segments, each once.
fn notes(data: &ReportData) -> Vec<&str> {
    let of_evaluations = [
        data.panoptic.as_ref().map(|e| &e.notes),
        data.instances.as_ref().map(|e| &e.notes),
        data.keypoints.as_ref().map(|e| &e.notes),
    ];
    let mut notes: Vec<&str> = Vec::new();
    for note in data.notes.iter().chain(of_evaluations.into_iter().flatten().flatten()) {
        if !notes.contains(&note.as_str()) {
            notes.push(note);
        }
    }
    notes
}

fn mask_tiles(evaluation: &Evaluation) -> Vec<Tile> {
    if evaluation.images == 0 {
        return Vec::new();
    }
    let interval = evaluation
        .dice_per_image_ci95
        .as_ref()
        .map_or_else(|| "mean over images".to_owned(), |ci| format!("95% CI {:.3} to {:.3}", ci.low, ci.high));
    let tile = |value: f64, label, note: &str| Tile { value: number(value), label, note: note.to_owned() };
    let dice = tile(evaluation.dice_per_image, "Dice per image", &interval);
    let accuracy = tile(evaluation.pixel_accuracy, "pixel accuracy", "share of right pixels");
    let mut tiles = if is_binary(evaluation) {
        vec![
            dice,
            tile(evaluation.iou_per_image, "IoU per image", "mean over images"),
            tile(evaluation.boundary_iou, "boundary IoU", "near the outlines, mean over images"),
            tile(evaluation.dice_pooled, "Dice pooled", "all pixels together"),
            tile(evaluation.threshold_jaccard, "threshold Jaccard", "IoU below 0.65 counts as 0"),
            accuracy,
        ]
    } else {
        vec![
            tile(evaluation.mean_iou, "mean IoU", "pooled, mean over classes present"),
            dice,
            tile(evaluation.iou_per_image, "IoU per image", "mean over images"),
            accuracy,
        ]
    };
    if let Some(worst) = evaluation.per_image.iter().min_by(|a, b| a.dice.total_cmp(&b.dice)) {
        tiles.push(Tile { value: number(worst.dice), label: "worst image (Dice)", note: worst.image.clone() });
    }
    tiles
}

fn galleries(data: &ReportData) -> Vec<Gallery<'_>> {
    [(Rank::Worst, "Worst"), (Rank::Median, "Median"), (Rank::Best, "Best")]
        .into_iter()
        .filter_map(|(rank, title)| {
            let figures: Vec<_> = data.examples.iter().filter(|example| example.rank == rank).map(figure).collect();
            (!figures.is_empty()).then_some(Gallery { title, figures })
        })
        .collect()
}

fn figure(example: &Example) -> Figure<'_> {
    let (dice, iou) = (number(example.dice), number(example.iou));
    let alt = format!(
        "{}: the image, the image with the true regions, and the image with the predicted regions and wrong pixels \
         tinted; Dice {dice}, IoU {iou}",
        example.image
    );
    Figure { example, dice, iou, alt }
}

/// Colours of the overlays with their meaning: the foreground classes, then the mistakes.
fn legend(data: &ReportData) -> Vec<(String, String)> {
    const MAX_CLASSES: usize = 24;
    let Tints { false_positive, false_negative, confused } = Tints::DEFAULT;
    let classes = data.classes.iter().flat_map(|table| table.classes.iter().skip(1));
    let mut legend: Vec<_> =
        classes.clone().take(MAX_CLASSES).map(|class| (css(class.color), class.name.clone())).collect();
    legend.push((css(false_positive), "false positive: found, but not there".to_owned()));
    legend.push((css(false_negative), "false negative: there, but not found".to_owned()));
    if classes.count() > 1 {
        legend.push((css(confused), "another class".to_owned()));
    }
    if data.classes.as_ref().is_some_and(|table| table.ignore.is_some()) {
        legend.push((css([128; 3]), "void: not counted".to_owned()));
    }
    legend
}

fn swatch(data: &ReportData, index: usize) -> String {
    let class = data.classes.as_ref().and_then(|table| table.classes.get(index));
    css(class.map_or_else(|| class_color(index), |class| class.color))
}

/// The colour of the class called `name`.
fn swatch_of(data: &ReportData, name: &str) -> String {
    let mut classes = data.classes.iter().flat_map(|table| &table.classes);
    css(classes.find(|class| class.name == name).map_or([128; 3], |class| class.color))
}

fn environment(data: &ReportData) -> Vec<(String, String)> {
    let Some(environment) = &data.environment else { return Vec::new() };
    let known = [
        ("Vibhag", environment.version.clone()),
        ("Device", environment.device.clone()),
        ("Threads", environment.threads.map(|threads| threads.to_string())),
        ("Training time", environment.minutes.map(|minutes| format!("{minutes:.1} minutes"))),
        ("Peak memory", environment.peak_rss_mib.map(|mib| format!("{mib:.0} MiB resident"))),
    ];
    known
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
        .chain(environment.extra.iter().cloned())
        .collect()
}

fn css([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Escapes text for a double-quoted attribute.
pub(crate) fn escape_attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
