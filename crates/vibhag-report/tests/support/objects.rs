//! Synthetic cells and scenes, with predictions that get worse from image to image.

use std::collections::BTreeMap;

use vibhag_core::{ClassTable, IdMap, Image, Panoptic, Result, Segment};
use vibhag_metrics::{InstanceEvaluationBuilder, PanopticEvaluationBuilder};
use vibhag_report::{ObjectExample, ReportData, select_examples};

use super::HOSTILE;

const WIDTH: usize = 240;
const HEIGHT: usize = 180;
const GRID: (usize, usize) = (8, 6);
/// Side of a grid's cell in pixels.
const CELL: f64 = 30.0;

fn noise(seed: usize) -> f64 {
    ((seed.wrapping_mul(2_654_435_761) >> 7) % 1000) as f64 / 1000.0
}

/// Where the cells of image `index` are: centre, radius, and whether the prediction finds, misses or splits it.
fn cells(index: usize) -> Vec<(f64, f64, f64)> {
    (0..GRID.0 * GRID.1)
        .filter(|cell| noise(cell * 31 + index * 7) > 0.25)
        .map(|cell| {
            let jitter = |k: usize| 8.0 * (noise(cell * 17 + index * 13 + k) - 0.5);
            let (column, row) = ((cell % GRID.0) as f64, (cell / GRID.0) as f64);
            let at = |place: f64, k| (place + 0.5) * CELL + jitter(k);
            (at(column, 1), at(row, 2), 8.0 + 7.0 * noise(cell * 5 + index))
        })
        .collect()
}

fn paint(cells: &[(f64, f64, f64)]) -> Vec<u32> {
    let mut nearest = vec![(1.0, 0); WIDTH * HEIGHT];
    for (id, &(cx, cy, radius)) in (1..).zip(cells) {
        let around =
            |c: f64, side: usize| (c - radius).max(0.0) as usize..((c + radius).max(0.0) as usize + 1).min(side);
        for y in around(cy, HEIGHT) {
            for x in around(cx, WIDTH) {
                let share = (x as f64 - cx).hypot(1.2 * (y as f64 - cy)) / radius;
                let best: &mut (f64, u32) = &mut nearest[y * WIDTH + x];
                if share < best.0 {
                    *best = (share, id);
                }
            }
        }
    }
    nearest.into_iter().map(|(_, id)| id).collect()
}

fn map(ids: Vec<u32>, segment: impl Fn(u32) -> Segment) -> Result<Panoptic> {
    let mut ids = IdMap::new(WIDTH, HEIGHT, ids)?;
    let segments = ids.make_dense().into_iter().map(segment).collect();
    Panoptic::new(ids, segments)
}

/// The cells as they are predicted: shifted a little, and the more of them gone, split or invented the larger `harm`.
fn predicted(cells: &[(f64, f64, f64)], harm: f64) -> Vec<(f64, f64, f64)> {
    cells
        .iter()
        .enumerate()
        .flat_map(|(cell, &(x, y, radius))| {
            let luck = noise(cell * 97 + 3);
            match () {
                () if luck < 0.25 * harm => Vec::new(),
                () if luck < 0.5 * harm => {
                    vec![(x - radius / 2.0, y, 0.6 * radius), (x + radius / 2.0, y, 0.6 * radius)]
                }
                () if luck < 0.7 * harm => vec![(x, y, radius), (x + CELL / 2.0, y + CELL / 2.0, 5.0)],
                () => vec![(x + 2.0 * harm, y - harm, radius * (1.0 + 0.2 * harm * (luck - 0.6)))],
            }
        })
        .collect()
}

struct Sample {
    name: String,
    image: Image,
    truth: Panoptic,
    prediction: Panoptic,
}

fn name(index: usize) -> String {
    if index == 0 { HOSTILE.to_owned() } else { format!("field-{index:02}.tif") }
}

/// Dark fluorescence images of one class of things.
fn cell_sample(index: usize, images: usize) -> Result<Sample> {
    let harm = 1.0 - index as f64 / images as f64;
    let cells = cells(index);
    let ids = paint(&cells);
    let grey = ids.iter().enumerate().map(|(pixel, &id)| {
        let grain = ((pixel * 7919 + index * 104_729) % 11) as u8;
        grain + if id == 0 { 4 } else { 30 + (id % 5) as u8 * 9 }
    });
    Ok(Sample {
        name: name(index),
        image: Image::from_u8(WIDTH, HEIGHT, 1, grey.collect())?,
        truth: map(ids, |_| Segment::truth(1))?,
        prediction: map(paint(&predicted(&cells, harm)), |id| Segment {
            score: (0.5 + 0.5 * noise(id as usize)) as f32,
            ..Segment::truth(1)
        })?,
    })
}

/// Sky above grass with cells of two kinds on both, and a strip that nobody labelled.
fn scene_sample(index: usize, images: usize) -> Result<Sample> {
    let harm = 1.0 - index as f64 / images as f64;
    let cells = cells(index);
    let scene = |things: &[(f64, f64, f64)], horizon: usize, void: usize| {
        let stuff = |pixel: usize| match pixel / WIDTH {
            _ if pixel % WIDTH < void => 0,
            y if y < horizon => 1001,
            _ => 1002,
        };
        paint(things).into_iter().enumerate().map(|(pixel, id)| if id == 0 { stuff(pixel) } else { id }).collect()
    };
    let what = |confused: f64| {
        move |id: u32| match id {
            1001 => Segment::truth(0),
            1002 => Segment::truth(1),
            id if noise(id as usize * 11) < confused => Segment::truth(3),
            id => Segment::truth(2 + (id % 2) as u16),
        }
    };
    let truth: Vec<u32> = scene(&cells, 90, 12);
    let rgb = truth.iter().enumerate().flat_map(|(pixel, &id)| {
        let grain = ((pixel * 7919 + index * 104_729) % 23) as u8;
        let color: [u8; 3] = match id {
            0 | 1001 => [120, 160, 210],
            1002 => [90, 140, 70],
            id => [200 - (id % 7) as u8 * 12, 110, 80 + (id % 5) as u8 * 20],
        };
        color.map(|value| value + grain)
    });
    Ok(Sample {
        name: name(index),
        image: Image::from_u8(WIDTH, HEIGHT, 3, rgb.collect())?,
        prediction: map(
            scene(&predicted(&cells, 0.7 * harm), 90 + (60.0 * harm * harm) as usize, 0),
            what(0.3 * harm),
        )?,
        truth: map(truth, what(0.0))?,
    })
}

/// A report on `images` images of cells.
pub(crate) fn instances(images: usize) -> Result<ReportData> {
    let table = ClassTable::from_names(["background", "cell <round>"]).with_things(|class| class == 1);
    let samples = (0..images).map(|index| cell_sample(index, images)).collect::<Result<Vec<_>>>()?;
    let mut builder = InstanceEvaluationBuilder::new(table.clone());
    for sample in &samples {
        let tags = BTreeMap::from([("stain".to_owned(), "DAPI & more".to_owned())]);
        builder.add_image(&sample.name, &tags, &sample.truth, &sample.prediction)?;
    }
    let evaluation = builder.finish();
    let object_examples = select_examples(&evaluation.per_image, 4, 2, 2)
        .into_iter()
        .filter_map(|(rank, score)| {
            let sample = samples.iter().find(|sample| sample.name == score.image)?;
            let Sample { image, truth, prediction, .. } = sample;
            Some(ObjectExample::of_instances(score, rank, image, truth, prediction, &table))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(ReportData {
        title: "Cells under the microscope".into(),
        model: Some("unet over efficientnet-lite0, 256 × 256".into()),
        split: Some("validation".into()),
        classes: Some(table),
        instances: Some(evaluation),
        object_examples,
        ..ReportData::default()
    })
}

/// A report on `images` scenes of two classes of stuff and two of things.
pub(crate) fn panoptic(images: usize) -> Result<ReportData> {
    let mut table =
        ClassTable::from_names(["sky", "grass", "sheep", "cow", "never seen"]).with_things(|class| class >= 2);
    table.classes[0].color = [70, 130, 220];
    let samples = (0..images).map(|index| scene_sample(index, images)).collect::<Result<Vec<_>>>()?;
    let mut segments = PanopticEvaluationBuilder::new(table.clone());
    let mut objects = InstanceEvaluationBuilder::new(table.clone());
    for sample in &samples {
        segments.add_image(&sample.name, &BTreeMap::new(), &sample.truth, &sample.prediction)?;
        objects.add_image(&sample.name, &BTreeMap::new(), &sample.truth, &sample.prediction)?;
    }
    let (segments, objects) = (segments.finish(), objects.finish());
    let object_examples = select_examples(&segments.per_image, 4, 2, 2)
        .into_iter()
        .filter_map(|(rank, score)| {
            let Sample { image, truth, prediction, .. } = samples.iter().find(|sample| sample.name == score.image)?;
            Some(ObjectExample::of_panoptic(score, rank, image, truth, prediction, &table))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(ReportData {
        title: "Animals on a meadow".into(),
        split: Some("test".into()),
        classes: Some(table),
        panoptic: Some(segments),
        instances: Some(objects),
        object_examples,
        ..ReportData::default()
    })
}
