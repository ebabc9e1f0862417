//! A gate: many write at a time, or one changes what they write, who does not wait for ever.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct Gate {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    writes: usize,
    /// Somebody waits for them to end, or has the gate: nobody else begins to write.
    closed: bool,
}

/// A write that is under way.
#[derive(Debug)]
pub(super) struct Writing<'a>(&'a Gate);

/// Nobody writes.
#[derive(Debug)]
pub(super) struct Closed<'a>(&'a Gate);

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to write, once the gate is not closed.
    pub(super) fn enter(&self) -> Writing<'_> {
        let open = self.changed.wait_while(self.lock(), |inside| inside.closed);
        open.unwrap_or_else(PoisonError::into_inner).writes += 1;
        Writing(self)
    }

    /// Waits until nobody writes, for so long; or says how many writes have not ended.
    pub(super) fn close(&self, patience: Duration) -> Result<Closed<'_>, usize> {
        let open = self.changed.wait_while(self.lock(), |inside| inside.closed);
        let mut inside = open.unwrap_or_else(PoisonError::into_inner);
        inside.closed = true;
        let closed = Closed(self); // open again, whatever comes
        let begun = Instant::now();
        while inside.writes > 0 {
            let Some(left) = patience.checked_sub(begun.elapsed()) else {
                let writes = inside.writes;
                drop(inside);
                drop(closed);
                return Err(writes);
            };
            inside = self.changed.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(inside);
        Ok(closed)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.lock().writes -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.lock().closed = false;
        self.0.changed.notify_all();
    }
}
