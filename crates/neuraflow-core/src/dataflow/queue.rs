//! The bounded queue between the workers and a sink that has a thread of its own.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::sink::Overflow;
use crate::source::Waker;

pub(super) struct SinkQueue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
    overflow: Overflow,
}

struct State<T> {
    items: VecDeque<T>,
    /// Workers that may still put something in.
    producers: usize,
    /// The sink is gone: whatever comes is dropped.
    closed: bool,
    dropped: u64,
    /// Workers that hold items back until there is room.
    stalled: Vec<Waker>,
}

impl<T> SinkQueue<T> {
    pub(super) fn new(capacity: usize, overflow: Overflow, producers: usize) -> Self {
        let state =
            State { items: VecDeque::new(), producers, closed: false, dropped: 0, stalled: Vec::new() };
        Self { state: Mutex::new(state), changed: Condvar::new(), capacity: capacity.max(1), overflow }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves in what there is room for. What is left in `items` under [`Overflow::Block`] is to be offered again
    /// when `waker` is called. Never waits.
    pub(super) fn offer(&self, items: &mut VecDeque<T>, waker: &Waker) {
        let mut state = self.lock();
        if state.closed {
            state.dropped += items.len() as u64;
            items.clear();
            return;
        }
        while let Some(item) = items.pop_front() {
            if state.items.len() >= self.capacity {
                match self.overflow {
                    Overflow::Block => {
                        items.push_front(item);
                        state.stalled.push(waker.clone());
                        break;
                    }
                    Overflow::DropNewest => {
                        state.dropped += 1;
                        continue;
                    }
                    Overflow::DropOldest => {
                        state.items.pop_front();
                        state.dropped += 1;
                    }
                }
            }
            state.items.push_back(item);
        }
        self.changed.notify_one();
    }

    /// Waits for items and moves them all into `batch`; false once nothing can follow.
    pub(super) fn take(&self, batch: &mut Vec<T>) -> bool {
        let mut state = self.lock();
        while state.items.is_empty() && state.producers > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        batch.extend(state.items.drain(..));
        for waker in state.stalled.drain(..) {
            waker.wake();
        }
        !batch.is_empty()
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
        state.dropped += state.items.len() as u64;
        state.items.clear();
        for waker in state.stalled.drain(..) {
            waker.wake();
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }
}
