//! A finished graph: the plan of every stream's chain, and the rules of its time.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::error::BuildError;
use super::items::LateSamples;
use super::outbox::{Outbox, Outboxes};
use super::plan::{Plans, Site, describe_all, instantiate_all};
use super::report::PathLatency;
use super::stream::StreamState;
use crate::model::{Chunk, Span, StreamHeader, Timestamp};
use crate::operator::{Latency, Missing, SignalSpec};
use crate::window::{GapFiller, GapPolicy, Sequencer, SequencerConfig, WindowGrid};

pub(super) struct Graph {
    pub(super) root: Plans<Chunk>,
    /// Outlet of the late side output.
    pub(super) late: Option<usize>,
    /// Outlet of what became of controls.
    pub(super) controls: Option<usize>,
    pub(super) gaps: GapPolicy,
    pub(super) lateness: Span,
    pub(super) origin: Timestamp,
    /// The shortest hop in the graph: the grid on which missing samples are given up.
    pub(super) hop: Span,
    pub(super) budget: Option<Span>,
}

impl Graph {
    /// Makes a stream's chain, and notes the latency of its paths. A stream that is opened anew resumes at `resume_at`:
    /// what lies before is late.
    pub(super) fn stream(
        &self,
        header: Arc<StreamHeader>,
        resume_at: Option<Timestamp>,
        outboxes: &Outboxes,
        late: Option<Rc<RefCell<Outbox<LateSamples>>>>,
        paths: &mut Vec<PathLatency>,
    ) -> Result<StreamState, BuildError> {
        let missing = if self.gaps.restarts() { Missing::Restart } else { Missing::Freeze };
        let spec = SignalSpec { channels: Arc::clone(&header.channels), rate: header.rate, missing };
        let first = resume_at.map_or(0, |time| header.first_at_or_after(time));
        let (origin, budget) = (self.origin, self.budget);
        let (nodes, berth) = (&mut 0, outboxes.shelves.berth());
        let mut site = Site { header: &header, first, origin, budget, outboxes, paths, nodes, at: berth.at };
        let root = instantiate_all(&self.root, &spec, Latency::default(), &mut site)?;
        let grid = WindowGrid::new(header.t0, header.rate, self.origin, self.hop).map_err(|source| {
            BuildError::Window { stage: "source".into(), stream: header.name.clone(), source }
        })?;
        let config = SequencerConfig { lateness: self.lateness, first, ..SequencerConfig::default() };
        let sequencer = Sequencer::new(&header, grid, config);
        let filler = GapFiller::new(self.gaps, header.rate, header.channels.len());
        let root = outboxes.shelves.root(root);
        Ok(StreamState::new(header, sequencer, filler, berth, root, late))
    }

    /// What the state of its streams is the state of, a line for each setting and each node.
    pub(super) fn describe(&self) -> Vec<String> {
        let nanos = |span: Span| format!("{} ns", span.as_nanos());
        let mut lines = vec![
            format!("gaps: {:?}", self.gaps),
            format!("lateness: {}", nanos(self.lateness)),
            format!("origin: {} ns", self.origin.as_nanos()),
            format!("shortest window: {}", nanos(self.hop)),
            format!("late samples: {}", if self.late.is_some() { "to a sink" } else { "counted" }),
        ];
        describe_all(&self.root, 0, &mut lines);
        lines
    }

    /// Checks the graph against a stream, and notes the latency of every path.
    pub(super) fn check(
        &self,
        header: &StreamHeader,
        paths: &mut Vec<PathLatency>,
    ) -> Result<(), BuildError> {
        let mut own = Vec::new();
        self.stream(Arc::new(header.clone()), None, &Outboxes::default(), None, &mut own)?;
        paths.append(&mut own);
        Ok(())
    }
}
