//! From `begin` to `commit`: the life of a checkpoint.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::envelope::{self, Kind};
use super::error::CheckpointError;
use super::fingerprint::Fingerprint;
use super::flight::{Expected, Flight};
use super::groups::{Changes, Groups};
use super::manifest::{GENERATIONS, MANIFESTS, Manifest, PARTS, Part, number_of, numbered};
use super::part::PartWriter;
use super::store::{CheckpointStore, StoreError};
use crate::model::{Positions, StreamKey};

/// Makes checkpoints out of what sources, workers and sinks report, and keeps the last few in a store.
///
/// It has no thread and no clock: one thread tells it what has happened, and writes when it calls [`commit`](Self::commit).
/// One checkpoint is in flight at a time. What is reported for another number is ignored, except for states of streams:
/// those of a checkpoint that was abandoned, or could not be written, go into the next one that is, unless a newer one
/// comes. So a worker may forget that a stream has changed as soon as it has sent its state.
///
/// ```
/// use std::sync::Arc;
/// use neuraflow_core::checkpoint::{Checkpoints, Expected, Fingerprint, LocalStore, Section, StreamSnapshot};
/// use neuraflow_core::model::{Channel, Positions, SamplingRate, StreamHeader, StreamKey};
/// # let scratch = std::env::temp_dir().join(format!("neuraflow-doc-checkpoints-{}", std::process::id()));
/// let pipeline = Fingerprint::new(["butterworth: 1-40 Hz", "window: 50 ms"]);
/// let key = StreamKey::of_names("session", "headset");
/// let header = StreamHeader::new(key, "eeg", SamplingRate::hz(250)?, vec![Channel::new("Cz")]);
/// let sections = vec![Section { stage: "butterworth".into(), bytes: vec![1, 2, 3] }];
/// let snapshot = StreamSnapshot { header, sections };
///
/// let store = Arc::new(LocalStore::open(&scratch)?);
/// let (mut checkpoints, restored) = Checkpoints::open(store, pipeline.clone(), None)?;
/// assert!(restored.is_none());
/// let number = checkpoints.begin(Expected { readers: 1, workers: 1, sinks: vec!["csv".into()] })?;
/// let mut at = Positions::default();
/// at.set("S001R04/eeg", 640);
/// checkpoints.source(number, 0, "replay", Some(at));
/// checkpoints.stream(number, key, snapshot.encode()?);
/// checkpoints.worker_done(number, 0);
/// checkpoints.sink(number, "csv", Positions::default());
/// assert!(checkpoints.is_complete());
/// checkpoints.commit()?;
///
/// drop(checkpoints); // or kill -9
/// let store = Arc::new(LocalStore::open(&scratch)?);
/// let (_, restored) = Checkpoints::open(store, pipeline, None)?;
/// let restored = restored.ok_or("nothing was committed")?;
/// assert_eq!(restored.sources["replay"].get("S001R04/eeg"), Some(640));
/// assert_eq!(restored.streams[&key], snapshot);
/// # std::fs::remove_dir_all(&scratch)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Checkpoints {
    pub(super) store: Arc<dyn CheckpointStore>,
    pub(super) fingerprint: Fingerprint,
    pub(super) generation: u64,
    pub(super) keep: usize,
    pub(super) next_number: u64,
    pub(super) next_sequence: u64,
    pub(super) flight: Option<Flight>,
    /// What has changed since the last commit.
    pub(super) pending: BTreeMap<u16, BTreeMap<StreamKey, Change>>,
    pub(super) groups: Groups,
    /// The manifests that are kept, the newest last. What they refer to is not deleted.
    pub(super) kept: VecDeque<Manifest>,
    /// A manifest that could not be put, and so may or may not be there.
    in_doubt: Option<Manifest>,
}

/// The newest state of a stream, of the checkpoint with this number; `None` if it has none any more.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) number: u64,
    pub(super) state: Option<Vec<u8>>,
}

/// What was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The checkpoint.
    pub number: u64,
    /// How many streams had changed.
    pub streams: usize,
    /// How many bytes of state these have.
    pub bytes: u64,
    /// How many bytes of older state were rewritten to keep the store small.
    pub rewritten: u64,
}

impl Checkpoints {
    pub(super) fn new(
        store: Arc<dyn CheckpointStore>,
        fingerprint: Fingerprint,
        generation: u64,
        sequence: u64,
    ) -> Self {
        Self {
            store,
            fingerprint,
            generation,
            keep: super::Config::default().keep(),
            next_number: 1,
            next_sequence: sequence,
            flight: None,
            pending: BTreeMap::new(),
            groups: Groups::default(),
            kept: VecDeque::new(),
            in_doubt: None,
        }
    }

    /// Keeps the last `keep` checkpoints, at least one, instead of three.
    #[must_use]
    pub fn keeping(mut self, keep: usize) -> Self {
        self.keep = keep.max(1);
        self
    }

    /// Which life of the pipeline this is: 1 for the first, one more with every restart, whether that one had committed
    /// anything or not.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Begins a checkpoint and says its number. Numbers grow; after a restart they go on from the one restored.
    ///
    /// # Errors
    /// Another one is in flight.
    pub fn begin(&mut self, expected: Expected) -> Result<u64, CheckpointError> {
        if let Some(flight) = &self.flight {
            return Err(CheckpointError::InFlight { number: flight.number });
        }
        let number = self.next_number;
        self.next_number += 1;
        self.flight = Some(Flight::new(number, expected));
        Ok(number)
    }

    fn flight(&mut self, number: u64) -> Option<&mut Flight> {
        self.flight.as_mut().filter(|flight| flight.number == number)
    }

    /// A reader of `source` has got this far; `None` if it cannot read again. `reader` counts all readers of all sources.
    pub fn source(&mut self, number: u64, reader: usize, source: &str, at: Option<Positions>) {
        if let Some(flight) = self.flight(number) {
            flight.source(reader, source, at);
        }
    }

    /// A stream that has changed has this state, [encoded](super::StreamSnapshot::encode).
    pub fn stream(&mut self, number: u64, key: StreamKey, state: Vec<u8>) {
        self.change(number, key, Some(state));
    }

    /// A stream has ended for good: it needs no state any more.
    pub fn forget(&mut self, number: u64, key: StreamKey) {
        self.change(number, key, None);
    }

    fn change(&mut self, number: u64, key: StreamKey, state: Option<Vec<u8>>) {
        // A straggler of a checkpoint that was committed cannot be newer than what was committed.
        let committed = self.kept.back().map_or(0, |manifest| manifest.number);
        if number <= committed || number >= self.next_number {
            return;
        }
        let group = self.pending.entry(key.group()).or_default();
        if group.get(&key).is_none_or(|change| change.number <= number) {
            group.insert(key, Change { number, state });
        }
    }

    /// A worker has sent all its streams that have changed.
    pub fn worker_done(&mut self, number: u64, worker: usize) {
        if let Some(flight) = self.flight(number) {
            flight.worker(worker);
        }
    }

    /// A sink has made durable what the checkpoint covers, and is this far.
    pub fn sink(&mut self, number: u64, sink: &str, at: Positions) {
        if let Some(flight) = self.flight(number) {
            flight.sink(sink, at);
        }
    }

    /// Whether everybody has answered, so that it can be committed.
    pub fn is_complete(&self) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.missing().is_none())
    }

    /// Gives up the checkpoint `number`, if it is in flight.
    pub fn abandon(&mut self, number: u64) {
        self.flight.take_if(|flight| flight.number == number);
    }

    /// Writes the checkpoint in flight. It takes about as long as writing a few times what has changed takes.
    ///
    /// # Errors
    /// [`Incomplete`](CheckpointError::Incomplete): somebody has not answered; it stays in flight. After every other error
    /// it is abandoned, and the last one that was committed is what a restart finds.
    pub fn commit(&mut self) -> Result<Committed, CheckpointError> {
        let missing = match &self.flight {
            None => Some("no checkpoint is in flight".to_owned()),
            Some(flight) => flight.missing(),
        };
        if let Some(missing) = missing {
            return Err(CheckpointError::Incomplete { missing });
        }
        let Some(flight) = self.flight.take() else {
            return Err(CheckpointError::Incomplete { missing: "no checkpoint is in flight".to_owned() });
        };
        let committed = self.take_back().and_then(|()| self.write(flight));
        if self.in_doubt.is_none()
            && let Err(error) = self.tidy()
        {
            // The next commit tries again.
            tracing::warn!(%error, "old checkpoints could not be deleted");
        }
        committed
    }

    fn write(&mut self, flight: Flight) -> Result<Committed, CheckpointError> {
        let number = flight.number;
        let mut groups = self.groups.clone();
        let changes: BTreeMap<u16, Changes<'_>> = self
            .pending
            .iter()
            .map(|(group, changes)| {
                let states = changes.iter().map(|(key, change)| (*key, change.state.as_deref())).collect();
                (*group, states)
            })
            .collect();
        let first = Part { number, generation: self.generation, index: 0 };
        let mut out = PartWriter::new(&*self.store, self.fingerprint.hash(), first);
        let rewritten = groups.write(&*self.store, &mut out, &changes)?;
        out.finish()?;
        groups.sizes.extend(out.into_parts());
        let streams = changes.values().map(BTreeMap::len).sum();
        let states = changes.values().flat_map(BTreeMap::values);
        let bytes = states.map(|state| state.map_or(0, <[u8]>::len) as u64).sum();
        let manifest = Manifest {
            sequence: self.next_sequence,
            number,
            generation: self.generation,
            fingerprint: self.fingerprint.clone(),
            sources: flight.sources,
            sinks: flight.sinks,
            groups: groups.extents(),
        };
        self.put(manifest)?;
        self.groups = groups;
        self.pending.clear();
        Ok(Committed { number, streams, bytes, rewritten })
    }

    /// The moment at which a checkpoint comes to be.
    fn put(&mut self, manifest: Manifest) -> Result<(), CheckpointError> {
        let bytes = manifest.encode()?;
        match self.store.put_if_absent(&manifest.name(), &bytes) {
            Ok(()) => {
                self.next_sequence += 1;
                self.kept.push_back(manifest);
                while self.kept.len() > self.keep {
                    self.kept.pop_front();
                }
                Ok(())
            }
            Err(StoreError::Exists { name }) => Err(CheckpointError::Overtaken { file: name }),
            Err(error) => {
                self.in_doubt = Some(manifest);
                if let Err(error) = self.take_back() {
                    tracing::warn!(%error, "a checkpoint that failed could not be taken back yet");
                }
                Err(error.into())
            }
        }
    }

    /// A manifest whose `put` failed may be there all the same. It is taken back before anything else is written: its
    /// place in the chain is needed, and what it refers to is about to be deleted.
    fn take_back(&mut self) -> Result<(), CheckpointError> {
        let Some(manifest) = &self.in_doubt else { return Ok(()) };
        let name = manifest.name();
        match self.store.get(&name) {
            Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
            Ok(bytes) if Manifest::decode(&name, &bytes)?.generation == manifest.generation => {
                self.store.delete(&name)?;
            }
            Ok(_) => return Err(CheckpointError::Overtaken { file: name }),
        }
        self.in_doubt = None;
        Ok(())
    }

    /// Deletes what no manifest that is kept refers to.
    fn tidy(&self) -> Result<(), StoreError> {
        let sequences: BTreeSet<u64> = self.kept.iter().map(|manifest| manifest.sequence).collect();
        for name in self.store.list(MANIFESTS)? {
            let old = |sequence| sequence < self.next_sequence && !sequences.contains(&sequence);
            if number_of(MANIFESTS, &name).is_some_and(old) {
                self.store.delete(&name)?;
            }
        }
        let pinned: BTreeSet<Part> = self
            .kept
            .iter()
            .flat_map(|manifest| manifest.groups.values().flatten())
            .map(|e| e.part)
            .collect();
        for name in self.store.list(PARTS)? {
            // A later generation is somebody who has taken over.
            let old = |part: Part| part.generation <= self.generation && !pinned.contains(&part);
            if Part::of_name(&name).is_some_and(old) {
                self.store.delete(&name)?;
            }
        }
        for name in self.store.list(GENERATIONS)? {
            if number_of(GENERATIONS, &name).is_some_and(|generation| generation < self.generation) {
                self.store.delete(&name)?;
            }
        }
        Ok(())
    }
}

/// Claims the generation after `last`: of two processes that start from the same checkpoint, only one gets it.
pub(super) fn claim(
    store: &dyn CheckpointStore,
    fingerprint: &Fingerprint,
    last: u64,
) -> Result<u64, CheckpointError> {
    let generation = last + 1;
    let file = envelope::seal(Kind::Generation, fingerprint.hash(), &[]);
    store.put_if_absent(&numbered(GENERATIONS, generation), &file)?;
    Ok(generation)
}
