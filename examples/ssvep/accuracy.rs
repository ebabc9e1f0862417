//! How many trials were right, never without how sure that is.

use std::fmt;

use super::result::Trial;

/// How many trials were right, with Wilson's 95 % interval (E. B. Wilson 1927, J. Am. Stat. Assoc. 22:209–212).
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
        const Z: f64 = 1.959_963_984_540_054;
        let (n, p) = (self.n.max(1) as f64, self.share());
        let centre = p + Z * Z / (2.0 * n);
        let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        // Rounding must not put none or all of them outside.
        [((centre - half) / scale).clamp(0.0, p), ((centre + half) / scale).clamp(p, 1.0)]
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = self.ci95().map(|edge| 100.0 * edge);
        let (share, Self { correct, n }) = (100.0 * self.share(), self);
        write!(f, "{correct} of {n} ({share:.1} %, 95 % interval {low:.1} to {high:.1} %)")
    }
}
