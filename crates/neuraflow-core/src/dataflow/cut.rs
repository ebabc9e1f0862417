//! The cut: where a checkpoint divides what came before it from what comes after.
//!
//! It lies in Timely's time. What ingress puts on its way under a tick before the boundary is in the checkpoint, and what
//! is computed from that leaves under such a tick; everything from the boundary on is not. Nobody waits for anybody: each
//! part of the graph finds the newest cut when it next runs, and says by a [`Part`] when it has crossed it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use timely::dataflow::operators::Capability;

use super::error::RestoreFault;
use super::ingress::Tick;
use super::planted::{Planted, Plot};
use crate::checkpoint::StreamSnapshot;
use crate::model::{Positions, StreamKey};
use crate::source::SourceReader;

/// Where one checkpoint divides the ticks.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut {
    /// The checkpoint's number; 0 before the first one of a run.
    pub(super) number: u64,
    /// The first tick that is not in it.
    pub(super) boundary: Tick,
    /// Whether the pipeline is left there: nothing is read after it.
    pub(super) last: bool,
    /// Whether streams that have not changed are wanted too: what the store has of them is damaged.
    pub(super) all: bool,
    /// Per source, the positions behind which no checkpoint goes back that is still kept.
    pub(super) let_go: Arc<BTreeMap<String, Positions>>,
}

/// What the parts of a graph tell the thread that makes checkpoints.
pub(super) enum Part {
    /// A worker has built its graph and taken its streams back; it has so many readers.
    Ready { readers: usize },
    /// A reader has crossed the cut; `None` where it cannot read again.
    Crossed { number: u64, reader: usize, source: Arc<str>, at: Option<Positions> },
    /// A reader came to the cut when it had gone beyond it already.
    Missed { number: u64 },
    /// A reader will emit nothing any more, and nothing it emitted has a later tick.
    Ended { reader: usize, source: Arc<str>, at: Option<Positions>, tick: Tick },
    /// The state of a stream that has changed.
    Stream { number: u64, key: StreamKey, snapshot: Result<StreamSnapshot, RestoreFault> },
    /// A worker has told of all its streams.
    Worker { number: u64, worker: usize },
    /// What a sink has made durable; `None` if it could not.
    Sink { number: u64, sink: Arc<str>, at: Option<Positions> },
    /// A checkpoint is wanted now.
    Now,
    /// A checkpoint is wanted now, and nothing after it.
    Suspend,
    /// The run is over.
    Over,
}

/// The newest cut, and the way back to who made it. Shared by all parts of a run.
#[derive(Debug)]
pub(super) struct Cuts {
    /// The newest cut's number, so that looking for a newer one costs one load.
    latest: AtomicU64,
    cut: Mutex<Cut>,
    parts: Sender<Part>,
}

impl Cuts {
    pub(super) fn new(parts: Sender<Part>) -> Self {
        Self { latest: AtomicU64::new(0), cut: Mutex::default(), parts }
    }

    /// The newest cut, if it is newer than `seen`.
    pub(super) fn newer(&self, seen: u64) -> Option<Cut> {
        (self.latest.load(Ordering::Acquire) > seen)
            .then(|| self.cut.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    pub(super) fn publish(&self, cut: Cut) {
        let number = cut.number;
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = cut;
        self.latest.store(number, Ordering::Release);
    }

    pub(super) fn tell(&self, part: Part) {
        // Once nobody listens any more the run is over, and no checkpoint will come of it.
        let _ = self.parts.send(part);
    }
}

/// How a reader crosses the cuts.
pub(super) struct Crossing {
    cuts: Arc<Cuts>,
    /// Counts all readers of all sources.
    reader: usize,
    source: Arc<str>,
    seen: u64,
    /// The pipeline is left at the last cut.
    left: bool,
    /// With a planted bug: the cut whose position is told after the next poll.
    late: Option<u64>,
    tells_late: bool,
}

impl Crossing {
    pub(super) fn new(cuts: &Arc<Cuts>, reader: usize, source: &str, plot: &Plot) -> Self {
        let (cuts, tells_late) = (Arc::clone(cuts), plot.is(Planted::PositionTooLate));
        Self { cuts, reader, source: source.into(), seen: 0, left: false, late: None, tells_late }
    }

    /// The reader was polled.
    pub(super) fn polled(&mut self, reader: &dyn SourceReader) {
        if let Some(number) = self.late.take() {
            self.tell(number, reader);
        }
    }

    fn tell(&self, number: u64, reader: &dyn SourceReader) {
        let (source, at) = (Arc::clone(&self.source), reader.positions());
        self.cuts.tell(Part::Crossed { number, reader: self.reader, source, at });
    }

    /// Crosses the newest cut, before the reader is polled again. Whether it may be polled at all.
    pub(super) fn cross(&mut self, capability: &mut Capability<Tick>, reader: &mut dyn SourceReader) -> bool {
        if let Some(cut) = self.cuts.newer(self.seen) {
            self.seen = cut.number;
            let number = cut.number;
            if *capability.time() >= cut.boundary {
                // The clock was faster than the news.
                self.cuts.tell(Part::Missed { number });
            } else {
                if self.tells_late {
                    self.late = Some(number);
                } else {
                    self.tell(number, reader);
                }
                capability.downgrade(&cut.boundary);
                self.left |= cut.last;
            }
            if let Some(positions) = cut.let_go.get(&*self.source) {
                reader.committed(positions);
            }
        }
        !self.left
    }

    /// Nothing follows.
    pub(super) fn ended(&self, capability: &Capability<Tick>, reader: &dyn SourceReader) {
        let (source, at, tick) = (Arc::clone(&self.source), reader.positions(), *capability.time());
        self.cuts.tell(Part::Ended { reader: self.reader, source, at, tick });
    }
}

/// How what is delivered passes the cuts.
pub(super) struct Passing {
    cuts: Arc<Cuts>,
    cut: Cut,
    /// Whether nothing from before the cut can come any more.
    passed: bool,
}

impl Passing {
    pub(super) fn new(cuts: Arc<Cuts>) -> Self {
        Self { cuts, cut: Cut::default(), passed: true }
    }

    fn look(&mut self) {
        if let Some(cut) = self.cuts.newer(self.cut.number) {
            (self.cut, self.passed) = (cut, false);
        }
    }

    /// The newest cut, if what came under this tick lies beyond it; else 0.
    pub(super) fn beyond(&mut self, tick: Tick) -> u64 {
        self.look();
        if tick >= self.cut.boundary { self.cut.number } else { 0 }
    }

    /// The number of the newest cut, once, when nothing can come any more that lies before its boundary: `passed` says so.
    pub(super) fn passed(&mut self, passed: impl FnOnce(Tick) -> bool) -> Option<u64> {
        self.look();
        if self.passed || !passed(self.cut.boundary) {
            return None;
        }
        self.passed = true;
        Some(self.cut.number)
    }
}
