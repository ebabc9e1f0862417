//! The bounded queue between the workers and a sink that has a thread of its own.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::align::Entry;
use crate::sink::Overflow;
use crate::source::Waker;

pub(super) struct SinkQueue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
    overflow: Overflow,
}

struct State<T> {
    entries: VecDeque<Entry<T>>,
    /// How many of them are items.
    items: usize,
    /// Workers that may still put something in.
    producers: usize,
    /// The sink is gone: whatever comes is dropped.
    closed: bool,
    dropped: u64,
    /// Workers that hold items back until there is room.
    stalled: Vec<Waker>,
}

impl<T> State<T> {
    fn move_into(&mut self, batch: &mut Vec<Entry<T>>) -> bool {
        batch.extend(self.entries.drain(..));
        self.items = 0;
        for waker in self.stalled.drain(..) {
            waker.wake();
        }
        !batch.is_empty()
    }
}

impl<T> SinkQueue<T> {
    pub(super) fn new(capacity: usize, overflow: Overflow, producers: usize) -> Self {
        let (entries, stalled) = (VecDeque::new(), Vec::new());
        let state = State { entries, items: 0, producers, closed: false, dropped: 0, stalled };
        Self { state: Mutex::new(state), changed: Condvar::new(), capacity: capacity.max(1), overflow }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves in what there is room for. What is left in `entries` under [`Overflow::Block`] is to be offered again
    /// when `waker` is called. Never waits. Only items take up room, and only items are dropped.
    pub(super) fn offer(&self, entries: &mut VecDeque<Entry<T>>, waker: &Waker) {
        let mut state = self.lock();
        if state.closed {
            state.dropped += entries.drain(..).filter(Entry::is_item).count() as u64;
            return;
        }
        while let Some(entry) = entries.pop_front() {
            if entry.is_item() && state.items >= self.capacity {
                match self.overflow {
                    Overflow::Block => {
                        entries.push_front(entry);
                        state.stalled.push(waker.clone());
                        break;
                    }
                    Overflow::DropNewest => {
                        state.dropped += 1;
                        continue;
                    }
                    Overflow::DropOldest => {
                        let oldest = state.entries.iter().position(Entry::is_item);
                        if oldest.and_then(|oldest| state.entries.remove(oldest)).is_some() {
                            state.items -= 1;
                            state.dropped += 1;
                        }
                    }
                }
            }
            state.items += usize::from(entry.is_item());
            state.entries.push_back(entry);
        }
        self.changed.notify_one();
    }

    /// Says that the checkpoint with this number is given up.
    pub(super) fn release(&self, number: u64) {
        let mut state = self.lock();
        if !state.closed {
            state.entries.push_back(Entry::Release { number });
        }
        self.changed.notify_one();
    }

    /// How many items there is room for.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Waits for entries and moves them all into `batch`; false once nothing can follow.
    pub(super) fn take(&self, batch: &mut Vec<Entry<T>>) -> bool {
        let mut state = self.lock();
        while state.entries.is_empty() && state.producers > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.move_into(batch)
    }

    /// Moves all entries that are there into `batch`, without waiting for any. Whether there were some.
    #[cfg(feature = "testing")]
    pub(super) fn take_now(&self, batch: &mut Vec<Entry<T>>) -> bool {
        self.lock().move_into(batch)
    }

    /// One worker will put nothing in any more.
    pub(super) fn leave(&self) {
        let mut state = self.lock();
        state.producers = state.producers.saturating_sub(1);
        drop(state);
        self.changed.notify_one();
    }

    /// No worker is left: what is queued is all there is, whether or not every worker got as far as to put something in.
    pub(super) fn end(&self) {
        self.lock().producers = 0;
        self.changed.notify_one();
    }

    /// The sink has failed: from here on everything is dropped, and nobody waits for room.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.dropped += std::mem::take(&mut state.items) as u64;
        state.entries.clear();
        for waker in state.stalled.drain(..) {
            waker.wake();
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }
}
