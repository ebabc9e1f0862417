//! xDAWN with a linear discriminant.

use super::classifier::Classifier;
use super::lda::Lda;
use super::{EvokedFilters, FitError, Model, Trials, Xdawn};
use crate::kernel::linalg::LinalgError;

/// A linear discriminant on the time course of evoked responses through xDAWN filters: for any number of classes.
///
/// Its features are the samples of an epoch seen through [xDAWN filters](Xdawn), or, with [`means_of`](Self::means_of), the means
/// of some samples in a row each. A linear discriminant decides (`sklearn.discriminant_analysis`: solver `svd`, or,
/// [shrunk](Self::shrunk), `lsqr` with `shrinkage="auto"`).
///
/// Fitted to epochs from [`Samples`](crate::feature::Samples). Sources: B. Rivet, A. Souloumiac, V. Attina and G. Gibert (2009), IEEE
/// Trans. Biomed. Eng. 56(8):2035–2043; shrinkage and means: B. Blankertz, S. Lemm, M. Treder, S. Haufe and K.-R. Müller (2011),
/// NeuroImage 56(2):814–825.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::decode::{Trials, Xdawn, XdawnLda};
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
/// let model = XdawnLda::new(Xdawn::oas(1)).means_of(3).shrunk().fit(&trials)?;
/// assert_eq!(model.decide(&epoch(50, 8.0))?.0, "target");
/// assert_eq!(model.decide(&epoch(50, 0.0))?.0, "nothing");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdawnLda {
    xdawn: Xdawn,
    means_of: usize,
    shrunk: bool,
}

impl XdawnLda {
    /// Behind these filters, on single samples.
    pub fn new(xdawn: Xdawn) -> Self {
        Self { xdawn, means_of: 1, shrunk: false }
    }

    /// On the means of so many samples in a row. What is left at the end of an epoch counts as a mean of fewer.
    #[must_use]
    pub fn means_of(mut self, samples: usize) -> Self {
        self.means_of = samples;
        self
    }

    /// With a discriminant whose covariance is shrunk: there are often more features than epochs.
    #[must_use]
    pub fn shrunk(mut self) -> Self {
        self.shrunk = true;
        self
    }

    /// Fits filters and discriminant.
    ///
    /// # Errors
    /// What [`Xdawn::fit`] refuses; means of no sample, or of more than an epoch has; fewer than two trials of a class, or, not
    /// shrunk, than features and classes together; a trial of which nothing comes through a filter; a singular covariance.
    pub fn fit(&self, trials: &Trials) -> Result<Model, FitError> {
        trials.at_least(2)?;
        let (samples, classes) = (trials.samples()?, trials.classes.len());
        if !(1..=samples).contains(&self.means_of) {
            let expected = format!("from 1 to {samples}, the samples of an epoch");
            let found = self.means_of.to_string();
            return Err(FitError::Setting { setting: "samples of a mean", expected, found });
        }
        let filters = self.xdawn.fit(trials)?;
        let width = filters.filters.len() * samples.div_ceil(self.means_of);
        if !self.shrunk && trials.len() < width + classes {
            let class =
                "all classes; fewer filters, longer means or a shrunk discriminant need less".to_owned();
            return Err(FitError::TooFewTrials { class, needed: width + classes, found: trials.len() });
        }
        let features = trials.values.iter().enumerate().map(|(trial, epoch)| {
            features(&filters, self.means_of, epoch)
                .map_err(FitError::numbers(format!("trial {trial} through the filters")))
        });
        let features: Vec<Vec<f64>> = features.collect::<Result<_, _>>()?;
        let lda = Lda::fit(&features, &trials.labels, classes, self.shrunk)
            .map_err(FitError::numbers("covariance of the filtered epochs"))?;
        Ok(Model::new(trials, Classifier::XdawnLda { filters, means_of: self.means_of, lda }))
    }
}

/// The means of an epoch `[channel][sample]` seen through each filter: `[filter][mean]`.
pub(super) fn features(
    filters: &EvokedFilters,
    means_of: usize,
    epoch: &[f64],
) -> Result<Vec<f64>, LinalgError> {
    let signals = filters.apply(epoch)?;
    let rows = signals.chunks_exact(filters.samples().max(1));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    Ok(rows.flat_map(|row| row.chunks(means_of.max(1)).map(mean)).collect())
}
