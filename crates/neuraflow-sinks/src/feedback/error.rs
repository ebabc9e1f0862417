//! Why feedback cannot be given.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use neuraflow_core::model::Recovery;
use thiserror::Error;

/// Why a feedback server did not start, or a subscription was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FeedbackError {
    /// The address cannot be listened on.
    #[error(
        "feedback: cannot listen on {address}: {source}; choose another address, port 0 for any free one"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no thread or no event loop.
    #[error("feedback: cannot start {what}: {source}")]
    Start {
        /// What was to be started.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file that keeps how far a sink has published cannot be used.
    #[error("feedback: cannot {action} {path}: {source}")]
    Mark {
        /// What it was doing: `open`, `lock`, `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file that keeps how far a sink has published is not what it should be.
    #[error(
        "feedback: {path}: expected {expected}, found {found}; name another file, or remove it if windows may be published again"
    )]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What would have been accepted.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Nobody opened a session of that name.
    #[error(
        "feedback: no session {found:?}: expected one of {expected:?}; open it with `Feedback::session` first"
    )]
    UnknownSession {
        /// The sessions there are.
        expected: Vec<String>,
        /// The name that was asked for.
        found: String,
    },
    /// What a client asked for cannot be understood.
    #[error("{what}: expected {expected}, found {found}")]
    Subscription {
        /// Which field.
        what: &'static str,
        /// What would be accepted.
        expected: String,
        /// What was asked for.
        found: String,
    },
}

impl FeedbackError {
    /// What to do after it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Start { .. } => Recovery::Retry,
            Self::UnknownSession { .. } | Self::Subscription { .. } => Recovery::Skip,
            Self::Listen { .. } | Self::Mark { .. } | Self::Unfit { .. } => Recovery::Stop,
        }
    }
}
