//! The coordinator: the thread that makes a run's checkpoints.
//!
//! It begins them, one at a time; gathers what readers, workers and sinks say; and writes. No worker ever waits for it, and
//! nothing that goes wrong here stops the signal, but that another process has taken over the store, or that a store panics.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::cut::{Cut, Cuts, Part};
use super::deliver::panic_message;
use super::error::PipelineError;
use super::ingress::{TICK_NANOS, Tick};
use super::outlet::Outlet;
use super::shared::Shared;
use crate::checkpoint::{CheckpointError, Checkpoints, Config, Expected};
use crate::model::{Positions, StreamKey};

/// How long, in nanoseconds of the pipeline's clock, the parts of a checkpoint are waited for.
const PATIENCE: u64 = 20_000_000_000;

/// How long the thread sleeps at most: the pipeline's clock need not be the machine's.
const NAP: Duration = Duration::from_millis(100);

/// How often the last checkpoint of a run is tried.
const LAST_TRIES: u32 = 3;

pub(super) type Sources = BTreeMap<String, Positions>;

/// What it is started with.
pub(super) struct Setup {
    pub(super) checkpoints: Checkpoints,
    pub(super) config: Config,
    pub(super) shared: Arc<Shared>,
    pub(super) cuts: Arc<Cuts>,
    pub(super) inbox: Receiver<Part>,
    pub(super) outlets: Vec<Arc<dyn Outlet>>,
    pub(super) workers: usize,
    /// Where the sources were in the checkpoint that was restored: a part of one that nobody reads any more stays there.
    pub(super) restored: Option<Sources>,
    /// When the run was started, in nanoseconds of the pipeline's clock.
    pub(super) started: u64,
}

pub(super) struct Coordinator {
    setup: Setup,
    /// Workers that run, and the readers that they have.
    ready: usize,
    readers: usize,
    /// Readers that emit nothing any more.
    ended: BTreeMap<usize, (Arc<str>, Option<Positions>)>,
    flight: Option<Flight>,
    /// When the next checkpoint is due, in nanoseconds of the pipeline's clock.
    due: u64,
    /// The latest boundary.
    boundary: Tick,
    /// Where the sources were in the checkpoints that are kept.
    kept: VecDeque<Arc<Sources>>,
    /// Streams that have changed and whose state could not be written, with the reason.
    unwritten: BTreeMap<StreamKey, String>,
    wanted: bool,
    /// How often the last checkpoint may still be tried, if that is what is wanted.
    last: Option<u32>,
}

/// The checkpoint that is being made.
struct Flight {
    number: u64,
    begun: u64,
    boundary: Tick,
    sources: Sources,
    /// Readers that have answered.
    answered: Vec<usize>,
    last: bool,
}

/// Starts the thread. It ends with [`Part::Over`].
pub(super) fn start(setup: Setup) -> Result<JoinHandle<()>, PipelineError> {
    let (workers, mut coordinator) = (setup.workers, Coordinator::new(setup));
    let thread = std::thread::Builder::new().name("checkpoints".to_owned());
    let shared = Arc::clone(&coordinator.setup.shared);
    let started = thread.spawn(move || {
        let turns = AssertUnwindSafe(|| while coordinator.wait() {});
        if let Err(panic) = catch_unwind(turns) {
            // Without this thread there are no checkpoints, and who suspends would wait for ever.
            let (place, message) = ("checkpoints".to_owned(), panic_message(&*panic));
            shared.fail(PipelineError::Panicked { place, message });
        }
    });
    started.map_err(|error| PipelineError::Spawn { workers, reason: error.to_string() })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Coordinator {
    pub(super) fn new(setup: Setup) -> Self {
        Self {
            ready: 0,
            readers: 0,
            ended: BTreeMap::new(),
            flight: None,
            due: setup.started.saturating_add(nanos(setup.config.interval())),
            boundary: 0,
            kept: setup.restored.iter().cloned().map(Arc::new).collect(),
            unwritten: BTreeMap::new(),
            wanted: false,
            last: None,
            setup,
        }
    }

    /// Waits for something to happen, and deals with it. False once the run is over.
    fn wait(&mut self) -> bool {
        let wait = match self.flight {
            None if self.ready == self.setup.workers => {
                Duration::from_nanos(self.due.saturating_sub(self.setup.shared.clock.now()))
            }
            _ => NAP,
        };
        match self.setup.inbox.recv_timeout(wait.min(NAP)) {
            Ok(part) => self.turn(Some(part)),
            Err(RecvTimeoutError::Timeout) => self.turn(None),
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    /// What it was told and has not dealt with yet: the oldest.
    #[cfg(feature = "testing")]
    pub(super) fn told(&self) -> Option<Part> {
        self.setup.inbox.try_recv().ok()
    }

    /// Deals with what it was told, if that is anything, and with what is due. False once the run is over.
    pub(super) fn turn(&mut self, told: Option<Part>) -> bool {
        match told {
            Some(Part::Over) => return false,
            Some(part) => self.take(part),
            None => {}
        }
        let now = self.setup.shared.clock.now();
        match &self.flight {
            Some(_) if self.setup.checkpoints.is_complete() => {
                match self.unwritten.values().next().cloned() {
                    None => self.commit(now),
                    Some(reason) => self.abandon(reason),
                }
            }
            Some(flight) if now.saturating_sub(flight.begun) > PATIENCE => {
                self.abandon(format!("not every part had answered after {} s", PATIENCE / 1_000_000_000));
            }
            None if self.ready == self.setup.workers && (self.wanted || now >= self.due) => self.begin(now),
            _ => {}
        }
        true
    }

    fn take(&mut self, part: Part) {
        match part {
            Part::Ready { readers } => {
                (self.ready, self.readers) = (self.ready + 1, self.readers + readers);
                if self.ready == self.setup.workers {
                    self.setup.shared.ledger.write().recovery =
                        self.setup.shared.clock.now().saturating_sub(self.setup.started);
                }
            }
            Part::Crossed { number, reader, source, at } => self.reader(number, reader, &source, at),
            Part::Missed { number } if self.in_flight(number) => {
                self.abandon("a source was read beyond the cut before it heard of it".to_owned());
            }
            Part::Ended { reader, source, at, tick } => {
                self.ended.insert(reader, (Arc::clone(&source), at.clone()));
                if let Some(Flight { number, boundary, answered, .. }) = &self.flight
                    && !answered.contains(&reader)
                {
                    let (number, before) = (*number, tick < *boundary);
                    let take = if before {
                        Part::Crossed { number, reader, source, at }
                    } else {
                        Part::Missed { number }
                    };
                    self.take(take);
                }
            }
            Part::Stream { number, key, snapshot } => {
                let state = snapshot.map_err(|fault| fault.to_string());
                match state.and_then(|snapshot| snapshot.encode().map_err(|error| error.to_string())) {
                    Ok(state) => {
                        self.unwritten.remove(&key);
                        self.setup.checkpoints.stream(number, key, state);
                    }
                    // Its worker takes it for written. As long as it is not, nothing else may be.
                    Err(reason) => drop(self.unwritten.insert(key, reason)),
                }
            }
            Part::Worker { number, worker } => self.setup.checkpoints.worker_done(number, worker),
            Part::Sink { number, sink, at: Some(at) } => self.setup.checkpoints.sink(number, &sink, at),
            Part::Sink { number, sink, at: None } if self.in_flight(number) => {
                self.abandon(format!("sink {sink} could not make durable what it had written"));
            }
            Part::Now => self.wanted = true,
            Part::Suspend => (self.wanted, self.last) = (true, Some(LAST_TRIES)),
            Part::Missed { .. } | Part::Sink { .. } | Part::Over => {}
        }
    }

    fn in_flight(&self, number: u64) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.number == number)
    }

    fn reader(&mut self, number: u64, reader: usize, source: &str, at: Option<Positions>) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.number == number) {
            flight.answered.push(reader);
            if let Some(at) = &at {
                flight.sources.entry(source.to_owned()).or_default().absorb(at.clone());
            }
            self.setup.checkpoints.source(number, reader, source, at);
        }
    }

    fn begin(&mut self, now: u64) {
        let sinks = self.setup.outlets.iter().filter_map(|outlet| outlet.answers());
        let sinks = sinks.map(|name| name.to_string()).collect();
        // What was restored answers as a reader of its own, before all others.
        let expected = Expected { readers: self.readers + 1, workers: self.setup.workers, sinks };
        let number = match self.setup.checkpoints.begin(expected) {
            Ok(number) => number,
            Err(error) => {
                self.setup.shared.ledger.write().trouble = Some(error.to_string());
                return;
            }
        };
        self.wanted = false;
        self.due = now.saturating_add(nanos(self.setup.config.interval()));
        // Beyond every tick that is in use. One more, so that a reader may be at the next one by the time it hears of this.
        self.boundary = self.boundary.max(now / TICK_NANOS) + 2;
        let (boundary, last) = (self.boundary, self.last.is_some());
        let (sources, answered) = (self.setup.restored.clone().unwrap_or_default(), Vec::new());
        self.flight = Some(Flight { number, begun: now, boundary, sources, answered, last });
        self.setup.checkpoints.source(number, usize::MAX, "", None);
        for (source, at) in self.setup.restored.iter().flatten() {
            self.setup.checkpoints.source(number, usize::MAX, source, Some(at.clone()));
        }
        for (reader, (source, at)) in self.ended.clone() {
            self.reader(number, reader, &source, at);
        }
        let let_go = self.kept.front().filter(|_| self.kept.len() >= self.setup.config.keep());
        let let_go = let_go.cloned().unwrap_or_default();
        let all = self.setup.checkpoints.wants_all_streams();
        self.setup.cuts.publish(Cut { number, boundary, last, all, let_go });
        self.setup.shared.wake_ingress();
    }

    fn commit(&mut self, now: u64) {
        let Some(flight) = self.flight.take() else { return };
        match self.setup.checkpoints.commit() {
            Ok(committed) => {
                let mut report = self.setup.shared.ledger.write();
                report.committed += 1;
                (report.last, report.trouble) = (Some(committed.number), None);
                report.bytes += committed.bytes + committed.rewritten;
                let done = self.setup.shared.clock.now().max(now);
                report.suspended = flight.last;
                report.duration.record(done.saturating_sub(flight.begun));
                drop(report);
                self.kept.push_back(Arc::new(flight.sources));
                while self.kept.len() > self.setup.config.keep() {
                    self.kept.pop_front();
                }
                if flight.last {
                    self.setup.shared.suspend();
                }
            }
            Err(error) => {
                self.flight = Some(flight);
                self.abandon(error.to_string());
                // Two processes that write to one store, and to the same sinks, must not go on both.
                if matches!(error, CheckpointError::Overtaken { .. }) {
                    self.setup.shared.fail(PipelineError::Checkpoint(error));
                }
            }
        }
    }

    /// Gives up the checkpoint in flight. Its streams go into the next one.
    fn abandon(&mut self, reason: String) {
        let Some(flight) = self.flight.take() else { return };
        let number = flight.number;
        tracing::warn!(number, %reason, "a checkpoint was given up");
        self.setup.checkpoints.abandon(number);
        self.setup.outlets.iter().for_each(|outlet| outlet.release(number));
        let mut report = self.setup.shared.ledger.write();
        report.abandoned += 1;
        report.trouble = Some(reason.clone());
        drop(report);
        if let Some(left) = self.last.as_mut().filter(|_| flight.last) {
            *left -= 1;
            self.wanted = true;
            if *left == 0 {
                self.setup.shared.fail(PipelineError::Suspend { tries: LAST_TRIES, reason });
            }
        }
    }
}
