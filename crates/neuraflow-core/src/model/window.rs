//! A window: an interval of event time with the samples in it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::chunk::Chunk;
use super::marker::Marker;
use super::stream::StreamHeader;
use super::time::Timestamp;

/// How much of a window's interval was really recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WindowStatus {
    /// Every sample that the interval expects arrived.
    Complete,
    /// Samples inside the interval never arrived (or were too late).
    Gap,
    /// Cut by the stream's start or end.
    Partial,
}

impl WindowStatus {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Gap => "gap",
            Self::Partial => "partial",
        }
    }
}

/// Everything about a window but its values; travels with whatever is computed from it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowInfo {
    /// Whose window.
    pub stream: Arc<StreamHeader>,
    /// Its number on the grid: `⌊(start − origin) / hop⌋`; for an epoch, the number of its marker.
    pub index: i64,
    /// First instant of the interval.
    pub start: Timestamp,
    /// First instant after the interval; what is computed from the window is stamped with it.
    pub end: Timestamp,
    /// Samples that the interval expects.
    pub expected: u32,
    /// Samples of it that really arrived in time.
    pub received: u32,
    /// Samples of it that were filled in by the gap policy.
    pub imputed: u32,
    /// Complete, gap or partial.
    pub status: WindowStatus,
    /// Filters ahead of the window had not settled by its end.
    pub warm_up: bool,
    /// Monotonic arrival of the packet that closed it, nanoseconds of the pipeline's clock. Not part of any result.
    pub arrival: u64,
    /// The marker an epoch is locked to.
    pub marker: Option<Arc<Marker>>,
}

impl Clone for WindowInfo {
    fn clone(&self) -> Self {
        Self { stream: Arc::clone(&self.stream), marker: self.marker.clone(), ..*self }
    }

    /// The windows of a stream follow each other through the same memory: its header is counted once, not for each.
    #[inline]
    fn clone_from(&mut self, from: &Self) {
        if !Arc::ptr_eq(&self.stream, &from.stream) {
            self.stream = Arc::clone(&from.stream);
        }
        if self.marker.is_some() || from.marker.is_some() {
            self.marker.clone_from(&from.marker);
        }
        (self.index, self.start, self.end) = (from.index, from.start, from.end);
        (self.expected, self.received, self.imputed) = (from.expected, from.received, from.imputed);
        (self.status, self.warm_up, self.arrival) = (from.status, from.warm_up, from.arrival);
    }
}

/// An interval of event time, half-open `[start, end)`, and its samples. Missing values are NaN.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Where it lies and how complete it is.
    pub info: WindowInfo,
    /// Its samples, `[sample][channel]`.
    pub samples: Chunk,
}

impl Clone for Window {
    fn clone(&self) -> Self {
        Self { info: self.info.clone(), samples: self.samples.clone() }
    }

    /// Allocates nothing where there is room.
    fn clone_from(&mut self, from: &Self) {
        self.info.clone_from(&from.info);
        self.samples.clone_from(&from.samples);
    }
}
