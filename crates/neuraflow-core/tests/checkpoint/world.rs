//! A pipeline that makes checkpoints on a disk that may do anything, beside a model of what it must find after a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use neuraflow_core::checkpoint::{CheckpointError, Checkpoints, LocalStore, Restored, StreamSnapshot};
use neuraflow_core::model::{Positions, StreamKey};
use neuraflow_core::testing::{Random, SimulatedDisk};

use crate::parts::{KEYS, answer, at, expected, pipeline, random_state};

/// Bugs that are put in to see whether they are found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planted {
    pub unsynced_rename: bool,
    pub wrong_key: bool,
}

/// What happened in a scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub crashes: usize,
    pub commits: usize,
    pub failed_commits: usize,
    pub rewritten: u64,
    /// Restarts that found the newest checkpoint; an older one, and said so; a typed error.
    pub newest: usize,
    pub older: usize,
    pub refused: usize,
}

/// What a checkpoint must bring back.
#[derive(Clone, Debug, PartialEq)]
struct State {
    generation: u64,
    number: u64,
    position: u64,
    streams: BTreeMap<StreamKey, StreamSnapshot>,
}

pub struct World {
    random: Random,
    disk: Arc<SimulatedDisk>,
    planted: Planted,
    pub tally: Tally,
    /// The streams as the pipeline has them, and those it has not reported since they changed.
    streams: BTreeMap<StreamKey, StreamSnapshot>,
    dirty: BTreeSet<StreamKey>,
    /// All that were committed, the newest last; and those newer than these of which nobody knows.
    committed: Vec<State>,
    doubtful: Vec<State>,
    /// Whether bytes have changed since they were last read in full.
    decayed: bool,
    /// Whether files that were passed over are still there.
    leftovers: bool,
    generation: u64,
}

/// What is wrong, for a person who has the seed.
type Wrong = String;

impl World {
    /// Runs the scenario of `seed` to its end.
    pub fn run(seed: u64, planted: Planted) -> Result<Tally, Wrong> {
        let mut world = Self {
            random: Random::new(seed),
            disk: Arc::new(SimulatedDisk::new(seed ^ 0xd15c)),
            planted,
            tally: Tally::default(),
            streams: BTreeMap::new(),
            dirty: BTreeSet::new(),
            committed: Vec::new(),
            doubtful: Vec::new(),
            decayed: false,
            leftovers: false,
            generation: 0,
        };
        let lives = 2 + world.random.below(6);
        for life in 0..lives {
            let told = |wrong| format!("seed {seed}, life {life}: {wrong}");
            let Some(mut checkpoints) = world.restart().map_err(told)? else { break };
            let mut power = true;
            for step in 0..world.random.below(8) {
                let told = |wrong| format!("seed {seed}, life {life}, step {step}: {wrong}");
                power = power && world.step(&mut checkpoints).map_err(told)?;
            }
            world.end(checkpoints, power);
        }
        Ok(world.tally)
    }

    /// A life ends: cleanly, or by a crash; some damage may follow.
    fn end(&mut self, checkpoints: Checkpoints, power: bool) {
        if !power || self.random.chance(80) {
            self.disk.crash();
            self.tally.crashes += 1;
        }
        drop(checkpoints);
        if self.random.chance(15) {
            let damaged = if self.random.chance(70) { self.disk.flip_bit() } else { self.disk.truncate() };
            self.decayed |= damaged.is_some();
        }
    }

    /// Starts a new life and compares what it finds with what it should. `None` if no life is possible any more.
    fn restart(&mut self) -> Result<Option<Checkpoints>, Wrong> {
        if self.random.chance(15) {
            self.disk.lose_power_after(self.random.below(30));
            drop(self.open()); // and if it succeeds, it dies right after
            self.disk.crash();
            self.tally.crashes += 1;
        }
        if self.random.chance(10) {
            self.disk.fill_up_after(self.random.below(60));
            match self.open() {
                // It may have room for what a start needs; then the next start is one more.
                Ok(_) | Err(CheckpointError::Store(_)) => {}
                Err(_) if self.decayed => {}
                Err(error) => return Err(format!("the disk was full, but: {error}")),
            }
            self.disk.behave();
        }
        let (checkpoints, restored) = match self.open() {
            Ok(opened) => opened,
            Err(error) => {
                self.tally.refused += 1;
                return match error {
                    _ if !self.decayed => Err(format!("nothing was damaged, but: {error}")),
                    CheckpointError::NothingUsable { .. } | CheckpointError::Damaged { .. } => Ok(None),
                    _ => Err(format!("not what damage leads to: {error}")),
                };
            }
        };
        self.compare(restored)?;
        if checkpoints.generation() <= self.generation {
            let (now, before) = (checkpoints.generation(), self.generation);
            return Err(format!("generation {now} follows {before}"));
        }
        self.generation = checkpoints.generation();
        self.decayed = false;
        Ok(Some(checkpoints))
    }

    fn open(&self) -> Result<(Checkpoints, Option<Restored>), CheckpointError> {
        let mut store = LocalStore::on(self.disk.clone())?;
        if self.planted.unsynced_rename {
            store = store.plant_unsynced_rename();
        }
        let (checkpoints, mut restored) = Checkpoints::open(Arc::new(store), pipeline(), None)?;
        if let (true, Some(restored)) = (self.planted.wrong_key, &mut restored) {
            restored.plant_wrong_key();
        }
        Ok((checkpoints, restored))
    }

    fn compare(&mut self, restored: Option<Restored>) -> Result<(), Wrong> {
        let Some(restored) = restored else {
            if let Some(lost) = self.committed.last() {
                return Err(format!("checkpoint {} is lost, and nobody said so", lost.number));
            }
            self.doubtful.clear();
            self.streams.clear();
            self.dirty.clear();
            return Ok(());
        };
        let is = |state: &&State| (state.generation, state.number) == (restored.generation, restored.number);
        let newest = self.committed.last();
        let new = self.doubtful.iter().find(is).or(newest.filter(is));
        let old = self.committed.iter().rev().skip(1).find(is);
        let state = match (new, old) {
            (Some(state), _) => state.clone(),
            (None, Some(state)) if self.decayed && !restored.skipped.is_empty() => state.clone(),
            (None, Some(state)) => {
                let skipped = &restored.skipped;
                return Err(format!(
                    "restored {}, which is not the newest; skipped: {skipped:?}",
                    state.number
                ));
            }
            (None, None) => return Err(format!("nobody has committed {}", restored.number)),
        };
        let explained = self.decayed || self.leftovers || !self.doubtful.is_empty();
        if !restored.skipped.is_empty() && !explained {
            return Err(format!("nothing was damaged, but skipped: {:?}", restored.skipped));
        }
        if new.is_some() {
            self.tally.newest += 1
        } else {
            self.tally.older += 1
        }
        let mut sources = at("S001R04", state.position);
        sources.set("S001R08", state.position ^ 1);
        same("sources", &restored.sources, &one("replay", sources))?;
        same("sinks", &restored.sinks, &one("csv", at("windows.csv", state.position / 2)))?;
        same("streams", &restored.streams, &state.streams)?;
        self.streams = state.streams.clone();
        self.dirty.clear();
        self.leftovers = !restored.skipped.is_empty();
        // From here on it is the newest. What came after it was skipped, and must not come back.
        self.committed.retain(|other| other.number < state.number || *other == state);
        self.committed.retain(|other| *other != state);
        self.committed.push(state);
        self.doubtful.clear();
        Ok(())
    }

    /// Something happens. `false`: power is lost.
    fn step(&mut self, checkpoints: &mut Checkpoints) -> Result<bool, Wrong> {
        self.live();
        let number = checkpoints.begin(expected()).map_err(|error| error.to_string())?;
        let state = State {
            generation: self.generation,
            number,
            position: self.random.next() >> 8,
            streams: self.streams.clone(),
        };
        let abandoned_after = self.random.chance(15).then(|| self.random.below(self.dirty.len() + 1));
        for (sent, key) in std::mem::take(&mut self.dirty).into_iter().enumerate() {
            if abandoned_after == Some(sent) {
                checkpoints.abandon(number); // what comes after is a straggler
            }
            match self.streams.get(&key) {
                Some(snapshot) => checkpoints.stream(number, key, snapshot.encode().unwrap()),
                None => checkpoints.forget(number, key),
            }
        }
        answer(checkpoints, number + 1, 0); // of the future: ignored
        if abandoned_after.is_some() {
            checkpoints.abandon(number);
            return Ok(true);
        }
        same("complete before all have answered", &checkpoints.is_complete(), &false)?;
        answer(checkpoints, number, state.position);
        self.commit(checkpoints, state)
    }

    fn commit(&mut self, checkpoints: &mut Checkpoints, state: State) -> Result<bool, Wrong> {
        let trouble = self.random.below(10);
        match trouble {
            0 | 1 => self.disk.lose_power_after(self.random.below(40)),
            2 => self.disk.fail_after(self.random.below(20)),
            3 => self.disk.fill_up_after(self.random.below(6_000)),
            4 if self.random.chance(20) => self.decayed |= self.disk.flip_bit().is_some(),
            _ => {}
        }
        let done = checkpoints.commit();
        if trouble > 1 {
            self.disk.behave();
        }
        match done {
            Ok(committed) => {
                self.tally.commits += 1;
                self.tally.rewritten += committed.rewritten;
                self.committed.push(state);
                self.doubtful.clear();
                self.leftovers = false;
            }
            Err(CheckpointError::Damaged { .. }) if self.decayed => self.tally.failed_commits += 1,
            Err(CheckpointError::Store(_)) if trouble <= 3 => {
                self.tally.failed_commits += 1;
                self.doubtful.push(state);
            }
            Err(error) => return Err(format!("commit: {error}")),
        }
        Ok(trouble > 1)
    }

    /// Some streams change, some come, some go.
    fn live(&mut self) {
        for _ in 0..self.random.below(7) {
            let key = KEYS[self.random.below(KEYS.len())];
            if self.random.chance(10) {
                self.streams.remove(&key);
            } else {
                let most = [20, 600, 3_000][self.random.below(3)];
                self.streams.insert(key, random_state(key, most, &mut self.random));
            }
            self.dirty.insert(key);
        }
    }
}

fn one(name: &str, positions: Positions) -> BTreeMap<String, Positions> {
    BTreeMap::from([(name.to_owned(), positions)])
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Wrong> {
    if found == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, found {found:?}")) }
}
