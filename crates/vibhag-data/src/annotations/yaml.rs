//! YAML as configuration files of data sets need it: maps, lists and scalars, each with its line.

use std::path::Path;

use saphyr_parser::{Event, Parser};
use vibhag_core::{Error, ErrorKind, Result};

/// A value and the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) data: Data,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    Scalar(String),
    List(Vec<Node>),
    /// In the file's order.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The value under `key` of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Data::Map(entries) = &self.data else { return None };
        entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(text) => Some(text),
            _ => None,
        }
    }
}

/// The first document of `text`, the content of the file at `path`.
///
/// # Errors
/// When it is no YAML, holds anchors with aliases, which no such file needs, or nests deeper than 32 levels.
pub(super) fn parse(text: &str, path: &Path) -> Result<Node> {
    let mut reader = Reader { parser: Parser::new_from_str(text), path };
    loop {
        let (event, line) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => return Err(reader.error("the file holds nothing", line)),
            other => return reader.node(other, line, 0),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    path: &'a Path,
}

impl<'a> Reader<'a> {
    fn error(&self, what: &str, line: usize) -> Error {
        Error::new(ErrorKind::Decode, what.to_owned()).at_path(self.path).at(format!("line {line}"))
    }

    fn next(&mut self) -> Result<(Event<'a>, usize)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(self
                .error(&format!("no valid YAML: {}", error.info()), error.marker().line())
                .hint("check quotes, brackets and the indentation, which must be of spaces")),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node> {
        if depth > 32 {
            return Err(self.error("nested too deeply", line).hint("data.yaml needs few levels"));
        }
        let data = match event {
            Event::Scalar(text, ..) => Data::Scalar(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Data::List(list),
                        (event, line) => list.push(self.node(event, line, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut entries = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, _) => break Data::Map(entries),
                        (event, line) => {
                            let key = self.node(event, line, depth + 1)?;
                            let (event, line) = self.next()?;
                            entries.push((key, self.node(event, line, depth + 1)?));
                        }
                    }
                }
            }
            Event::Alias(_) => {
                let error = Error::new(ErrorKind::Unsupported, "aliases (*name) are not read");
                return Err(error.at_path(self.path).at(format!("line {line}")).hint("write the value out"));
            }
            _ => return Err(self.error("the file ends in the middle", line)),
        };
        Ok(Node { line, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lists_and_scalars_carry_their_lines() {
        let text = "path: ../a # root\ntrain: [images/train, 'more: images']\nnames:\n  0: person\n  1: \"traffic light\"\ndownload: |\n  from x import y\n";
        let node = parse(text, Path::new("data.yaml")).unwrap();
        assert_eq!(node.get("path").unwrap().text(), Some("../a"));
        let Data::List(train) = &node.get("train").unwrap().data else { panic!() };
        assert_eq!(train[1].text(), Some("more: images"));
        let Data::Map(names) = &node.get("names").unwrap().data else { panic!() };
        assert_eq!((names[1].1.text(), names[1].0.line), (Some("traffic light"), 5));
    }

    #[test]
    fn what_is_not_read_is_an_error_with_its_line() {
        let error = |text: &str| parse(text, Path::new("data.yaml")).unwrap_err().to_string();
        assert!(error("a: &x 1\nb: *x\n").contains("line 2"), "{}", error("a: &x 1\nb: *x\n"));
        assert!(error("a: 1\n\tb: 2\n").contains("data.yaml"));
        assert!(error("a: [1, 2").contains("line"));
        assert!(error("").contains("nothing"));
        assert!(error(&"[".repeat(100)).contains("deeply"));
    }
}
