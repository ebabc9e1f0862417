//! How well scores tell targets from others, whatever the threshold.

/// The area under the receiver operating characteristic: how often a target scores higher than another trial, ties counting half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auc {
    pub area: f64,
    variance: f64,
}

impl Auc {
    /// Of scores of targets and of others; none where either is missing. The variance is that of E. R. DeLong, D. M. DeLong and D. L.
    /// Clarke-Pearson (1988), Biometrics 44(3):837–845; of a single target or other there is none.
    pub fn of(targets: &[f64], others: &[f64]) -> Option<Self> {
        if targets.is_empty() || others.is_empty() {
            return None;
        }
        let wins = |target: f64, other: f64| {
            if target > other { 1.0 } else { f64::from(u8::from(target == other)) / 2.0 }
        };
        let share = |all: &[f64], wins: &dyn Fn(f64) -> f64| {
            all.iter().map(|one| wins(*one)).sum::<f64>() / all.len() as f64
        };
        let of_targets: Vec<f64> =
            targets.iter().map(|target| share(others, &|other| wins(*target, other))).collect();
        let of_others: Vec<f64> =
            others.iter().map(|other| share(targets, &|target| wins(target, *other))).collect();
        let area = of_targets.iter().sum::<f64>() / of_targets.len() as f64;
        let variance = |shares: &[f64]| {
            let squares = shares.iter().map(|share| (share - area) * (share - area)).sum::<f64>();
            squares / (shares.len() as f64 - 1.0).max(1.0) / shares.len() as f64
        };
        Some(Self { area, variance: variance(&of_targets) + variance(&of_others) })
    }

    /// The mean of areas that have no trial in common.
    pub fn mean(areas: &[Self]) -> Option<Self> {
        let n = areas.len() as f64;
        let sum = |of: fn(&Self) -> f64| areas.iter().map(of).sum::<f64>();
        (n > 0.0).then(|| Self { area: sum(|auc| auc.area) / n, variance: sum(|auc| auc.variance) / (n * n) })
    }

    /// Its 95 % interval.
    pub fn interval(self) -> [f64; 2] {
        let half = 1.959_963_984_540_054 * self.variance.sqrt();
        [self.area - half, self.area + half].map(|edge| edge.clamp(0.0, 1.0))
    }
}
