//! What the writer and the thread that hands on share.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::log::Log;
use super::watch::OutboxWatch;

/// How long to nap at most: the pipeline's clock need not be the machine's.
pub(super) const NAP: Duration = Duration::from_millis(20);

/// The log, and who waits for it to change.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) inside: Mutex<Inside>,
    /// Something was written, handed on, or the end has come.
    pub(super) changed: Condvar,
    pub(super) watch: OutboxWatch,
}

#[derive(Debug)]
pub(super) struct Inside {
    pub(super) log: Log,
    /// Nothing more is handed on.
    pub(super) stop: bool,
}

impl Desk {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to change, for `time` at most.
    pub(super) fn wait<'a>(&self, inside: MutexGuard<'a, Inside>, time: Duration) -> MutexGuard<'a, Inside> {
        self.changed.wait_timeout(inside, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Lets others know how much waits.
    pub(super) fn tell(&self, inside: &Inside, now: u64) {
        self.watch.waits(inside.log.passed(), inside.log.end(), now);
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
