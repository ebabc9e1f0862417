//! The few things that a local store asks of a file system, so that tests can put one in its place that loses power.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// One flat directory of a file system.
///
/// What was written is safe only once it was synced: a file's bytes by [`DiskFile::sync`], the directory's names by
/// [`sync_names`](Self::sync_names). Until then a power failure may keep it, lose it or tear it.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes the file `name`, empty, in place of one that is there.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives the file `from` the name `to`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes durable which names there are and which files they name.
    fn sync_names(&self) -> io::Result<()>;

    /// `length` bytes of `name` from `offset`, or fewer where it ends before.
    fn read(&self, name: &str, offset: u64, length: u64) -> io::Result<Vec<u8>>;

    /// Whether there is a file `name`.
    fn exists(&self, name: &str) -> io::Result<bool>;

    /// All names, in any order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Removes the name.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Takes the directory for itself, until the lock is dropped or the process ends, however it ends. `None` if it is
    /// taken.
    fn lock(&self) -> io::Result<Option<Box<dyn DiskLock>>>;

    /// What people call it.
    fn path(&self) -> &Path;
}

/// A file that is being written.
pub trait DiskFile: Send {
    /// Adds `bytes` at its end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes its bytes durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory is ours while this lives.
pub trait DiskLock: Send + Sync + fmt::Debug {}

/// The name of the file that is locked.
const LOCK: &str = "lock";

/// A directory of the operating system.
#[derive(Debug)]
pub struct RealDisk(PathBuf);

impl RealDisk {
    /// The directory `path`, which is made if it is not there.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let missing: Vec<_> =
            path.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        fs::create_dir_all(&path)?;
        // A directory that was just made is a name in another one.
        for made in missing {
            if let Some(parent) = made.canonicalize()?.parent() {
                sync_directory(parent)?;
            }
        }
        Ok(Self(path))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Windows has no such call, and keeps a directory's names itself.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

impl Disk for RealDisk {
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::create(self.at(name))?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn sync_names(&self) -> io::Result<()> {
        sync_directory(&self.0)
    }

    fn read(&self, name: &str, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.at(name))?;
        // What a damaged manifest claims is no reason to allocate.
        let there = file.metadata()?.len().saturating_sub(offset).min(length);
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(usize::try_from(there).unwrap_or(0));
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        fs::exists(self.at(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string().ok().filter(|name| name != LOCK));
        }
        Ok(names)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    fn lock(&self) -> io::Result<Option<Box<dyn DiskLock>>> {
        let file = File::options().create(true).truncate(false).write(true).open(self.at(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(RealLock { file }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Let go of by hand: a child process that was started meanwhile may hold the file open for a moment longer.
#[derive(Debug)]
struct RealLock {
    file: File,
}

impl Drop for RealLock {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "a checkpoint folder could not be unlocked; it is once the process ends");
        }
    }
}

impl DiskLock for RealLock {}
