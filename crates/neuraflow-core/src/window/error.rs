//! What can be wrong with how windows are set up. Nothing that arrives can make windowing fail.

use thiserror::Error;

use crate::model::{Recovery, SamplingRate, Span, Timestamp};

/// Why windows of this kind cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WindowError {
    /// A length of time that is not positive, or longer than any recording.
    #[error("{what} must be longer than zero and at most 126 years, found {} ns", found.as_nanos())]
    Length {
        /// Which setting.
        what: &'static str,
        /// What was given.
        found: Span,
    },
    /// An instant beyond the calendar that windows are counted in.
    #[error(
        "{what} must be between the years 1844 and 2096, found {found}; check the unit: event time is nanoseconds"
    )]
    Instant {
        /// Which setting.
        what: &'static str,
        /// What was given.
        found: Timestamp,
    },
    /// A window would hold more samples than can be counted.
    #[error("a window may hold at most {} samples, {found} were asked for; shorten it", u32::MAX)]
    Samples {
        /// How many it would hold.
        found: u64,
    },
    /// Samples so rare, or windows so short, that each sample would be followed by a flood of empty windows.
    #[error(
        "at most {most} windows may pass from one sample to the next, found {found} at {rate}; lengthen the window"
    )]
    Sparse {
        /// How many may.
        most: u64,
        /// How many would.
        found: u64,
        /// Samples per second.
        rate: SamplingRate,
    },
}

impl WindowError {
    /// What to do after it: these are settings, so nothing but changing them helps.
    pub fn recovery(&self) -> Recovery {
        Recovery::Stop
    }
}
