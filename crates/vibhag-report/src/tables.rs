//! Rows of the report's tables, with every number already written out.

use std::collections::BTreeMap;

use vibhag_metrics::{Confusion, Evaluation};

/// Rows of the per-image table in the page; the JSON of the evaluation has them all.
pub(crate) const MAX_IMAGES: usize = 1000;

/// A row of the per-image table.
pub(crate) struct ImageRow {
    pub(crate) place: usize,
    pub(crate) name: String,
    pub(crate) dice: String,
    /// Length of the bar, in percent.
    pub(crate) bar: String,
    pub(crate) iou: String,
    pub(crate) precision: String,
    pub(crate) recall: String,
    pub(crate) tags: String,
}

/// A row of the class table.
pub(crate) struct ClassRow {
    pub(crate) name: String,
    pub(crate) swatch: String,
    pub(crate) iou: String,
    pub(crate) bar: String,
    pub(crate) dice: String,
    pub(crate) precision: String,
    pub(crate) recall: String,
    pub(crate) truth: String,
    pub(crate) predicted: String,
}

/// A row of the table by diagnosis.
pub(crate) struct GroupRow {
    pub(crate) name: String,
    pub(crate) images: usize,
    pub(crate) dice: String,
    pub(crate) iou: String,
}

/// A row of the confusion matrix.
pub(crate) struct ConfusionRow {
    pub(crate) truth: String,
    pub(crate) cells: Vec<ConfusionCell>,
    pub(crate) unassigned: Option<String>,
}

/// A cell of the confusion matrix.
pub(crate) struct ConfusionCell {
    pub(crate) share: String,
    /// Opacity of the heat, 0 to 1.
    pub(crate) heat: String,
    pub(crate) dark: bool,
    pub(crate) diagonal: bool,
    pub(crate) title: String,
}

pub(crate) fn image_rows(evaluation: &Evaluation) -> Vec<ImageRow> {
    worst_first(&evaluation.per_image, |score| score.dice)
        .take(MAX_IMAGES)
        .enumerate()
        .map(|(index, score)| ImageRow {
            place: index + 1,
            name: score.image.clone(),
            dice: number(score.dice),
            bar: bar(score.dice),
            iou: number(score.iou),
            precision: number(score.precision),
            recall: number(score.recall),
            tags: tags(&score.tags),
        })
        .collect()
}

pub(crate) fn class_rows(evaluation: &Evaluation, swatch: impl Fn(usize) -> String) -> Vec<ClassRow> {
    evaluation
        .classes
        .iter()
        .enumerate()
        .map(|(index, class)| ClassRow {
            name: class.name.clone(),
            swatch: swatch(index),
            iou: number(class.iou),
            bar: bar(class.iou),
            dice: number(class.dice),
            precision: number(class.precision),
            recall: number(class.recall),
            truth: grouped(class.truth_pixels),
            predicted: grouped(class.predicted_pixels),
        })
        .collect()
}

pub(crate) fn group_rows(evaluation: &Evaluation) -> Vec<GroupRow> {
    evaluation
        .by_diagnosis
        .iter()
        .map(|(name, group)| GroupRow {
            name: name.clone(),
            images: group.images,
            dice: number(group.dice_per_image),
            iou: number(group.iou_per_image),
        })
        .collect()
}

/// Each row sums to 100%: of the pixels that are truly this class, which share went where.
pub(crate) fn confusion_rows(confusion: &Confusion) -> Vec<ConfusionRow> {
    let name = |index: usize| confusion.classes.get(index).cloned().unwrap_or_else(|| index.to_string());
    let any_unassigned = confusion.unassigned.iter().any(|&count| count > 0);
    confusion
        .counts
        .iter()
        .enumerate()
        .map(|(truth, row)| {
            let lost = confusion.unassigned.get(truth).copied().unwrap_or(0);
            let total = row.iter().sum::<u64>() + lost;
            let share = |count: u64| if total == 0 { 0.0 } else { count as f64 / total as f64 };
            let cells = row
                .iter()
                .enumerate()
                .map(|(predicted, &count)| ConfusionCell {
                    share: share_text(count, share(count)),
                    heat: format!("{:.3}", 0.9 * share(count)),
                    dark: share(count) > 0.5,
                    diagonal: truth == predicted,
                    title: format!("{} pixels of {} predicted as {}", grouped(count), name(truth), name(predicted)),
                })
                .collect();
            let unassigned = any_unassigned.then(|| share_text(lost, share(lost)));
            ConfusionRow { truth: name(truth), cells, unassigned }
        })
        .collect()
}

/// The images with the lowest scores first; equal ones as they come.
pub(crate) fn worst_first<T>(images: &[T], score: impl Fn(&T) -> f64) -> impl Iterator<Item = &T> {
    let mut sorted: Vec<&T> = images.iter().collect();
    sorted.sort_by(|a, b| score(a).total_cmp(&score(b)));
    sorted.into_iter()
}

/// What is known about an image, in one line.
pub(crate) fn tags(tags: &BTreeMap<String, String>) -> String {
    tags.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}

/// Percent with one digit; a small share is told apart from none.
pub(crate) fn share_text(count: u64, share: f64) -> String {
    match count {
        0 => "0".to_owned(),
        _ if share < 0.0005 => "<0.1".to_owned(),
        _ if share < 1.0 && share > 0.9995 => ">99.9".to_owned(),
        _ => format!("{:.1}", 100.0 * share),
    }
}

/// Three decimals, or a dash for what is not a number.
pub(crate) fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "–".to_owned() }
}

/// Thousands apart by narrow no-break spaces.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Length of a score's bar, in percent.
pub(crate) fn bar(value: f64) -> String {
    format!("{:.1}", if value.is_finite() { 100.0 * value.clamp(0.0, 1.0) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(1234567), "1\u{202f}234\u{202f}567");
        assert_eq!(grouped(12), "12");
        assert_eq!(number(f64::NAN), "–");
        assert_eq!(share_text(3, 0.00001), "<0.1");
        assert_eq!(share_text(3, 0.99999), ">99.9");
        assert_eq!(share_text(0, 0.0), "0");
    }

    #[test]
    fn confusion_shares_are_of_the_true_class_and_count_void_predictions() {
        let confusion = Confusion {
            classes: vec!["a".into(), "b".into()],
            counts: vec![vec![6, 2], vec![0, 0]],
            unassigned: vec![2, 0],
        };
        let rows = confusion_rows(&confusion);
        assert_eq!(rows[0].cells[0].share, "60.0");
        assert_eq!(rows[0].cells[1].title, "2 pixels of a predicted as b");
        assert_eq!(rows[0].unassigned.as_deref(), Some("20.0"));
        assert_eq!(rows[1].cells[1].share, "0");
    }
}
