//! What the handles and the reader share, and who wakes whom.
//!
//! The worker is woken once for any number of pushes: `waking` is set by the first and cleared, under the same
//! lock, before the reader drains. A disconnect is made visible before the wake that tells of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task;

use neuraflow_core::resilience::Clock;
use neuraflow_core::source::Waker;

use super::error::PushError;
use super::journal::SharedJournal;
use super::offer::Offer;
use super::queue::Queue;

/// How far the pipeline's side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The source exists; no pipeline has opened it yet, or the one before is gone and another may go on.
    Waiting,
    Reading,
    Gone,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) side: Side,
    /// The source was dropped: no other pipeline will open it.
    pub(super) orphaned: bool,
    /// All handles are gone.
    pub(super) closed: bool,
    /// Wakes the reader there is.
    pub(super) reader: Option<Waker>,
    /// The pipeline's clock, known once one has opened the source.
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) waking: bool,
    /// A record is being written that is not queued yet.
    pub(super) writing: bool,
    /// Streams that were reported silent and when, which is not in the journal yet.
    pub(super) silences: Vec<(u64, u64)>,
    /// Tasks that wait for room.
    pub(super) tasks: BTreeMap<u64, task::Waker>,
    next_task: u64,
}

impl State {
    /// The present of the pipeline's clock; 0 before a pipeline opened the source, to be stamped when it does.
    pub(super) fn now(&self) -> u64 {
        self.clock.as_ref().map_or(0, |clock| clock.now())
    }

    pub(super) fn alive(&mut self) -> Result<&mut Self, PushError> {
        if self.side == Side::Gone { Err(PushError::Disconnected) } else { Ok(self) }
    }

    pub(super) fn register(&mut self, task: Option<u64>, waker: &task::Waker) -> u64 {
        let task = task.unwrap_or_else(|| {
            self.next_task += 1;
            self.next_task
        });
        self.tasks.insert(task, waker.clone());
        task
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Threads wait here for room.
    pub(super) space: Condvar,
    pub(super) journal: Option<SharedJournal>,
}

impl Shared {
    pub(super) fn new(queue: Queue, journal: Option<SharedJournal>) -> Self {
        let state = State {
            queue,
            side: Side::Waiting,
            orphaned: false,
            closed: false,
            reader: None,
            clock: None,
            waking: false,
            writing: false,
            silences: Vec::new(),
            tasks: BTreeMap::new(),
            next_task: 0,
        };
        Self { state: Mutex::new(state), space: Condvar::new(), journal }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unlocks, then wakes the reader's worker unless a wake is on its way.
    pub(super) fn release(mut state: MutexGuard<'_, State>) {
        let waker = match &state.reader {
            Some(waker) if !state.waking => Some(waker.clone()),
            _ => None,
        };
        state.waking |= waker.is_some();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The last handle is gone: every stream ends. Wakes in any case, after the end is visible.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        // One wake for all of it, at the end.
        state.waking = true;
        let running = state.queue.running_streams();
        drop(state);
        for key in running {
            // Where the journal takes no more the stream ends all the same, as it does when the next process opens it again.
            let offer = Offer::End { key: &key };
            if let Err(error) = self.submit(&offer, &mut |_| ())
                && error != PushError::Disconnected
            {
                tracing::warn!(%error, "the end of a device's stream");
            }
        }
        let mut state = self.lock();
        state.closed = true;
        state.waking = false;
        Self::release(state);
    }

    /// Unlocks, then lets everyone try again who waits for room.
    pub(super) fn made_room(&self, mut state: MutexGuard<'_, State>) {
        let tasks = std::mem::take(&mut state.tasks);
        drop(state);
        self.space.notify_all();
        tasks.into_values().for_each(task::Waker::wake);
    }

    /// The reader is gone. What is queued waits for the next one, unless there can be none: it was the `last`, or no pipeline has
    /// the source any more.
    pub(super) fn reader_gone(&self, last: bool) {
        let mut state = self.lock();
        state.reader = None;
        if last || state.orphaned {
            self.disconnect(state);
        } else {
            state.side = Side::Waiting;
        }
    }

    /// The source was dropped: no other pipeline will open it. A reader that there still is goes on.
    pub(super) fn source_gone(&self) {
        let mut state = self.lock();
        state.orphaned = true;
        if state.side != Side::Reading {
            self.disconnect(state);
        }
    }

    /// What is queued will never be read.
    fn disconnect(&self, mut state: MutexGuard<'_, State>) {
        state.side = Side::Gone;
        state.queue.clear();
        self.made_room(state);
    }
}
