//! One look at every mask: size, values and a content hash, kept for the decision about their
//! meaning and for the fingerprint.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use vibhag_core::{Result, Rgb};

use crate::coding::{CodingKind, MaskCoding};
use crate::decode::read_bytes;
use crate::mask::{MaskValue, Occurrence, RawMask, decode_mask};

/// What a mask file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskRecord {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Every value, in rising order.
    pub occurrences: BTreeMap<MaskValue, Occurrence>,
    /// The colour that each stored value of the file shows as.
    pub shown: BTreeMap<u16, Rgb>,
    /// Whether the file has a palette.
    pub indexed: bool,
    /// Whether the file went through JPEG.
    pub lossy: bool,
    /// SHA-256 of the file.
    pub hash: String,
}

impl MaskRecord {
    /// The occurrences as `coding` sees them: as colours when it reads colours.
    pub(crate) fn in_domain_of(&self, coding: &MaskCoding) -> BTreeMap<MaskValue, Occurrence> {
        if coding.kind != CodingKind::Colors {
            return self.occurrences.clone();
        }
        let mut seen: BTreeMap<MaskValue, Occurrence> = BTreeMap::new();
        for (value, occurrence) in &self.occurrences {
            let color = match value {
                MaskValue::Value(value) => MaskValue::Color(self.shown.get(value).copied().unwrap_or_default()),
                color @ MaskValue::Color(_) => *color,
            };
            seen.entry(color)
                .and_modify(|known| {
                    known.count += occurrence.count;
                    known.first = known.first.min(occurrence.first);
                })
                .or_insert(*occurrence);
        }
        seen
    }

    /// Pixels of each label, void included; `None` when a value has no label.
    pub(crate) fn label_counts(&self, coding: &MaskCoding) -> Option<BTreeMap<u16, u64>> {
        let mut counts = BTreeMap::new();
        for (value, occurrence) in self.in_domain_of(coding) {
            *counts.entry(coding.label_of(value)?).or_default() += occurrence.count;
        }
        Some(counts)
    }
}

/// Looks at every mask in parallel; the results are in the order of `paths`.
pub(crate) fn survey(paths: &[PathBuf]) -> Vec<Result<MaskRecord>> {
    paths
        .par_iter()
        .map(|path| read_bytes(path).and_then(|bytes| Ok(record(&decode_mask(&bytes, path)?, &bytes))))
        .collect()
}

fn record(mask: &RawMask, bytes: &[u8]) -> MaskRecord {
    let occurrences = mask.occurrences();
    let values = occurrences.keys().filter_map(|value| match value {
        MaskValue::Value(value) => Some((*value, mask.color_of(*value))),
        MaskValue::Color(_) => None,
    });
    MaskRecord {
        width: mask.width,
        height: mask.height,
        shown: values.collect(),
        occurrences,
        indexed: mask.palette.is_some(),
        lossy: mask.lossy,
        hash: hash(bytes),
    }
}

/// SHA-256 of `bytes` in hexadecimal.
pub(crate) fn hash(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The values of all masks together.
pub(crate) struct Pooled {
    /// Number of masks.
    pub(crate) files: usize,
    /// Whether any mask stores colours.
    pub(crate) has_colors: bool,
    /// Whether one palette index shows as different colours in different files.
    pub(crate) palettes_disagree: bool,
    /// Whether a file holds 1 and 255 both, so that 255 is not just another foreground.
    pub(crate) one_and_white_share_a_file: bool,
    counts: BTreeMap<u16, (u64, usize)>,
    lossy: bool,
    total: u64,
    palette: BTreeMap<u16, Rgb>,
}

impl Pooled {
    pub(crate) fn new(records: &[MaskRecord]) -> Self {
        let mut counts: BTreeMap<u16, (u64, usize)> = BTreeMap::new();
        let mut shown: BTreeMap<u16, BTreeSet<Rgb>> = BTreeMap::new();
        for record in records {
            for (value, occurrence) in &record.occurrences {
                if let MaskValue::Value(value) = value {
                    let entry = counts.entry(*value).or_default();
                    entry.0 += occurrence.count;
                    entry.1 += 1;
                }
            }
            if record.indexed {
                for (value, color) in &record.shown {
                    shown.entry(*value).or_default().insert(*color);
                }
            }
        }
        let has = |record: &MaskRecord, value| record.occurrences.contains_key(&MaskValue::Value(value));
        let is_color = |value: &MaskValue| matches!(value, MaskValue::Color(_));
        Self {
            files: records.len(),
            has_colors: records.iter().any(|record| record.occurrences.keys().any(is_color)),
            palettes_disagree: shown.values().any(|colors| colors.len() > 1),
            one_and_white_share_a_file: records
                .iter()
                .any(|record| !record.lossy && has(record, 1) && has(record, 255)),
            total: counts.values().map(|(count, _)| count).sum(),
            counts,
            lossy: records.iter().any(|record| record.lossy),
            palette: shown.iter().filter_map(|(value, colors)| Some((*value, *colors.first()?))).collect(),
        }
    }

    /// The colours of all masks, indices seen through their palettes.
    pub(crate) fn as_colors(records: &[MaskRecord]) -> BTreeMap<Rgb, u64> {
        let mut colors = BTreeMap::new();
        for record in records {
            for (value, occurrence) in &record.occurrences {
                let color = match value {
                    MaskValue::Color(color) => *color,
                    MaskValue::Value(value) => record.shown.get(value).copied().unwrap_or_default(),
                };
                *colors.entry(color).or_default() += occurrence.count;
            }
        }
        colors
    }

    pub(crate) fn values(&self) -> Vec<u16> {
        self.counts.keys().copied().collect()
    }

    pub(crate) fn count(&self, value: u16) -> u64 {
        self.counts.get(&value).map_or(0, |(count, _)| *count)
    }

    pub(crate) fn files_with(&self, value: u16) -> usize {
        self.counts.get(&value).map_or(0, |(_, files)| *files)
    }

    pub(crate) fn share(&self, value: u16) -> f64 {
        self.count(value) as f64 / self.total.max(1) as f64
    }

    pub(crate) fn one_is_noise(&self) -> bool {
        self.lossy || self.one_and_white_share_a_file
    }

    pub(crate) fn palette_color(&self, value: u16) -> Option<Rgb> {
        self.palette.get(&value).copied()
    }

    /// Whether the values are 0 and 255 plus noise: compression around the two, soft edges, or
    /// a wrong value in few files.
    pub(crate) fn is_noisy_binary(&self, dominant: f64) -> bool {
        let (dark, bright) = (self.count(0), self.count(255));
        let near = |value: &u16| *value <= 32 || (223..=255).contains(value);
        let share = (dark + bright) as f64 / self.total.max(1) as f64;
        if dark == 0 || bright == 0 {
            return false;
        }
        if self.lossy {
            let close: u64 = self.counts.iter().filter(|(value, _)| near(value)).map(|(_, (count, _))| count).sum();
            return close as f64 / self.total.max(1) as f64 >= 0.95 && share >= dominant * 0.6;
        }
        let others: Vec<u16> = self.counts.keys().copied().filter(|value| !matches!(value, 0 | 255)).collect();
        let rare = |value: &u16| self.files_with(*value) * 4 <= self.files.max(4) && self.share(*value) < 0.005;
        let dark_heavy = self.count(255) as f64 >= 0.05 * self.total as f64 || others.iter().all(|value| *value > 64);
        share >= 0.98 && dark_heavy && (others.len() >= 32 || others.iter().all(rare))
    }
}
