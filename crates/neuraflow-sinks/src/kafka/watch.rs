//! What others may know of a sink while it runs.

use std::sync::{Arc, Mutex, PoisonError};

/// What a sink has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KafkaSinkStats {
    /// Records that the brokers have; of a transactional sink, those that were committed.
    pub delivered: u64,
    /// Results that were in the topic already, and were not written again.
    pub skipped: u64,
    /// Writes or transactions that failed; their results are offered again.
    pub failures: u64,
    /// Transactions that were committed.
    pub transactions: u64,
    /// Errors of connections.
    pub connection_errors: u64,
    /// What the last of any of them said, if nothing has arrived since.
    pub trouble: Option<String>,
}

/// Looks at a [`KafkaSink`](super::KafkaSink) from any thread.
#[derive(Clone, Debug, Default)]
pub struct KafkaSinkWatch(Arc<Mutex<KafkaSinkStats>>);

impl KafkaSinkWatch {
    /// What it has written.
    pub fn stats(&self) -> KafkaSinkStats {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut KafkaSinkStats)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
