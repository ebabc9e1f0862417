//! The phase of a migration and how far it has come, in a file that survives `kill -9`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::super::TableError;
use super::backfill::Hour;
use super::gate::{Gate, Writing};

/// How long [`Migration::go`] waits for writes that are under way.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a migration stands. See the [module](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Everything as before.
    Old,
    /// Results are written to both tables.
    Both,
    /// And reads are made from both, and compared; the old ones are served.
    Shadow,
    /// The same, and the new ones are served.
    New,
}

/// Why a migration does not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The file that keeps its state cannot be read or written.
    #[error("migration: cannot {action} {path}: {source}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("migration: {path} is no state of a migration: {reason}; it is written by `Migration` only")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A step is asked for that the migration is not ready for.
    #[error("migration: cannot go from {from:?} to {to:?}: expected {expected}, found {found}")]
    NotReady {
        /// The phase it is in.
        from: Phase,
        /// The one asked for.
        to: Phase,
        /// What is needed first.
        expected: &'static str,
        /// How far it is.
        found: String,
    },
    /// An hour is not the same in both tables, after it was copied.
    #[error(
        "migration: hour {} of session {}: expected digest {:032x} in the new table, found {:032x}; compare the hour, and remove from the new table what does not belong there",
        .0.hour, .0.session, .0.old, .0.new
    )]
    Differs(Hour),
    /// A table failed.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// What is in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    version: u8,
    phase: Phase,
    /// How far the copying of each session has come.
    pub(super) sessions: BTreeMap<String, Copied>,
    /// How often it went back to the old table alone, in this process: copying that was begun before is of no use any more.
    #[serde(skip)]
    returns: u64,
}

/// How far the copying of a session has come: from the newest hour down.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Copied {
    /// The oldest hour since the Unix epoch that is copied and found equal.
    pub(super) down_to: Option<i64>,
    /// Nothing older is there.
    pub(super) complete: bool,
}

impl State {
    /// What is written to the old table only, behind the back of a copying, would be missing.
    fn may_copy(&self, copying: u64) -> Result<(), MigrationError> {
        let found = match self.phase {
            Phase::Old => "the old one".to_owned(),
            _ if self.returns == copying => return Ok(()),
            _ => "only the old one for a while since the copying began; begin it again".to_owned(),
        };
        let expected = "results written to both tables, from before the copying on";
        Err(MigrationError::NotReady { from: self.phase, to: Phase::Shadow, expected, found })
    }
}

/// A migration: its phase, kept in a file. Cheap to clone; clones are the same.
///
/// It belongs to the process that writes. Where several do, each has its own, and the copying begins once all are in [`Phase::Both`].
///
/// ```
/// use neuraflow_sinks::table::migration::{Migration, Phase};
/// # let scratch = neuraflow_core::testing::Scratch::new()?;
/// # let file = scratch.file("migration.json");
/// let migration = Migration::open(&file)?;
/// assert_eq!(migration.phase(), Phase::Old);
/// migration.go(Phase::Both)?;
/// assert!(migration.go(Phase::New).is_err()); // one step at a time
/// migration.go(Phase::Old)?; // and back
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Migration(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    state: Mutex<State>,
    /// Who writes while the phase must stay.
    gate: Gate,
}

impl Migration {
    /// The migration whose state is in the file `path`; it begins if there is none.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, MigrationError> {
        let path = path.as_ref().to_owned();
        let state = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| MigrationError::Damaged { path: path.clone(), reason: error.to_string() })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                State { version: 1, phase: Phase::Old, sessions: BTreeMap::new(), returns: 0 }
            }
            Err(source) => return Err(MigrationError::Io { action: "read", path, source }),
        };
        if state.version != 1 {
            let reason = format!("expected version 1, found version {}", state.version);
            return Err(MigrationError::Damaged { path, reason });
        }
        Ok(Self(Arc::new(Inner { path, state: Mutex::new(state), gate: Gate::default() })))
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// Goes one step on, or any number back. It is on the disk when this returns. Writes that are under way are waited for, half a minute at most.
    ///
    /// # Errors
    /// More than one step; to [`Phase::Shadow`] before everything is copied and found equal; a write does not end; the file cannot be written.
    pub fn go(&self, to: Phase) -> Result<(), MigrationError> {
        self.go_within(to, PATIENCE)
    }

    /// The same, with another patience for writes that are under way: one that hangs for good ends with its process only.
    ///
    /// # Errors
    /// The same.
    pub fn go_within(&self, to: Phase, patience: Duration) -> Result<(), MigrationError> {
        // What is being written to one table only is there before the copying begins.
        let closed = self.0.gate.close(patience);
        let mut state = self.lock();
        let from = state.phase;
        let refuse = |expected, found: String| Err(MigrationError::NotReady { from, to, expected, found });
        let _nobody_writes = match closed {
            Ok(closed) => closed,
            Err(writes) => {
                let found = format!(
                    "{writes} that did not within {patience:?}; where one hangs for good, restart its process"
                );
                return refuse("writes under way to end", found);
            }
        };
        if to as u8 > from as u8 + 1 {
            return refuse("one step at a time", format!("{} steps", to as u8 - from as u8));
        }
        if to == Phase::Shadow && from == Phase::Both {
            let open: Vec<&str> = state
                .sessions
                .iter()
                .filter(|(_, copied)| !copied.complete)
                .map(|(name, _)| &name[..])
                .collect();
            if state.sessions.is_empty() || !open.is_empty() {
                return refuse("every session copied and equal", format!("open: {}", open.join(", ")));
            }
        }
        let mut next = state.clone();
        next.phase = to;
        if to == Phase::Old {
            // What is written from now on is in the old table only: it has to be copied next time.
            next.sessions.clear();
            next.returns += 1;
        }
        self.keep(&mut state, next)
    }

    /// The phase, which stays as it is until the guard is gone.
    pub(super) fn writing(&self) -> (Phase, Writing<'_>) {
        let guard = self.0.gate.enter();
        (self.phase(), guard)
    }

    /// Names the copying that begins now.
    ///
    /// # Errors
    /// [`MigrationError::NotReady`] before both sinks write.
    pub(super) fn copying(&self) -> Result<u64, MigrationError> {
        let state = self.lock();
        state.may_copy(state.returns).map(|()| state.returns)
    }

    /// Changes how far a copying has come, on the disk too.
    ///
    /// # Errors
    /// [`MigrationError::NotReady`] where it went back to the old table since the copying began; the file cannot be written.
    pub(super) fn change<T>(
        &self,
        copying: u64,
        change: impl FnOnce(&mut State) -> T,
    ) -> Result<(), MigrationError> {
        let mut state = self.lock();
        state.may_copy(copying)?;
        let mut next = state.clone();
        change(&mut next);
        self.keep(&mut state, next)
    }

    pub(super) fn sessions(&self) -> BTreeMap<String, Copied> {
        self.lock().sessions.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, state: &mut State, next: State) -> Result<(), MigrationError> {
        let path = &self.0.path;
        let write = || -> io::Result<()> {
            let unfinished = path.with_extension("tmp");
            let mut file = File::create(&unfinished)?;
            file.write_all(&serde_json::to_vec_pretty(&next)?)?;
            file.sync_all()?;
            fs::rename(&unfinished, path)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(|source| MigrationError::Io { action: "write", path: path.clone(), source })?;
        *state = next;
        Ok(())
    }
}
