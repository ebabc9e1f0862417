//! The cut: where a checkpoint divides what came before it from what comes after.
//!
//! It lies in Timely's time. What ingress puts on its way under a tick before the boundary is in the checkpoint, and what
//! is computed from that leaves under such a tick; everything from the boundary on is not. Nobody waits for anybody: each
//! part of the graph finds the newest cut when it next runs, and says by a [`Part`] when it has crossed it.
//!
//! In a cluster a cut is announced first, and readers keep before it; it is opened once all processes know of it. So nothing from
//! beyond a cut ever comes to a worker that does not know of it. In one process both are one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use serde::{Deserialize, Serialize};
use timely::dataflow::operators::Capability;

use super::cluster::Bytes;
use super::error::RestoreFault;
use super::ingress::Tick;
use super::naming::{Naming, Places};
use super::planted::{Planted, Plot};
use crate::checkpoint::StreamSnapshot;
use crate::model::{Positions, StreamKey};
use crate::source::SourceReader;

/// Where one checkpoint divides the ticks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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
    pub(super) let_go: Arc<Places>,
}

/// What the parts of a graph tell the thread that makes checkpoints, from whichever process.
#[derive(Serialize, Deserialize)]
pub(super) enum Part {
    /// A worker has built its graph and taken its streams back; it has so many readers.
    Ready { readers: usize },
    /// A reader has crossed the cut; `None` where it cannot read again.
    Crossed { number: u64, reader: usize, source: Arc<str>, at: Option<Positions> },
    /// A reader or a worker came to the cut when it had gone beyond it already, as far as to this tick.
    Missed { number: u64, tick: Tick },
    /// A reader will emit nothing any more, and nothing it emitted has a later tick.
    Ended { reader: usize, source: Arc<str>, at: Option<Positions>, tick: Tick },
    /// The state of a stream that has changed, as it is written, or why it cannot be.
    State { number: u64, key: StreamKey, state: Result<Bytes, String> },
    /// A worker has told of all its streams.
    Worker { number: u64, worker: usize },
    /// What a sink has made durable; `None` if it could not.
    Sink { number: u64, sink: Arc<str>, at: Option<Positions> },
    /// A checkpoint is wanted now.
    Now,
    /// A checkpoint is wanted now, and nothing after it.
    Suspend,
    // What does not leave its process. It stands last: encoded, a variant is its place among those that are.
    /// The state of a stream that has changed.
    #[serde(skip)]
    Stream { number: u64, key: StreamKey, snapshot: Result<StreamSnapshot, RestoreFault> },
    /// Another process knows of the cut.
    #[serde(skip)]
    Known { number: u64, process: usize },
    /// The checkpoint is given up: sinks here are to wait for it no longer.
    #[serde(skip)]
    Release { number: u64 },
    /// The run is over.
    #[serde(skip)]
    Over,
}

impl Part {
    /// A stream's state as it is written; all else as it is.
    pub(super) fn encoded(self) -> Self {
        match self {
            Self::Stream { number, key, snapshot } => {
                let encoded = snapshot.map_err(|fault| fault.to_string());
                let encoded = encoded.and_then(|state| state.encode().map_err(|error| error.to_string()));
                Self::State { number, key, state: encoded.map(Bytes) }
            }
            other => other,
        }
    }
}

/// The newest cut, and the way back to who made it. Shared by all parts of a run.
#[derive(Debug)]
pub(super) struct Cuts {
    /// The newest cut's number, so that looking for a newer one costs one load.
    latest: AtomicU64,
    /// The newest that readers may cross.
    open: AtomicU64,
    cut: Mutex<Cut>,
    parts: Sender<Part>,
    naming: Naming,
}

impl Cuts {
    pub(super) fn new(parts: Sender<Part>, naming: Naming) -> Self {
        let (latest, open) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { latest, open, cut: Mutex::default(), parts, naming }
    }

    /// What checkpoints call a source or sink of this process.
    pub(super) fn name(&self, name: &str) -> Arc<str> {
        self.naming.name(name).into()
    }

    /// The newest cut, if it is newer than `seen`.
    pub(super) fn newer(&self, seen: u64) -> Option<Cut> {
        (self.latest.load(Ordering::Acquire) > seen)
            .then(|| self.cut.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Lets all know of a cut that readers may cross at once.
    pub(super) fn publish(&self, cut: Cut) {
        self.open(cut.number);
        self.announce(cut);
    }

    /// Lets readers cross the cut.
    pub(super) fn open(&self, number: u64) {
        self.open.store(number, Ordering::Release);
    }

    fn is_open(&self, number: u64) -> bool {
        self.open.load(Ordering::Acquire) >= number
    }

    /// Lets all know of a cut that readers may not cross yet.
    pub(super) fn announce(&self, cut: Cut) {
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
    /// The boundary of a cut that may not be crossed yet.
    closed: Option<Tick>,
    /// The pipeline is left at the last cut.
    left: bool,
    /// With a planted bug: the cut whose position is told after the next poll.
    late: Option<u64>,
    tells_late: bool,
}

impl Crossing {
    pub(super) fn new(cuts: &Arc<Cuts>, reader: usize, source: &str, plot: &Plot) -> Self {
        let (source, tells_late) = (cuts.name(source), plot.is(Planted::PositionTooLate));
        let cuts = Arc::clone(cuts);
        Self { cuts, reader, source, seen: 0, closed: None, left: false, late: None, tells_late }
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
            let (number, tick) = (cut.number, *capability.time());
            if tick < cut.boundary && !self.cuts.is_open(number) {
                self.closed = Some(cut.boundary);
                return !self.left;
            }
            (self.seen, self.closed) = (number, None);
            if tick >= cut.boundary {
                // The clock was faster than the news.
                self.cuts.tell(Part::Missed { number, tick });
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

    /// The tick to go on under when the clock shows this one: it stands still before a cut that is closed.
    pub(super) fn tick(&self, now: Tick) -> Tick {
        self.closed.map_or(now, |boundary| now.min(boundary.saturating_sub(1)))
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
