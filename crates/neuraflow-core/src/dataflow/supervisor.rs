//! Supervision: a pipeline that fails is started again from its last checkpoint, in the same process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::PipelineError;
use super::pipeline::Pipeline;
use super::report::Report;
use super::runtime::{Progress, Running, Stopper, Workers};
use super::watch::{Health, Run, State, Watch, Watched};
use crate::resilience::Backoff;

/// How often a pipeline that fails is started again, and how long after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    limit: u32,
    backoff: Backoff,
    calm: Duration,
}

impl Default for Restarts {
    /// Five times, at first after 100 ms and then twice as long each time, up to 10 s; a minute without a failure makes up
    /// for those before.
    fn default() -> Self {
        Self {
            limit: 5,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(10)),
            calm: Duration::from_secs(60),
        }
    }
}

impl Restarts {
    /// So many in a row, and no more.
    #[must_use]
    pub fn at_most(limit: u32) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The first after `first`, each further one after twice as long, up to `longest`.
    #[must_use]
    pub fn backing_off(self, first: Duration, longest: Duration) -> Self {
        Self { backoff: Backoff::new(first, longest), ..self }
    }

    /// After how long without a failure those before no longer count.
    #[must_use]
    pub fn calm_after(self, calm: Duration) -> Self {
        Self { calm, ..self }
    }
}

/// A pipeline under supervision. Dropping it stops it.
pub struct Supervised {
    scene: Arc<Scene>,
    thread: Option<JoinHandle<(Report, Result<(), PipelineError>)>>,
}

/// What the supervisor and its host share.
struct Scene {
    stage: Mutex<Stage>,
    changed: Condvar,
    stop: AtomicBool,
    /// And that at a last checkpoint.
    suspend: AtomicBool,
}

/// The run that is on, or was the last.
struct Stage {
    run: Run,
    stopper: Stopper,
    health: Health,
}

impl Scene {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the run that is on, and all that would come after it.
    fn end(&self) {
        let stage = self.lock();
        self.stop.store(true, Ordering::SeqCst);
        self.tell(&stage.stopper);
        self.changed.notify_all();
    }

    fn tell(&self, stopper: &Stopper) {
        if self.suspend.load(Ordering::SeqCst) { stopper.suspend() } else { stopper.stop() }
    }
}

impl Watched for Scene {
    fn look(&self) -> (Run, Health) {
        let stage = self.lock();
        if stage.health.state != State::Running {
            return (stage.run.clone(), stage.health.clone());
        }
        let mut health = stage.run.health();
        if health.state == State::Failed {
            health.state = State::Restarting; // until the supervisor knows better
        }
        (stage.run.clone(), health)
    }
}

impl Pipeline {
    /// Starts the pipeline, and starts it again from its last checkpoint whenever it fails: after a panic, or an error of a source,
    /// an operator or a sink. Without [checkpoints](Self::checkpoints) it begins at the beginning each time.
    ///
    /// Not started again is what would only fail again: state that does not fit, a store that another process has taken over. Nor a
    /// pipeline with a worker that hangs: it cannot be stopped, and only a new process gets rid of it.
    ///
    /// # Errors
    /// The first start fails.
    pub fn supervise(self, workers: Workers, restarts: Restarts) -> Result<Supervised, PipelineError> {
        let running = self.start(workers, Health::default())?;
        let health = Health::default();
        let stage = Mutex::new(Stage { run: running.run(), stopper: running.stopper(), health });
        let (stop, suspend) = (AtomicBool::new(false), AtomicBool::new(false));
        let scene = Arc::new(Scene { stage, changed: Condvar::new(), stop, suspend });
        let shared = Arc::clone(&scene);
        let thread = std::thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || self.look_after(running, workers, restarts, &shared))
            .map_err(|error| PipelineError::Spawn { workers: 1, reason: error.to_string() })?;
        Ok(Supervised { scene, thread: Some(thread) })
    }

    fn look_after(
        self,
        mut running: Running,
        workers: Workers,
        restarts: Restarts,
        scene: &Scene,
    ) -> (Report, Result<(), PipelineError>) {
        let (mut all, mut in_a_row) = (0, 0);
        loop {
            let started = self.clock.now();
            let (report, result) = running.outcome();
            let Err(mut error) = result else { return (report, Ok(())) };
            if u128::from(self.clock.now().saturating_sub(started)) >= restarts.calm.as_nanos() {
                in_a_row = 0;
            }
            // Starting may fail as well: a disk that is full for a moment.
            running = loop {
                let reason = Some(error.to_string());
                let ended = Health { state: State::after(&error), restarts: all, reason: reason.clone() };
                if in_a_row >= restarts.limit || !error.may_be_retried() {
                    scene.lock().health = ended;
                    return (report, Err(error));
                }
                scene.lock().health = Health { state: State::Restarting, ..ended.clone() };
                if !self.wait(restarts.backoff.wait(in_a_row), scene) {
                    scene.lock().health = ended;
                    return (report, Err(error));
                }
                (all, in_a_row) = (all + 1, in_a_row + 1);
                tracing::warn!(%error, restart = all, "the pipeline is started again");
                match self.start(workers, Health { state: State::Running, restarts: all, reason }) {
                    Ok(running) => break running,
                    Err(failed) => error = failed,
                }
            };
            let mut stage = scene.lock();
            (stage.run, stage.stopper) = (running.run(), running.stopper());
            stage.health.state = State::Running;
            if scene.stop.load(Ordering::SeqCst) {
                scene.tell(&stage.stopper);
            }
        }
    }

    /// Waits, by the pipeline's clock. False if a stop was asked for.
    fn wait(&self, time: Duration, scene: &Scene) -> bool {
        let until = self.clock.now().saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        let mut stage = scene.lock();
        while !scene.stop.load(Ordering::SeqCst) {
            let left = until.saturating_sub(self.clock.now());
            if left == 0 {
                return true;
            }
            // The pipeline's clock need not be the machine's: look at it now and then.
            let nap = Duration::from_nanos(left).min(Duration::from_millis(50));
            let woken = scene.changed.wait_timeout(stage, nap).unwrap_or_else(PoisonError::into_inner);
            stage = woken.0;
        }
        false
    }
}

impl Supervised {
    /// How it is: whether it runs, how often it was started again, and why the last time.
    pub fn health(&self) -> Health {
        self.scene.look().1
    }

    /// How far the present run is.
    pub fn progress(&self) -> Progress {
        self.watch().progress()
    }

    /// Looks on from another thread, at whichever run is on.
    pub fn watch(&self) -> Watch {
        Watch::new(Arc::clone(&self.scene) as _)
    }

    /// Asks for a stop, as [`Running::stop`] does; it is not started again.
    pub fn stop(&self) {
        self.scene.end();
    }

    /// Makes a last checkpoint and leaves the pipeline there, as [`Running::suspend`] does; it is not started again. Where it has
    /// just failed, the checkpoint before that is the last.
    ///
    /// # Errors
    /// It had failed, or no last checkpoint could be made.
    pub fn suspend(self) -> Result<Report, PipelineError> {
        self.scene.suspend.store(true, Ordering::SeqCst);
        self.scene.end();
        self.join()
    }

    /// Waits until the input has ended, the pipeline was stopped, or it failed once too often.
    pub fn join(self) -> Result<Report, PipelineError> {
        let (report, result) = self.outcome();
        result.map(|()| report)
    }

    /// The same, with the report of the last run also where that failed.
    pub fn outcome(mut self) -> (Report, Result<(), PipelineError>) {
        let over = self.thread.take().map(JoinHandle::join);
        // The supervisor runs nothing of anybody else's: it does not panic, and is there to be joined once.
        over.and_then(Result::ok).unwrap_or_else(|| (Report::default(), Ok(())))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
