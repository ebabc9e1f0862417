//! How many trials were right, never without how sure that is.

use std::fmt;

use super::result::Trial;
use super::shared::wilson;

/// How many trials were right, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    pub correct: usize,
    pub n: usize,
}

impl Accuracy {
    pub fn of(trials: &[Trial]) -> Self {
        Self { correct: trials.iter().filter(|trial| trial.right()).count(), n: trials.len() }
    }

    pub fn share(self) -> f64 {
        self.correct as f64 / self.n.max(1) as f64
    }

    pub fn ci95(self) -> [f64; 2] {
        wilson(self.share(), self.n as f64)
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = self.ci95().map(|edge| 100.0 * edge);
        let (share, Self { correct, n }) = (100.0 * self.share(), self);
        write!(f, "{correct} of {n} ({share:.1} %, 95 % interval {low:.1} to {high:.1} %)")
    }
}
