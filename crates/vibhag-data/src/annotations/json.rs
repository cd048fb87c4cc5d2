//! JSON as annotation tools write it, read as a stream: with a byte order mark, with Python's `NaN` and `Infinity`, and
//! with values of the wrong type in single annotations, which must not cost the rest of the file.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use vibhag_core::{Error, ErrorKind};

/// The bytes of a JSON file, one at a time, with their count.
///
/// `NaN`, `Infinity` and `-Infinity`, which JSON does not have, become an empty text of the same length, so that they
/// are found where a number is expected and lines and columns stay right.
pub(super) struct JsonReader<'a, R> {
    inner: R,
    /// Bytes handed out.
    position: &'a Cell<u64>,
    in_text: bool,
    escaped: bool,
    /// What is left of a word that is being blanked, and whether the closing quote is still to come.
    word: &'static [u8],
    quote: bool,
}

impl<'a, R: BufRead> JsonReader<'a, R> {
    /// Reads `inner`, which begins outside any text.
    pub(super) fn new(inner: R, position: &'a Cell<u64>) -> Self {
        Self { inner, position, in_text: false, escaped: false, word: &[], quote: false }
    }

    /// Skips a byte order mark.
    pub(super) fn skip_mark(&mut self) -> io::Result<()> {
        if self.inner.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            self.inner.consume(3);
            self.position.set(self.position.get() + 3);
        }
        Ok(())
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.inner.fill_buf()?.first().copied())
    }

    /// What is handed out for `byte`.
    fn pass(&mut self, byte: u8) -> io::Result<u8> {
        if self.in_text {
            self.in_text = byte != b'"' || self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            return Ok(byte);
        }
        if let Some((&expected, rest)) = self.word.split_first() {
            if byte == expected {
                self.word = rest;
                return Ok(if std::mem::take(&mut self.quote) { b'"' } else { b' ' });
            }
            self.word = &[];
        }
        self.word = match byte {
            b'"' => {
                self.in_text = true;
                return Ok(byte);
            }
            b'N' => b"aN",
            b'I' => b"nfinity",
            b'-' if self.peek()? == Some(b'I') => b"Infinity",
            _ => return Ok(byte),
        };
        self.quote = true;
        Ok(b'"')
    }
}

impl<R: BufRead> Read for JsonReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The deserializer asks for one byte at a time; more at once would make the position useless.
        let (Some(slot), Some(byte)) = (buffer.first_mut(), self.peek()?) else { return Ok(0) };
        self.inner.consume(1);
        self.position.set(self.position.get() + 1);
        *slot = self.pass(byte)?;
        Ok(1)
    }
}

/// The error for `path` that the JSON parser reports, with line and column.
pub(super) fn json_error(path: &Path, error: serde_json::Error) -> Error {
    if error.is_io() {
        return Error::io(path, error.into());
    }
    let (line, column) = (error.line(), error.column());
    let (what, hint) = if error.is_eof() {
        ("the JSON ends in the middle".to_owned(), "the file is truncated: copy or download it again")
    } else {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        (format!("cannot understand the JSON: {message}"), "repair it at this place, or export it again")
    };
    Error::new(ErrorKind::Decode, what)
        .at_path(path)
        .at(format!("line {line}, column {column}"))
        .hint(hint)
        .because(error)
}

/// A value of any type: the wrong one in a field of one annotation is a fault of that annotation, not of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Value {
    /// A whole number from 0 on.
    Whole(u64),
    /// Another number.
    Real(f64),
    /// A text.
    Text(String),
    /// A list of numbers, perhaps empty.
    Numbers(Vec<f64>),
    /// Another list.
    List(Vec<Value>),
    /// An object's fields in their order.
    Fields(Vec<(String, Value)>),
    /// The field is not there, or `null`.
    #[default]
    Absent,
}

impl Value {
    /// The whole number that it is or spells.
    pub(crate) fn whole(&self) -> Option<u64> {
        match self {
            Self::Whole(value) => Some(*value),
            Self::Real(value) => whole(*value),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The number that it is.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Whole(value) => Some(*value as f64),
            Self::Real(value) => Some(*value),
            _ => None,
        }
    }

    /// The text that it is.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The numbers that it lists.
    pub(crate) fn numbers(&self) -> Option<&[f64]> {
        match self {
            Self::Numbers(values) => Some(values),
            _ => None,
        }
    }

    /// The field called `name` of an object.
    pub(crate) fn field(&self, name: &str) -> &Self {
        match self {
            Self::Fields(fields) => {
                fields.iter().find(|(own, _)| own == name).map_or(&Self::Absent, |(_, value)| value)
            }
            _ => &Self::Absent,
        }
    }
}

/// `value` as a whole number from 0 on, where it is one.
pub(super) fn whole(value: f64) -> Option<u64> {
    // Up to 2^53 every whole number has its own floating-point number.
    (value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value)).then_some(value as u64)
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(Value::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(u64::try_from(value).map_or(Value::Real(value as f64), Value::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(Value::Real(value))
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Whole(u64::from(value)))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Value, A::Error> {
        let mut numbers = Vec::new();
        while let Some(value) = list.next_element::<Value>()? {
            let Some(number) = value.number() else {
                let mut values: Vec<Value> = numbers.into_iter().map(Value::Real).collect();
                values.push(value);
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                return Ok(Value::List(values));
            };
            numbers.push(number);
        }
        Ok(Value::Numbers(numbers))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Value::Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        let position = Cell::new(0);
        let mut out = String::new();
        // A small buffer puts its ends everywhere.
        let mut reader = JsonReader::new(io::BufReader::with_capacity(2, text.as_bytes()), &position);
        reader.skip_mark().unwrap();
        reader.read_to_string(&mut out).unwrap();
        assert_eq!(position.get(), text.len() as u64);
        out
    }

    #[test]
    fn what_is_no_number_becomes_a_text_of_the_same_length() {
        assert_eq!(read("[NaN,Infinity, -Infinity]"), "[\"\" ,\"\"      , \"\"       ]");
        assert_eq!(read(r#"{"N\"aN":"\\","I":-1}"#), r#"{"N\"aN":"\\","I":-1}"#);
        assert_ne!(read("[Nope]"), "[\"\"  ]");
    }

    proptest! {
        #[test]
        fn json_passes_unchanged(texts in proptest::collection::vec(".*", 0..6), numbers in any::<[i32; 3]>()) {
            let text = serde_json::to_string(&(texts, numbers, f64::NAN, true)).unwrap();
            prop_assert_eq!(read(&text), text);
        }
    }

    #[test]
    fn errors_say_line_and_column() {
        let parse = |text: &str| json_error(Path::new("a.json"), serde_json::from_str::<Value>(text).unwrap_err());
        let cut = parse("{\"a\":\n[1,").to_string();
        assert!(cut.contains("ends in the middle (line 2, column 3)"), "{cut}");
        let wrong = parse("{\"a\"; 1}").to_string();
        assert!(wrong.contains("line 1, column 5") && !wrong.contains("at line"), "{wrong}");
    }

    #[test]
    fn values_of_any_type_are_taken() {
        let all: Vec<Value> = serde_json::from_str(r#"[1, -1, 2.0, "7", null, [1], {"a": 1}, true]"#).unwrap();
        let whole: Vec<Option<u64>> = all.iter().map(Value::whole).collect();
        assert_eq!(whole, [Some(1), None, Some(2), Some(7), None, None, None, Some(1)]);
        assert_eq!((all[1].number(), all[3].text(), all[5].number()), (Some(-1.0), Some("7"), None));
        assert_eq!((all[5].numbers(), all[6].field("a").whole()), (Some(&[1.0][..]), Some(1)));
    }
}
