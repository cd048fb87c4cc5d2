//! Decides, over all masks of a data set together, what their values mean.
//!
//! One file alone is ambiguous: an empty mask holds only zeros, and 1 may be "foreground" or
//! "the second of twelve classes". Rules are tried from the strictest to the most lenient, so
//! that clean data never meets the heuristics for noisy data.

use std::collections::BTreeMap;

use vibhag_core::color::class_color;
use vibhag_core::{Class, ClassTable, Error, Foreground, Result, Rgb};

use crate::classes::Declaration;
use crate::coding::{CodingKind, MaskCoding};
use crate::mask::MaskValue;
use crate::survey::{MaskRecord, Pooled};

/// Grey values further than this above the others are candidates for void or strays.
const GAP: u16 = 16;
/// Share of pixels that the classes of noisy masks must cover.
const DOMINANT: f64 = 0.8;
/// Most classes that are discovered from colours or grey levels without a class file.
const MAX_DISCOVERED: usize = 64;

/// The coding and class table for masks with these `records`; `foreground` names the class of
/// binary masks when `declared` does not.
///
/// # Errors
/// When the declaration contradicts itself or the masks cannot be understood.
pub(crate) fn decide(
    records: &[MaskRecord],
    declared: &Declaration,
    foreground: &str,
) -> Result<(MaskCoding, ClassTable)> {
    let wanted = declared.coding_kind()?;
    let named = if declared.classes.is_empty() { None } else { Some(declared.table()?) };
    let pooled = Pooled::new(records);
    let (mut coding, classes) = if records.is_empty() {
        let table = named.map_or_else(|| ClassTable::binary(foreground), |(table, _)| table);
        (MaskCoding::new(CodingKind::NoMasks, [], &table), table)
    } else if let Some(values) = &declared.foreground {
        merged_coding(&pooled, named, foreground, declared.ignore, values)?
    } else {
        match wanted {
            Some(CodingKind::Foreground) => foreground_coding(named, foreground),
            Some(CodingKind::Binary) => binary_coding(&pooled, named, foreground, declared.ignore),
            Some(CodingKind::Colors) => color_coding(&Pooled::as_colors(records), named, declared, foreground)?,
            Some(CodingKind::Indices) => index_coding(&pooled, named, declared.ignore, foreground),
            Some(CodingKind::Levels) => level_coding(&pooled, named, declared.ignore, foreground)?,
            _ if pooled.has_colors || pooled.palettes_disagree => {
                color_coding(&Pooled::as_colors(records), named, declared, foreground)?
            }
            _ => grey_coding(&pooled, named, declared, foreground)?,
        }
    };
    coding.snap = declared.snap;
    Ok((coding, classes))
}

type Named = Option<(ClassTable, Vec<u16>)>;

fn binary_table(named: Named, foreground: &str) -> ClassTable {
    named.filter(|(table, _)| table.is_binary()).map_or_else(|| ClassTable::binary(foreground), |(table, _)| table)
}

fn foreground_coding(named: Named, foreground: &str) -> (MaskCoding, ClassTable) {
    let table = binary_table(named, foreground);
    let values = [(MaskValue::Value(0), 0), (MaskValue::Value(1), 1)];
    (MaskCoding::new(CodingKind::Foreground, values, &table), table)
}

/// The named `values` are one class, and every other one but void is background.
fn merged_coding(
    pooled: &Pooled,
    named: Named,
    foreground: &str,
    ignore: Option<u16>,
    values: &Foreground,
) -> Result<(MaskCoding, ClassTable)> {
    if pooled.has_colors && *values != Foreground::above_zero() {
        return Err(Error::config(format!("the foreground {values} names grey values, and the masks are colours"))
            .hint("give the colours in classes.toml, or --foreground 1.. for every colour but black"));
    }
    if let Some(value) = ignore.filter(|&value| values.contains(value)) {
        return Err(Error::config(format!("the ignored value {value} is also foreground ({values})"))
            .hint("leave it out of one of the two"));
    }
    let mut table = binary_table(named, foreground);
    let mut entries = vec![(MaskValue::Value(values.first()), 1)];
    if !values.contains(0) && ignore != Some(0) {
        entries.push((MaskValue::Value(0), 0));
    }
    add_ignore(&mut entries, &mut table, ignore);
    let mut coding = MaskCoding::new(CodingKind::Foreground, entries, &table);
    coding.foreground = Some(values.clone());
    Ok((coding, table))
}

/// Accepts whichever of 1 and 255 (65535 in 16-bit files) occur; both mean foreground.
fn binary_coding(pooled: &Pooled, named: Named, foreground: &str, ignore: Option<u16>) -> (MaskCoding, ClassTable) {
    let mut table = binary_table(named, foreground);
    let mut values = vec![(MaskValue::Value(0), 0)];
    let candidates = [1, 255, u16::MAX].into_iter().filter(|&value| Some(value) != ignore);
    let mut seen: Vec<u16> = candidates.filter(|&value| pooled.count(value) > 0).collect();
    // Beside 255 in one file, 1 is compression noise or a slip, not foreground.
    if seen.contains(&255) && pooled.one_is_noise() {
        seen.retain(|&value| value != 1);
    }
    values.extend(seen.iter().map(|&value| (MaskValue::Value(value), 1)));
    if seen.is_empty() {
        values.extend([(MaskValue::Value(1), 1), (MaskValue::Value(255), 1)]);
    }
    add_ignore(&mut values, &mut table, ignore);
    (MaskCoding::new(CodingKind::Binary, values, &table), table)
}

fn add_ignore(values: &mut Vec<(MaskValue, u16)>, table: &mut ClassTable, ignore: Option<u16>) {
    if let Some(value) = ignore {
        let label = void_label(table.len(), value);
        table.ignore = Some(label);
        values.push((MaskValue::Value(value), label));
    }
}

/// The label of void: its own value where that is no class, else 255 or 65535.
fn void_label(classes: usize, value: u16) -> u16 {
    if usize::from(value) >= classes {
        value
    } else if classes <= 255 {
        255
    } else {
        u16::MAX
    }
}

fn grey_coding(
    pooled: &Pooled,
    named: Named,
    declared: &Declaration,
    foreground: &str,
) -> Result<(MaskCoding, ClassTable)> {
    let ignore = declared.ignore;
    let values = pooled.values();
    let allowed = |value: &u16| matches!(*value, 0 | 1 | 255 | u16::MAX) || Some(*value) == ignore;
    let two_classes = named.as_ref().is_none_or(|(table, values)| table.is_binary() && values[..] == [0, 1]);
    if two_classes && values.iter().all(allowed) && !pooled.one_and_white_share_a_file {
        return Ok(binary_coding(pooled, named, foreground, ignore));
    }
    if two_classes && pooled.is_noisy_binary(DOMINANT) {
        return Ok(binary_coding(pooled, named, foreground, ignore));
    }
    if let Some((table, known)) = &named {
        let unknown = values.iter().filter(|value| !known.contains(value) && Some(**value) != ignore).count();
        let levels = values.iter().filter(|value| Some(**value) != ignore).count();
        // 0, 128, 255 for three classes: levels, not indices of which two are wrong.
        if unknown > 1 && levels == table.len() {
            return level_coding(pooled, named, ignore, foreground);
        }
        return Ok(index_coding(pooled, named, ignore, foreground));
    }
    if dense_prefix(pooled, ignore).is_some() {
        return Ok(index_coding(pooled, None, ignore, foreground));
    }
    level_coding(pooled, None, ignore, foreground)
}

/// The end of the run of class indices that starts near 0, when what lies above it can be
/// explained as void (255) or as strays in few files; `None` when the values are not indices.
fn dense_prefix(pooled: &Pooled, ignore: Option<u16>) -> Option<u16> {
    let values: Vec<u16> = pooled.values().into_iter().filter(|value| Some(*value) != ignore).collect();
    let first = *values.first()?;
    if first > GAP {
        return None;
    }
    let mut end = first;
    for &value in &values[1..] {
        if value - end > GAP {
            break;
        }
        end = value;
    }
    let rare = |value: u16| pooled.files_with(value) * 4 <= pooled.files.max(4) && pooled.share(value) < 0.005;
    let explained = values.iter().filter(|&&value| value > end).all(|&value| value == 255 || rare(value));
    (explained && end < 255).then_some(end)
}

fn index_coding(pooled: &Pooled, named: Named, ignore: Option<u16>, foreground: &str) -> (MaskCoding, ClassTable) {
    let end = dense_prefix(pooled, ignore).unwrap_or_else(|| pooled.values().last().copied().unwrap_or(1));
    let discovered = named.is_none();
    let (mut table, values) = named.unwrap_or_else(|| {
        let last = end.max(1);
        let class = |value: u16| Class {
            name: match value {
                0 => "background".to_owned(),
                1 if last == 1 => foreground.to_owned(),
                _ => format!("class {value}"),
            },
            color: pooled.palette_color(value).unwrap_or_else(|| class_color(usize::from(value))),
            thing: false,
        };
        (ClassTable { classes: (0..=last).map(class).collect(), ignore: None }, (0..=last).collect())
    });
    // 255 above a few indices is void by the convention of Pascal VOC and Cityscapes.
    let void = ignore
        .or_else(|| (pooled.count(255) > 0 && !values.contains(&255) && (!discovered || end < 255)).then_some(255));
    let mut entries: Vec<(MaskValue, u16)> =
        values.iter().enumerate().map(|(label, &value)| (MaskValue::Value(value), label as u16)).collect();
    add_ignore(&mut entries, &mut table, void);
    (MaskCoding::new(CodingKind::Indices, entries, &table), table)
}

fn level_coding(
    pooled: &Pooled,
    named: Named,
    ignore: Option<u16>,
    foreground: &str,
) -> Result<(MaskCoding, ClassTable)> {
    let mut levels = pooled.values();
    levels.retain(|value| Some(*value) != ignore);
    if levels.len() > named.as_ref().map_or(32, |(table, _)| table.len()) {
        levels.retain(|&value| pooled.share(value) >= 0.005);
    }
    if levels.len() < 2 || levels.len() > MAX_DISCOVERED {
        return Err(cannot_understand(&format!("{} grey values", pooled.values().len())));
    }
    if let Some((table, _)) = &named
        && table.len() != levels.len()
    {
        return Err(Error::config(format!(
            "{} grey levels in the masks, {} classes declared",
            levels.len(),
            table.len()
        ))
        .hint("list as many classes as the masks have levels"));
    }
    let mut table = named.map_or_else(|| discovered_table(levels.len(), foreground), |(table, _)| table);
    let mut entries: Vec<(MaskValue, u16)> =
        levels.iter().enumerate().map(|(label, &value)| (MaskValue::Value(value), label as u16)).collect();
    add_ignore(&mut entries, &mut table, ignore);
    Ok((MaskCoding::new(CodingKind::Levels, entries, &table), table))
}

fn discovered_table(classes: usize, foreground: &str) -> ClassTable {
    if classes == 2 {
        return ClassTable::binary(foreground);
    }
    let name = |label: usize| if label == 0 { "background".to_owned() } else { format!("class {label}") };
    ClassTable::from_names((0..classes).map(name))
}

fn color_coding(
    pooled: &BTreeMap<Rgb, u64>,
    named: Named,
    declared: &Declaration,
    foreground: &str,
) -> Result<(MaskCoding, ClassTable)> {
    let mut entries: Vec<(MaskValue, u16)> = Vec::new();
    let has_colors = declared.classes.iter().any(|class| class.color.is_some());
    let mut table = match named {
        Some((table, _)) if has_colors => {
            let labels = table.classes.iter().enumerate();
            entries.extend(labels.map(|(label, class)| (MaskValue::Color(class.color), label as u16)));
            table
        }
        named => {
            let colors = discover(pooled, declared.ignore_color)?;
            let mut table = match named {
                Some((table, _)) if table.len() == colors.len() => table,
                Some((table, _)) => {
                    return Err(Error::config(format!(
                        "{} colours in the masks, {} classes declared",
                        colors.len(),
                        table.len()
                    ))
                    .hint("give every class its color = [r, g, b] in classes.toml"));
                }
                None => discovered_table(colors.len(), foreground),
            };
            for (label, (class, color)) in table.classes.iter_mut().zip(&colors).enumerate() {
                class.color = *color;
                entries.push((MaskValue::Color(*color), label as u16));
            }
            table
        }
    };
    if let Some(color) = declared.ignore_color {
        let label = void_label(table.len(), declared.ignore.unwrap_or(255));
        table.ignore = Some(label);
        entries.push((MaskValue::Color(color), label));
    }
    Ok((MaskCoding::new(CodingKind::Colors, entries, &table), table))
}

/// The colours that stand for classes: all of them, or with compression noise the frequent
/// ones. Rising order puts black, the usual background, first.
fn discover(pooled: &BTreeMap<Rgb, u64>, ignore: Option<Rgb>) -> Result<Vec<Rgb>> {
    let total: u64 = pooled.values().sum();
    let all = pooled.iter().filter(|&(color, _)| Some(*color) != ignore);
    let colors: Vec<Rgb> = if pooled.len() <= MAX_DISCOVERED {
        all.map(|(color, _)| *color).collect()
    } else {
        all.filter(|&(_, &count)| count as f64 >= 0.005 * total as f64).map(|(color, _)| *color).collect()
    };
    let covered: u64 = colors.iter().map(|color| pooled[color]).sum();
    if colors.len() < 2 || (covered as f64) < DOMINANT * total as f64 {
        return Err(cannot_understand(&format!("{} colours", pooled.len())));
    }
    Ok(colors)
}

fn cannot_understand(found: &str) -> Error {
    Error::config(format!("the masks hold {found}, from which no classes can be told apart"))
        .hint("check that the masks are masks and not photographs, or describe the classes in classes.toml")
}
