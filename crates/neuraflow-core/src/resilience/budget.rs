//! A retry budget: retries are a share of the calls, so that they cannot multiply what a peer in trouble has to bear.

/// Grants retries as long as they are at most a share of the calls.
///
/// ```
/// use neuraflow_core::resilience::RetryBudget;
/// let mut budget = RetryBudget::new(10, 2); // a retry for every ten calls, and two to begin with
/// assert!(budget.retry() && budget.retry() && !budget.retry());
/// (0..10).for_each(|_| budget.call());
/// assert!(budget.retry() && !budget.retry());
/// ```
#[derive(Clone, Debug)]
pub struct RetryBudget {
    /// Hundredths of a retry that a call earns.
    percent: u64,
    /// Hundredths that may be saved.
    most: u64,
    saved: u64,
}

impl RetryBudget {
    /// `percent` retries for a hundred calls; up to `reserve` are saved, and there from the beginning.
    pub fn new(percent: u32, reserve: u32) -> Self {
        let most = u64::from(reserve) * 100;
        Self { percent: u64::from(percent), most, saved: most }
    }

    /// A call was made for the first time.
    pub fn call(&mut self) {
        self.saved = (self.saved + self.percent).min(self.most.max(100));
    }

    /// Whether a call may be made again.
    pub fn retry(&mut self) -> bool {
        match self.saved.checked_sub(100) {
            Some(left) => {
                self.saved = left;
                true
            }
            None => false,
        }
    }
}

impl Default for RetryBudget {
    /// A retry for every ten calls, and ten saved.
    fn default() -> Self {
        Self::new(10, 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_long_run_a_tenth_is_granted() {
        let mut budget = RetryBudget::default();
        let mut granted = 0;
        for _ in 0..10_000 {
            budget.call();
            granted += u32::from(budget.retry());
        }
        assert_eq!(granted, 10_000 / 10 + 10);
    }

    #[test]
    fn what_is_not_used_is_not_saved_for_ever() {
        let mut budget = RetryBudget::default();
        (0..100_000).for_each(|_| budget.call());
        assert_eq!((0..100).filter(|_| budget.retry()).count(), 10);
    }
}
