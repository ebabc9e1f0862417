//! A checkpoint store without a disk, and without a lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::checkpoint::{CheckpointStore, StoreError};

/// A [`CheckpointStore`] in memory. Clones share what is stored, as several processes share an object store: nothing but
/// `put_if_absent` keeps them apart.
///
/// ```
/// use neuraflow_core::checkpoint::CheckpointStore;
/// use neuraflow_core::testing::MemoryStore;
/// let (one, other) = { let store = MemoryStore::default(); (store.clone(), store) };
/// assert!(one.put_if_absent("manifest-1", b"first").is_ok());
/// assert!(other.put_if_absent("manifest-1", b"second").is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl MemoryStore {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `bytes` in the place of what is stored as `name`, as no process would.
    pub fn tamper(&self, name: &str, bytes: Vec<u8>) {
        self.all().insert(name.to_owned(), bytes);
    }

    /// How many bytes are stored under names that begin with `prefix`.
    pub fn size(&self, prefix: &str) -> usize {
        self.all().iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, bytes)| bytes.len()).sum()
    }
}

impl CheckpointStore for MemoryStore {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut all = self.all();
        if all.contains_key(name) {
            return Err(StoreError::Exists { name: name.to_owned() });
        }
        all.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.all().get(name).cloned().ok_or_else(|| StoreError::Missing { name: name.to_owned() })
    }

    fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = self.get(name)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len() - from);
        Ok(bytes[from..from + length].to_vec())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.all().keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.all().remove(name);
        Ok(())
    }
}
