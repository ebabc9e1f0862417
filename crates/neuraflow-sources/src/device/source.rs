//! The device as a source: opened by one pipeline after another.

use std::sync::Arc;

use neuraflow_core::model::{Positions, Span, StreamHeader};
use neuraflow_core::source::{Source, SourceContext, SourceError, SourceReader};

use super::DeviceConfig;
use super::journal::{Backlog, Emitted, Keeper};
use super::reader::Reader;
use super::shared::{Shared, Side};

/// What a pipeline reads of a device. Read by worker 0; again when the pipeline before is gone, as under supervision.
#[derive(Debug)]
pub struct DeviceSource {
    shared: Arc<Shared>,
    config: DeviceConfig,
    /// What the journal is called, and the thread that looks after it.
    journal: Option<(String, Arc<Keeper>)>,
}

impl DeviceSource {
    pub(super) fn new(
        shared: Arc<Shared>,
        config: DeviceConfig,
        journal: Option<(String, Arc<Keeper>)>,
    ) -> Self {
        Self { shared, config, journal }
    }

    /// What the journal has of what a checkpoint does not cover.
    fn backlog(&self, from: Option<&Positions>, until: u64) -> Result<Option<Backlog>, SourceError> {
        let Some(journal) = &self.shared.journal else { return Ok(None) };
        // Positions of a run without a journal say nothing about it.
        let from = from.filter(|positions| Emitted::all_in(positions).is_some());
        self.shared.write_silences();
        journal.backlog(from, until).map(Some)
    }
}

impl Source for DeviceSource {
    fn name(&self) -> String {
        match &self.journal {
            Some((name, _)) => format!("device journaled in {name}"),
            None => "device".into(),
        }
    }

    /// The streams that were opened before the pipeline was built.
    fn streams(&self) -> Vec<StreamHeader> {
        self.shared.lock().queue.headers()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        if context.worker != 0 {
            return Ok(None);
        }
        let wrong = |setting, expected: &str, found| SourceError::Setting {
            setting,
            expected: expected.into(),
            found,
        };
        if self.config.capacity == 0 {
            return Err(wrong("device capacity", "at least 1 sample", "0".into()));
        }
        let stale_after = match self.config.stale_after.map(Span::as_nanos) {
            None => None,
            Some(nanos) if nanos > 0 => Some(nanos.unsigned_abs()),
            Some(nanos) => {
                return Err(wrong("device stale_after", "more than 0, or None", format!("{nanos} ns")));
            }
        };
        let mut state = self.shared.lock();
        if state.side != Side::Waiting {
            return Err(wrong(
                "device source",
                "to be opened by one pipeline at a time; make a new device::channel for another",
                "a second pipeline while the first one runs".into(),
            ));
        }
        state.side = Side::Reading;
        if self.shared.journal.is_some() {
            // All of it is in the journal as well, which knows how old it is.
            state.queue.clear();
        }
        if state.clock.is_none() {
            state.queue.stamp(context.clock.now());
        }
        let (known, until) = (state.queue.headers(), state.queue.journaled);
        let (told, knows) = (state.queue.told(context.from.is_some()), context.from.is_some());
        (state.reader, state.clock) = (Some(context.waker), Some(context.clock));
        self.shared.made_room(state);
        // From here on what fails is let go of as a reader is.
        let keeper = self.journal.as_ref().map(|(_, keeper)| Arc::clone(keeper));
        let mut reader = Reader::new(Arc::clone(&self.shared), keeper, known, stale_after);
        match self.backlog(context.from.as_ref(), until)? {
            None => reader.take_up(told, knows),
            backlog => reader.read_first(backlog), // which has them, too
        }
        Ok(Some(Box::new(reader)))
    }
}

impl Drop for DeviceSource {
    fn drop(&mut self) {
        self.shared.source_gone();
    }
}
