//! A run by hand (feature `testing`): nothing happens but what a test does next, so that one seed gives one execution.
//!
//! The parts are those of any run; only who calls them is different. What the thread that makes checkpoints does in a turn, and a
//! sink's thread with what is in its queue, is called on the test's own thread. Workers keep theirs, since Timely connects workers
//! that way, but each waits for its turn: never do two run at once, and the test waits for the one that does.
//! Time passes only on the pipeline's clock; a worker that asks to be woken later is woken at once.

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::checkpointing::CheckpointReport;
use super::coordinator::Coordinator;
use super::error::PipelineError;
use super::launch::{Maker, Prepared, prepare};
use super::pace::Pace;
use super::pipeline::Pipeline;
use super::report::Report;
use super::runtime::{Running, Workers};
use super::watch::Health;

/// The workers' side.
pub(super) struct Batons(Vec<(Receiver<()>, Sender<bool>)>);

/// The test's side, for one worker.
struct Hand {
    go: Sender<()>,
    done: Receiver<bool>,
    gone: bool,
}

impl Batons {
    fn new(workers: usize) -> (Self, Vec<Hand>) {
        let pairs = (0..workers).map(|_| {
            let ((go, wait), (tell, done)) = (unbounded(), unbounded());
            ((wait, tell), Hand { go, done, gone: false })
        });
        let (batons, hands) = pairs.unzip();
        (Self(batons), hands)
    }

    /// Waits until it is this worker's turn; false if it will never be.
    pub(super) fn wait(&self, worker: usize) -> bool {
        self.0[worker].0.recv().is_ok()
    }

    /// The turn is over; whether the worker is still there.
    pub(super) fn done(&self, worker: usize, here: bool) {
        // Once a run is killed, nobody waits for the answer.
        let _ = self.0[worker].1.send(here);
    }
}

impl Hand {
    fn take_turn(&mut self) -> bool {
        self.gone = self.gone || self.go.send(()).is_err() || !self.answer();
        !self.gone
    }

    fn answer(&self) -> bool {
        self.done.recv().unwrap_or(false)
    }
}

/// A run by hand. Dropping it kills it, as [`kill`](Self::kill) does.
///
/// ```
/// # use neuraflow_core::dataflow::{Pipeline, Stepped};
/// fn through(pipeline: Pipeline) -> Result<(), Box<dyn std::error::Error>> {
///     let mut run: Stepped = pipeline.by_hand(2)?;
///     run.checkpoint();
///     while run.work(0) | run.work(1) {
///         run.write(0);
///         run.coordinate();
///     }
///     let (_report, result) = run.outcome();
///     Ok(result?)
/// }
/// ```
pub struct Stepped {
    running: Option<Running>,
    hands: Vec<Hand>,
    coordinator: Option<Coordinator>,
}

impl Pipeline {
    /// Starts a run in which every step is the caller's, on `workers` workers, at least one.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn by_hand(self, workers: usize) -> Result<Stepped, PipelineError> {
        let workers = Workers::new(workers);
        let (batons, mut hands) = Batons::new(workers.count());
        let Prepared { mut running, maker, life } =
            prepare(&self.launch(workers, Health::default()), Pace::ByHand(batons))?;
        running.start(life)?;
        // A worker answers once when it has built its graph, or has failed to.
        hands.iter_mut().for_each(|hand| hand.gone = !hand.answer());
        let coordinator = match maker {
            Maker::Here(setup) => Some(Coordinator::new(*setup)),
            Maker::Nobody | Maker::Elsewhere(_) => None,
        };
        Ok(Stepped { running: Some(running), hands, coordinator })
    }
}

impl Stepped {
    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.hands.len()
    }

    /// How many outlets the graph has, to [`write`](Self::write).
    pub fn outlets(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.outlets.len())
    }

    /// Lets a worker step once. False if it is gone: the input has ended, or the pipeline has failed.
    pub fn work(&mut self, worker: usize) -> bool {
        self.hands.get_mut(worker).is_some_and(Hand::take_turn)
    }

    /// Lets the sink behind an outlet write what is in its queue. Whether there was anything; never, if it has no thread.
    pub fn write(&mut self, outlet: usize) -> bool {
        let outlet = self.running.as_ref().and_then(|running| running.outlets.get(outlet));
        outlet.and_then(|outlet| outlet.write()).unwrap_or(false)
    }

    /// Lets the maker of checkpoints deal with one thing that it was told, and with what is due. Whether it was told anything.
    pub fn coordinate(&mut self) -> bool {
        let Some(coordinator) = &mut self.coordinator else { return false };
        let told = coordinator.told();
        let any = told.is_some();
        coordinator.turn(told);
        any
    }

    /// Asks for a checkpoint, as [`Running::checkpoint`] does.
    pub fn checkpoint(&self) {
        self.running.iter().for_each(Running::checkpoint);
    }

    /// What became of the checkpoints so far.
    pub fn checkpoints(&self) -> CheckpointReport {
        self.running.as_ref().map(|running| running.shared.ledger.read()).unwrap_or_default()
    }

    /// Whether the pipeline has failed; [`outcome`](Self::outcome) says why.
    pub fn has_failed(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.shared.aborted())
    }

    /// Whether all workers are gone.
    pub fn is_over(&self) -> bool {
        self.hands.iter().all(|hand| hand.gone)
    }

    /// Ends it as `kill -9` would: nothing is drained, flushed, finished or committed.
    pub fn kill(mut self) {
        self.end();
    }

    /// Lets everybody take their turns until the workers are gone, then the sinks finish. As [`Running::outcome`].
    pub fn outcome(mut self) -> (Report, Result<(), PipelineError>) {
        while !self.is_over() {
            (0..self.workers()).for_each(|worker| _ = self.work(worker));
            (0..self.outlets()).for_each(|outlet| _ = self.write(outlet));
            while self.coordinate() {}
        }
        let Some(mut running) = self.running.take() else { return (Report::default(), Ok(())) };
        let streams = running.wait();
        running.outlets.iter().for_each(|outlet| outlet.finish());
        while self.coordinate() {}
        running.report(streams)
    }

    fn end(&mut self) {
        self.hands.clear(); // workers that wait for their turn learn that it will not come
        if let Some(mut running) = self.running.take() {
            running.shared.suspend();
            running.wait();
            running.outlets.clear();
        }
        self.coordinator = None;
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        self.end();
    }
}
