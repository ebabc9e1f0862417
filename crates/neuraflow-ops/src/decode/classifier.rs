//! What a fitted decoder computes with.

use serde::{Deserialize, Serialize};

use super::ModelError;
use super::csp::SpatialPatterns;
use super::lda::Lda;
use super::logistic::Logistic;
use crate::kernel::linalg::{LinalgError, TangentSpace};

/// A fitted decoder: from the covariance of a trial to a score for each class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Classifier {
    Csp { patterns: SpatialPatterns, lda: Lda },
    Mdm { means: Vec<TangentSpace> },
    Tangent { space: TangentSpace, logistic: Logistic },
}

impl Classifier {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Csp { .. } => "common spatial patterns + linear discriminant",
            Self::Mdm { .. } => "minimum distance to mean",
            Self::Tangent { .. } => "tangent space + logistic regression",
        }
    }

    /// The logarithm of each class's probability, but for what all classes share.
    pub(super) fn scores(&self, covariance: &[f64]) -> Result<Vec<f64>, LinalgError> {
        match self {
            Self::Csp { patterns, lda } => {
                let features = patterns.features(covariance);
                match features.iter().all(|feature| feature.is_finite()) {
                    true => Ok(lda.scores(&features)),
                    // A filter through which nothing comes: its variance is 0, or less by rounding.
                    false => {
                        let order = features.len();
                        let rank = features.iter().filter(|feature| feature.is_finite()).count();
                        Err(LinalgError::Rank { rank, order })
                    }
                }
            }
            Self::Mdm { means } => {
                let score =
                    |mean: &TangentSpace| mean.distance(covariance).map(|distance| -distance * distance);
                means.iter().map(score).collect()
            }
            Self::Tangent { space, logistic } => Ok(vec![0.0, logistic.score(&space.vector(covariance)?)]),
        }
    }

    /// Checks a classifier that was read against the channels and classes that came with it.
    pub(super) fn check(&self, channels: usize, classes: usize) -> Result<(), ModelError> {
        let same = |what, expected: usize, found: usize| {
            let (expected, text) = (expected.to_string(), found.to_string());
            if expected == text { Ok(()) } else { Err(ModelError::Invalid { what, expected, found: text }) }
        };
        let finite = |what, values: &[f64]| match values.iter().find(|value| !value.is_finite()) {
            Some(found) => {
                let (expected, found) = ("finite numbers".to_owned(), found.to_string());
                Err(ModelError::Invalid { what, expected, found })
            }
            None => Ok(()),
        };
        match self {
            Self::Csp { patterns: SpatialPatterns { filters, patterns, eigenvalues }, lda } => {
                same("classes of CSP", 2, classes)?;
                same("patterns", filters.len(), patterns.len())?;
                same("eigenvalues", filters.len(), eigenvalues.len())?;
                finite("eigenvalues", eigenvalues)?;
                for row in filters.iter().chain(patterns) {
                    same("channels of a filter", channels, row.len())?;
                    finite("filters", row)?;
                }
                same("classes of the discriminant", classes, lda.weights.len())?;
                same("offsets of the discriminant", classes, lda.offsets.len())?;
                finite("offsets", &lda.offsets)?;
                for weights in &lda.weights {
                    same("weights of the discriminant", filters.len(), weights.len())?;
                    finite("weights", weights)?;
                }
                Ok(())
            }
            Self::Mdm { means } => {
                same("class means", classes, means.len())?;
                means.iter().try_for_each(|mean| same("channels of a mean", channels, mean.order()))
            }
            Self::Tangent { space, logistic } => {
                same("classes of the regression", 2, classes)?;
                same("channels of the reference", channels, space.order())?;
                same("weights of the regression", space.dimension(), logistic.weights.len())?;
                finite("weights", &logistic.weights)?;
                finite("intercept", &[logistic.intercept])
            }
        }
    }
}

/// The class with the greatest score, the first of equals, and its probability.
pub(super) fn choose(scores: &[f64]) -> (usize, f64) {
    let best = (1..scores.len()).fold(0, |best, at| if scores[at] > scores[best] { at } else { best });
    let greatest = scores.get(best).copied().unwrap_or(0.0);
    (best, 1.0 / scores.iter().map(|score| libm::exp(score - greatest)).sum::<f64>())
}
