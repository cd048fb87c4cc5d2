//! A synthetic segmentation with everything that a report can show.
#![allow(dead_code, reason = "each user takes what it needs")]

pub(crate) mod objects;

use std::collections::BTreeMap;

use vibhag_core::{ClassTable, Image, LabelMap, Result};
use vibhag_metrics::EvaluationBuilder;
use vibhag_report::{
    ClassPixels, Command, DataSummary, Environment, Example, FaultEntry, HistoryPoint, Picture, PlanEntry, ReportData,
    SizeCount, SplitCount, overlay, picture_grid, select_examples,
};

const WIDTH: usize = 320;
const HEIGHT: usize = 240;

/// Names that must survive the page unharmed.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script> & \"quoted\".png";

struct Sample {
    name: String,
    image: Image,
    truth: LabelMap,
    prediction: LabelMap,
}

fn table(classes: usize) -> ClassTable {
    let names = ["background", "lesion", "hair", "ruler", "gel", "marker", "vessel", "skin fold", "glare"];
    ClassTable::from_names(
        (0..classes).map(|index| names.get(index).map_or_else(|| index.to_string(), |n| (*n).into())),
    )
}

fn blobs(classes: usize, seed: usize, shift: f32) -> Vec<u16> {
    let mut labels = vec![0; WIDTH * HEIGHT];
    for class in 1..classes {
        let turn = (seed * 7 + class * 13) as f32;
        let (cx, cy) =
            (WIDTH as f32 * (0.5 + 0.25 * (class as f32 - 1.0) * turn.sin()), HEIGHT as f32 * (0.5 + 0.1 * turn.cos()));
        let radius = 60.0 / (class as f32).sqrt() + shift * 0.4;
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let (dx, dy) = (x as f32 - cx - shift, (y as f32 - cy) * 1.2);
                let wobble = 1.0 + 0.15 * (dy.atan2(dx) * 5.0 + turn).sin();
                if dx.hypot(dy) < radius * wobble {
                    labels[y * WIDTH + x] = class as u16;
                }
            }
        }
    }
    labels
}

fn sample(classes: usize, index: usize, images: usize) -> Result<Sample> {
    let truth = blobs(classes, index, 0.0);
    let shift = 35.0 * (1.0 - index as f32 / images as f32).powi(3) + 1.0;
    let prediction = blobs(classes, index, shift);
    let mut rgb = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for (pixel, &label) in truth.iter().enumerate() {
        let grain = ((pixel * 7919 + index * 104_729) % 31) as u8;
        let skin: [u8; 3] = if label == 0 { [205, 160, 140] } else { [130, 80, 60] };
        rgb.extend(skin.map(|value| value - 15 + grain));
    }
    Ok(Sample {
        name: if index == 0 { HOSTILE.to_owned() } else { format!("IMD{index:03}") },
        image: Image::from_u8(WIDTH, HEIGHT, 3, rgb)?,
        truth: LabelMap::new(WIDTH, HEIGHT, truth)?,
        prediction: LabelMap::new(WIDTH, HEIGHT, prediction)?,
    })
}

/// A contact sheet of overlays.
pub(crate) fn contact_sheet(classes: usize) -> Result<Picture> {
    let pictures = (0..6)
        .map(|index| {
            let sample = sample(classes, index, 6)?;
            overlay(&sample.image, &sample.prediction, &table(classes), Some(256))
        })
        .collect::<Result<Vec<_>>>()?;
    picture_grid(&pictures, 3, 256)
}

/// A report with every section, about `images` images of `classes` classes.
pub(crate) fn full(classes: usize, images: usize) -> Result<ReportData> {
    let table = table(classes);
    let samples = (0..images).map(|index| sample(classes, index, images)).collect::<Result<Vec<_>>>()?;
    let mut builder = EvaluationBuilder::new(table.clone());
    for (index, sample) in samples.iter().enumerate() {
        let diagnosis = ["common nevus", "atypical nevus", "melanoma"][index % 3];
        let tags = BTreeMap::from([("diagnosis".to_owned(), diagnosis.to_owned())]);
        builder.add_image(&sample.name, &tags, &sample.truth, &sample.prediction)?;
    }
    let evaluation = builder.finish();
    let examples = select_examples(&evaluation.per_image, 8, 4, 4)
        .into_iter()
        .filter_map(|(rank, score)| {
            let sample = samples.iter().find(|sample| sample.name == score.image)?;
            Some(Example::new(score, rank, &sample.image, &sample.truth, &sample.prediction, &table))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(ReportData {
        title: "Skin lesions in dermoscopy <images>".into(),
        model: Some("unet over efficientnet-lite0, 256 × 256, 4.6 M parameters".into()),
        split: Some("validation".into()),
        history: history(),
        examples,
        data: Some(data_summary(&table, images)),
        plan: plan(),
        commands: vec![
            Command { purpose: "Train".into(), line: "vibhag train data/ph2 --minutes 20 --seed 7 -o run".into() },
            Command { purpose: "Evaluate".into(), line: "vibhag evaluate run data/ph2 --split val --json".into() },
        ],
        environment: Some(Environment {
            version: Some("0.1.0".into()),
            device: Some("cpu".into()),
            threads: Some(2),
            minutes: Some(19.87),
            peak_rss_mib: Some(1432.4),
            extra: vec![("Started".into(), "2026-11-24 22:00 UTC".into())],
        }),
        notes: vec!["2 of 34 samples were left out; see Data.".into()],
        evaluation: Some(evaluation),
        classes: Some(table),
        ..ReportData::default()
    })
}

fn history() -> Vec<HistoryPoint> {
    (1..=25_u32)
        .map(|index| {
            let x = f64::from(index);
            let noise = 0.02 * (x * 2.3).sin();
            HistoryPoint {
                step: u64::from(index) * 12,
                epoch: 1.5 * x,
                train_loss: Some(0.8 * (-x / 6.0).exp() + 0.06),
                val_loss: Some(0.8 * (-x / 5.0).exp() + 0.1 + noise * 0.5),
                val_dice: Some(0.95 - 0.5 * (-x / 4.0).exp() + noise * 0.3),
                val_iou: Some(0.90 - 0.6 * (-x / 4.0).exp() + noise * 0.3),
                val_objects: None,
                learning_rate: Some(1e-3 * (1.0 - x / 25.0).powf(0.9)),
            }
        })
        .collect()
}

fn data_summary(table: &ClassTable, images: usize) -> DataSummary {
    let split = |name: &str, images| SplitCount { name: name.into(), images };
    DataSummary {
        root: Some("data/ph2".into()),
        format: Some("ph2: PH² folders with lesion masks".into()),
        interpretation: Some("0 is background, 255 is lesion".into()),
        hash: Some("3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed".into()),
        splits: vec![split("train", 128), split("val", images)],
        sizes: (0..15).map(|i| SizeCount { width: 760 + i, height: 570 + i, images: 15 - i }).collect(),
        classes: table
            .classes
            .iter()
            .map(|class| ClassPixels { name: class.name.clone(), pixels: 12_345_678, images: 100 })
            .collect(),
        faults: vec![FaultEntry {
            path: "images/IMD<9>.jpg".into(),
            message: "truncated JPEG after 512 of 4,096 rows".into(),
            hint: Some("copy the file again or delete it".into()),
        }],
        skipped: vec!["IMD<9>".into(), "IMD077".into()],
        notes: vec!["IMD003 and IMD154 have the same content".into()],
    }
}

fn plan() -> Vec<PlanEntry> {
    let entry = |key: &str, value: &str, reason: &str| PlanEntry {
        key: key.into(),
        value: value.into(),
        reason: (!reason.is_empty()).then(|| reason.into()),
    };
    vec![
        entry("network.architecture", "unet", "skips keep outlines sharp; the data has few, large regions"),
        entry("network.encoder", "efficientnet-lite0", "pretrained weights help most with only 128 training images"),
        entry("input.geometry", "resize 256 × 256", "median image 765 × 573; the lesion fills a third of it"),
        entry("loop.batch", "8", ""),
        entry("seed", "7", ""),
    ]
}
