//! xDAWN: spatial filters for responses that are evoked.

use serde::{Deserialize, Serialize};

use super::classifier::{finite, same};
use super::{FitError, ModelError, Trials};
use crate::kernel::linalg::{Estimator, LinalgError, Spectrum, covariance, dot};

/// Spatial filters through which the mean response of a class is as strong as it can be against all that is there.
///
/// For each class `C w = λ B w`, with `C` the covariance of the mean of its epochs and `B` that of all epochs, joined; the filters
/// with the greatest λ (`pyriemann.spatialfilters.Xdawn`). They have unit length.
///
/// Fitted to epochs from [`Samples`](crate::feature::Samples), of any number of classes. Source: B. Rivet, A. Souloumiac, V.
/// Attina and G. Gibert (2009), IEEE Trans. Biomed. Eng. 56(8):2035–2043.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::decode::{Trials, Xdawn};
/// let mut trials = Trials::epochs(["Cz", "Pz"], 30, SamplingRate::hz(100)?, ["nothing", "target"])?;
/// // Noise, and in the second epoch of each pair something at Pz.
/// let noise = |n: usize| (n * n % 31) as f64 / 3.0 - 5.0;
/// let epoch = |n: usize, response: f64| -> Vec<f64> {
///     (0..60).map(|at| noise(61 * n + at) + if (40..50).contains(&at) { response } else { 0.0 }).collect()
/// };
/// for n in 0..10 {
///     trials.push(0, &epoch(n, 0.0))?;
///     trials.push(1, &epoch(n + 20, 8.0))?;
/// }
/// let xdawn = Xdawn::oas(1).fit(&trials)?;
/// let pattern = &xdawn.patterns()[1]; // of the second class
/// assert!(pattern[1] > 3.0 * pattern[0].abs());
/// assert_eq!(xdawn.evoked()[1].len(), 30);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Xdawn {
    filters: usize,
    estimator: Estimator,
}

impl Xdawn {
    /// With so many filters for each class, and covariances estimated in this way.
    pub fn new(filters: usize, estimator: Estimator) -> Self {
        Self { filters, estimator }
    }

    /// With so many filters for each class, and [shrunk](Estimator::Oas) covariances.
    pub fn oas(filters: usize) -> Self {
        Self::new(filters, Estimator::Oas)
    }

    /// Fits filters to every class.
    ///
    /// # Errors
    /// Trials that are no epochs, or of a single sample; no filter, or more than channels; a class without a trial; a singular
    /// covariance.
    pub fn fit(&self, trials: &Trials) -> Result<EvokedFilters, FitError> {
        let samples = trials.samples()?;
        let channels = trials.montage.len();
        if !(1..=channels).contains(&self.filters) {
            let expected = format!("from 1 to {channels}, the number of channels");
            return Err(FitError::Setting {
                setting: "xDAWN filters",
                expected,
                found: self.filters.to_string(),
            });
        }
        if samples < 2 {
            let (expected, found) = ("2 or more".to_owned(), samples.to_string());
            return Err(FitError::Setting { setting: "samples of an epoch", expected, found });
        }
        trials.at_least(1)?;
        let all: Vec<f64> = trials.values.iter().flat_map(|epoch| transposed(epoch, channels)).collect();
        let all = covariance(&all, channels, self.estimator)
            .map_err(FitError::numbers("covariance of all epochs"))?;
        let mut found = EvokedFilters { filters: Vec::new(), patterns: Vec::new(), evoked: Vec::new() };
        for (class, name) in trials.classes.iter().enumerate() {
            found
                .add(&trials.mean(class), &all, *self)
                .map_err(FitError::numbers(format!("covariance of all epochs, against that of {name}")))?;
        }
        Ok(found)
    }
}

/// Spatial filters of evoked responses, the patterns they pick up, and the responses seen through them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvokedFilters {
    pub(super) filters: Vec<Vec<f64>>,
    pub(super) patterns: Vec<Vec<f64>>,
    pub(super) evoked: Vec<Vec<f64>>,
}

impl EvokedFilters {
    /// Adds the filters of a class, of which this is the mean epoch, against this covariance.
    fn add(&mut self, mean: &[f64], all: &[f64], xdawn: Xdawn) -> Result<(), LinalgError> {
        let channels = all.len().isqrt();
        let response = covariance(&transposed(mean, channels), channels, xdawn.estimator)?;
        let Spectrum { vectors, .. } = Spectrum::against(&response, all)?;
        for filter in vectors.chunks_exact(channels).rev().take(xdawn.filters) {
            let length = dot(filter, filter).sqrt();
            // With all filters W there are, Wᵀ B W is the unit matrix, so their inverse is B W.
            let mut pattern: Vec<f64> =
                all.chunks_exact(channels).map(|row| length * dot(row, filter)).collect();
            let mut filter: Vec<f64> = filter.iter().map(|weight| weight / length).collect();
            // Signs are arbitrary: the electrode that a pattern is strongest at is positive.
            let strongest =
                pattern.iter().fold(0.0_f64, |best, v| if v.abs() > best.abs() { *v } else { best });
            if strongest < 0.0 {
                filter.iter_mut().chain(&mut pattern).for_each(|value| *value = -*value);
            }
            self.evoked.push(through(&filter, mean));
            self.filters.push(filter);
            self.patterns.push(pattern);
        }
        Ok(())
    }

    /// The filters `[filter][channel]`: those of the first class, best first, then those of the next.
    pub fn filters(&self) -> &[Vec<f64>] {
        &self.filters
    }

    /// The pattern of each filter `[filter][channel]`, for a topography. Its strongest channel is positive.
    pub fn patterns(&self) -> &[Vec<f64>] {
        &self.patterns
    }

    /// The mean response of each filter's class, through the filter: `[filter][sample]`, in µV.
    pub fn evoked(&self) -> &[Vec<f64>] {
        &self.evoked
    }

    /// An epoch `[channel][sample]` seen through each filter: `[filter][sample]`.
    ///
    /// # Errors
    /// An epoch of another size, or [`LinalgError::Rank`] where nothing comes through some of the filters.
    pub fn apply(&self, epoch: &[f64]) -> Result<Vec<f64>, LinalgError> {
        let (channels, samples) = (self.channels(), self.samples());
        if epoch.len() != channels * samples {
            let expected = channels * samples;
            return Err(LinalgError::Length { what: "an epoch", expected, found: epoch.len() });
        }
        let mut signals = Vec::with_capacity(self.filters.len() * samples);
        let mut silent = 0;
        for filter in &self.filters {
            let signal = through(filter, epoch);
            silent += usize::from(signal.iter().all(|value| *value == signal[0]));
            signals.extend(signal);
        }
        match silent {
            0 => Ok(signals),
            _ => Err(LinalgError::Rank { rank: self.filters.len() - silent, order: self.filters.len() }),
        }
    }

    /// The covariance of the evoked responses and an epoch `[channel][sample]` seen through the filters, one after the other
    /// (`pyriemann.estimation.XdawnCovariances`): twice as many rows as there are filters. How much of the responses is in the
    /// epoch stands off its diagonal.
    ///
    /// # Errors
    /// As [`apply`](Self::apply); an epoch with a value that is not finite.
    pub fn covariance(&self, epoch: &[f64], estimator: Estimator) -> Result<Vec<f64>, LinalgError> {
        let mut signals: Vec<f64> = self.evoked.iter().flatten().copied().collect();
        signals.extend(self.apply(epoch)?);
        let rows = 2 * self.filters.len();
        covariance(&transposed(&signals, rows), rows, estimator)
    }

    /// Checks filters that were read.
    pub(super) fn check(&self, channels: usize) -> Result<(), ModelError> {
        same("patterns", self.filters.len(), self.patterns.len())?;
        same("evoked responses", self.filters.len(), self.evoked.len())?;
        if self.samples() == 0 {
            let (expected, found) = ("1 or more".to_owned(), "none".to_owned());
            return Err(ModelError::Invalid { what: "samples of a response", expected, found });
        }
        for row in self.filters.iter().chain(&self.patterns) {
            same("channels of a filter", channels, row.len())?;
            finite("filters", row)?;
        }
        self.evoked.iter().try_for_each(|row| {
            same("samples of a response", self.samples(), row.len())?;
            finite("responses", row)
        })
    }

    pub(super) fn channels(&self) -> usize {
        self.filters.first().map_or(0, Vec::len)
    }

    /// Samples of an epoch.
    pub(super) fn samples(&self) -> usize {
        self.evoked.first().map_or(0, Vec::len)
    }
}

/// A weighted sum of the rows of an epoch `[channel][sample]`, the first channel first.
fn through(filter: &[f64], epoch: &[f64]) -> Vec<f64> {
    let samples = epoch.len() / filter.len().max(1);
    let mut sums = vec![0.0; samples];
    for (weight, row) in filter.iter().zip(epoch.chunks_exact(samples.max(1))) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
    }
    sums
}

/// `[row][sample]` as `[sample][row]`.
fn transposed(values: &[f64], rows: usize) -> Vec<f64> {
    let columns = values.len() / rows.max(1);
    (0..columns).flat_map(|n| values.iter().skip(n).step_by(columns).copied()).collect()
}
