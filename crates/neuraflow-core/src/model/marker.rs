//! A marker: a timestamped experiment event.

use serde::{Deserialize, Serialize};

use super::time::{Span, Timestamp};

/// An experiment event: a cue, a stimulus, a key press, an annotation of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Event time at which it begins.
    pub time: Timestamp,
    /// How long it lasts; zero for an instant.
    pub duration: Span,
    /// Its text or code, as recorded.
    pub label: String,
}

impl Marker {
    /// An instantaneous marker.
    pub fn new(time: Timestamp, label: impl Into<String>) -> Self {
        Self { time, duration: Span::ZERO, label: label.into() }
    }
}
