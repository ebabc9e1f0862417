//! A store in memory, which survives a run, and can be told to say no.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use neuraflow_core::checkpoint::{CheckpointStore, StoreError};

#[derive(Debug, Default)]
pub(crate) struct Memory {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// No room for anything.
    pub(crate) full: AtomicBool,
    /// Whoever writes panics.
    pub(crate) panics: AtomicBool,
    /// Every so many writes, one fails; every second of those has been written all the same. Never if 0.
    pub(crate) fails_at: AtomicU64,
    writes: AtomicU64,
}

impl Memory {
    /// Damages all files whose names begin so.
    pub(crate) fn damage(&self, prefix: &str) {
        let mut files = self.files.lock().unwrap();
        for (_, bytes) in files.iter_mut().filter(|(name, _)| name.starts_with(prefix)) {
            bytes.iter_mut().for_each(|byte| *byte ^= 1);
        }
    }
}

impl CheckpointStore for Memory {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        assert!(!self.panics.load(Ordering::SeqCst), "told to panic");
        if self.full.load(Ordering::SeqCst) {
            let source = io::Error::from(io::ErrorKind::StorageFull);
            return Err(StoreError::Io { action: "write", target: name.into(), source });
        }
        let write = self.writes.fetch_add(1, Ordering::SeqCst);
        let every = self.fails_at.load(Ordering::SeqCst);
        let fails = every > 0 && write % every == every - 1;
        let mut files = self.files.lock().unwrap();
        if files.contains_key(name) {
            return Err(StoreError::Exists { name: name.into() });
        }
        if !fails || write.is_multiple_of(2) {
            files.insert(name.into(), bytes.to_vec());
        }
        if fails {
            let source = io::Error::other("told to fail");
            return Err(StoreError::Io { action: "write", target: name.into(), source });
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let files = self.files.lock().unwrap();
        files.get(name).cloned().ok_or_else(|| StoreError::Missing { name: name.into() })
    }

    fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let all = self.get(name)?;
        let from = (offset as usize).min(all.len());
        Ok(all[from..(from + length as usize).min(all.len())].to_vec())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let files = self.files.lock().unwrap();
        Ok(files.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.files.lock().unwrap().remove(name);
        Ok(())
    }
}
