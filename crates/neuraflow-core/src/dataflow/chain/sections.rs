//! A stream's state as sections: one for each node that has to remember something, in the order of the graph.

use std::slice::Iter;
use std::sync::Arc;

use crate::checkpoint::{RestoreError, Section, SnapshotReader, SnapshotWriter};
use crate::dataflow::error::RestoreFault;
use crate::model::StreamHeader;
use crate::operator::Latency;

/// Collects the sections of one stream.
#[derive(Default)]
pub(in crate::dataflow) struct Sections {
    done: Vec<Section>,
    failed: Option<RestoreFault>,
}

impl Sections {
    /// Adds a section. `contract` is the latency contract of the operator in it: one that was designed anew since has
    /// another, as a rule, and cannot go on from the state of the old one.
    pub(in crate::dataflow) fn write(
        &mut self,
        stage: &str,
        contract: Option<Latency>,
        state: impl FnOnce(&mut SnapshotWriter),
    ) {
        let mut writer = SnapshotWriter::default();
        writer.put(&contract);
        state(&mut writer);
        match writer.into_bytes() {
            Ok(bytes) => self.done.push(Section { stage: stage.to_owned(), bytes }),
            Err(source) => {
                self.failed.get_or_insert_with(|| RestoreFault::State { stage: stage.into(), source });
            }
        }
    }

    /// All of them, or why one could not be written.
    pub(in crate::dataflow) fn finish(self) -> Result<Vec<Section>, RestoreFault> {
        self.failed.map_or(Ok(self.done), Err)
    }
}

/// Gives the sections of one stream back.
pub(in crate::dataflow) struct SectionsReader<'a> {
    rest: Iter<'a, Section>,
    header: Arc<StreamHeader>,
}

impl<'a> SectionsReader<'a> {
    pub(in crate::dataflow) fn new(sections: &'a [Section], header: &Arc<StreamHeader>) -> Self {
        Self { rest: sections.iter(), header: Arc::clone(header) }
    }

    /// The stream whose they are.
    pub(in crate::dataflow) fn header(&self) -> &Arc<StreamHeader> {
        &self.header
    }

    /// Reads sections of nodes to which the stream is another.
    pub(in crate::dataflow) fn of_stream(
        &mut self,
        header: &Arc<StreamHeader>,
        read: impl FnOnce(&mut Self) -> Result<(), RestoreFault>,
    ) -> Result<(), RestoreFault> {
        let own = std::mem::replace(&mut self.header, Arc::clone(header));
        let done = read(self);
        self.header = own;
        done
    }

    /// Reads the next section, which must be `stage`'s, down to its last byte.
    pub(in crate::dataflow) fn read<R>(
        &mut self,
        stage: &str,
        contract: Option<Latency>,
        state: impl FnOnce(&mut SnapshotReader<'_>) -> Result<R, RestoreError>,
    ) -> Result<R, RestoreFault> {
        let section = match self.rest.next() {
            Some(section) if section.stage == stage => section,
            other => {
                let found = other.map_or_else(|| "nothing".to_owned(), |other| other.stage.clone());
                return Err(RestoreFault::Stage { stage: stage.into(), found });
            }
        };
        let because = |source| RestoreFault::State { stage: stage.into(), source };
        let mut reader = SnapshotReader::new(&section.bytes);
        let found: Option<Latency> = reader.take().map_err(because)?;
        if found != contract {
            let (expected, found) = (contract.unwrap_or_default(), found.unwrap_or_default());
            return Err(RestoreFault::Contract { stage: stage.into(), expected, found });
        }
        let state = state(&mut reader).map_err(because)?;
        reader.finish().map_err(because)?;
        Ok(state)
    }

    /// Checks that nothing is left.
    pub(in crate::dataflow) fn finish(mut self) -> Result<(), RestoreFault> {
        match self.rest.next() {
            None => Ok(()),
            Some(left) => Err(RestoreFault::LeftOver { stage: left.stage.clone() }),
        }
    }
}
