//! Common spatial patterns with a linear discriminant.

use serde::{Deserialize, Serialize};

use super::classifier::{Classifier, finite, same};
use super::lda::Lda;
use super::{FitError, Model, ModelError, Trials};
use crate::kernel::linalg::{LinalgError, Spectrum, dot};

/// Common spatial patterns and a linear discriminant on the logarithm of their variances: for two classes.
///
/// A spatial filter is a mixture of channels whose variance differs between the classes as much as it can:
/// `C₂ w = λ (C₁ + C₂) w` for the classes' mean covariances, the filters with λ furthest from ½ first
/// (`pyriemann.spatialfilters.CSP`). A trial's features are `ln wᵀ C w`; a linear discriminant decides
/// (`sklearn.discriminant_analysis`: solver `svd`, or, [shrunk](Self::shrunk), `lsqr` with `shrinkage="auto"`).
///
/// For covariances from [`Covariance::sample`](crate::feature::Covariance::sample), which must be of full rank in the mean:
/// after an average reference leave a channel out, or use `Covariance::oas`. Source: H. Ramoser, J. Müller-Gerking and G.
/// Pfurtscheller (2000), IEEE Trans. Rehabil. Eng. 8(4):441–446.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::decode::{Csp, Trials};
/// let mut trials = Trials::new(["C3", "C4"], SamplingRate::hz(160)?, ["left", "right"])?;
/// for n in 0..4 {
///     let strong = 3.0 + 0.1 * f64::from(n);
///     trials.push(0, &[1.0, 0.1, 0.1, strong])?;
///     trials.push(1, &[strong, 0.2, 0.2, 1.1])?;
/// }
/// let model = Csp::new(2).fit(&trials)?;
/// let (class, confidence) = model.decide(&[1.1, 0.0, 0.0, 2.8])?;
/// assert!(class == "left" && confidence > 0.9);
/// assert_eq!(model.csp().map(|csp| csp.patterns().len()), Some(2)); // for a topography
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csp {
    filters: usize,
    shrunk: bool,
}

impl Csp {
    /// With so many filters; 4 or 6 are usual.
    pub fn new(filters: usize) -> Self {
        Self { filters, shrunk: false }
    }

    /// With a discriminant whose covariance is shrunk: for many filters and few trials.
    #[must_use]
    pub fn shrunk(mut self) -> Self {
        self.shrunk = true;
        self
    }

    /// Fits filters and discriminant.
    ///
    /// # Errors
    /// Other than two classes; no filter, or more than channels; fewer than two trials of a class, or, not shrunk, than filters
    /// and two more together; a singular mean covariance.
    pub fn fit(&self, trials: &Trials) -> Result<Model, FitError> {
        trials.two_classes()?;
        trials.at_least(2)?;
        let covariances = trials.covariances()?;
        let (channels, filters) = (trials.montage.len(), self.filters);
        if filters == 0 || filters > channels {
            let expected = format!("from 1 to {channels}, the number of channels");
            return Err(FitError::Setting { setting: "CSP filters", expected, found: filters.to_string() });
        }
        if !self.shrunk && trials.len() < filters + 2 {
            let class = "all classes; fewer filters or a shrunk discriminant need less".to_owned();
            return Err(FitError::TooFewTrials { class, needed: filters + 2, found: trials.len() });
        }
        let patterns = SpatialPatterns::fit(&trials.mean(0), &trials.mean(1), filters)
            .map_err(FitError::numbers("mean covariance of both classes"))?;
        let features = covariances.iter().zip(&trials.labels).enumerate().map(|(trial, (c, label))| {
            let features = patterns.features(c);
            match features.iter().all(|feature| feature.is_finite()) {
                true => Ok(features),
                false => Err(FitError::Missing { trial, class: trials.classes[*label].clone() }),
            }
        });
        let features: Vec<Vec<f64>> = features.collect::<Result<_, _>>()?;
        let lda = Lda::fit(&features, &trials.labels, 2, self.shrunk)
            .map_err(FitError::numbers("covariance of the CSP features"))?;
        Ok(Model::new(trials, Classifier::Csp { patterns, lda }))
    }
}

/// Spatial filters, and the patterns they pick up: what a source seen through a filter looks like at the electrodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpatialPatterns {
    pub(super) filters: Vec<Vec<f64>>,
    pub(super) patterns: Vec<Vec<f64>>,
    pub(super) eigenvalues: Vec<f64>,
}

impl SpatialPatterns {
    /// Of the classes' mean covariances.
    pub(super) fn fit(first: &[f64], second: &[f64], filters: usize) -> Result<Self, LinalgError> {
        let both: Vec<f64> = first.iter().zip(second).map(|(first, second)| first + second).collect();
        let channels = both.len().isqrt();
        let spectrum = Spectrum::against(second, &both)?;
        let mut order: Vec<usize> = (0..channels).collect();
        let contrast = |at: &usize| (spectrum.values[*at] - 0.5).abs();
        order.sort_by(|a, b| contrast(b).total_cmp(&contrast(a)));
        order.truncate(filters);
        let mut found = Self { filters: Vec::new(), patterns: Vec::new(), eigenvalues: Vec::new() };
        for at in order {
            let mut filter = spectrum.vectors[at * channels..(at + 1) * channels].to_vec();
            // With all filters W there are, Wᵀ B W is the unit matrix, so their inverse is B W.
            let mut pattern: Vec<f64> = both.chunks_exact(channels).map(|row| dot(row, &filter)).collect();
            // Signs are arbitrary: the electrode that a pattern is strongest at is positive.
            let strongest =
                pattern.iter().fold(0.0_f64, |best, v| if v.abs() > best.abs() { *v } else { best });
            if strongest < 0.0 {
                filter.iter_mut().chain(&mut pattern).for_each(|value| *value = -*value);
            }
            found.filters.push(filter);
            found.patterns.push(pattern);
            found.eigenvalues.push(spectrum.values[at]);
        }
        Ok(found)
    }

    /// Checks patterns that were read.
    pub(super) fn check(&self, channels: usize) -> Result<(), ModelError> {
        same("patterns", self.filters.len(), self.patterns.len())?;
        same("eigenvalues", self.filters.len(), self.eigenvalues.len())?;
        finite("eigenvalues", &self.eigenvalues)?;
        self.filters.iter().chain(&self.patterns).try_for_each(|row| {
            same("channels of a filter", channels, row.len())?;
            finite("filters", row)
        })
    }

    /// The filters `[filter][channel]`, those that tell the classes apart best first.
    pub fn filters(&self) -> &[Vec<f64>] {
        &self.filters
    }

    /// The pattern of each filter `[filter][channel]`, for a topography. Its strongest channel is positive.
    pub fn patterns(&self) -> &[Vec<f64>] {
        &self.patterns
    }

    /// For each filter, the second class's share of its variance: 0 to 1.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.eigenvalues
    }

    /// The logarithm of each filter's variance in a trial of this covariance.
    pub fn features(&self, covariance: &[f64]) -> Vec<f64> {
        let variance = |filter: &Vec<f64>| {
            let through: Vec<f64> =
                covariance.chunks_exact(filter.len().max(1)).map(|row| dot(row, filter)).collect();
            libm::log(dot(filter, &through))
        };
        self.filters.iter().map(variance).collect()
    }
}
