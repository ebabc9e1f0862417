//! Checkpointing: what a pipeline is told about it, and what is known of it afterwards.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::keyed::Snapshots;
use super::naming::Naming;
use super::planted::{Planted, Plot};
use super::report::LatencyHistogram;
use super::shared::Resume;
use crate::checkpoint::{
    CheckpointError, CheckpointStore, Checkpoints, Config, Fingerprint, LocalStore, Migration, Restored,
    StoreError,
};

/// Where a pipeline keeps its checkpoints, how often it makes one, and how many it keeps.
///
/// A pipeline that is spawned with it goes on from the newest checkpoint in the store, if there is one: sources are read
/// from where they were, sinks go back to what the checkpoint covers, and every stream has its state again.
///
/// ```
/// use std::time::Duration;
/// use neuraflow_core::checkpoint::Config;
/// use neuraflow_core::dataflow::Checkpointing;
/// # let folder = std::env::temp_dir().join(format!("neuraflow-doc-checkpointing-{}", std::process::id()));
/// let checkpoints = Checkpointing::in_folder(&folder)?.with_config(Config::every(Duration::from_millis(500))?);
/// # drop(checkpoints);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpointing {
    pub(super) store: Arc<dyn CheckpointStore>,
    pub(super) config: Config,
    pub(super) migration: Option<Migration>,
}

impl Checkpointing {
    /// In a folder of its own, which is made if it is not there, and locked.
    ///
    /// # Errors
    /// The folder cannot be made or written, or another pipeline uses it.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Ok(Self::new(Arc::new(LocalStore::open(folder)?)))
    }

    /// In any store.
    pub fn new(store: Arc<dyn CheckpointStore>) -> Self {
        Self { store, config: Config::default(), migration: None }
    }

    /// How often, and how many are kept (every 5 s, three).
    #[must_use]
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Takes state over that another pipeline wrote; without it, a changed pipeline is an error.
    #[must_use]
    pub fn with_migration(mut self, migration: Migration) -> Self {
        self.migration = Some(migration);
        self
    }
}

/// What became of a run's checkpoints.
#[derive(Clone, Debug, Default)]
pub struct CheckpointReport {
    /// Checkpoints that were written.
    pub committed: u64,
    /// Checkpoints that were begun and given up: a part was too slow, or the store said no.
    pub abandoned: u64,
    /// The number of the newest checkpoint, of this run or of the one that was restored.
    pub last: Option<u64>,
    /// The number of the checkpoint that the run went on from, if it did.
    pub restored: Option<u64>,
    /// Whether the pipeline was left at the newest checkpoint, to go on from there later.
    pub suspended: bool,
    /// Bytes of state that were written.
    pub bytes: u64,
    /// From the beginning of a checkpoint until it was written.
    pub duration: LatencyHistogram,
    /// From the start of the run until all streams had their state again, in nanoseconds.
    pub recovery: u64,
    /// When the newest checkpoint was written, and before the first one when the run was started, in nanoseconds of the
    /// pipeline's clock. `None` where no checkpoints are made.
    pub newest: Option<u64>,
    /// Why the latest checkpoint was given up, if it was.
    pub trouble: Option<String>,
}

/// A store that a run has opened, and what it found there.
pub(super) struct Opened {
    pub(super) checkpoints: Checkpoints,
    pub(super) config: Config,
    pub(super) restored: Option<Restored>,
}

impl Checkpointing {
    /// Opens the store for a run of the pipeline with this fingerprint.
    pub(super) fn open(&self, fingerprint: &Fingerprint) -> Result<Opened, CheckpointError> {
        let (store, migration) = (Arc::clone(&self.store), self.migration.clone());
        let (checkpoints, restored) = Checkpoints::open(store, fingerprint.clone(), migration)?;
        let checkpoints = checkpoints.keeping(self.config.keep());
        Ok(Opened { checkpoints, config: self.config, restored })
    }
}

impl Opened {
    /// Takes the states out, for each worker those of its key groups.
    pub(super) fn take_streams(&mut self, workers: usize, plot: &Plot) -> Vec<Snapshots> {
        let mut of_worker = vec![Snapshots::new(); workers];
        let mut streams =
            self.restored.as_mut().map(|restored| std::mem::take(&mut restored.streams)).unwrap_or_default();
        if plot.is(Planted::WrongKey) {
            let mut last = Vec::new();
            for snapshot in streams.values_mut() {
                std::mem::swap(&mut snapshot.sections, &mut last);
            }
            streams.values_mut().take(1).for_each(|first| first.sections = last.clone());
        }
        let salt = usize::from(plot.is(Planted::Salted));
        for (key, snapshot) in streams {
            of_worker[(key.worker(workers) + salt) % workers].insert(key, snapshot);
        }
        of_worker
    }

    /// Where sources and sinks go on from.
    pub(super) fn resume(&self, naming: Naming) -> Resume {
        self.restored.as_ref().map_or_else(Resume::default, |restored| {
            Resume::from(naming.sources(&restored.sources), naming.sinks(&restored.sinks))
        })
    }
}

/// Where the thread that makes checkpoints keeps its books.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<CheckpointReport>);

impl Ledger {
    pub(super) fn write(&self) -> MutexGuard<'_, CheckpointReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self) -> CheckpointReport {
        self.write().clone()
    }
}
