//! Charts of an evaluation of objects: how it falls with the IoU asked for, counts and sizes.

use std::collections::BTreeMap;

use kuva::plot::{LegendPosition, LinePlot, ScatterPlot};
use kuva::render::layout::TickFormat;
use kuva::render::plots::Plot;
use vibhag_metrics::{CountPair, InstanceEvaluation, SizeHistogram, SizePair};

use crate::chart::{Chart, draw, integers, layout_of};

const TRUTH: &str = "var(--series-1)";
const PREDICTION: &str = "var(--series-2)";
const SCORE: &str = "var(--series-3)";
/// Points that a cloud shows at most; more would only make the page heavy.
const MAX_POINTS: usize = 1500;

/// The charts of an evaluation of objects. Those without anything to show are left out.
pub fn instance_charts(evaluation: &InstanceEvaluation) -> Vec<Chart> {
    let charts = [
        threshold_chart(&evaluation.ap_dsb),
        count_chart(&evaluation.counts),
        size_chart(&evaluation.sizes),
        size_distribution(&evaluation.size_histogram),
    ];
    charts.into_iter().flatten().collect()
}

/// TP / (TP + FP + FN) over the IoU that makes a match.
fn threshold_chart(by_threshold: &BTreeMap<String, f64>) -> Option<Chart> {
    let points: Vec<(f64, f64)> = by_threshold
        .iter()
        .filter_map(|(threshold, &value)| Some((threshold.parse().ok()?, value)))
        .filter(|(x, y): &(f64, f64)| x.is_finite() && y.is_finite())
        .collect();
    let (first, last) = (points.first()?, points.last()?);
    let alt = format!(
        "TP / (TP + FP + FN) over IoU thresholds: {:.3} at {:.2}, falling to {:.3} at {:.2}",
        first.1, first.0, last.1, last.0
    );
    let plots = vec![
        Plot::Scatter(ScatterPlot::new().with_data(points.clone()).with_color(SCORE).with_size(3.0)),
        Plot::Line(LinePlot::new().with_data(points).with_color(SCORE).with_stroke_width(2.0)),
    ];
    let layout = layout_of(&plots, "IoU that makes a match", &TickFormat::Fixed(1))
        .with_y_axis_min(0.0)
        .with_y_axis_max(1.0)
        .with_y_label("TP / (TP + FP + FN)");
    Some(draw("thresholds", "Score by IoU threshold".to_owned(), alt, plots, layout))
}

/// One point an image; on the line are those with the right number of objects.
fn count_chart(counts: &[CountPair]) -> Option<Chart> {
    let points: Vec<(f64, f64)> = counts.iter().map(|count| (count.truth as f64, count.predicted as f64)).collect();
    let highest = points.iter().map(|&(x, y)| x.max(y)).reduce(f64::max)?.max(1.0);
    let right = counts.iter().filter(|count| count.truth == count.predicted).count();
    let many = counts.iter().filter(|count| count.truth < count.predicted).count();
    let alt = format!(
        "Objects predicted over true objects, one point for each of {} images: {right} with the right number, {many} \
         with too many, {} with too few; the largest number is {highest:.0}",
        counts.len(),
        counts.len() - right - many
    );
    let plots = vec![identity(0.0, highest), cloud(points)];
    let layout = layout_of(&plots, "true objects", &integers(highest))
        .with_x_tick_format(integers(highest))
        .with_x_axis_min(0.0)
        .with_y_axis_min(0.0)
        .with_x_axis_max(highest * 1.05)
        .with_y_axis_max(highest * 1.05)
        .with_y_label("predicted objects");
    Some(draw("counts", "Objects in an image".to_owned(), alt, plots, layout))
}

/// One point a matched pair; on the line are those with the right area.
fn size_chart(sizes: &[SizePair]) -> Option<Chart> {
    let points: Vec<(f64, f64)> = sizes
        .iter()
        .filter(|size| size.truth > 0 && size.predicted > 0)
        .map(|size| (size.truth as f64, size.predicted as f64))
        .collect();
    let highest = points.iter().map(|&(x, y)| x.max(y)).reduce(f64::max)?;
    let lowest = points.iter().map(|&(x, y)| x.min(y)).reduce(f64::min)?;
    let mut ratios: Vec<f64> = points.iter().map(|&(x, y)| y / x).collect();
    ratios.sort_by(f64::total_cmp);
    let alt = format!(
        "Area of the predicted over that of the true object for {} matched pairs, {lowest:.0} to {highest:.0} pixels: \
         the median ratio is {:.2}",
        points.len(),
        ratios[ratios.len() / 2]
    );
    // Whole decades, at least one.
    let (from, to) = (lowest.log10().floor(), highest.log10().ceil());
    let (from, to) = (10f64.powf(from), 10f64.powf(to.max(from + 1.0)));
    let plots = vec![identity(from, to), cloud(points)];
    let layout = layout_of(&plots, "true area in pixels", &thousands())
        .with_log_scale()
        .with_x_tick_format(thousands())
        .with_x_axis_min(from)
        .with_y_axis_min(from)
        .with_x_axis_max(to)
        .with_y_axis_max(to)
        .with_y_label("predicted area");
    Some(draw("sizes", "Area of matched objects".to_owned(), alt, plots, layout))
}

/// How many objects have which area.
fn size_distribution(histogram: &SizeHistogram) -> Option<Chart> {
    let SizeHistogram { edges, truth, predicted } = histogram;
    let bins = edges.len().checked_sub(1).filter(|&bins| bins > 0)?;
    if truth.len() != bins || predicted.len() != bins || !edges.iter().all(|&edge| edge > 0.0) {
        return None;
    }
    let outline = |counts: &[u64]| -> Vec<(f64, f64)> {
        let tops = counts.iter().enumerate();
        let steps = tops.flat_map(|(bin, &count)| [(edges[bin], count as f64), (edges[bin + 1], count as f64)]);
        std::iter::once((edges[0], 0.0)).chain(steps).chain([(edges[bins], 0.0)]).collect()
    };
    let highest = truth.iter().chain(predicted).copied().max().unwrap_or(0).max(1) as f64;
    let total = |counts: &[u64]| counts.iter().sum::<u64>();
    let alt = format!(
        "Histogram of {} true and {} predicted objects by area, {:.0} to {:.0} pixels",
        total(truth),
        total(predicted),
        edges[0],
        edges[bins]
    );
    let line = |counts: &[u64], color: &str| {
        LinePlot::new().with_data(outline(counts)).with_color(color).with_stroke_width(2.0)
    };
    let filled = line(truth, TRUTH).with_fill().with_fill_opacity(0.15);
    let plots =
        vec![Plot::Line(filled.with_legend("true")), Plot::Line(line(predicted, PREDICTION).with_legend("predicted"))];
    let layout = layout_of(&plots, "area in pixels", &integers(highest))
        .with_log_x()
        .with_x_tick_format(thousands())
        .with_x_axis_min(edges[0])
        .with_x_axis_max(edges[bins])
        .with_y_axis_min(0.0)
        .with_y_axis_max(highest * 1.05)
        .with_legend_position(LegendPosition::InsideTopRight)
        .with_y_label("objects");
    Some(draw("areas", "Objects by area".to_owned(), alt, plots, layout))
}

/// Areas as short as they can be: 500, 2k, 50k, 1M.
fn thousands() -> TickFormat {
    TickFormat::Custom(std::sync::Arc::new(|value| match value {
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e3 => format!("{}k", v / 1e3),
        v => format!("{v}"),
    }))
}

fn identity(from: f64, to: f64) -> Plot {
    let line = LinePlot::new().with_data([(from, from), (to, to)]).with_color("var(--quiet)").with_stroke_width(1.0);
    Plot::Line(line.with_dashed())
}

fn cloud(mut points: Vec<(f64, f64)>) -> Plot {
    if points.len() > MAX_POINTS {
        let step = points.len().div_ceil(MAX_POINTS);
        points = points.into_iter().step_by(step).collect();
    }
    let size = if points.len() > 300 { 2.0 } else { 3.0 };
    let cloud = ScatterPlot::new().with_data(points).with_color(TRUTH).with_size(size);
    Plot::Scatter(cloud.with_marker_opacity(0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation() -> InstanceEvaluation {
        let counts = [(3, 3), (0, 2), (7, 4)];
        let count = |(index, &(truth, predicted)): (usize, &(u64, u64))| CountPair {
            image: index.to_string(),
            truth,
            predicted,
        };
        InstanceEvaluation {
            ap_dsb: [("0.50", 0.8), ("0.75", 0.6), ("0.95", 0.1)].map(|(k, v)| (k.to_owned(), v)).into(),
            counts: counts.iter().enumerate().map(count).collect(),
            sizes: vec![SizePair { truth: 10, predicted: 9 }, SizePair { truth: 200, predicted: 260 }],
            size_histogram: SizeHistogram {
                edges: vec![10.0, 100.0, 1000.0],
                truth: vec![1, 1],
                predicted: vec![2, 1],
            },
            ..InstanceEvaluation::default()
        }
    }

    #[test]
    fn four_charts_with_text_for_those_who_cannot_see_them() {
        let charts = instance_charts(&evaluation());
        let words: Vec<&str> = charts.iter().map(|chart| chart.alt.as_str()).collect();
        assert_eq!(
            words,
            [
                "TP / (TP + FP + FN) over IoU thresholds: 0.800 at 0.50, falling to 0.100 at 0.95",
                "Objects predicted over true objects, one point for each of 3 images: 1 with the right number, 1 with \
                 too many, 1 with too few; the largest number is 7",
                "Area of the predicted over that of the true object for 2 matched pairs, 9 to 260 pixels: the median \
                 ratio is 1.30",
                "Histogram of 2 true and 3 predicted objects by area, 10 to 1000 pixels",
            ]
        );
        for chart in &charts {
            assert!(chart.svg.starts_with("<svg viewBox") && !chart.svg.contains("http"));
        }
        assert_eq!(instance_charts(&evaluation()), charts, "the same every time");
    }

    #[test]
    fn nothing_to_show_makes_no_chart() {
        assert!(instance_charts(&InstanceEvaluation::default()).is_empty());
        let broken = InstanceEvaluation {
            ap_dsb: [("half".to_owned(), 0.5), ("0.50".to_owned(), f64::NAN)].into(),
            sizes: vec![SizePair { truth: 0, predicted: 0 }],
            size_histogram: SizeHistogram { edges: vec![0.0, 1.0], truth: vec![1], predicted: vec![1] },
            ..InstanceEvaluation::default()
        };
        assert!(instance_charts(&broken).is_empty());
    }

    #[test]
    fn images_without_objects_and_equal_sizes_are_drawn() {
        let flat = InstanceEvaluation {
            counts: vec![CountPair::default()],
            sizes: vec![SizePair { truth: 100, predicted: 100 }],
            ..InstanceEvaluation::default()
        };
        assert_eq!(instance_charts(&flat).len(), 2);
    }

    #[test]
    fn a_large_cloud_is_thinned() {
        let sizes = (1..=20_000).map(|area| SizePair { truth: area, predicted: area + 5 }).collect();
        let chart = &instance_charts(&InstanceEvaluation { sizes, ..InstanceEvaluation::default() })[0];
        let circles = chart.svg.matches("<circle").count();
        assert!((1000..=MAX_POINTS).contains(&circles), "{circles}");
        assert!(chart.alt.contains("20000 matched pairs"));
    }
}
