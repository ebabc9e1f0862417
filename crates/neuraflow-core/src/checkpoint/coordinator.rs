//! The life of a checkpoint from `begin` on: who reports what. How it ends is told in `commit`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::error::CheckpointError;
use super::fingerprint::Fingerprint;
use super::flight::{Expected, Flight};
use super::groups::Groups;
use super::manifest::Manifest;
use super::store::CheckpointStore;
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
    pub(super) in_doubt: Option<Manifest>,
    /// Whether something that was committed turned out to be damaged.
    pub(super) decayed: bool,
}

/// The newest state of a stream, of the checkpoint with this number; `None` if it has none any more.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) number: u64,
    pub(super) state: Option<Vec<u8>>,
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
            decayed: false,
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

    /// Whether the next checkpoint should have all streams, not only those that have changed: a commit has found that older
    /// state in the store is damaged, while the workers still have it.
    pub fn wants_all_streams(&self) -> bool {
        self.decayed
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
        self.next_number = self.next_number.saturating_add(1);
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
}
