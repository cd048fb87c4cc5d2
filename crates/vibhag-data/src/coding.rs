//! What the stored values of masks mean, for the whole data set.

use std::fmt;

use serde::{Deserialize, Serialize};
use vibhag_core::error::ErrorKind;
use vibhag_core::{ClassTable, Error, Foreground, LabelMap, Result, Rgb};

use crate::mask::{MaskPixels, MaskValue, Occurrence, RawMask};

/// The kinds of interpretation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodingKind {
    /// There is no mask to interpret.
    NoMasks,
    /// 0 is background; 1, 255 or both are foreground.
    Binary,
    /// Values are class indices.
    Indices,
    /// A few grey levels stand for the classes, in rising order.
    Levels,
    /// Colours stand for the classes.
    Colors,
    /// Every value above 0 is foreground, or those that were named are: instance numbers, or parts of one object.
    Foreground,
    /// There are annotated objects instead of masks.
    Objects,
    /// There are people's keypoints instead of masks.
    Keypoints,
}

impl CodingKind {
    /// The kinds that can be asked for, by the name used in `classes.toml`.
    pub const NAMES: &[(&str, Self)] = &[
        ("binary", Self::Binary),
        ("indices", Self::Indices),
        ("levels", Self::Levels),
        ("colors", Self::Colors),
        ("foreground", Self::Foreground),
    ];

    /// The kind called `name`.
    ///
    /// # Errors
    /// When there is none; the hint lists them.
    pub fn parse(name: &str) -> Result<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, kind)| kind).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMES.iter().map(|&(name, _)| name).collect();
            Error::config(format!("unknown mask coding {name:?}")).hint(format!("choose one of {}", names.join(", ")))
        })
    }
}

/// One stored value and the label it becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodingEntry {
    /// The value in the file.
    pub value: MaskValue,
    /// The label; the class table's ignore label for void.
    pub label: u16,
    /// The class name, for people.
    pub name: String,
}

/// How mask values become labels. Displays as the sentence that is printed to the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskCoding {
    /// The kind of interpretation.
    pub kind: CodingKind,
    /// Known values in rising order.
    pub entries: Vec<CodingEntry>,
    /// Take the nearest known value instead of refusing an unknown one.
    pub snap: bool,
    /// The values that are foreground, of [`CodingKind::Foreground`]; none: every value above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreground: Option<Foreground>,
}

/// A value that no class has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stray {
    /// The value.
    pub value: MaskValue,
    /// Its pixels.
    pub occurrence: Occurrence,
}

impl MaskCoding {
    /// A coding of `kind` with the entries in rising order of value and names from `classes`.
    pub fn new(kind: CodingKind, values: impl IntoIterator<Item = (MaskValue, u16)>, classes: &ClassTable) -> Self {
        let name = |label: u16| match classes.classes.get(usize::from(label)) {
            Some(class) => class.name.clone(),
            None => "ignored".to_owned(),
        };
        let mut entries: Vec<CodingEntry> =
            values.into_iter().map(|(value, label)| CodingEntry { value, label, name: name(label) }).collect();
        entries.sort_by_key(|entry| entry.value);
        entries.dedup_by_key(|entry| entry.value);
        Self { kind, entries, snap: false, foreground: None }
    }

    /// The label of `value`, or `None` when no class has it (and snapping is off).
    pub fn label_of(&self, value: MaskValue) -> Option<u16> {
        if self.kind == CodingKind::Foreground {
            return Some(self.merged(value));
        }
        match self.entries.binary_search_by_key(&value, |entry| entry.value) {
            Ok(found) => Some(self.entries[found].label),
            Err(_) if self.snap => self.nearest(value),
            Err(_) => None,
        }
    }

    /// The grey value of void pixels, of [`CodingKind::Foreground`].
    pub fn merged_void(&self) -> Option<u16> {
        match self.entries.iter().find(|entry| entry.label > 1)?.value {
            MaskValue::Value(value) if self.kind == CodingKind::Foreground => Some(value),
            _ => None,
        }
    }

    /// Background, foreground or void of a coding that merges values.
    fn merged(&self, value: MaskValue) -> u16 {
        // Void is the one label above those of background and foreground.
        if let Some(void) = self.entries.iter().find(|entry| entry.label > 1 && entry.value == value) {
            return void.label;
        }
        u16::from(match (value, &self.foreground) {
            (MaskValue::Value(value), Some(values)) => values.contains(value),
            (value, _) => !matches!(value, MaskValue::Value(0) | MaskValue::Color([0, 0, 0])),
        })
    }

    fn nearest(&self, value: MaskValue) -> Option<u16> {
        let distance = |entry: &CodingEntry| match (entry.value, value) {
            (MaskValue::Value(a), MaskValue::Value(b)) => Some(u64::from(a.abs_diff(b))),
            (MaskValue::Color(a), MaskValue::Color(b)) => {
                Some(a.iter().zip(b).map(|(&a, b)| u64::from(a.abs_diff(b)).pow(2)).sum())
            }
            _ => None,
        };
        let known = self.entries.iter().filter_map(|entry| distance(entry).map(|d| (d, entry.label)));
        known.min_by_key(|&(distance, _)| distance).map(|(_, label)| label)
    }

    /// The label map that `mask` stands for.
    ///
    /// # Errors
    /// When the mask holds values that no class has: the message lists them with their counts
    /// and the first position.
    pub fn decode(&self, mask: &RawMask) -> Result<LabelMap> {
        let colors: Vec<Rgb>;
        let labels = match &mask.pixels {
            MaskPixels::Values(values) if self.kind != CodingKind::Colors => self.decode_runs(values, MaskValue::Value),
            MaskPixels::Colors(colors) => self.decode_runs(colors, MaskValue::Color),
            MaskPixels::Values(_) => {
                colors = mask.to_colors();
                self.decode_runs(&colors, MaskValue::Color)
            }
        };
        match labels {
            Some(labels) => LabelMap::new(mask.width, mask.height, labels),
            None => Err(self.stray_error(&self.strays(mask), mask.width, mask.lossy)),
        }
    }

    fn decode_runs<T: Copy + Ord>(&self, pixels: &[T], wrap: fn(T) -> MaskValue) -> Option<Vec<u16>> {
        let mut labels = Vec::with_capacity(pixels.len());
        // Masks consist of few values: the ones met so far answer almost every run.
        let mut known: Vec<(T, u16)> = Vec::new();
        for run in pixels.chunk_by(T::eq) {
            let label = if let Some(&(_, label)) = known.iter().find(|(value, _)| *value == run[0]) {
                label
            } else {
                let label = self.label_of(wrap(run[0]))?;
                if known.len() < 64 {
                    known.push((run[0], label));
                }
                label
            };
            labels.resize(labels.len() + run.len(), label);
        }
        Some(labels)
    }

    /// The values of `mask` that no class has, most frequent first.
    pub fn strays(&self, mask: &RawMask) -> Vec<Stray> {
        let occurrences = match &mask.pixels {
            MaskPixels::Values(_) if self.kind == CodingKind::Colors => {
                RawMask { pixels: MaskPixels::Colors(mask.to_colors()), palette: None, ..*mask }.occurrences()
            }
            _ => mask.occurrences(),
        };
        self.strays_among(&occurrences)
    }

    /// The values among `occurrences` that no class has, most frequent first.
    pub fn strays_among(&self, occurrences: &std::collections::BTreeMap<MaskValue, Occurrence>) -> Vec<Stray> {
        let mut strays: Vec<Stray> = occurrences
            .iter()
            .filter(|&(&value, _)| self.label_of(value).is_none())
            .map(|(&value, &occurrence)| Stray { value, occurrence })
            .collect();
        strays.sort_by_key(|stray| (std::cmp::Reverse(stray.occurrence.count), stray.value));
        strays
    }

    /// The error for a mask of `width` columns that holds `strays`.
    pub fn stray_error(&self, strays: &[Stray], width: usize, lossy: bool) -> Error {
        const SHOWN: usize = 5;
        let pixels: u64 = strays.iter().map(|stray| stray.occurrence.count).sum();
        let listed: Vec<String> =
            strays.iter().take(SHOWN).map(|stray| format!("{} x{}", stray.value, stray.occurrence.count)).collect();
        let more = if strays.len() > SHOWN { format!(" and {} more", strays.len() - SHOWN) } else { String::new() };
        let first = strays.iter().map(|stray| stray.occurrence.first).min().unwrap_or(0);
        let width = width.max(1) as u64;
        let plural = |n: u64| if n == 1 { "" } else { "s" };
        let what = format!(
            "{pixels} pixel{} with {} unexpected mask value{}: {}{more}; expected {}",
            plural(pixels),
            strays.len(),
            plural(strays.len() as u64),
            listed.join(", "),
            self.expected()
        );
        let hint = if lossy {
            "JPEG compression changes mask values: export the mask as PNG, or write `snap = true` into classes.toml to take the nearest expected value"
        } else {
            "correct the mask, name the value in classes.txt, or write `snap = true` into classes.toml to take the nearest expected value"
        };
        let at = format!("first at column {}, row {}", first % width, first / width);
        Error::new(ErrorKind::MaskValue, what).at(at).hint(hint)
    }

    fn expected(&self) -> String {
        let values: Vec<String> = self.entries.iter().map(|entry| entry.value.to_string()).collect();
        if self.kind == CodingKind::Indices && values.len() > 12 {
            return format!("{} to {} ({} values)", values[0], values[values.len() - 1], values.len());
        }
        values.join(", ")
    }
}

impl fmt::Display for MaskCoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lead = match self.kind {
            CodingKind::NoMasks => return f.write_str("no masks"),
            CodingKind::Foreground => {
                let name = self.entries.iter().find(|entry| entry.label == 1).map_or("foreground", |e| e.name.as_str());
                match self.foreground.as_ref().filter(|values| **values != Foreground::above_zero()) {
                    None => write!(f, "foreground masks: 0 = background, every other value = {name}")?,
                    Some(values) => write!(f, "foreground masks: {values} = {name}, every other value = background")?,
                }
                return match self.entries.iter().find(|entry| entry.label > 1) {
                    Some(void) => write!(f, ", {} = ignored", void.value),
                    None => Ok(()),
                };
            }
            CodingKind::Objects => {
                let names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
                return write!(f, "annotated objects: {}", names.join(", "));
            }
            CodingKind::Keypoints => return f.write_str("people's keypoints"),
            CodingKind::Binary => "binary masks",
            CodingKind::Indices => "class indices",
            CodingKind::Levels => "grey levels",
            CodingKind::Colors => "colours",
        };
        write!(f, "{lead}: ")?;
        let mut groups: Vec<(u16, &str, Vec<String>)> = Vec::new();
        for entry in &self.entries {
            match groups.iter_mut().find(|group| group.0 == entry.label) {
                Some(group) => group.2.push(entry.value.to_string()),
                None => groups.push((entry.label, &entry.name, vec![entry.value.to_string()])),
            }
        }
        for (index, (_, name, values)) in groups.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{} = {name}", values.join(" or "))?;
        }
        if self.snap {
            f.write_str("; other values become the nearest of these")?;
        }
        Ok(())
    }
}
