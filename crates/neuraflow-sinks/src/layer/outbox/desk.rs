//! What the writer and the thread that hands on share.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fresh::Fresh;
use super::log::Log;
use super::watch::OutboxWatch;

/// How long to nap at most: the pipeline's clock need not be the machine's.
pub(super) const NAP: Duration = Duration::from_millis(20);

/// The log, and who waits for it to change.
pub(super) struct Desk<T> {
    pub(super) inside: Mutex<Inside<T>>,
    /// Something was written, handed on, or the end has come.
    pub(super) changed: Condvar,
    pub(super) watch: OutboxWatch,
}

pub(super) struct Inside<T> {
    pub(super) log: Log,
    pub(super) fresh: Fresh<T>,
    /// Nothing more is handed on.
    pub(super) stop: bool,
}

impl<T> Desk<T> {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inside<T>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to change, for `time` at most.
    pub(super) fn wait<'a>(
        &self,
        inside: MutexGuard<'a, Inside<T>>,
        time: Duration,
    ) -> MutexGuard<'a, Inside<T>> {
        self.changed.wait_timeout(inside, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Makes everything durable, and says up to where that is. Others go on meanwhile: it takes as long as the disk does.
    pub(super) fn sync(&self) -> io::Result<u64> {
        let unsynced = self.lock().log.unsynced();
        unsynced.sync()?;
        self.lock().log.synced(&unsynced);
        Ok(unsynced.end())
    }

    /// Lets others know how much waits.
    pub(super) fn tell(&self, inside: &Inside<T>, now: u64) {
        self.watch.waits(inside.log.passed(), inside.log.end(), now);
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
