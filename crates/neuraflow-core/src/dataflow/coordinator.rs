//! The coordinator: the thread that makes a run's checkpoints.
//!
//! It begins them, one at a time; gathers what readers, workers and sinks say; and writes. No worker ever waits for it, and
//! nothing that goes wrong here stops the signal, but that another process has taken over the store, or that a store panics.
//! In a cluster it is in process 0, and hears of the others' parts through their relays.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::cut::{Cuts, Part};
use super::deliver::panic_message;
use super::error::PipelineError;
use super::flight::{AHEAD, AHEAD_OF_OTHERS, Flight, LAST_TRIES};
use super::ingress::Tick;
use super::naming::{Naming, Places};
use super::outlet::Outlet;
use super::shared::Shared;
use crate::checkpoint::{Checkpoints, Config};
use crate::model::{Positions, StreamKey};

/// How long, in nanoseconds of the pipeline's clock, the parts of a checkpoint are waited for.
const PATIENCE: u64 = 20_000_000_000;

/// How long the thread sleeps at most: the pipeline's clock need not be the machine's.
const NAP: Duration = Duration::from_millis(100);

/// What it is started with.
pub(super) struct Setup {
    pub(super) checkpoints: Checkpoints,
    pub(super) config: Config,
    pub(super) shared: Arc<Shared>,
    pub(super) cuts: Arc<Cuts>,
    pub(super) inbox: Receiver<Part>,
    pub(super) outlets: Vec<Arc<dyn Outlet>>,
    pub(super) naming: Naming,
    /// The sinks of other processes that must answer.
    pub(super) elsewhere: Vec<String>,
    /// Of all processes together.
    pub(super) workers: usize,
    /// Where the sources were in the checkpoint that was restored: a part of one that nobody reads any more stays there.
    pub(super) restored: Option<Places>,
    /// When the run was started, in nanoseconds of the pipeline's clock.
    pub(super) started: u64,
}

pub(super) struct Coordinator {
    pub(super) setup: Setup,
    /// Workers that run, and the readers that they have.
    ready: usize,
    pub(super) readers: usize,
    /// Readers that emit nothing any more.
    pub(super) ended: BTreeMap<usize, (Arc<str>, Option<Positions>)>,
    pub(super) flight: Option<Flight>,
    /// When the next checkpoint is due, in nanoseconds of the pipeline's clock.
    pub(super) due: u64,
    /// The latest boundary, or a later tick that was in use already; and how far beyond it the next cut is made.
    pub(super) boundary: Tick,
    pub(super) ahead: Tick,
    /// Where the sources were in the checkpoints that are kept.
    pub(super) kept: VecDeque<Arc<Places>>,
    /// Streams that have changed and whose state could not be written, with the reason.
    unwritten: BTreeMap<StreamKey, String>,
    pub(super) wanted: bool,
    /// How often the last checkpoint may still be tried, if that is what is wanted.
    pub(super) last: Option<u32>,
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

pub(super) fn nanos(duration: Duration) -> u64 {
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
            ahead: if setup.shared.peers.is_none() { AHEAD } else { AHEAD_OF_OTHERS },
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
        self.tell_late(now);
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
            Part::Missed { number, tick } if self.in_flight(number) => self.missed(tick),
            Part::Known { number, process } => self.known(number, process),
            Part::Ended { reader, source, at, tick } => {
                self.ended.insert(reader, (Arc::clone(&source), at.clone()));
                if let Some(flight) = self.flight.as_ref().filter(|flight| !flight.answered.contains(&reader))
                {
                    let (number, before) = (flight.number, tick < flight.boundary && !flight.is_withheld());
                    let take = if before {
                        Part::Crossed { number, reader, source, at }
                    } else {
                        Part::Missed { number, tick }
                    };
                    self.take(take);
                }
            }
            part @ Part::Stream { .. } => self.take(part.encoded()),
            Part::State { number, key, state } => match state {
                Ok(state) => {
                    self.unwritten.remove(&key);
                    self.setup.checkpoints.stream(number, key, state.0);
                }
                // Its worker takes it for written. As long as it is not, nothing else may be.
                Err(reason) => drop(self.unwritten.insert(key, reason)),
            },
            Part::Worker { number, worker } => self.setup.checkpoints.worker_done(number, worker),
            Part::Sink { number, sink, at: Some(at) } => self.setup.checkpoints.sink(number, &sink, at),
            Part::Sink { number, sink, at: None } if self.in_flight(number) => {
                self.abandon(format!("sink {sink} could not make durable what it had written"));
            }
            Part::Now => self.wanted = true,
            Part::Suspend => (self.wanted, self.last) = (true, Some(LAST_TRIES)),
            Part::Missed { .. } | Part::Sink { .. } | Part::Release { .. } | Part::Over => {}
        }
    }

    fn in_flight(&self, number: u64) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.number == number)
    }
}
