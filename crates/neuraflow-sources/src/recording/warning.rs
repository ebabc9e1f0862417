//! What a reader recovered from, said out loud.

use std::fmt;
use std::io::{self, ErrorKind};

use neuraflow_core::source::SourceError;

/// A fault of a recording that its reader could get over without guessing: what was wrong, and what was dropped
/// or ignored because of it.
///
/// ```
/// use neuraflow_sources::recording::Warning;
/// let warning = Warning::new("number of data records", "5", "-1", "the 5 records the file holds are read");
/// assert_eq!(
///     warning.to_string(),
///     "number of data records: expected 5, found -1; the 5 records the file holds are read",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// Which part of the file.
    pub field: String,
    /// What it should have been.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// What the reader did about it: what it dropped or ignored.
    pub action: String,
}

impl Warning {
    /// A warning about `field`.
    pub fn new(
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), expected: expected.into(), found: found.into(), action: action.into() }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}; {}", self.field, self.expected, self.found, self.action)
    }
}

/// The error for a part of `target` that is not what it should be.
pub(crate) fn malformed(
    target: &str,
    field: impl Into<String>,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> SourceError {
    SourceError::Malformed {
        target: target.to_owned(),
        field: field.into(),
        expected: expected.into(),
        found: found.into(),
    }
}

/// The error for a part of `target` that could not be read.
pub(super) fn unreadable(target: &str, place: String, source: io::Error) -> SourceError {
    if source.kind() == ErrorKind::UnexpectedEof {
        let expected = "the bytes that were there when it was opened";
        return malformed(target, place, expected, "the end of the file");
    }
    SourceError::Io { action: "read", target: format!("{target}, {place}"), source }
}
