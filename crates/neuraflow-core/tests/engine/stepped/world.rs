//! One sequence of actions: a pipeline by hand, its disks, its clock, and whatever befalls them, all from one seed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::checkpoint::{CheckpointError, Config, LocalStore};
use neuraflow_core::dataflow::{Checkpointing, Pipeline, PipelineError, Report, Stepped};
use neuraflow_core::testing::{FakeClock, Random, SimulatedDisk};

use super::super::recovery::tape::Tape;
use super::feed::Feed;
use super::subject::{Bug, PAPERS, Wrong, compare, graph};

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) actions: u64,
    pub(super) commits: u64,
    pub(super) abandoned: u64,
    pub(super) kills: u64,
    /// Of the kills, those by a power failure.
    pub(super) power: u64,
    /// Runs that ended in an error of a disk.
    pub(super) failed: u64,
    /// Restarts on another number of workers than before.
    pub(super) rescaled: u64,
    pub(super) corrupted: u64,
    /// Restarts from an older checkpoint than the newest that was committed.
    pub(super) older: u64,
    /// Restarts that were refused, since nothing was whole any more.
    pub(super) refused: u64,
    pub(super) filled: u64,
    /// Starts that a disk stood in the way of.
    pub(super) shaky: u64,
    /// Stands for all that was seen on the way.
    pub(super) trace: u64,
}

impl Figures {
    pub(super) fn add(&mut self, other: &Self) {
        self.actions += other.actions;
        self.commits += other.commits;
        self.abandoned += other.abandoned;
        self.kills += other.kills;
        self.power += other.power;
        self.failed += other.failed;
        self.rescaled += other.rescaled;
        self.corrupted += other.corrupted;
        self.older += other.older;
        self.refused += other.refused;
        self.filled += other.filled;
        self.shaky += other.shaky;
        self.saw(other.trace);
    }

    fn saw(&mut self, what: u64) {
        self.trace = (self.trace ^ what).wrapping_mul(0x0100_0000_01b3).rotate_left(17);
    }
}

pub(super) struct World {
    random: Random,
    bug: Option<Bug>,
    feed: Feed,
    clock: Arc<FakeClock>,
    state: Arc<SimulatedDisk>,
    output: Arc<SimulatedDisk>,
    run: Option<Stepped>,
    workers: usize,
    paused: BTreeSet<usize>,
    /// The disk of the checkpoints is so slow that for so many actions nobody comes back from it.
    slow: u64,
    /// After so many actions the run ends, and whether by a power failure; the disk it has trouble with has it already.
    doom: Option<(u64, bool)>,
    /// The newest checkpoint that was committed or restored.
    newest: u64,
    /// Whether bytes have changed since a checkpoint was restored.
    decayed: bool,
    figures: Figures,
}

impl World {
    pub(super) fn new(seed: u64, actions: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed);
        let streams = 1 + random.below(6) as u64;
        let tape = Tape::eventful("feed", streams, actions * (3 + random.below(3) as u64), random.next());
        let (state, output) = (SimulatedDisk::new(random.next()), SimulatedDisk::new(random.next()));
        Self {
            bug,
            feed: Feed::of(&tape),
            clock: Arc::new(FakeClock::new()),
            state: Arc::new(state),
            output: Arc::new(output),
            run: None,
            workers: 1,
            paused: BTreeSet::new(),
            slow: 0,
            doom: None,
            newest: 0,
            decayed: false,
            figures: Figures::default(),
            random,
        }
    }

    /// So many actions and then the rest of the input, and a comparison with a run that nothing befell.
    pub(super) fn live(mut self, actions: u64) -> Result<Figures, Wrong> {
        for _ in 0..actions {
            self.figures.actions += 1;
            self.act()?;
            self.heed_doom()?;
        }
        let report = self.come_to_the_end()?;
        compare(&self.feed, &self.output, &report)?;
        Ok(self.figures)
    }

    fn act(&mut self) -> Result<(), Wrong> {
        self.start_if_none()?;
        match self.random.below(1_000) {
            0..220 => {
                let (stream, packets) = (self.random.below(self.feed.len()), 1 + self.random.below(12));
                self.feed.feed(stream, packets);
            }
            220..360 => self.clock.advance(self.random.below(25_000_000) as u64),
            360..368 => self.clock.advance(1_000_000_000 + self.random.below(30_000_000_000) as u64),
            368..640 => self.work(),
            640..760 => self.write(),
            760..880 => self.coordinate(),
            880..905 => self.run.iter().for_each(Stepped::checkpoint),
            905..930 => self.make_a_checkpoint(),
            930..950 => _ = self.paused.insert(self.random.below(PAPERS.len())),
            950..970 => _ = self.paused.pop_first(),
            970..975 => self.slow = self.random.below(60) as u64,
            975..979 => self.corrupt(),
            979..984 => self.fill_up(),
            984..988 => self.free(),
            988..994 => self.doom_something(),
            _ => {
                let power = self.random.chance(50);
                self.end(power);
            }
        }
        self.slow = self.slow.saturating_sub(1);
        self.end_if_failed()
    }

    fn work(&mut self) {
        let Some(run) = &mut self.run else { return };
        let (worker, steps) = (self.random.below(run.workers()), 1 + self.random.below(4));
        for _ in 0..steps {
            let here = run.work(worker);
            self.figures.saw(u64::from(here));
        }
    }

    fn write(&mut self) {
        let outlet = self.random.below(PAPERS.len());
        if let Some(run) = self.run.as_mut().filter(|_| !self.paused.contains(&outlet)) {
            self.figures.saw(2 + u64::from(run.write(outlet)));
        }
    }

    fn coordinate(&mut self) {
        let turns = 1 + self.random.below(20);
        if let Some(run) = self.run.as_mut().filter(|_| self.slow == 0) {
            for _ in 0..turns {
                self.figures.saw(4 + u64::from(run.coordinate()));
            }
        }
    }

    /// Gives everybody turns until a checkpoint is there, or too much is in its way.
    fn make_a_checkpoint(&mut self) {
        let Some(run) = &mut self.run else { return };
        let before = run.checkpoints();
        run.checkpoint();
        for _ in 0..60 {
            let now = run.checkpoints();
            if now.committed > before.committed || run.is_over() {
                break;
            }
            (0..run.workers()).for_each(|worker| _ = run.work(worker));
            for outlet in (0..PAPERS.len()).filter(|outlet| !self.paused.contains(outlet)) {
                run.write(outlet);
            }
            while self.slow == 0 && run.coordinate() {}
        }
    }

    fn corrupt(&mut self) {
        let hurt = if self.random.chance(50) { self.state.flip_bit() } else { self.state.truncate() };
        self.decayed |= hurt.is_some();
        self.figures.corrupted += u64::from(hurt.is_some());
    }

    fn fill_up(&mut self) {
        let disk = [&self.state, &self.state, &self.output][self.random.below(3)];
        disk.fill_up_after(self.random.below(4_000));
        self.figures.filled += 1;
    }

    fn free(&self) {
        if self.doom.is_none() {
            self.state.behave();
            self.output.behave();
        }
    }

    /// Power or process will fail while a disk is at work: from some call on it takes nothing any more.
    fn doom_something(&mut self) {
        if self.doom.is_none() {
            let disk = [&self.state, &self.output][self.random.below(2)];
            disk.lose_power_after(self.random.below(30));
            self.doom = Some((self.random.below(40) as u64, self.random.chance(60)));
        }
    }

    fn heed_doom(&mut self) -> Result<(), Wrong> {
        match &mut self.doom {
            Some((0, power)) => {
                let power = *power;
                self.end(power);
                Ok(())
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// `kill -9`, or the power fails.
    fn end(&mut self, power: bool) {
        self.figures.kills += 1;
        self.figures.power += u64::from(power);
        if power {
            self.state.crash();
            self.output.crash();
        }
        if let Some(run) = self.run.take() {
            self.leave(&run);
            run.kill();
        }
        self.after();
    }

    /// A run that failed by itself must have had a disk to fail for.
    fn end_if_failed(&mut self) -> Result<(), Wrong> {
        let Some(run) = self.run.take_if(|run| run.has_failed()) else { return Ok(()) };
        self.leave(&run);
        let (_, result) = run.outcome();
        self.figures.failed += 1;
        self.after();
        match result {
            Err(error) if of_a_disk(&error) => Ok(()),
            other => Err(format!("a run ended with {other:?}")),
        }
    }

    fn leave(&mut self, run: &Stepped) {
        let report = run.checkpoints();
        self.figures.commits += report.committed;
        self.figures.abandoned += report.abandoned;
        self.figures.saw(report.bytes);
        self.newest = self.newest.max(report.last.unwrap_or(0));
    }

    fn after(&mut self) {
        self.state.behave();
        self.output.behave();
        self.feed.unplug();
        self.paused.clear();
        (self.doom, self.slow) = (None, 0);
    }

    fn pipeline(&self) -> Result<Pipeline, PipelineError> {
        let store = LocalStore::on(Arc::clone(&self.state) as _).map_err(CheckpointError::from)?;
        let store = match self.bug {
            Some(Bug::UnsyncedRename) => store.plant_unsynced_rename(),
            _ => store,
        };
        let checkpointing = Checkpointing::new(Arc::new(store));
        let checkpointing = checkpointing.with_config(Config::hurried(Duration::from_millis(200)));
        let graph = graph(&self.feed, &self.output, self.bug).with_clock(Arc::clone(&self.clock) as _);
        let pipeline = graph.checkpoints(checkpointing).unwrap();
        Ok(match self.bug {
            Some(Bug::Engine(bug)) => pipeline.plant(bug),
            _ => pipeline,
        })
    }

    fn start_if_none(&mut self) -> Result<(), Wrong> {
        while self.run.is_none() {
            let workers = 1 + self.random.below(4);
            let shaky = self.random.chance(15);
            if shaky {
                let disk = [&self.state, &self.output][self.random.below(2)];
                disk.fail_after(self.random.below(25));
            }
            let started = self.pipeline().and_then(|pipeline| pipeline.by_hand(workers));
            self.free();
            match started {
                Ok(run) => {
                    let restored = run.checkpoints().restored.unwrap_or(0);
                    if restored < self.newest {
                        if !self.decayed {
                            return Err(format!("{restored} restored, {} committed", self.newest));
                        }
                        self.figures.older += 1;
                    }
                    // What was restored is whole, whatever has become of the rest.
                    (self.newest, self.decayed) = (restored, false);
                    self.figures.rescaled += u64::from(restored > 0 && workers != self.workers);
                    (self.run, self.workers) = (Some(run), workers);
                }
                Err(error) if shaky && error.to_string().contains("a simulated fault") => {
                    self.figures.shaky += 1;
                }
                Err(PipelineError::Checkpoint(CheckpointError::NothingUsable { .. })) if self.decayed => {
                    // A person would look after it; here everything begins anew.
                    self.figures.refused += 1;
                    (self.newest, self.decayed) = (0, false);
                    self.state = Arc::new(SimulatedDisk::new(self.random.next()));
                    self.output = Arc::new(SimulatedDisk::new(self.random.next()));
                }
                Err(error) => return Err(format!("a start failed: {error}")),
            }
        }
        Ok(())
    }

    /// Nothing happens any more; the input comes to its end.
    fn come_to_the_end(&mut self) -> Result<Report, Wrong> {
        self.after();
        self.start_if_none()?;
        self.feed.feed_all();
        let Some(mut run) = self.run.take() else { return Err("no run".to_owned()) };
        for _ in 0..100_000 {
            if run.is_over() {
                self.leave(&run);
                let (report, result) = run.outcome();
                self.output.crash(); // what is not durable now never will be
                return result.map(|()| report).map_err(|error| format!("the last run failed: {error}"));
            }
            self.clock.advance(300_000);
            (0..run.workers()).for_each(|worker| _ = run.work(worker));
            (0..run.outlets()).for_each(|outlet| _ = run.write(outlet));
            while run.coordinate() {}
        }
        Err("the input does not come to its end".to_owned())
    }
}

fn of_a_disk(error: &PipelineError) -> bool {
    matches!(error, PipelineError::Sink(_))
}
