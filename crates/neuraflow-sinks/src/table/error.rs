//! Why a table refused, failed, or could not be read.

use std::io;

use neuraflow_core::model::Recovery;
use neuraflow_core::sink::SinkError;
use thiserror::Error;

/// Why a table refused, failed, or could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TableError {
    /// Larger than a table takes.
    #[error(
        "{what}: expected at most {limit}, found {found}; make windows shorter or split the channels over more streams"
    )]
    Limit {
        /// What is too large, and in which unit.
        what: &'static str,
        /// The most there may be.
        limit: usize,
        /// What was given.
        found: usize,
    },
    /// A name of a stage, a setting or a question that makes no sense.
    #[error("{what}: expected {expected}, found {found}")]
    Setting {
        /// Which one.
        what: &'static str,
        /// What is accepted.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// Bytes in a table that were not written by this layout, or have decayed.
    #[error("table: {what}: expected {expected}, found {found}; they are left out, all others can be read")]
    Malformed {
        /// Which part: `row key`, `qualifier`, `cell`, `directory`.
        what: &'static str,
        /// What the layout has there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The table cannot be reached, or has no time now: the same call may succeed later.
    #[error("table {table}: cannot {action} now: {reason}; nothing is lost, try again")]
    Unavailable {
        /// Which table.
        table: String,
        /// What it was doing: `write`, `read`, `connect`.
        action: &'static str,
        /// What the other side said.
        reason: String,
    },
    /// The table says no to an entry, and will say so again.
    #[error("table {table}: does not {action} this: {reason}")]
    Refused {
        /// Which table.
        table: String,
        /// What it was doing.
        action: &'static str,
        /// What the other side said.
        reason: String,
    },
    /// The table is missing, closed to this user, or broken.
    #[error("table {table}: cannot {action}: {reason}; see that it exists and that this user may {action}")]
    Failed {
        /// Which table.
        table: String,
        /// What it was doing.
        action: &'static str,
        /// What the other side said.
        reason: String,
    },
    /// Another process has the local store open.
    #[error("table {table} is open in another process; end that one, or give each its own file")]
    Locked {
        /// Which file.
        table: String,
    },
}

impl TableError {
    /// What to do after it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Limit { .. } | Self::Malformed { .. } | Self::Refused { .. } => Recovery::Skip,
            Self::Unavailable { .. } => Recovery::Retry,
            Self::Setting { .. } | Self::Failed { .. } | Self::Locked { .. } => Recovery::Stop,
        }
    }

    /// As a sink tells it, with itself as the source.
    pub(super) fn of_sink(self, sink: &str) -> SinkError {
        let kind = match self.recovery() {
            Recovery::Skip | Recovery::Reset => {
                let (what, expected, found) = match &self {
                    Self::Limit { what, limit, found } => {
                        (*what, format!("at most {limit}"), found.to_string())
                    }
                    other => ("item", "what the table takes".to_owned(), other.to_string()),
                };
                return SinkError::Layout { sink: sink.to_owned(), what, expected, found };
            }
            Recovery::Retry => io::ErrorKind::TimedOut,
            Recovery::Stop => io::ErrorKind::Other,
        };
        let source = io::Error::new(kind, self);
        SinkError::Io { sink: sink.to_owned(), action: "write", target: "its table".into(), source }
    }
}
