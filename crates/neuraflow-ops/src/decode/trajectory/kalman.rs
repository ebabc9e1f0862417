//! The Kalman filter.

use serde::{Deserialize, Serialize};

use super::model::{Method, TrajectoryModel};
use super::training::Trajectory;
use super::wiener::mean;
use crate::decode::FitError;
use crate::kernel::linalg::{LinalgError, Spectrum, congruence, dot, multiply, solve};

/// Decodes values that move smoothly, position and velocity say, from where they were and from the spikes of each window.
///
/// ```text
/// x[t] = A x[t−1] + w,    w normal with covariance W
/// n[t] = H x[t] + q,      q normal with covariance Q;    both from their means in training
/// ```
///
/// `A` and `H` are least squares over the windows of training, `W` and `Q` the covariances of what they leave. It begins with the
/// mean and covariance of the values in training. Units that never change there are left out. The confidence is the probability, by the filter's own
/// covariance, that a value is within a twentieth of its range in training, the least over all values. After a gap it begins anew. State: the values and their covariance.
///
/// Source: W. Wu, Y. Gao, E. Bienenstock, J. P. Donoghue and M. J. Black (2006), Neural Comput. 18(1):80–118. The update is the information
/// form of theirs, `P = (P⁻¹ + Hᵀ Q⁻¹ H)⁻¹`, which inverts nothing as wide as the units are many.
///
/// ```
/// use neuraflow_core::model::Span;
/// use neuraflow_ops::decode::{Kalman, Trajectory};
/// let mut trajectory = Trajectory::new(["unit 0", "unit 1"], Span::millis(50), ["position", "velocity"])?;
/// for window in 0..400 {
///     let (position, velocity) = ((window as f64 / 20.0).sin(), (window as f64 / 20.0).cos());
///     let counts = [5.0 + 4.0 * position, 5.0 + 4.0 * velocity].map(|rate| (rate + (window * 7 % 5) as f64 / 2.0).floor());
///     trajectory.push(window, &counts, Some(&[position, velocity]))?;
/// }
/// let model = Kalman::new().fit(&trajectory)?;
/// let decoded = model.decode(&[10.0, 6.0, 10.0, 6.0, 10.0, 5.0])?;
/// let (values, _) = decoded[2].as_ref().ok_or("no decision")?;
/// assert!(values[0] > 0.5 && values[1] < 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kalman;

impl Kalman {
    /// There is nothing to set.
    pub fn new() -> Self {
        Self
    }

    /// Fits the model of movement and that of spikes.
    ///
    /// # Errors
    /// [`FitError::TooFewWindows`] for fewer than two windows more than values or units; [`FitError::Numbers`] where values or units follow from
    /// each other.
    pub fn fit(&self, trajectory: &Trajectory) -> Result<TrajectoryModel, FitError> {
        let ranges = trajectory.ranges(trajectory.names.len().max(trajectory.units.len()) + 2)?;
        let filter = Filter::fit(trajectory)?;
        Ok(TrajectoryModel::new(trajectory, 1, &ranges, Method::Kalman(filter)))
    }
}

/// The filter. Matrices are `[row][column]`; `d` values, `m` units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Filter {
    /// Means in training: `d` and `m`.
    pub(super) mean: Vec<f64>,
    pub(super) rates: Vec<f64>,
    /// `A` and `W`, both `d × d`.
    pub(super) transition: Vec<f64>,
    pub(super) wander: Vec<f64>,
    /// `Hᵀ Q⁻¹`, `d × m`, and `Hᵀ Q⁻¹ H`, `d × d`.
    pub(super) weights: Vec<f64>,
    pub(super) information: Vec<f64>,
    /// The covariance to begin with, `d × d`.
    pub(super) initial: Vec<f64>,
}

/// Values, from their mean in training, and their covariance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Estimate {
    pub(super) values: Vec<f64>,
    pub(super) covariance: Vec<f64>,
}

impl Filter {
    fn fit(trajectory: &Trajectory) -> Result<Self, FitError> {
        let (d, m) = (trajectory.names.len(), trajectory.units.len());
        let known: Vec<usize> = trajectory.with_before(0);
        let values = |at: &usize| &trajectory.values[at * d..(at + 1) * d];
        let (means, rates) =
            (mean(known.iter().map(values), d), mean(known.iter().map(|at| trajectory.counts_of(*at)), m));
        let centred = |row: &[f64], mean: &[f64]| -> Vec<f64> {
            row.iter().zip(mean).map(|(value, mean)| value - mean).collect()
        };
        let x = |at: usize| centred(values(&at), &means);
        let pairs: Vec<usize> = trajectory
            .with_before(1)
            .into_iter()
            .filter(|at| trajectory.values_of(at - 1).is_some())
            .collect();
        if pairs.len() < d + 2 {
            let what = format!("{} that follow each other", trajectory.names.join(" and "));
            return Err(FitError::TooFewWindows { what, needed: d + 2, found: pairs.len() });
        }
        let what = || trajectory.names.join(" and ");
        let transition = regress(pairs.iter().map(|at| (x(at - 1), x(*at))), d, d)
            .map_err(FitError::numbers(format!("covariance of {}", what())))?;
        let wander = residual(pairs.iter().map(|at| (x(at - 1), x(*at))), &transition, d, d);
        // Units that are silent, or never change, say nothing.
        let alive: Vec<usize> = (0..m)
            .filter(|unit| known.iter().any(|at| trajectory.counts_of(*at)[*unit] != rates[*unit]))
            .collect();
        let n = |at: usize| -> Vec<f64> {
            let counts = trajectory.counts_of(at);
            alive.iter().map(|unit| counts[*unit] - rates[*unit]).collect()
        };
        let a = alive.len();
        let rows = || known.iter().map(|at| (x(*at), n(*at)));
        let tuning = regress(rows(), d, a).map_err(FitError::numbers(format!("covariance of {}", what())))?;
        let noise = residual(rows(), &tuning, d, a);
        let (mut weights, mut kept) = (vec![0.0; d * m], vec![0.0; d * a]);
        for value in 0..d {
            let column: Vec<f64> = tuning.iter().skip(value).step_by(d).copied().collect();
            let row = match a {
                0 => Vec::new(),
                _ => solve(&noise, &column).map_err(FitError::numbers(
                    "covariance of the spike counts; leave out units that follow from others",
                ))?,
            };
            alive.iter().zip(&row).for_each(|(unit, weight)| weights[value * m + unit] = *weight);
            kept[value * a..(value + 1) * a].copy_from_slice(&row);
        }
        let mut information = vec![0.0; d * d];
        if a > 0 {
            multiply(&kept, &tuning, d, &mut information);
        }
        symmetric(&mut information, d);
        let mut initial = vec![0.0; d * d];
        known.iter().for_each(|at| outer(&mut initial, &x(*at), &x(*at)));
        initial.iter_mut().for_each(|sum| *sum /= known.len() as f64);
        Ok(Self { mean: means, rates, transition, wander, weights, information, initial })
    }

    /// What is expected of the next window.
    pub(super) fn predict(&self, last: Option<&Estimate>) -> Estimate {
        let d = self.mean.len();
        let Some(last) = last else {
            return Estimate { values: vec![0.0; d], covariance: self.initial.clone() };
        };
        let values = self.transition.chunks_exact(d.max(1)).map(|row| dot(row, &last.values)).collect();
        let mut covariance = congruence(&self.transition, &last.covariance, d);
        covariance.iter_mut().zip(&self.wander).for_each(|(sum, more)| *sum += more);
        Estimate { values, covariance }
    }

    /// What its spikes make of it. With the root `S` of `P`, `(P⁻¹ + J)⁻¹ = S (I + S J S)⁻¹ S`, which holds for a singular `P` too.
    pub(super) fn update(&self, expected: Estimate, counts: &[f64]) -> Result<Estimate, LinalgError> {
        let (d, m) = (self.mean.len(), self.rates.len());
        let root = Spectrum::of(&expected.covariance)?.map(|value| value.max(0.0).sqrt());
        let mut inner = congruence(&root, &self.information, d);
        inner.iter_mut().step_by(d + 1).for_each(|value| *value += 1.0);
        let inverse = Spectrum::of(&inner)?.map(|value| 1.0 / value);
        let covariance = congruence(&root, &inverse, d);
        let news: Vec<f64> = counts.iter().zip(&self.rates).map(|(count, rate)| count - rate).collect();
        let pull: Vec<f64> = self
            .weights
            .chunks_exact(m.max(1))
            .zip(self.information.chunks_exact(d.max(1)))
            .map(|(weights, information)| dot(weights, &news) - dot(information, &expected.values))
            .collect();
        let moved = covariance.chunks_exact(d.max(1)).map(|row| dot(row, &pull));
        let values = expected.values.iter().zip(moved).map(|(value, moved)| value + moved).collect();
        Ok(Estimate { values, covariance })
    }
}

fn outer(sums: &mut [f64], left: &[f64], right: &[f64]) {
    for (row, factor) in sums.chunks_exact_mut(right.len().max(1)).zip(left) {
        row.iter_mut().zip(right).for_each(|(sum, value)| *sum += factor * value);
    }
}

fn symmetric(matrix: &mut [f64], order: usize) {
    for row in 0..order {
        for column in 0..row {
            let middle = 0.5 * (matrix[row * order + column] + matrix[column * order + row]);
            (matrix[row * order + column], matrix[column * order + row]) = (middle, middle);
        }
    }
}

/// The matrix `[y][x]` that takes x to y with the least squares.
fn regress(
    rows: impl Iterator<Item = (Vec<f64>, Vec<f64>)>,
    width: usize,
    height: usize,
) -> Result<Vec<f64>, LinalgError> {
    let (mut square, mut cross) = (vec![0.0; width * width], vec![0.0; height * width]);
    for (x, y) in rows {
        outer(&mut square, &x, &x);
        outer(&mut cross, &y, &x);
    }
    Spectrum::of_positive(&square)?;
    let solved = cross.chunks_exact(width.max(1)).map(|row| solve(&square, row));
    Ok(solved.collect::<Result<Vec<_>, _>>()?.concat())
}

/// The mean square of what a matrix `[y][x]` leaves of y.
fn residual(
    rows: impl Iterator<Item = (Vec<f64>, Vec<f64>)>,
    matrix: &[f64],
    width: usize,
    height: usize,
) -> Vec<f64> {
    let (mut sums, mut count) = (vec![0.0; height * height], 0.0);
    for (x, y) in rows {
        let left: Vec<f64> =
            matrix.chunks_exact(width.max(1)).zip(&y).map(|(row, y)| y - dot(row, &x)).collect();
        outer(&mut sums, &left, &left);
        count += 1.0;
    }
    sums.iter_mut().for_each(|sum| *sum /= f64::max(count, 1.0));
    sums
}
