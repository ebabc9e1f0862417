//! Flow control: how much is under way between the sources and the sinks.
//!
//! Timely has none. Ingress stops polling while too much is in flight or while a sink holds items back, and is woken
//! when there is room again: a source that can pause pauses, and a device's bounded queue applies its policy.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::source::Waker;

/// Weight that may be between ingress and the keyed operators, for each worker: 256 KiB of `f32` values, each packet weighing 16
/// more. That is some activations' worth, and lies in the caches near the cores still when its turn comes; with 16 MiB, as much as
/// was sent ahead while a worker was busy came back from memory (docs/reference/performance.md).
const IN_FLIGHT: usize = 1 << 16;

#[derive(Debug, Default)]
pub(super) struct Pressure {
    /// Weight that may be in flight.
    most: usize,
    in_flight: AtomicUsize,
    held: AtomicUsize,
    /// Other processes whose sinks hold items back.
    elsewhere: AtomicUsize,
    /// Woken when sinks here begin to hold items back, and when they no longer do.
    neighbours: OnceLock<Waker>,
    waiting: AtomicBool,
    ingress: Mutex<Vec<Waker>>,
}

impl Pressure {
    pub(super) fn new(workers: usize) -> Self {
        Self { most: IN_FLIGHT * workers.max(1), ..Self::default() }
    }

    /// Registers an ingress operator, to be woken when there is room.
    pub(super) fn register(&self, waker: Waker) {
        self.ingress.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }

    /// Whether more may enter. If not, the caller is woken once it may.
    pub(super) fn admits(&self) -> bool {
        if self.has_room() {
            return true;
        }
        self.waiting.store(true, Ordering::SeqCst);
        self.has_room() // room made between the two looks would not have woken anyone
    }

    fn has_room(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) < self.most
            && !self.holds()
            && self.elsewhere.load(Ordering::SeqCst) == 0
    }

    pub(super) fn enter(&self, weight: usize) {
        self.in_flight.fetch_add(weight, Ordering::SeqCst);
    }

    pub(super) fn leave(&self, weight: usize) {
        self.in_flight.fetch_sub(weight, Ordering::SeqCst);
        self.wake_if_room();
    }

    /// A sink holds `items` back.
    pub(super) fn hold(&self, items: usize) {
        if items > 0 && self.held.fetch_add(items, Ordering::SeqCst) == 0 {
            self.tell_neighbours();
        }
    }

    pub(super) fn release(&self, items: usize) {
        if items > 0 && self.held.fetch_sub(items, Ordering::SeqCst) == items {
            self.tell_neighbours();
        }
        self.wake_if_room();
    }

    /// Whether a sink here holds items back.
    pub(super) fn holds(&self) -> bool {
        self.held.load(Ordering::SeqCst) > 0
    }

    /// Whom to wake when that changes.
    pub(super) fn set_neighbours(&self, waker: Waker) {
        let _ = self.neighbours.set(waker); // there is one cluster
    }

    fn tell_neighbours(&self) {
        self.neighbours.get().into_iter().for_each(Waker::wake);
    }

    /// Sinks of another process hold items back.
    pub(super) fn hold_elsewhere(&self) {
        self.elsewhere.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn release_elsewhere(&self) {
        self.elsewhere.fetch_sub(1, Ordering::SeqCst);
        self.wake_if_room();
    }

    fn wake_if_room(&self) {
        if self.has_room() && self.waiting.swap(false, Ordering::SeqCst) {
            for waker in self.ingress.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                waker.wake();
            }
        }
    }
}
