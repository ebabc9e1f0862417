//! Watching a pipeline while it runs: accounting, windows and latency, for dashboards and metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::checkpointing::CheckpointReport;
use super::error::PipelineError;
use super::outlet::Outlet;
use super::report::{LatencyHistogram, SinkReport, StreamReport, WindowCounts};
use super::runtime::Progress;
use super::shared::Shared;
use crate::model::{StreamHeader, StreamKey};
use crate::window::Accounting;

/// How often a worker tells where its streams are, in nanoseconds of the pipeline's clock.
pub(super) const INTERVAL: u64 = 250_000_000;

/// Looks on at a pipeline from any thread. Keeps nothing of it alive.
#[derive(Clone)]
pub struct Watch(Arc<dyn Watched>);

/// What can be watched: one run, or a supervisor and the run that is on.
pub(super) trait Watched: Send + Sync {
    /// The run that is on or was the last, and how the pipeline is.
    fn look(&self) -> (Run, Health);
}

/// One run, as it is seen from outside.
#[derive(Clone)]
pub(super) struct Run {
    shared: Arc<Shared>,
    outlets: Vec<Weak<dyn Outlet>>,
}

/// Where a pipeline is.
#[derive(Clone, Debug)]
pub struct Status {
    /// Every stream, in the order of their keys. At most a quarter of a second old.
    pub streams: Vec<StreamStatus>,
    /// What the sinks have done so far.
    pub sinks: Vec<SinkReport>,
    /// Where the time goes between a packet's arrival and the sinks having its windows.
    pub latency: LatencySplit,
    /// What became of the checkpoints so far.
    pub checkpoints: CheckpointReport,
    /// How old the newest checkpoint is; before the first one, how long the run has gone on without. `None` where none are made.
    pub checkpoint_age: Option<Duration>,
    /// Whether it runs, how often it was started again, and why.
    pub health: Health,
}

/// Whether a pipeline runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What it is at.
    pub state: State,
    /// How often it was started again.
    pub restarts: u32,
    /// Why it was started again the last time, or is not running now.
    pub reason: Option<String>,
}

/// What a pipeline is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It runs.
    #[default]
    Running,
    /// It has failed, and is about to be started again, unless it failed too often.
    Restarting,
    /// A worker hangs. Only a new process gets rid of it.
    Hung,
    /// It has failed, and is over.
    Failed,
    /// It came to its end.
    Finished,
}

impl State {
    /// All there are.
    pub const ALL: &'static [Self] =
        &[Self::Running, Self::Restarting, Self::Hung, Self::Failed, Self::Finished];

    /// Its name, for messages and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Hung => "hung",
            Self::Failed => "failed",
            Self::Finished => "finished",
        }
    }

    /// Whether somebody should know: it does not run, and did not come to its end either.
    pub const fn is_trouble(self) -> bool {
        matches!(self, Self::Restarting | Self::Hung | Self::Failed)
    }

    /// What a pipeline is at after an error.
    pub(super) fn after(error: &PipelineError) -> Self {
        match error {
            PipelineError::WorkerHung { .. } => Self::Hung,
            _ => Self::Failed,
        }
    }
}

/// Where one stream is.
#[derive(Clone, Debug)]
pub struct StreamStatus {
    /// The stream.
    pub header: Arc<StreamHeader>,
    /// Where its samples went so far; those that wait for earlier ones are in `samples_in` only.
    pub accounting: Accounting,
    /// Windows closed by the graph's main window.
    pub windows: WindowCounts,
    /// Inputs that an operator refused and that were left out, and markers that came after the stream's end.
    pub refused_inputs: u64,
    /// Why the stream is not processed at all, if so.
    pub refused: Option<String>,
}

/// The parts of latency, in nanoseconds. Group delay is not among them: it is the filters' contract, not a measurement.
#[derive(Clone, Debug, Default)]
pub struct LatencySplit {
    /// From arrival of a packet to its worker taking it up.
    pub wait: LatencyHistogram,
    /// From there to the end of the activation in which its windows were computed.
    pub compute: LatencyHistogram,
    /// From there to a sink having taken what was computed.
    pub output: LatencyHistogram,
    /// All of it: from arrival to a sink having taken it.
    pub total: LatencyHistogram,
}

impl Run {
    pub(super) fn new(shared: &Arc<Shared>, outlets: &[Arc<dyn Outlet>]) -> Self {
        shared.board.watched.store(true, Ordering::Relaxed);
        Self { shared: Arc::clone(shared), outlets: outlets.iter().map(Arc::downgrade).collect() }
    }

    pub(super) fn health(&self) -> Health {
        self.shared.health()
    }
}

impl Watched for Run {
    fn look(&self) -> (Run, Health) {
        (self.clone(), self.health())
    }
}

impl Watch {
    pub(super) fn new(watched: Arc<dyn Watched>) -> Self {
        Self(watched)
    }

    /// Where the pipeline is. What is counted begins anew when it is started again.
    pub fn status(&self) -> Status {
        let (Run { shared, outlets }, health) = self.0.look();
        let sinks: Vec<_> =
            outlets.iter().filter_map(Weak::upgrade).filter_map(|outlet| outlet.report()).collect();
        let (wait, compute) = shared.latency();
        let mut latency = LatencySplit { wait, compute, ..LatencySplit::default() };
        for sink in &sinks {
            latency.output.merge(&sink.output);
            latency.total.merge(&sink.latency);
        }
        let (streams, checkpoints) = (shared.board.read(), shared.ledger.read());
        let checkpoint_age =
            checkpoints.newest.map(|newest| Duration::from_nanos(shared.clock.now().saturating_sub(newest)));
        Status { streams, sinks, latency, checkpoints, checkpoint_age, health }
    }

    /// Whether it runs: for a health check, which need not look at all the rest.
    pub fn health(&self) -> Health {
        self.0.look().1
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let (run, Health { state, restarts, .. }) = self.0.look();
        Progress { state, restarts, ..run.shared.progress() }
    }
}

/// Where workers write how their streams stand, if anybody looks.
#[derive(Debug, Default)]
pub(super) struct Board {
    watched: AtomicBool,
    streams: Mutex<BTreeMap<StreamKey, StreamStatus>>,
}

impl Board {
    pub(super) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    pub(super) fn write(&self, reports: impl Iterator<Item = StreamReport>) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for StreamReport { header, accounting, windows, refused_inputs, refused, .. } in reports {
            let key = header.key;
            streams.insert(key, StreamStatus { header, accounting, windows, refused_inputs, refused });
        }
    }

    fn read(&self) -> Vec<StreamStatus> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
