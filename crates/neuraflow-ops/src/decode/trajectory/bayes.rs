//! The Bayesian decoder of a place from Poisson counts.

use serde::{Deserialize, Serialize};

use super::model::{Method, TrajectoryModel};
use super::training::Trajectory;
use crate::decode::FitError;

/// Decodes a position from the spikes of a look-back, without memory of where it was: the place at which these spikes are
/// most probable, if each unit fires by Poisson's law at a rate that depends on the place alone.
///
/// ```text
/// ln P(x | n) = ln P(x) + Σ nᵢ ln λᵢ(x) − τ Σ λᵢ(x) + constant,    nᵢ spikes of unit i within τ
/// λᵢ(x)       = spikes of unit i at x / time spent at x, both smoothed by a Gaussian
/// ```
///
/// The decision is the middle of the most probable bin; the confidence is the probability that the position is within a
/// twentieth of its range in training of that. By default the range is cut into 40 bins, σ is 1.5 bins, rates are
/// at least 10⁻⁴ spikes a second, all places that were visited are as probable as each other beforehand, and the look-back is 250 ms.
///
/// Source: K. Zhang, I. Ginzburg, B. L. McNaughton and T. J. Sejnowski (1998), J. Neurophysiol. 79(2):1017–1044, equations 35
/// and 36 (the "one-step" method).
///
/// ```
/// use neuraflow_core::model::Span;
/// use neuraflow_ops::decode::{PoissonBayes, Trajectory};
/// let mut trajectory = Trajectory::new(["left cell", "right cell"], Span::millis(50), ["position"])?;
/// for window in 0..300 {
///     let place = (window % 100) as f64; // cm
///     trajectory.push(window, &[(place < 50.0) as u8 as f64, (place >= 50.0) as u8 as f64], Some(&[place]))?;
/// }
/// let model = PoissonBayes::new().bins(20).over_millis(100).fit(&trajectory)?;
/// let two_windows = [0.0, 1.0, 0.0, 2.0];
/// let decoded = model.decode(&two_windows)?;
/// assert!(decoded[0].is_none()); // the look-back is not filled
/// assert!(decoded[1].as_ref().is_some_and(|(place, _)| place[0] > 50.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonBayes {
    bins: usize,
    sigma: f64,
    floor: f64,
    occupancy: bool,
    over_millis: i64,
}

impl Default for PoissonBayes {
    fn default() -> Self {
        Self { bins: 40, sigma: 1.5, floor: 1e-4, occupancy: false, over_millis: 250 }
    }
}

impl PoissonBayes {
    /// With the settings above.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the range into so many bins.
    #[must_use]
    pub fn bins(mut self, bins: usize) -> Self {
        self.bins = bins;
        self
    }

    /// Smooths spikes and time by a Gaussian of this many bins; 0 does not.
    #[must_use]
    pub fn smoothing(mut self, sigma: f64) -> Self {
        self.sigma = sigma;
        self
    }

    /// No unit fires less often than this anywhere, in spikes a second: one stray spike must not rule a place out.
    #[must_use]
    pub fn floor(mut self, rate: f64) -> Self {
        self.floor = rate;
        self
    }

    /// Places are as probable beforehand as they were often visited in training.
    #[must_use]
    pub fn occupancy_prior(mut self) -> Self {
        self.occupancy = true;
        self
    }

    /// Counts the spikes of this many milliseconds, a multiple of the window.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.over_millis = millis;
        self
    }

    /// Fits the rates.
    ///
    /// # Errors
    /// [`FitError::Setting`] for more than one value to decode, fewer than 2 or more than 10,000 bins, a σ below 0 or beyond the
    /// bins, a floor that is not above 0, a look-back that is no multiple of the window; [`FitError::TooFewWindows`].
    pub fn fit(&self, trajectory: &Trajectory) -> Result<TrajectoryModel, FitError> {
        let refused = |setting, expected: &str, found: String| {
            Err(FitError::Setting { setting, expected: expected.to_owned(), found })
        };
        if trajectory.names.len() != 1 {
            let expected = "one; for several use a Wiener or Kalman filter";
            return refused("values to decode", expected, trajectory.names.join(", "));
        }
        if !(2..=10_000).contains(&self.bins) {
            return refused("bins", "from 2 to 10,000", self.bins.to_string());
        }
        if !(self.sigma >= 0.0 && self.sigma <= self.bins as f64) {
            return refused("smoothing", "from 0 bins to all of them", self.sigma.to_string());
        }
        if !(self.floor > 0.0 && self.floor.is_finite()) {
            return refused("floor of the rates", "above 0; 1e-4 is usual", self.floor.to_string());
        }
        let hop = trajectory.hop.as_nanos();
        let over = self.over_millis.saturating_mul(1_000_000);
        let windows = usize::try_from(over / hop).unwrap_or(0);
        if over <= 0 || over % hop != 0 || windows > 10_000 {
            let expected = format!("a multiple of the window, {} ms", trajectory.hop.as_millis_f64());
            return refused("look-back", &expected, format!("{} ms", self.over_millis));
        }
        let ranges = trajectory.ranges(2)?;
        let range = ranges.first().copied().unwrap_or_default();
        let maps = Maps::fit(self, trajectory, range, over as f64 / 1e9);
        Ok(TrajectoryModel::new(trajectory, windows, &ranges, Method::Bayes(maps)))
    }
}

/// Where units fire, and how probable each place is beforehand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Maps {
    pub(super) low: f64,
    pub(super) high: f64,
    /// Logarithms of rates in spikes a second `[unit][bin]`.
    pub(super) log_rates: Vec<Vec<f64>>,
    /// Of each bin: `ln P(x) − τ Σ λ(x)`; negative infinity where nobody was.
    pub(super) silence: Vec<f64>,
}

impl Maps {
    fn fit(settings: &PoissonBayes, trajectory: &Trajectory, (low, high): (f64, f64), tau: f64) -> Self {
        let bins = settings.bins;
        let hop = trajectory.hop.as_secs_f64();
        let mut time = vec![0.0; bins];
        let mut spikes = vec![vec![0.0; bins]; trajectory.units.len()];
        for at in 0..trajectory.len() {
            let Some([value]) = trajectory.values_of(at) else { continue };
            let bin = libm::floor((value - low) / (high - low) * bins as f64);
            let bin = (bin.max(0.0) as usize).min(bins - 1);
            time[bin] += hop;
            for (spikes, count) in spikes.iter_mut().zip(trajectory.counts_of(at)) {
                spikes[bin] += count;
            }
        }
        let taper = gaussian(settings.sigma);
        let time = smooth(&time, &taper);
        let whole: f64 = time.iter().sum();
        let mut silence: Vec<f64> = time
            .iter()
            .map(|time| match (*time > 1e-3 * hop, settings.occupancy) {
                (false, _) => f64::NEG_INFINITY,
                (true, false) => 0.0,
                (true, true) => libm::log(time / whole),
            })
            .collect();
        let mut log_rates = Vec::with_capacity(spikes.len());
        for spikes in spikes {
            let spikes = smooth(&spikes, &taper);
            let rate = |(spikes, time): (&f64, &f64)| {
                let rate = if *time > 0.0 { spikes / time } else { 0.0 };
                rate.max(settings.floor)
            };
            let rates: Vec<f64> = spikes.iter().zip(&time).map(rate).collect();
            silence.iter_mut().zip(&rates).for_each(|(sum, rate)| *sum -= tau * rate);
            log_rates.push(rates.into_iter().map(libm::log).collect());
        }
        Self { low, high, log_rates, silence }
    }

    /// The probability of each bin, given the spikes of each unit within the look-back.
    pub(super) fn posterior(&self, spikes: &[f64]) -> Vec<f64> {
        let mut posterior = self.silence.clone();
        for (count, logs) in spikes.iter().zip(&self.log_rates).filter(|(count, _)| **count != 0.0) {
            posterior.iter_mut().zip(logs).for_each(|(sum, log)| *sum += count * log);
        }
        let greatest = posterior.iter().fold(f64::NEG_INFINITY, |greatest, value| greatest.max(*value));
        posterior.iter_mut().for_each(|value| *value = libm::exp(*value - greatest));
        let sum: f64 = posterior.iter().sum();
        posterior.iter_mut().for_each(|value| *value /= sum);
        posterior
    }

    /// The middle of the most probable bin, the first of equals, and how probable it is that the truth is no further from it than
    /// `within`, middle to middle.
    pub(super) fn estimate(&self, spikes: &[f64], within: f64) -> (f64, f64) {
        let posterior = self.posterior(spikes);
        let best =
            (1..posterior.len()).fold(0, |best, at| if posterior[at] > posterior[best] { at } else { best });
        let width = (self.high - self.low) / posterior.len().max(1) as f64;
        // A hair, so that a whole number of bins is one after rounding.
        let reach = (within / width + 1e-9) as usize;
        let near = best.saturating_sub(reach)..(best + reach + 1).min(posterior.len());
        (self.low + (best as f64 + 0.5) * width, posterior[near].iter().sum::<f64>().min(1.0))
    }
}

/// A Gaussian of this σ out to four of them, of sum 1: that of `scipy.ndimage.gaussian_filter1d`.
fn gaussian(sigma: f64) -> Vec<f64> {
    if sigma == 0.0 {
        return vec![1.0];
    }
    let radius = (4.0 * sigma + 0.5) as i64;
    let weights: Vec<f64> =
        (-radius..=radius).map(|at| libm::exp(-0.5 * (at * at) as f64 / (sigma * sigma))).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Values under the taper; beyond the ends are the values at the ends.
fn smooth(values: &[f64], taper: &[f64]) -> Vec<f64> {
    let (radius, last) = (taper.len() / 2, values.len().saturating_sub(1));
    let at = |centre: usize| {
        let weighted = taper
            .iter()
            .enumerate()
            .map(|(place, weight)| weight * values[(centre + place).saturating_sub(radius).min(last)]);
        weighted.sum()
    };
    (0..values.len()).map(at).collect()
}
