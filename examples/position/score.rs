//! How good it is, never without how sure that is.

use super::outcome::{Outcome, Tested};
use super::shared::wilson;

impl Outcome {
    /// Which part of the track a place is in, from 0.
    pub fn part(&self, place: f64) -> usize {
        let part = (place / self.length * self.parts as f64).max(0.0);
        (part as usize).min(self.parts - 1)
    }

    pub fn correct(&self) -> usize {
        let right = |tested: &&Tested| {
            tested.decided.is_some_and(|(place, _)| self.part(place) == self.part(tested.truth))
        };
        self.tested.iter().filter(right).count()
    }

    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.tested.len() as f64
    }

    /// So many of the tested windows can lie so far apart that no two decisions look back at the same spike. (What a Kalman filter
    /// remembers has no end: there a second is taken.)
    pub fn independent(&self) -> usize {
        (self.tested.len() / self.shared).max(1)
    }

    /// The 95 % interval of the accuracy, for as many windows as are
    /// independent: neighbours look at the same spikes, and are no more evidence together than each.
    pub fn interval(&self) -> [f64; 2] {
        wilson(self.accuracy(), self.independent() as f64)
    }

    /// Distances from where it was at the time that the decision speaks of, in pixels, least first; no decision is as far off as can be.
    pub fn errors(&self) -> Vec<f64> {
        sorted(self.tested.iter().map(|tested| off(tested, tested.truth)).collect())
    }

    /// The same from where it was when the decision came.
    pub fn errors_now(&self) -> Vec<f64> {
        sorted(self.tested.iter().map(|tested| off(tested, tested.now)).collect())
    }

    /// The 95 % interval of a median, by the ranks that it lies between (binomial, normal approximation).
    pub fn median_interval(&self, sorted: &[f64]) -> [f64; 2] {
        let half = Z / 2.0 / (self.independent() as f64).sqrt();
        [0.5 - half, 0.5 + half].map(|share| quantile(sorted, share.clamp(0.0, 1.0)))
    }

    /// Pearson's correlation of what was decided and what was true.
    pub fn correlation(&self) -> f64 {
        let pairs: Vec<(f64, f64)> =
            self.tested.iter().filter_map(|tested| Some((tested.decided?.0, tested.truth))).collect();
        let n = pairs.len() as f64;
        let mean = |pick: fn(&(f64, f64)) -> f64| pairs.iter().map(pick).sum::<f64>() / n;
        let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
        let sum =
            |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|pair| of(pair.0 - x, pair.1 - y)).sum::<f64>();
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
    }
}

const Z: f64 = 1.959_963_984_540_054;

fn off(tested: &Tested, truth: f64) -> f64 {
    tested.decided.map_or(f64::INFINITY, |(place, _)| (place - truth).abs())
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

pub fn median(values: Vec<f64>) -> f64 {
    quantile(&sorted(values), 0.5)
}

/// The value below which a share of sorted values lies, interpolated.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    match (sorted.get(place as usize), sorted.get(place as usize + 1)) {
        (Some(low), Some(high)) if low < high => low + (high - low) * place.fract(),
        (Some(low), _) => *low,
        _ => f64::NAN,
    }
}
