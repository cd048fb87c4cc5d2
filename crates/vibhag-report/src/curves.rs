//! Training curves and the histogram of scores.

use kuva::plot::{Histogram, LegendPosition, LinePlot, ScatterPlot};
use kuva::render::layout::TickFormat;
use kuva::render::plots::Plot;
use vibhag_metrics::ImageScore;

use crate::chart::{Chart, draw, integers, layout_of};
use crate::data::HistoryPoint;

/// Above this many points, markers would merge into a band.
const MARKERS_UP_TO: usize = 40;

struct Series<'a> {
    name: &'a str,
    /// A CSS colour, which may be a variable of the page.
    color: &'a str,
    points: Vec<(f64, f64)>,
    format: fn(f64) -> String,
}

impl Series<'_> {
    /// First, last and extreme values in words.
    fn words(&self) -> Option<String> {
        let (first, last) = (self.points.first()?, self.points.last()?);
        let low = self.points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
        let high = self.points.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
        let f = self.format;
        Some(format!("{} from {} to {} (lowest {}, highest {})", self.name, f(first.1), f(last.1), f(low), f(high)))
    }
}

/// The curves of a training run over epochs: loss, validation scores, learning rate. Curves
/// without a finite value are left out.
pub fn charts(history: &[HistoryPoint]) -> Vec<Chart> {
    let series = |name, color, format, value: fn(&HistoryPoint) -> Option<f64>| Series {
        name,
        color,
        format,
        points: history
            .iter()
            .filter_map(|point| value(point).map(|y| (point.epoch, y)))
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .collect(),
    };
    let fixed: fn(f64) -> String = |value| format!("{value:.3}");
    let scientific: fn(f64) -> String = |value| format!("{value:.1e}");
    [
        line_chart(
            "loss",
            "Loss",
            vec![
                series("training", "var(--series-1)", fixed, |p| p.train_loss),
                series("validation", "var(--series-2)", fixed, |p| p.val_loss),
            ],
            &TickFormat::Auto,
        ),
        line_chart(
            "scores",
            "Validation scores",
            vec![
                series("Dice", "var(--series-3)", fixed, |p| p.val_dice),
                series("IoU", "var(--series-2)", fixed, |p| p.val_iou),
                series("objects (AP, PQ or OKS)", "var(--series-1)", fixed, |p| p.val_objects),
            ],
            &TickFormat::Auto,
        ),
        line_chart(
            "rate",
            "Learning rate",
            vec![series("learning rate", "var(--series-1)", scientific, |p| p.learning_rate)],
            &TickFormat::Sci,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How many images have which Dice; `None` without images.
pub fn score_histogram(per_image: &[ImageScore]) -> Option<Chart> {
    histogram_of("histogram", "Dice", per_image.iter().map(|score| score.dice))
}

/// How many images have which value of the score `name`, up to 1; `None` without images. `key` is its own on the page.
pub(crate) fn histogram_of(key: &str, name: &str, values: impl Iterator<Item = f64>) -> Option<Chart> {
    const BINS: usize = 20;
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    let low = values.iter().copied().reduce(f64::min)?;
    // Bins of 0.005, 0.01, 0.02 or 0.05, so that their edges are round numbers.
    let width = [0.005, 0.01, 0.02, 0.05].into_iter().find(|width| 1.0 - BINS as f64 * width <= low).unwrap_or(0.05);
    let start = 1.0 - BINS as f64 * width;
    let mut counts = vec![0.0_f64; BINS];
    for value in &values {
        counts[(((value - start) / width) as usize).min(BINS - 1)] += 1.0;
    }
    let edges = (0..=BINS).map(|edge| start + edge as f64 * width).collect();
    let highest = counts.iter().copied().fold(1.0, f64::max);
    let plot = Plot::Histogram(Histogram::new().with_precomputed(edges, counts).with_color("var(--series-3)"));
    let layout = layout_of(std::slice::from_ref(&plot), &format!("{name} of an image"), &integers(highest))
        .with_x_axis_min(start)
        .with_x_axis_max(1.0)
        .with_y_label("images");
    let mean = vibhag_metrics::functions::mean(values.iter().copied());
    let title = format!("Images by {name}");
    let alt = format!("Histogram of {} images by {name}: lowest {low:.3}, mean {mean:.3}", values.len());
    Some(draw(key, title, alt, vec![plot], layout))
}

fn line_chart(key: &str, title: &str, mut series: Vec<Series<'_>>, y_ticks: &TickFormat) -> Option<Chart> {
    series.retain(|one| !one.points.is_empty());
    let words: Vec<String> = series.iter().filter_map(Series::words).collect();
    if words.is_empty() {
        return None;
    }
    let alt = format!("{title} over epochs: {}", words.join("; "));
    let named = series.len() > 1;
    let mut plots = Vec::new();
    for one in series {
        if one.points.len() <= MARKERS_UP_TO {
            plots.push(Plot::Scatter(
                ScatterPlot::new().with_data(one.points.clone()).with_color(one.color).with_size(2.5),
            ));
        }
        let line = LinePlot::new().with_data(one.points).with_color(one.color).with_stroke_width(2.0);
        plots.push(Plot::Line(if named { line.with_legend(one.name) } else { line }));
    }
    // Inside the corner that the curve leaves: losses fall, scores rise.
    let corner = if key == "loss" { LegendPosition::InsideTopRight } else { LegendPosition::InsideBottomRight };
    let layout = layout_of(&plots, "epoch", y_ticks).with_legend_position(corner);
    Some(draw(key, title.to_owned(), alt, plots, layout))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(points: usize) -> Vec<HistoryPoint> {
        (1..=points)
            .map(|index| {
                let x = index as f64;
                HistoryPoint {
                    step: index as u64 * 10,
                    epoch: x,
                    train_loss: Some(1.0 / x),
                    val_loss: Some(1.2 / x),
                    val_dice: Some(1.0 - 0.5 / x),
                    val_iou: Some(1.0 - 0.7 / x),
                    val_objects: None,
                    learning_rate: Some(1e-3 / x),
                }
            })
            .collect()
    }

    #[test]
    fn three_charts_with_text_for_those_who_cannot_see_them() {
        let charts = charts(&history(12));
        assert_eq!(
            charts.iter().map(|chart| chart.title.as_str()).collect::<Vec<_>>(),
            ["Loss", "Validation scores", "Learning rate"]
        );
        assert!(charts[1].alt.contains("Dice from 0.500 to 0.958"));
        for chart in charts {
            assert!(chart.svg.starts_with("<svg viewBox"));
            assert!(!chart.svg.contains("http"), "no namespace or other address");
            assert!(chart.svg.contains("<path"));
        }
    }

    #[test]
    fn charts_are_the_same_in_every_rendering() {
        assert_eq!(charts(&history(5)), charts(&history(5)));
    }

    #[test]
    fn a_short_or_broken_history_draws_what_there_is() {
        assert!(charts(&[]).is_empty());
        assert_eq!(charts(&history(1)).len(), 3);
        let broken = HistoryPoint { train_loss: Some(f64::NAN), val_dice: Some(0.5), ..HistoryPoint::default() };
        assert_eq!(charts(&[broken]).len(), 1);
    }

    #[test]
    fn the_histogram_counts_every_image() {
        assert!(score_histogram(&[]).is_none());
        let scores: Vec<_> = [0.0, 0.5, 0.999, 1.0]
            .into_iter()
            .map(|dice| ImageScore {
                image: String::new(),
                dice,
                iou: dice,
                boundary_iou: dice,
                precision: dice,
                recall: dice,
                tags: std::collections::BTreeMap::new(),
            })
            .collect();
        let chart = score_histogram(&scores).unwrap();
        assert!(chart.alt.contains("4 images by Dice: lowest 0.000, mean 0.625"));
    }
}
