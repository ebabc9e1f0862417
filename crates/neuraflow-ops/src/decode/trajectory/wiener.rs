//! The Wiener filter: a weighted sum of the last windows' spikes.

use serde::{Deserialize, Serialize};

use super::model::{Method, TrajectoryModel};
use super::training::Trajectory;
use crate::decode::FitError;
use crate::kernel::linalg::{dot, solve};

/// Decodes any values from the spikes of the last windows, by the weights that come nearest to them in training.
///
/// ```text
/// y = b + Σ w[lag][unit] n[lag][unit],    lag 0 … windows − 1
/// ```
///
/// With a ridge α the weights are those of least `Σ (y − ŷ)² + α Σ w²`; without one the plain least squares, `numpy.linalg.lstsq`. Units that
/// never change in training have no weight. The confidence is the probability that each value is within a twentieth of its range, if errors are
/// normal with the deviation that is left in training: a linear filter does not know when it errs, so it is the same in all windows.
///
/// Source: J. M. Carmena et al. (2003), PLoS Biol. 1(2):e42 (ten bins of 100 ms); A. E. Hoerl and R. W. Kennard (1970), Technometrics
/// 12(1):55–67 (ridge).
///
/// ```
/// use neuraflow_core::model::Span;
/// use neuraflow_ops::decode::{Trajectory, Wiener};
/// // A hand whose velocity is a unit's spikes of two windows before.
/// let mut trajectory = Trajectory::new(["unit 0"], Span::millis(50), ["velocity"])?;
/// let spikes = |window: i64| ((window * window) % 7) as f64;
/// for window in 0..50 {
///     trajectory.push(window, &[spikes(window)], Some(&[3.0 * spikes(window - 2) - 1.0]))?;
/// }
/// let model = Wiener::new(4).fit(&trajectory)?;
/// let decoded = model.decode(&[5.0, 2.0, 0.0, 1.0])?;
/// let (velocity, _) = decoded[3].as_ref().ok_or("no decision")?;
/// assert!((velocity[0] - 5.0).abs() < 1e-9); // 3 · 2 − 1
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wiener {
    windows: usize,
    ridge: f64,
}

impl Wiener {
    /// Looks at so many windows, the newest included.
    pub fn new(windows: usize) -> Self {
        Self { windows, ridge: 0.0 }
    }

    /// Keeps weights small: α, in spikes².
    #[must_use]
    pub fn ridge(mut self, alpha: f64) -> Self {
        self.ridge = alpha;
        self
    }

    /// Fits the weights.
    ///
    /// # Errors
    /// [`FitError::Setting`] for no window or more than 1,000, more than 4,096 weights, or a ridge below 0; [`FitError::TooFewWindows`] where,
    /// without a ridge, there are no more windows than weights; [`FitError::Numbers`] where units follow from each other.
    pub fn fit(&self, trajectory: &Trajectory) -> Result<TrajectoryModel, FitError> {
        const MOST: usize = 4_096;
        let (units, names) = (trajectory.units.len(), trajectory.names.len());
        let refused =
            |setting, expected: String, found: String| Err(FitError::Setting { setting, expected, found });
        let width = units.saturating_mul(self.windows);
        if !(1..=1_000).contains(&self.windows) || width > MOST {
            let expected = format!("from 1 to 1,000, and together with {units} units at most {MOST} weights");
            return refused("windows of a Wiener filter", expected, self.windows.to_string());
        }
        if !(self.ridge >= 0.0 && self.ridge.is_finite()) {
            return refused("ridge", "0 or more".to_owned(), self.ridge.to_string());
        }
        let ranges = trajectory.ranges(2)?;
        let rows = trajectory.with_before(self.windows - 1);
        let seen = |at: &usize| {
            let first = (at + 1 - self.windows) * units;
            &trajectory.counts[first..first + width]
        };
        let known = |at: &usize| &trajectory.values[at * names..(at + 1) * names];
        let n = rows.len() as f64;
        let centre = mean(rows.iter().map(seen), width);
        let goal = mean(rows.iter().map(known), names);
        let mut squares = vec![0.0; width];
        for counts in rows.iter().map(seen) {
            squares.iter_mut().zip(counts).zip(&centre).for_each(|((sum, x), m)| *sum += (x - m) * (x - m));
        }
        let varies: Vec<usize> = (0..width).filter(|at| squares[*at] > 0.0).collect();
        let order = varies.len();
        if rows.len() < 2 || self.ridge == 0.0 && rows.len() <= order + 1 {
            let what = format!(
                "{} and {} before them; or set a ridge",
                trajectory.names.join(" and "),
                self.windows - 1
            );
            return Err(FitError::TooFewWindows { what, needed: order.max(1) + 2, found: rows.len() });
        }
        let (mut gram, mut cross) = (vec![0.0; order * order], vec![vec![0.0; order]; names]);
        let mut centred = vec![0.0; order];
        for at in &rows {
            let counts = seen(at);
            centred
                .iter_mut()
                .zip(&varies)
                .for_each(|(value, place)| *value = counts[*place] - centre[*place]);
            for (row, factor) in centred.iter().enumerate().filter(|(_, factor)| **factor != 0.0) {
                let sums = gram[row * order + row..(row + 1) * order].iter_mut();
                sums.zip(&centred[row..]).for_each(|(sum, value)| *sum += factor * value);
            }
            for ((cross, value), mean) in cross.iter_mut().zip(known(at)).zip(&goal) {
                cross.iter_mut().zip(&centred).for_each(|(sum, x)| *sum += x * (value - mean));
            }
        }
        for row in 0..order {
            gram[row * order + row] += self.ridge;
            for column in 0..row {
                gram[row * order + column] = gram[column * order + row];
            }
        }
        let mut filter = Weights { weights: Vec::new(), offsets: Vec::new(), deviations: Vec::new() };
        for (cross, goal) in cross.iter().zip(&goal) {
            let found = match order {
                0 => Vec::new(),
                _ => solve(&gram, cross)
                    .map_err(FitError::numbers("covariance of the spike counts; a ridge above 0 helps"))?,
            };
            let mut weights = vec![0.0; width];
            varies.iter().zip(&found).for_each(|(place, weight)| weights[*place] = *weight);
            filter.offsets.push(goal - dot(&weights, &centre));
            filter.weights.push(weights);
        }
        let mut left = vec![0.0; names];
        for at in &rows {
            let estimate = filter.estimate(seen(at));
            left.iter_mut().zip(&estimate).zip(known(at)).for_each(|((sum, found), truth)| {
                *sum += (truth - found) * (truth - found);
            });
        }
        let freedom = (n - order as f64 - 1.0).max(1.0);
        filter.deviations = left.into_iter().map(|sum| (sum / freedom).sqrt()).collect();
        Ok(TrajectoryModel::new(trajectory, self.windows, &ranges, Method::Wiener(filter)))
    }
}

/// The filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Weights {
    /// `[name][window · units + unit]`, the oldest window first.
    pub(super) weights: Vec<Vec<f64>>,
    pub(super) offsets: Vec<f64>,
    /// What was left in training.
    pub(super) deviations: Vec<f64>,
}

impl Weights {
    /// The values, from the counts of the look-back.
    pub(super) fn estimate(&self, history: &[f64]) -> Vec<f64> {
        self.weights
            .iter()
            .zip(&self.offsets)
            .map(|(weights, offset)| offset + dot(weights, history))
            .collect()
    }
}

/// The mean of rows of so many numbers.
pub(super) fn mean<'a>(rows: impl Iterator<Item = &'a [f64]>, width: usize) -> Vec<f64> {
    let (mut sums, mut count) = (vec![0.0; width], 0.0);
    for row in rows {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        count += 1.0;
    }
    sums.iter_mut().for_each(|sum| *sum /= f64::max(count, 1.0));
    sums
}

/// The probability that a normal error of this deviation is at most `within`.
pub(super) fn probability(within: f64, deviation: f64) -> f64 {
    if deviation > 0.0 { libm::erf(within / (deviation * std::f64::consts::SQRT_2)) } else { 1.0 }
}
