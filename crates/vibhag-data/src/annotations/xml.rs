//! XML read element by element, each with its line.

use std::path::Path;

use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use vibhag_core::{Error, ErrorKind, Result};

/// An element with everything in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    /// Where it begins.
    pub(super) line: usize,
    attributes: Vec<(String, String)>,
    /// The text directly in it, without white space around it.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The value of the attribute `name`.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The text of the child called `name`.
    pub(super) fn child_text(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }
}

/// Deeper elements than any format has would exhaust the stack when they are dropped.
const MAX_DEPTH: usize = 64;

/// Calls `visit` for each element of `text`, the content of the file at `path`, that is called as in `names` and lies in
/// no other such. Only one of them is in memory at a time.
///
/// # Errors
/// When the text is no XML or ends in the middle; what `visit` returns.
pub(super) fn visit(
    text: &str,
    path: &Path,
    names: &[&str],
    mut visit: impl FnMut(Element) -> Result<()>,
) -> Result<()> {
    let mut reader = Reader::from_str(text);
    let mut lines = Lines { text, position: 0, line: 1 };
    // Depth of all open elements, and those of them from the one that is visited on.
    let (mut depth, mut open): (usize, Vec<Element>) = (0, Vec::new());
    loop {
        let start = reader.buffer_position() as usize;
        let event = reader.read_event().map_err(|error| {
            let line = lines.at(reader.error_position() as usize);
            xml_error(path, line, &format!("no valid XML: {error}"), "repair it at this place, or export it again")
        })?;
        let mut finished = None;
        match event {
            Event::Start(tag) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(xml_error(path, lines.at(start), "nested too deeply", "export it again"));
                }
                if !open.is_empty() || names.contains(&tag.name().as_ref()) {
                    open.push(element(&tag, path, lines.at(start))?);
                }
            }
            Event::Empty(tag) if !open.is_empty() || names.contains(&tag.name().as_ref()) => {
                finished = Some(element(&tag, path, lines.at(start))?);
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                finished = open.pop();
            }
            Event::Text(part) => append(&mut open, &part.xml10_content()),
            Event::CData(part) => append(&mut open, &part.xml10_content()),
            Event::GeneralRef(name) => {
                let entity = format!("&{};", name.xml10_content());
                append(&mut open, &unescape(&entity).unwrap_or(std::borrow::Cow::Borrowed(&entity)));
            }
            Event::Eof if depth > 0 => {
                let line = lines.at(text.len());
                return Err(xml_error(
                    path,
                    line,
                    "the XML ends in the middle",
                    "it is truncated: copy or export it again",
                ));
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
        if let Some(mut element) = finished {
            element.text = String::from(element.text.trim());
            match open.last_mut() {
                Some(parent) => parent.children.push(element),
                None => visit(element)?,
            }
        }
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn element(tag: &BytesStart<'_>, path: &Path, line: usize) -> Result<Element> {
    let bad = |what: String| xml_error(path, line, &what, "repair it at this place, or export it again");
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| bad(format!("no valid XML: {error}")))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| bad(format!("no valid XML: {error}")))?;
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(Element { name: tag.name().as_ref().to_owned(), line, attributes, ..Element::default() })
}

fn xml_error(path: &Path, line: usize, what: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Decode, what.to_owned()).at_path(path).at(format!("line {line}")).hint(hint)
}

/// Counts lines on the way through a text.
struct Lines<'a> {
    text: &'a str,
    position: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of `position`, which is not before the last one asked for.
    fn at(&mut self, position: usize) -> usize {
        let position = position.clamp(self.position, self.text.len());
        self.line += self.text.as_bytes()[self.position..position].split(|byte| *byte == b'\n').count() - 1;
        self.position = position;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<Element>> {
        let mut found = Vec::new();
        visit(text, Path::new("a.xml"), &["label", "image"], |element| {
            found.push(element);
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn elements_come_with_lines_attributes_and_text() {
        let text = "<?xml version=\"1.0\"?>\n<a>\n<label><name>cats &amp; dogs</name></label>\n<b>\n<image id='1&lt;2'/></b></a>";
        let found = all(text).unwrap();
        assert_eq!(found[0].child_text("name"), Some("cats & dogs"));
        assert_eq!((found[0].line, found[1].line, found[1].attribute("id")), (3, 5, Some("1<2")));
    }

    #[test]
    fn broken_xml_is_an_error_with_its_line() {
        for (text, what) in [
            ("<a>\n<image>\n<b/>", "ends in the middle"),
            ("<a>\n</b>", "line 2"),
            ("<a>\n<image x=1/></a>", "line 2"),
            ("<a>\n<image x='1", "line 2"),
            ("<a><image x='1' x='2'/></a>", "line 1"),
        ] {
            let error = all(text).unwrap_err().to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
        assert!(all(&"<image>".repeat(100_000)).unwrap_err().to_string().contains("deeply"));
        assert_eq!(all("").unwrap(), []);
    }
}
