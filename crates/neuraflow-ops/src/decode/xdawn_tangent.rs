//! xDAWN covariances with logistic regression in the tangent space.

use super::classifier::Classifier;
use super::tangent::regression;
use super::{FitError, Model, Trials, Xdawn};
use crate::kernel::linalg::Estimator;

/// Logistic regression on where the covariances of epochs and evoked responses lie in the tangent space at their mean: for two
/// classes.
///
/// Each epoch goes through [xDAWN filters](Xdawn) and stands beside the responses that the classes evoke
/// ([`EvokedFilters::covariance`](super::EvokedFilters::covariance)); the rest is as of [`TangentLogistic`](super::TangentLogistic):
/// `pyriemann.estimation.XdawnCovariances`, `pyriemann.tangentspace.TangentSpace`, `sklearn.linear_model.LogisticRegression(C=…)`.
///
/// Fitted to epochs from [`Samples`](crate::feature::Samples). Source: A. Barachant and M. Congedo (2014), "A plug & play P300 BCI
/// using information geometry", arXiv:1409.0107.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::decode::{Trials, Xdawn, XdawnTangent};
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
/// let model = XdawnTangent::new(Xdawn::oas(1)).fit(&trials)?;
/// assert_eq!(model.decide(&epoch(50, 8.0))?.0, "target");
/// assert_eq!(model.decide(&epoch(50, 0.0))?.0, "nothing");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct XdawnTangent {
    xdawn: Xdawn,
    estimator: Estimator,
    c: f64,
}

impl XdawnTangent {
    /// Behind these filters, with [shrunk](Estimator::Oas) covariances and `C` = 1.
    pub fn new(xdawn: Xdawn) -> Self {
        Self { xdawn, estimator: Estimator::Oas, c: 1.0 }
    }

    /// With covariances of epochs and responses estimated in this way. The sample covariance is of full rank only where the filters of the
    /// classes differ, and there are more samples than twice their number.
    #[must_use]
    pub fn estimator(mut self, estimator: Estimator) -> Self {
        self.estimator = estimator;
        self
    }

    /// How much a trial on the wrong side weighs against the length of the weights: scikit-learn's `C`.
    #[must_use]
    pub fn c(mut self, c: f64) -> Self {
        self.c = c;
        self
    }

    /// Fits filters, reference and regression.
    ///
    /// # Errors
    /// Other than two classes; what [`Xdawn::fit`] refuses; a `C` that is not above 0; an epoch of which nothing comes through a
    /// filter; a singular covariance.
    pub fn fit(&self, trials: &Trials) -> Result<Model, FitError> {
        trials.two_classes()?;
        let filters = self.xdawn.fit(trials)?;
        let covariances = trials.values.iter().enumerate().map(|(trial, epoch)| {
            filters
                .covariance(epoch, self.estimator)
                .map_err(FitError::numbers(format!("covariance of trial {trial}")))
        });
        let covariances: Vec<Vec<f64>> = covariances.collect::<Result<_, _>>()?;
        let (space, logistic) = regression(&covariances, &trials.labels, self.c)?;
        let estimator = self.estimator;
        Ok(Model::new(trials, Classifier::XdawnTangent { filters, estimator, space, logistic }))
    }
}
