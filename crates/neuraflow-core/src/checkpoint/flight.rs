//! A checkpoint in flight: who has answered, and what they said.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Positions;

/// Who must answer before a checkpoint is complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// How many readers, of all sources together.
    pub readers: usize,
    /// How many workers.
    pub workers: usize,
    /// The sinks whose answer is kept.
    pub sinks: Vec<String>,
}

/// What has come in for one checkpoint, but for the streams.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) number: u64,
    expected: Expected,
    readers: BTreeSet<usize>,
    workers: BTreeSet<usize>,
    pub(super) sources: BTreeMap<String, Positions>,
    pub(super) sinks: BTreeMap<String, Positions>,
}

impl Flight {
    pub(super) fn new(number: u64, expected: Expected) -> Self {
        Self {
            number,
            expected,
            readers: BTreeSet::new(),
            workers: BTreeSet::new(),
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
        }
    }

    pub(super) fn source(&mut self, reader: usize, source: &str, at: Option<Positions>) {
        self.readers.insert(reader);
        if let Some(at) = at {
            self.sources.entry(source.to_owned()).or_default().absorb(at);
        }
    }

    pub(super) fn worker(&mut self, worker: usize) {
        self.workers.insert(worker);
    }

    pub(super) fn sink(&mut self, sink: &str, at: Positions) {
        if self.expected.sinks.iter().any(|expected| expected == sink) {
            self.sinks.insert(sink.to_owned(), at);
        }
    }

    /// What is still missing; `None` if it is complete.
    pub(super) fn missing(&self) -> Option<String> {
        let mut missing = Vec::new();
        if self.readers.len() < self.expected.readers {
            missing.push(format!("{} of {} readers", self.readers.len(), self.expected.readers));
        }
        if self.workers.len() < self.expected.workers {
            missing.push(format!("{} of {} workers", self.workers.len(), self.expected.workers));
        }
        let silent = self.expected.sinks.iter().filter(|sink| !self.sinks.contains_key(*sink));
        missing.extend(silent.map(|sink| format!("sink {sink} has not")));
        let all = missing.join(", ");
        (!missing.is_empty()).then(|| format!("checkpoint {}: {all} answered", self.number))
    }
}
