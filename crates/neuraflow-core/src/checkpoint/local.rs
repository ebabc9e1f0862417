//! Checkpoints in a local directory.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::{Disk, DiskLock, RealDisk};
use super::store::{CheckpointStore, StoreError};

/// What a file is called until it is whole.
const UNFINISHED: &str = ".tmp";

/// A [`CheckpointStore`] in a directory of its own, which it locks: two processes cannot share it.
///
/// A file is written under another name, synced, renamed into place, and then the directory is synced.
///
/// ```
/// use neuraflow_core::checkpoint::{CheckpointStore, LocalStore, StoreError};
/// # let scratch = std::env::temp_dir().join(format!("neuraflow-doc-local-{}", std::process::id()));
/// let store = LocalStore::open(&scratch)?;
/// store.put_if_absent("manifest-1", b"all is well")?;
/// assert_eq!(store.get("manifest-1")?, b"all is well");
/// assert!(matches!(store.put_if_absent("manifest-1", b"no"), Err(StoreError::Exists { .. })));
/// assert!(matches!(LocalStore::open(&scratch), Err(StoreError::Locked { .. })));
/// # std::fs::remove_dir_all(&scratch)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LocalStore {
    disk: Arc<dyn Disk>,
    /// Between the look whether a name is free and the rename nobody else may take it.
    naming: Mutex<()>,
    _lock: Box<dyn DiskLock>,
    #[cfg(feature = "testing")]
    unsynced_rename: bool,
}

impl LocalStore {
    /// The store in `directory`, which is made if it is not there.
    ///
    /// # Errors
    /// The directory cannot be made or written, or another store is open on it.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = directory.into();
        let disk = RealDisk::open(&directory).map_err(|source| StoreError::Io {
            action: "open the directory",
            target: directory.display().to_string(),
            source,
        })?;
        Self::on(Arc::new(disk))
    }

    /// The store on `disk`.
    ///
    /// # Errors
    /// The disk cannot be written, or another store is open on it.
    pub fn on(disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let lock = disk.lock().map_err(|source| StoreError::Io {
            action: "lock",
            target: disk.path().display().to_string(),
            source,
        })?;
        let lock = lock.ok_or_else(|| StoreError::Locked { directory: disk.path().to_owned() })?;
        let store = Self {
            disk,
            naming: Mutex::new(()),
            _lock: lock,
            #[cfg(feature = "testing")]
            unsynced_rename: false,
        };
        store.sweep()?;
        Ok(store)
    }

    /// Plants a bug for tests of tests: renamed files are reported durable before they are.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn plant_unsynced_rename(mut self) -> Self {
        self.unsynced_rename = true;
        self
    }

    /// Removes what an earlier process had not finished.
    fn sweep(&self) -> Result<(), StoreError> {
        let names = self.disk.list().map_err(self.failed("list", ""))?;
        for name in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
            self.disk.remove(name).map_err(self.failed("remove", name))?;
        }
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.disk.create(name)?;
        file.append(bytes)?;
        file.sync()
    }

    fn sync_names(&self) -> io::Result<()> {
        #[cfg(feature = "testing")]
        if self.unsynced_rename {
            return Ok(());
        }
        self.disk.sync_names()
    }

    fn failed(&self, action: &'static str, name: &str) -> impl Fn(io::Error) -> StoreError {
        let target = self.disk.path().join(name).display().to_string();
        let name = name.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::Missing { name: name.clone() },
            _ => StoreError::Io { action, target: target.clone(), source },
        }
    }
}

/// Names are plain, so that they are the same in every file system and object store, and lead nowhere else.
fn plain(name: &str) -> Result<(), StoreError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty() && name.chars().all(fits) {
        Ok(())
    } else {
        Err(StoreError::Name { name: name.to_owned() })
    }
}

impl CheckpointStore for LocalStore {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        plain(name)?;
        let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        if self.disk.exists(name).map_err(self.failed("look for", name))? {
            return Err(StoreError::Exists { name: name.to_owned() });
        }
        let unfinished = format!("{name}{UNFINISHED}");
        let written = self.write(&unfinished, bytes).map_err(self.failed("write", name));
        let renamed =
            written.and_then(|()| self.disk.rename(&unfinished, name).map_err(self.failed("rename", name)));
        if let Err(error) = renamed {
            // A full disk needs the room; what cannot be removed is swept up at the next start.
            let _ = self.disk.remove(&unfinished);
            return Err(error);
        }
        self.sync_names().map_err(self.failed("sync the directory of", name))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.get_range(name, 0, u64::MAX)
    }

    fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        plain(name)?;
        self.disk.read(name, offset, length).map_err(self.failed("read", name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let mut names = self.disk.list().map_err(self.failed("list", ""))?;
        names.retain(|name| name.starts_with(prefix) && plain(name).is_ok());
        names.sort();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        plain(name)?;
        match self.disk.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("remove", name)(error)),
            _ => Ok(()),
        }
    }
}
