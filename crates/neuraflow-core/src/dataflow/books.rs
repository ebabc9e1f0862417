//! A stream's seat on its worker, and its books: what is kept of streams that are refused, and of earlier runs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::report::{StreamReport, WindowCounts};
use super::stream::StreamState;
use crate::ingest::EntryBody;
use crate::model::StreamHeader;
use crate::window::Accounting;

/// A stream as its worker knows it.
pub(super) struct Seat {
    pub(super) slot: Slot,
    /// What earlier runs of a reopened stream leave for the report.
    pub(super) past: Option<Box<Books>>,
    /// The last checkpoint that its state was written for.
    pub(super) captured: u64,
    /// Whether it has changed since.
    pub(super) touched: bool,
}

// Nearly all run, and their states lie side by side.
#[allow(clippy::large_enum_variant)]
pub(super) enum Slot {
    Running(StreamState),
    Refused(Refused),
}

/// A stream that is not processed. What comes for it is only counted: its samples as rejected, or as dropped where the
/// source dropped them.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) header: Arc<StreamHeader>,
    reason: String,
    accounting: Accounting,
    markers: u64,
}

/// What is counted of a stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Books {
    accounting: Accounting,
    windows: WindowCounts,
    markers: u64,
    refused_inputs: u64,
}

impl Seat {
    pub(super) fn header(&self) -> &Arc<StreamHeader> {
        match &self.slot {
            Slot::Running(state) => state.header(),
            Slot::Refused(refused) => &refused.header,
        }
    }

    /// What happened to the stream, its earlier runs included.
    pub(super) fn report(&self) -> StreamReport {
        let mut report = match &self.slot {
            Slot::Running(state) => state.report(),
            Slot::Refused(refused) => StreamReport {
                header: Arc::clone(&refused.header),
                accounting: refused.accounting,
                windows: WindowCounts::default(),
                markers: refused.markers,
                refused_inputs: 0,
                refused: Some(refused.reason.clone()),
            },
        };
        if let Some(past) = &self.past {
            report.accounting.add(&past.accounting);
            report.windows += past.windows;
            report.markers += past.markers;
            report.refused_inputs += past.refused_inputs;
        }
        report
    }

    /// The same, as it is kept for the stream's next run.
    pub(super) fn books(&self) -> Books {
        let StreamReport { accounting, windows, markers, refused_inputs, .. } = self.report();
        Books { accounting, windows, markers, refused_inputs }
    }
}

impl Refused {
    pub(super) fn new(header: Arc<StreamHeader>, reason: String) -> Self {
        tracing::warn!(stream = %header.name, %reason, "stream refused");
        Self { header, reason, accounting: Accounting::default(), markers: 0 }
    }

    /// Counts what came for it, with so many values.
    pub(super) fn count(&mut self, body: &EntryBody, values: usize) {
        let accounting = &mut self.accounting;
        match body {
            EntryBody::Samples { .. } => {
                let samples = values.div_ceil(self.header.channels.len().max(1)) as u64;
                accounting.samples_in += samples;
                accounting.rejected += samples;
            }
            EntryBody::Dropped { samples, .. } => {
                // As the sequencer does: a claim that no device can have earned must not spoil the books.
                let samples = (*samples).min((1 << 62) - accounting.samples_in.min(1 << 62));
                accounting.samples_in += samples;
                accounting.dropped += samples;
            }
            EntryBody::Marker(_) => self.markers += 1,
            EntryBody::Silent
            | EntryBody::End { .. }
            | EntryBody::Open(_)
            | EntryBody::Resume(_)
            | EntryBody::Control(_) => {}
        }
    }
}
