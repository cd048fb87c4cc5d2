//! What the report says about the data.

use super::swatch;
use crate::data::{DataSummary, ReportData};
use crate::tables::{self, grouped};

/// Image sizes that the data summary lists one by one.
const MAX_SIZES: usize = 12;

pub(super) struct Summary<'a> {
    pub(super) data: &'a DataSummary,
    pub(super) total: usize,
    pub(super) sizes: Vec<(String, usize)>,
    pub(super) sizes_left_out: usize,
    /// Swatch, name, pixels, share and images of each class.
    pub(super) classes: Vec<(String, String, String, String, usize)>,
}

pub(super) fn summarize<'a>(data: &ReportData, summary: &'a DataSummary) -> Summary<'a> {
    let pixels: u64 = summary.classes.iter().map(|class| class.pixels).sum();
    let classes = summary
        .classes
        .iter()
        .enumerate()
        .map(|(index, class)| {
            let share = if pixels == 0 { 0.0 } else { class.pixels as f64 / pixels as f64 };
            let share = format!("{}%", tables::share_text(class.pixels, share));
            (swatch(data, index), class.name.clone(), grouped(class.pixels), share, class.images)
        })
        .collect();
    let mut sizes: Vec<_> = summary.sizes.clone();
    sizes.sort_by_key(|size| std::cmp::Reverse((size.images, size.width, size.height)));
    Summary {
        data: summary,
        total: summary.splits.iter().map(|split| split.images).sum(),
        sizes_left_out: sizes.len().saturating_sub(MAX_SIZES),
        sizes: sizes
            .iter()
            .take(MAX_SIZES)
            .map(|size| (format!("{} × {}", size.width, size.height), size.images))
            .collect(),
        classes,
    }
}
