//! Common spatial patterns in several bands, with one linear discriminant.

use super::classifier::Classifier;
use super::csp::SpatialPatterns;
use super::lda::Lda;
use super::{FitError, Model, Trials};

/// Filter-bank common spatial patterns: [`Csp`](super::Csp) in each of several bands, and one shrunk linear discriminant on the
/// logarithms of all their variances. For two classes.
///
/// It needs not be known in which rhythm the classes differ. Each band has filters of its own (`pyriemann.spatialfilters.CSP`); the
/// discriminant is `sklearn.discriminant_analysis` with solver `lsqr` and `shrinkage="auto"`. The source picks some of the features by
/// their mutual information with the classes; here shrinkage has that part, and all features stay.
///
/// Fitted to trials from [`Covariance::by_band`](crate::feature::Covariance::by_band) behind a
/// [`FilterBank`](crate::filter::FilterBank), each band's of full rank in the mean. Source: K. K. Ang, Z. Y. Chin, C. Wang, C. Guan and H.
/// Zhang (2012), Front. Neurosci. 6:39.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::decode::{FilterBankCsp, Trials};
/// // Two bands of two channels; the classes differ in the second band.
/// let mut trials = Trials::bands(["C3", "C4"], [8.0..12.0, 12.0..16.0], SamplingRate::hz(160)?, ["left", "right"])?;
/// for n in 0..6 {
///     let (strong, some) = (3.0 + 0.1 * f64::from(n), 1.0 + 0.2 * f64::from(n * n % 5));
///     trials.push(0, &[some, 0.1, 0.1, 1.2, 1.0, 0.1, 0.1, strong])?;
///     trials.push(1, &[1.1, 0.1, 0.1, some, strong, 0.2, 0.2, 1.1])?;
/// }
/// let model = FilterBankCsp::new(2).fit(&trials)?;
/// assert_eq!(model.decide(&[1.3, 0.0, 0.0, 1.3, 1.1, 0.0, 0.0, 2.8])?.0, "left");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterBankCsp {
    filters: usize,
}

impl FilterBankCsp {
    /// With so many filters in each band; 4 are usual.
    pub fn new(filters: usize) -> Self {
        Self { filters }
    }

    /// Fits filters of every band, and the discriminant.
    ///
    /// # Errors
    /// Trials of one band only; other than two classes; no filter, or more than channels; fewer than two trials of a class; a
    /// singular mean covariance in a band.
    pub fn fit(&self, trials: &Trials) -> Result<Model, FitError> {
        trials.two_classes()?;
        trials.at_least(2)?;
        let bands = trials.by_band()?;
        let channels = trials.montage.len() / bands;
        if !(1..=channels).contains(&self.filters) {
            let (setting, expected) =
                ("CSP filters", format!("from 1 to {channels}, the number of channels"));
            return Err(FitError::Setting { setting, expected, found: self.filters.to_string() });
        }
        let means = [0, 1].map(|class| trials.mean(class));
        let size = channels * channels;
        let patterns = means[0].chunks_exact(size).zip(means[1].chunks_exact(size)).enumerate();
        let patterns = patterns.map(|(band, (first, second))| {
            let name = trials.montage[band * channels].split(" Hz ").next().unwrap_or_default();
            SpatialPatterns::fit(first, second, self.filters)
                .map_err(FitError::numbers(format!("mean covariance of both classes in {name} Hz")))
        });
        let patterns: Vec<SpatialPatterns> = patterns.collect::<Result<_, _>>()?;
        let features =
            trials.values.iter().zip(&trials.labels).enumerate().map(|(trial, (values, label))| {
                let features = features(&patterns, values);
                match features.iter().all(|feature| feature.is_finite()) {
                    true => Ok(features),
                    false => Err(FitError::Missing { trial, class: trials.classes[*label].clone() }),
                }
            });
        let features: Vec<Vec<f64>> = features.collect::<Result<_, _>>()?;
        let lda = Lda::fit(&features, &trials.labels, 2, true)
            .map_err(FitError::numbers("covariance of the features of all bands"))?;
        Ok(Model::new(trials, Classifier::FilterBankCsp { patterns, lda }))
    }
}

/// The logarithms of all filters' variances, one band after the other, in a trial `[band][channel][channel]`.
pub(super) fn features(patterns: &[SpatialPatterns], values: &[f64]) -> Vec<f64> {
    let blocks = values.chunks_exact((values.len() / patterns.len().max(1)).max(1));
    patterns.iter().zip(blocks).flat_map(|(band, covariance)| band.features(covariance)).collect()
}
