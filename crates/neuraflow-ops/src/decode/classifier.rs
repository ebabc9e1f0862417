//! What a fitted decoder computes with.

use serde::{Deserialize, Serialize};

use super::csp::SpatialPatterns;
use super::layout::Layout;
use super::lda::Lda;
use super::logistic::Logistic;
use super::{EvokedFilters, ModelError, filter_bank_csp, xdawn_lda};
use crate::kernel::linalg::{Estimator, LinalgError, TangentSpace};

/// A fitted decoder: from the numbers of a trial to a score for each class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Classifier {
    Csp { patterns: SpatialPatterns, lda: Lda },
    Mdm { means: Vec<TangentSpace> },
    Tangent { space: TangentSpace, logistic: Logistic },
    FilterBankCsp { patterns: Vec<SpatialPatterns>, lda: Lda },
    XdawnLda { filters: EvokedFilters, means_of: usize, lda: Lda },
    XdawnTangent { filters: EvokedFilters, estimator: Estimator, space: TangentSpace, logistic: Logistic },
}

impl Classifier {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Csp { .. } => "common spatial patterns + linear discriminant",
            Self::Mdm { .. } => "minimum distance to mean",
            Self::Tangent { .. } => "tangent space + logistic regression",
            Self::FilterBankCsp { .. } => "filter-bank common spatial patterns + linear discriminant",
            Self::XdawnLda { .. } => "xDAWN + linear discriminant",
            Self::XdawnTangent { .. } => "xDAWN covariances + tangent space + logistic regression",
        }
    }

    /// What it decides on.
    pub(super) fn layout(&self) -> Layout {
        match self {
            Self::Csp { .. } | Self::Mdm { .. } | Self::Tangent { .. } => Layout::Covariance,
            Self::FilterBankCsp { patterns, .. } => Layout::Bands(patterns.len()),
            Self::XdawnLda { filters, .. } | Self::XdawnTangent { filters, .. } => {
                Layout::Samples(filters.samples())
            }
        }
    }

    /// The logarithm of each class's probability, but for what all classes share.
    pub(super) fn scores(&self, values: &[f64]) -> Result<Vec<f64>, LinalgError> {
        match self {
            Self::Csp { patterns, lda } => of_variances(lda, &patterns.features(values)),
            Self::Mdm { means } => {
                let score = |mean: &TangentSpace| mean.distance(values).map(|distance| -distance * distance);
                means.iter().map(score).collect()
            }
            Self::Tangent { space, logistic } => Ok(vec![0.0, logistic.score(&space.vector(values)?)]),
            Self::FilterBankCsp { patterns, lda } => {
                of_variances(lda, &filter_bank_csp::features(patterns, values))
            }
            Self::XdawnLda { filters, means_of, lda } => {
                Ok(lda.scores(&xdawn_lda::features(filters, *means_of, values)?))
            }
            Self::XdawnTangent { filters, estimator, space, logistic } => {
                let covariance = filters.covariance(values, *estimator)?;
                Ok(vec![0.0, logistic.score(&space.vector(&covariance)?)])
            }
        }
    }

    /// Checks a classifier that was read against the channels and classes that came with it.
    pub(super) fn check(&self, channels: usize, classes: usize) -> Result<(), ModelError> {
        match self {
            Self::Csp { patterns, lda } => {
                same("classes of CSP", 2, classes)?;
                patterns.check(channels)?;
                lda.check(classes, patterns.filters.len())
            }
            Self::Mdm { means } => {
                same("class means", classes, means.len())?;
                means.iter().try_for_each(|mean| same("channels of a mean", channels, mean.order()))
            }
            Self::Tangent { space, logistic } => {
                same("classes of the regression", 2, classes)?;
                same("channels of the reference", channels, space.order())?;
                logistic.check(space.dimension())
            }
            Self::FilterBankCsp { patterns, lda } => {
                same("classes of CSP", 2, classes)?;
                let bands = patterns.len();
                if bands == 0 || !channels.is_multiple_of(bands) {
                    let (expected, found) =
                        (format!("a divisor of the {channels} channels"), bands.to_string());
                    return Err(ModelError::Invalid { what: "number of bands", expected, found });
                }
                patterns.iter().try_for_each(|band| band.check(channels / bands))?;
                lda.check(classes, patterns.iter().map(|band| band.filters.len()).sum())
            }
            Self::XdawnLda { filters, means_of, lda } => {
                filters.check(channels)?;
                if !(1..=filters.samples()).contains(means_of) {
                    let expected = format!("from 1 to {}", filters.samples());
                    let found = means_of.to_string();
                    return Err(ModelError::Invalid { what: "samples of a mean", expected, found });
                }
                lda.check(classes, filters.filters.len() * filters.samples().div_ceil(*means_of))
            }
            Self::XdawnTangent { filters, space, logistic, .. } => {
                same("classes of the regression", 2, classes)?;
                filters.check(channels)?;
                same("rows of the reference", 2 * filters.filters.len(), space.order())?;
                logistic.check(space.dimension())
            }
        }
    }
}

/// The scores of logarithms of variances.
fn of_variances(lda: &Lda, features: &[f64]) -> Result<Vec<f64>, LinalgError> {
    let finite = features.iter().filter(|feature| feature.is_finite()).count();
    if finite == features.len() {
        return Ok(lda.scores(features));
    }
    // A filter through which nothing comes: its variance is 0, or less by rounding.
    Err(LinalgError::Rank { rank: finite, order: features.len() })
}

/// A part that was read is as large as the other parts call for.
pub(super) fn same(what: &'static str, expected: usize, found: usize) -> Result<(), ModelError> {
    let (expected, text) = (expected.to_string(), found.to_string());
    if expected == text { Ok(()) } else { Err(ModelError::Invalid { what, expected, found: text }) }
}

/// All numbers of a part that was read are numbers.
pub(super) fn finite(what: &'static str, values: &[f64]) -> Result<(), ModelError> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(found) => {
            let (expected, found) = ("finite numbers".to_owned(), found.to_string());
            Err(ModelError::Invalid { what, expected, found })
        }
        None => Ok(()),
    }
}

/// The class with the greatest score, the first of equals, and its probability.
pub(super) fn choose(scores: &[f64]) -> (usize, f64) {
    let best = (1..scores.len()).fold(0, |best, at| if scores[at] > scores[best] { at } else { best });
    let greatest = scores.get(best).copied().unwrap_or(0.0);
    (best, 1.0 / scores.iter().map(|score| libm::exp(score - greatest)).sum::<f64>())
}
