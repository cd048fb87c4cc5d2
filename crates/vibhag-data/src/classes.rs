//! `classes.toml` and `classes.txt`: what the user says about the classes.

use std::path::Path;

use serde::Deserialize;
use vibhag_core::color::class_color;
use vibhag_core::{Class, ClassTable, Error, Foreground, Result, Rgb};

use crate::coding::CodingKind;

/// One declared class.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredClass {
    /// Its name.
    pub name: String,
    /// Its colour in colour masks and overlays.
    #[serde(default)]
    pub color: Option<Rgb>,
    /// Its value in index masks; the position in the list by default.
    #[serde(default)]
    pub index: Option<u16>,
}

/// The content of a class file; every part is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declaration {
    /// The classes, background first.
    #[serde(rename = "class", alias = "classes")]
    pub classes: Vec<DeclaredClass>,
    /// Mask value of pixels that nothing counts.
    pub ignore: Option<u16>,
    /// Mask colour of pixels that nothing counts.
    pub ignore_color: Option<Rgb>,
    /// How mask values are read: a name of [`CodingKind::NAMES`].
    pub coding: Option<String>,
    /// Take the nearest expected mask value instead of refusing an unexpected one.
    pub snap: bool,
    /// Mask values that are one foreground class together, such as `"1..58"`; every other one is background.
    pub foreground: Option<Foreground>,
}

impl Declaration {
    /// Classes by name only.
    pub fn from_names(names: &[&str], ignore: Option<u16>) -> Self {
        let class = |name: &&str| DeclaredClass { name: (*name).to_owned(), color: None, index: None };
        Self { classes: names.iter().map(class).collect(), ignore, ..Self::default() }
    }

    /// The coding that was asked for.
    ///
    /// # Errors
    /// When its name is unknown.
    pub fn coding_kind(&self) -> Result<Option<CodingKind>> {
        self.coding.as_deref().map(CodingKind::parse).transpose()
    }

    /// The classes with the mask value of each, in rising order of value. A single class is
    /// the foreground: background is put before it.
    ///
    /// # Errors
    /// When two classes claim one value, or one of them the ignored value.
    pub fn table(&self) -> Result<(ClassTable, Vec<u16>)> {
        let mut declared: Vec<(u16, DeclaredClass)> = Vec::new();
        let offset = u16::from(self.classes.len() == 1 && self.classes[0].index != Some(0));
        if offset == 1 {
            declared.push((0, DeclaredClass { name: "background".into(), color: None, index: None }));
        }
        for (position, class) in self.classes.iter().enumerate() {
            declared.push((class.index.unwrap_or(position as u16 + offset), class.clone()));
        }
        declared.sort_by_key(|(value, _)| *value);
        if let Some(pair) = declared.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(Error::config(format!(
                "classes {:?} and {:?} both have the mask value {}",
                pair[0].1.name, pair[1].1.name, pair[0].0
            ))
            .hint("give every class its own index"));
        }
        if let Some((value, class)) = declared.iter().find(|(value, _)| Some(*value) == self.ignore) {
            return Err(Error::config(format!("the ignored value {value} is also class {:?}", class.name))
                .hint("remove the class or choose another ignore value"));
        }
        let classes = declared.iter().enumerate().map(|(label, (_, class))| Class {
            name: class.name.clone(),
            color: class.color.unwrap_or_else(|| class_color(label)),
            thing: false,
        });
        let table = ClassTable { classes: classes.collect(), ignore: None };
        Ok((table, declared.iter().map(|(value, _)| *value).collect()))
    }
}

/// Reads `classes.toml` or `classes.txt` in `root`; `None` when there is neither.
///
/// # Errors
/// When the file cannot be read or understood.
pub fn read(root: &Path) -> Result<Option<Declaration>> {
    for (name, parse) in [("classes.toml", parse_toml as fn(&str) -> Result<Declaration>), ("classes.txt", parse_text)]
    {
        let path = root.join(name);
        if path.is_file() {
            let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
            return parse(&text).map(Some).map_err(|error| error.at_path(path));
        }
    }
    Ok(None)
}

fn parse_toml(text: &str) -> Result<Declaration> {
    toml::from_str(text).map_err(|error| {
        Error::config(error.message().to_owned())
            .hint("write [[class]] tables with name and optional color = [r, g, b] and index; optional ignore, coding, snap, foreground")
            .because(error)
    })
}

/// One class a line: `[index] name [r g b | #rrggbb]`, separated by blanks, commas or tabs;
/// `ignore VALUE` names the void value; `#` at the start of a line is a comment.
fn parse_text(text: &str) -> Result<Declaration> {
    let mut declaration = Declaration::default();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words: Vec<&str> = line.split(|c: char| c.is_whitespace() || ",;:=".contains(c)).collect();
        words.retain(|word| !word.is_empty());
        if let ["ignore", value] = words[..] {
            let value = value.parse().map_err(|_| bad_line(number, line, "the ignore value is not a number"))?;
            declaration.ignore = Some(value);
            continue;
        }
        let color = trailing_color(&mut words);
        let index = words.first().and_then(|word| word.parse::<u16>().ok()).filter(|_| words.len() > 1);
        let name = words[usize::from(index.is_some())..].join(" ");
        if name.is_empty() {
            return Err(bad_line(number, line, "no class name"));
        }
        declaration.classes.push(DeclaredClass { name, color, index });
    }
    Ok(declaration)
}

fn bad_line(number: usize, line: &str, what: &str) -> Error {
    Error::config(format!("{what} in {line:?}"))
        .at(format!("line {}", number + 1))
        .hint("write one class a line: [index] name [r g b]")
}

fn trailing_color(words: &mut Vec<&str>) -> Option<Rgb> {
    if let Some(hex) = words.last().and_then(|word| word.strip_prefix('#'))
        && hex.len() == 6
        && let Ok(value) = u32::from_str_radix(hex, 16)
    {
        words.pop();
        return Some([(value >> 16) as u8, (value >> 8) as u8, value as u8]);
    }
    let tail = words.len().checked_sub(3).filter(|&start| start > 0)?;
    let parsed: Vec<u8> = words[tail..].iter().filter_map(|word| word.parse().ok()).collect();
    let color: Rgb = parsed.try_into().ok()?;
    words.truncate(tail);
    Some(color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_lines_carry_index_name_and_colour() {
        let text = "# road scenes\n0 sky 128 128 128\n1, traffic light, 10, 20, 30\nroad #804080\nignore 255\n";
        let declaration = parse_text(text).unwrap();
        let classes: Vec<_> = declaration.classes.iter().map(|c| (c.name.as_str(), c.color, c.index)).collect();
        assert_eq!(
            classes,
            [
                ("sky", Some([128, 128, 128]), Some(0)),
                ("traffic light", Some([10, 20, 30]), Some(1)),
                ("road", Some([128, 64, 128]), None)
            ]
        );
        assert_eq!(declaration.ignore, Some(255));
    }

    #[test]
    fn toml_is_read_and_typing_errors_are_refused() {
        let declaration =
            parse_toml("ignore = 9\nsnap = true\n[[class]]\nname = \"a\"\n[[class]]\nname = \"b\"\nindex = 4\n")
                .unwrap();
        assert_eq!(declaration.table().unwrap().1, [0, 4]);
        assert!(declaration.snap);
        assert!(parse_toml("[[class]]\nname = \"a\"\ncolour = [1, 2, 3]").is_err());
    }

    #[test]
    fn one_name_means_background_and_foreground() {
        let (table, values) = Declaration::from_names(&["lesion"], None).table().unwrap();
        assert_eq!(table.names(), ["background", "lesion"]);
        assert_eq!(values, [0, 1]);
    }

    #[test]
    fn a_value_claimed_twice_is_refused() {
        let declaration = parse_text("1 a\n1 b\n").unwrap();
        assert!(declaration.table().unwrap_err().to_string().contains("both have the mask value 1"));
    }
}
