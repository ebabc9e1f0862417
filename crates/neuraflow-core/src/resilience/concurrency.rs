//! How many calls at once: one more as long as all goes well, half as many when it does not.

/// A limit of calls at a time that finds itself: additive increase, multiplicative decrease (Chiu & Jain 1989), as TCP does it.
///
/// A state machine without clock or thread.
///
/// ```
/// use neuraflow_core::resilience::Concurrency;
/// let mut limit = Concurrency::new(4);
/// assert_eq!(limit.now(), 1);
/// (0..9).for_each(|_| limit.grow());
/// assert_eq!(limit.now(), 4);
/// limit.shrink();
/// assert_eq!(limit.now(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    now: usize,
    most: usize,
}

impl Concurrency {
    /// One call at a time, and never more than `most`.
    pub const fn new(most: usize) -> Self {
        Self { now: 1, most: if most == 0 { 1 } else { most } }
    }

    /// Calls that may be out at the same time.
    pub fn now(&self) -> usize {
        self.now
    }

    /// As many as were allowed were out, and all went well.
    pub fn grow(&mut self) {
        self.now = (self.now + 1).min(self.most);
    }

    /// One of them failed, or was slow.
    pub fn shrink(&mut self) {
        self.now = (self.now / 2).max(1);
    }
}
