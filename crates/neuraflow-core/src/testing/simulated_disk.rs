//! A disk that loses power, fills up and decays.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Random;
use crate::checkpoint::{Disk, DiskFile, DiskLock};

/// What is lost and kept together when power fails.
const SECTOR: usize = 512;

/// A [`Disk`] in memory that is as unkind as file systems may be, all from one seed.
///
/// At a [`crash`](Self::crash) each name that was made, renamed or removed since the last `sync_names` is as it is or as it
/// was, each on its own; of a file's bytes that were not synced, some are lost, and some that are kept are torn.
///
/// ```
/// use std::sync::Arc;
/// use neuraflow_core::checkpoint::{CheckpointStore, LocalStore};
/// use neuraflow_core::testing::SimulatedDisk;
/// let disk = Arc::new(SimulatedDisk::new(7));
/// let store = LocalStore::on(disk.clone())?;
/// store.put_if_absent("a", b"durable when put returns")?;
/// disk.crash();
/// let store = LocalStore::on(disk)?;
/// assert_eq!(store.get("a")?, b"durable when put returns");
/// # Ok::<(), neuraflow_core::checkpoint::StoreError>(())
/// ```
#[derive(Debug)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    path: PathBuf,
}

#[derive(Debug)]
struct State {
    random: Random,
    files: BTreeMap<u64, Content>,
    next_file: u64,
    /// The names that a process sees, and those that are there after a power failure.
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// How many bytes all files together may have.
    capacity: Option<usize>,
    /// How many more calls succeed.
    calls_left: Option<usize>,
    /// Whether there is no power once they are used up, or just one call that fails.
    power_fails: bool,
    /// Which boot this is: what was open before has nothing to do with it any more.
    boot: u64,
    locked: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
}

impl SimulatedDisk {
    /// An empty disk. The seed decides what a crash loses.
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: Random::new(seed),
            files: BTreeMap::new(),
            next_file: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            capacity: None,
            calls_left: None,
            power_fails: false,
            boot: 0,
            locked: false,
        };
        Self { state: Arc::new(Mutex::new(state)), path: PathBuf::from(format!("simulated-{seed}")) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the file `name` to append to its first `length` bytes; what lies beyond is cut off. It is made if it is not there.
    ///
    /// # Errors
    /// It is shorter than that, or the disk fails.
    pub fn append_to(&self, name: &str, length: u64) -> io::Result<Box<dyn DiskFile>> {
        if length == 0 && !self.exists(name)? {
            return self.create(name);
        }
        let mut state = self.state();
        state.call()?;
        let (id, boot) = (state.id(name)?, state.boot);
        let content = state.files.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if content.bytes.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        content.bytes.truncate(length);
        content.synced = content.synced.min(length);
        Ok(Box::new(SimulatedFile { state: self.state.clone(), boot, id }))
    }

    /// Power fails after `calls` more calls: the one then under way is cut short, all after it fail, until
    /// [`crash`](Self::crash) brings the machine back.
    pub fn lose_power_after(&self, calls: usize) {
        let mut state = self.state();
        (state.calls_left, state.power_fails) = (Some(calls), true);
    }

    /// After `calls` more calls one fails, and then all is well again.
    pub fn fail_after(&self, calls: usize) {
        let mut state = self.state();
        (state.calls_left, state.power_fails) = (Some(calls), false);
    }

    /// The disk is full after `bytes` more.
    pub fn fill_up_after(&self, bytes: usize) {
        let mut state = self.state();
        state.capacity = Some(state.used() + bytes);
    }

    /// Calls off the trouble that was ordered and has not come yet; a full disk has room again.
    pub fn behave(&self) {
        let mut state = self.state();
        (state.calls_left, state.capacity) = (None, None);
    }

    /// Power fails now, and the machine starts again: nobody holds the lock.
    pub fn crash(&self) {
        self.state().crash();
    }

    /// Flips one bit of one file and says of which. `None` if there is no byte.
    pub fn flip_bit(&self) -> Option<String> {
        self.damage(|random, bytes| {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        })
    }

    /// Cuts some bytes off the end of one file and says of which. `None` if there is no byte.
    pub fn truncate(&self) -> Option<String> {
        self.damage(|random, bytes| bytes.truncate(random.below(bytes.len())))
    }

    fn damage(&self, how: impl FnOnce(&mut Random, &mut Vec<u8>)) -> Option<String> {
        let state = &mut *self.state();
        let files = &state.files;
        let full: Vec<_> = state.names.iter().filter(|(_, id)| !files[id].bytes.is_empty()).collect();
        let (name, id) = *full.get(state.random.below(full.len()))?;
        let content = state.files.get_mut(id)?;
        how(&mut state.random, &mut content.bytes);
        content.synced = content.synced.min(content.bytes.len());
        Some(name.clone())
    }

    /// How many bytes all files together have.
    pub fn used(&self) -> usize {
        self.state().used()
    }
}

impl State {
    fn used(&self) -> usize {
        self.files.values().map(|content| content.bytes.len()).sum()
    }

    /// Counts a call. `Err`: it fails; nothing of it has happened.
    fn call(&mut self) -> io::Result<()> {
        match self.calls_left.as_mut() {
            None => Ok(()),
            Some(0) if self.power_fails => Err(io::Error::other("power is off")),
            Some(0) => {
                self.calls_left = None;
                Err(io::Error::other("a simulated fault"))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn id(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Files without a name are gone.
    fn sweep(&mut self) {
        let named: BTreeSet<u64> = self.names.values().chain(self.durable_names.values()).copied().collect();
        self.files.retain(|id, _| named.contains(id));
    }

    fn crash(&mut self) {
        let names: BTreeSet<String> = self.names.keys().chain(self.durable_names.keys()).cloned().collect();
        let mut survived = BTreeMap::new();
        for name in names {
            let (seen, durable) = (self.names.get(&name), self.durable_names.get(&name));
            if let Some(id) = if self.random.chance(50) { seen } else { durable } {
                survived.insert(name, *id);
            }
        }
        self.durable_names = survived.clone();
        self.names = survived;
        self.sweep();
        for content in self.files.values_mut() {
            let unsynced = content.bytes.len() - content.synced;
            content.bytes.truncate(content.synced + self.random.below(unsynced + 1));
            for sector in content.bytes[content.synced..].chunks_mut(SECTOR) {
                if self.random.chance(25) {
                    sector.fill(0); // its size was written, but not its bytes
                }
            }
            content.synced = content.bytes.len();
        }
        (self.calls_left, self.capacity) = (None, None);
        self.boot += 1;
        self.locked = false;
    }
}

impl Disk for SimulatedDisk {
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.call()?;
        let id = state.next_file;
        state.next_file += 1;
        state.files.insert(id, Content::default());
        state.names.insert(name.to_owned(), id);
        state.sweep();
        Ok(Box::new(SimulatedFile { state: self.state.clone(), boot: state.boot, id }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        let id = state.id(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), id);
        state.sweep();
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        state.durable_names = state.names.clone();
        state.sweep();
        Ok(())
    }

    fn read(&self, name: &str, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        state.call()?;
        let bytes = &state.files[&state.id(name)?].bytes;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len() - from);
        Ok(bytes[from..from + length].to_vec())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        let mut state = self.state();
        state.call()?;
        Ok(state.names.contains_key(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.call()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        state.id(name)?;
        state.names.remove(name);
        state.sweep();
        Ok(())
    }

    fn lock(&self) -> io::Result<Option<Box<dyn DiskLock>>> {
        let mut state = self.state();
        state.call()?;
        if state.locked {
            return Ok(None);
        }
        state.locked = true;
        Ok(Some(Box::new(SimulatedLock { state: self.state.clone(), boot: state.boot })))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

struct SimulatedFile {
    state: Arc<Mutex<State>>,
    boot: u64,
    id: u64,
}

impl SimulatedFile {
    fn with<R>(&self, work: impl FnOnce(&mut State, &mut Content) -> io::Result<R>) -> io::Result<R> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.boot != self.boot {
            return Err(io::Error::other("the machine was restarted"));
        }
        let mut content = state.files.remove(&self.id).ok_or(io::ErrorKind::NotFound)?;
        let done = work(&mut state, &mut content);
        state.files.insert(self.id, content);
        done
    }
}

impl DiskFile for SimulatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|state, content| {
            let called = state.call();
            let mut length = bytes.len();
            if called.is_err() {
                length = state.random.below(length + 1); // cut short
            }
            let room = state.capacity.map(|most| most.saturating_sub(state.used() + content.bytes.len()));
            let fits = room.map_or(length, |room| room.min(length));
            content.bytes.extend_from_slice(&bytes[..fits]);
            called?;
            if fits < length { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|state, content| {
            state.call()?;
            content.synced = content.bytes.len();
            Ok(())
        })
    }
}

#[derive(Debug)]
struct SimulatedLock {
    state: Arc<Mutex<State>>,
    boot: u64,
}

impl DiskLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.boot == self.boot {
            state.locked = false;
        }
    }
}
