//! Logistic regression in the tangent space.

use super::classifier::Classifier;
use super::logistic::Logistic;
use super::{FitError, Model, Trials};
use crate::kernel::linalg::{TangentSpace, riemann_mean};

/// Logistic regression on where covariances lie in the [tangent space](TangentSpace) at the mean of all: for two classes.
///
/// The regression is that of `sklearn.linear_model.LogisticRegression(C=…)` on `pyriemann.tangentspace.TangentSpace`. For
/// covariances of full rank, as [`Covariance::oas`](crate::feature::Covariance::oas) gives. Source: A. Barachant, S. Bonnet,
/// M. Congedo and C. Jutten (2013), Neurocomputing 112:172–178.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::decode::{TangentLogistic, Trials};
/// let mut trials = Trials::new(["C3", "C4"], SamplingRate::hz(160)?, ["left", "right"])?;
/// for n in 0..3 {
///     let strong = 3.0 + 0.1 * f64::from(n);
///     trials.push(0, &[1.0, 0.0, 0.0, strong])?;
///     trials.push(1, &[strong, 0.0, 0.0, 1.0])?;
/// }
/// let model = TangentLogistic::new().fit(&trials)?;
/// assert_eq!(model.decide(&[1.2, 0.1, 0.1, 3.3])?.0, "left");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TangentLogistic {
    c: f64,
}

impl Default for TangentLogistic {
    fn default() -> Self {
        Self { c: 1.0 }
    }
}

impl TangentLogistic {
    /// With `C` = 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// How much a trial on the wrong side weighs against the length of the weights: scikit-learn's `C`.
    #[must_use]
    pub fn c(mut self, c: f64) -> Self {
        self.c = c;
        self
    }

    /// Fits the reference and the regression.
    ///
    /// # Errors
    /// Other than two classes; a class without a trial; a `C` that is not above 0; a singular covariance.
    pub fn fit(&self, trials: &Trials) -> Result<Model, FitError> {
        trials.two_classes()?;
        trials.at_least(1)?;
        let (space, logistic) = regression(trials.covariances()?, &trials.labels, self.c)?;
        Ok(Model::new(trials, Classifier::Tangent { space, logistic }))
    }
}

/// The tangent space at the mean of these covariances, and the regression that tells label 1 from label 0 in it.
pub(super) fn regression(
    covariances: &[Vec<f64>],
    labels: &[usize],
    c: f64,
) -> Result<(TangentSpace, Logistic), FitError> {
    if !(c > 0.0 && c.is_finite()) {
        let expected = "a finite number above 0".to_owned();
        return Err(FitError::Setting { setting: "C", expected, found: c.to_string() });
    }
    let space = riemann_mean(covariances)
        .and_then(|mean| TangentSpace::at(&mean))
        .map_err(FitError::numbers("mean covariance of all trials"))?;
    let vectors = covariances.iter().enumerate().map(|(trial, covariance)| {
        space.vector(covariance).map_err(FitError::numbers(format!("covariance of trial {trial}")))
    });
    let vectors: Vec<Vec<f64>> = vectors.collect::<Result<_, _>>()?;
    let second: Vec<bool> = labels.iter().map(|label| *label == 1).collect();
    let logistic = Logistic::fit(&vectors, &second, c).map_err(FitError::numbers("logistic regression"))?;
    Ok((space, logistic))
}
