//! A retry budget: retries may be a share of the calls, and no more.

/// What may be tried again. Each call that is made for the first time earns a share of a retry, so that a peer that is down sees
/// little more than the calls it would see anyhow, however many layers try again (Nygard 2018; Finagle's `RetryBudget`).
///
/// A state machine without clock: what is saved is bounded, so that long calm does not buy a storm.
///
/// ```
/// use neuraflow_core::resilience::Budget;
/// let mut budget = Budget::new(10, 2); // 10 %, and 2 for those that begin
/// assert!(budget.spend() && budget.spend() && !budget.spend());
/// (0..10).for_each(|_| budget.earn());
/// assert!(budget.spend() && !budget.spend());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    percent: u64,
    /// Hundredths of a retry.
    saved: u64,
    most: u64,
}

/// What a retry costs, in hundredths.
const RETRY: u64 = 100;

impl Budget {
    /// `percent` retries for a hundred calls. `reserve` retries are there at the start, and so many are saved at most.
    pub const fn new(percent: u32, reserve: u32) -> Self {
        let most = reserve as u64 * RETRY;
        Self { percent: percent as u64, saved: most, most }
    }

    /// A call is made for the first time.
    pub fn earn(&mut self) {
        self.saved = (self.saved + self.percent).min(self.most);
    }

    /// Takes a retry out; false if there is none.
    #[must_use]
    pub fn spend(&mut self) -> bool {
        let left = self.saved.checked_sub(RETRY);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }
}
