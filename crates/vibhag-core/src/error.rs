//! The error type of every Vibhag library: what went wrong, where, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// A result with Vibhag's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where an error was found: a file, a value, a position, or any mix of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// The file, when one is at fault.
    pub path: Option<PathBuf>,
    /// Free text: a value, a pixel position, a configuration key.
    pub detail: Option<String>,
}

/// What kind of failure it was; callers branch on this, people read the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The operating system refused a read or a write.
    Io,
    /// A file's content cannot be decoded.
    Decode,
    /// Image and mask, or two masks, have different sizes.
    SizeMismatch,
    /// A mask holds a value that no class has.
    MaskValue,
    /// A file that should accompany another is missing.
    MissingPair,
    /// A configuration value or an argument is wrong.
    Config,
    /// The request is understood but not supported.
    Unsupported,
    /// A model bundle or checkpoint does not fit.
    Model,
    /// Training cannot go on (for example a non-finite loss).
    Training,
}

/// An error with its place and a hint.
///
/// Displayed as `what (where): hint`, so that one line is enough to act on.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    /// The kind, for callers.
    pub kind: ErrorKind,
    /// What went wrong, in one sentence without a final stop.
    pub what: String,
    /// Where it went wrong.
    pub at: Box<Location>,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// The underlying error, when there is one.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `what`.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), at: Box::default(), hint: None, source: None }
    }

    /// Shorthand for a configuration error.
    pub fn config(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, what)
    }

    /// Shorthand for an I/O error on `path`.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, source.to_string()).at_path(path).because(source)
    }

    /// Names the file at fault.
    #[must_use]
    pub fn at_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.at.path = Some(path.into());
        self
    }

    /// Names the value or position at fault.
    #[must_use]
    pub fn at(mut self, detail: impl Into<String>) -> Self {
        self.at.detail = Some(detail.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Attaches the underlying error.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.at.path, &self.at.detail) {
            (Some(path), Some(detail)) => write!(f, "{}: {} ({detail})", path.display(), self.what)?,
            (Some(path), None) => write!(f, "{}: {}", path.display(), self.what)?,
            (None, Some(detail)) => write!(f, "{} ({detail})", self.what)?,
            (None, None) => write!(f, "{}", self.what)?,
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_file_value_and_remedy() {
        let error = Error::new(ErrorKind::MaskValue, "unexpected mask value 7")
            .at_path("masks/a.png")
            .at("12 pixels, first at x=3 y=4")
            .hint("add class 7 to classes.toml");
        assert_eq!(
            error.to_string(),
            "masks/a.png: unexpected mask value 7 (12 pixels, first at x=3 y=4); add class 7 to classes.toml"
        );
    }
}
