//! Linear discriminant analysis.

use serde::{Deserialize, Serialize};

use super::ModelError;
use super::classifier::{finite, same};
use crate::kernel::linalg::{Estimator, LinalgError, Spectrum, covariance, dot, solve};

/// A linear score for each class: the logarithm of its probability, but for what all classes share.
///
/// Classes are normal with one covariance Σ, and as frequent as in training:
/// `score = (x − x̄)ᵀ Σ⁻¹ (μ − x̄) − ½ (μ − x̄)ᵀ Σ⁻¹ (μ − x̄) + ln π`.
/// Source: R. O. Duda, P. E. Hart and D. G. Stork (2001), *Pattern Classification*, 2nd ed., section 2.6.2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lda {
    /// `[class][feature]`.
    pub(super) weights: Vec<Vec<f64>>,
    /// One for each class.
    pub(super) offsets: Vec<f64>,
}

impl Lda {
    /// Fits to features `[trial][feature]`. Σ is the mean of the classes' covariances, each weighing as its class is frequent:
    /// sample covariances, as in scikit-learn's solver `svd` of version 1.9, or, shrunk, by Ledoit and
    /// Wolf after scaling to unit variance, as in its solver `lsqr` with `shrinkage="auto"`.
    pub(super) fn fit(
        features: &[Vec<f64>],
        labels: &[usize],
        classes: usize,
        shrunk: bool,
    ) -> Result<Self, LinalgError> {
        let width = features.first().map_or(0, Vec::len);
        let centre = mean(features.iter(), width);
        let (mut within, mut means, mut shares) = (vec![0.0; width * width], Vec::new(), Vec::new());
        for class in 0..classes {
            let of = || features.iter().zip(labels).filter(|(_, label)| **label == class).map(|(x, _)| x);
            let count = of().count();
            let own = mean(of(), width);
            let share = count as f64 / features.len() as f64;
            let covariance = if shrunk {
                shrunk_covariance(of(), &own, count)?
            } else {
                covariance(&of().flatten().copied().collect::<Vec<f64>>(), width, Estimator::Sample)?
            };
            within.iter_mut().zip(&covariance).for_each(|(sum, value)| *sum += share * value);
            means.push(own.iter().zip(&centre).map(|(own, centre)| own - centre).collect::<Vec<f64>>());
            shares.push(share);
        }
        Spectrum::of_positive(&within)?;
        let (mut weights, mut offsets) = (Vec::new(), Vec::new());
        for (mean, share) in means.iter().zip(shares) {
            let weight = solve(&within, mean)?;
            offsets.push(libm::log(share) - 0.5 * dot(mean, &weight) - dot(&centre, &weight));
            weights.push(weight);
        }
        Ok(Self { weights, offsets })
    }

    /// Checks a discriminant that was read.
    pub(super) fn check(&self, classes: usize, features: usize) -> Result<(), ModelError> {
        same("classes of the discriminant", classes, self.weights.len())?;
        same("offsets of the discriminant", classes, self.offsets.len())?;
        finite("offsets", &self.offsets)?;
        self.weights.iter().try_for_each(|weights| {
            same("weights of the discriminant", features, weights.len())?;
            finite("weights", weights)
        })
    }

    pub(super) fn scores(&self, features: &[f64]) -> Vec<f64> {
        self.weights.iter().zip(&self.offsets).map(|(w, offset)| dot(w, features) + offset).collect()
    }
}

fn mean<'a>(of: impl Iterator<Item = &'a Vec<f64>>, width: usize) -> Vec<f64> {
    let (mut sums, mut count) = (vec![0.0; width], 0.0);
    for features in of {
        sums.iter_mut().zip(features).for_each(|(sum, value)| *sum += value);
        count += 1.0;
    }
    sums.iter_mut().for_each(|sum| *sum /= count);
    sums
}

fn shrunk_covariance<'a>(
    of: impl Iterator<Item = &'a Vec<f64>> + Clone,
    mean: &[f64],
    count: usize,
) -> Result<Vec<f64>, LinalgError> {
    let mut scales = vec![0.0; mean.len()];
    for features in of.clone() {
        for ((scale, value), mean) in scales.iter_mut().zip(features).zip(mean) {
            *scale += (value - mean) * (value - mean);
        }
    }
    // A feature that never varies is left as it is.
    let scale = |sum: &f64| if *sum > 0.0 { (sum / count as f64).sqrt() } else { 1.0 };
    let scales: Vec<f64> = scales.iter().map(scale).collect();
    let scaled = |features: &'a Vec<f64>| {
        features.iter().zip(mean).zip(&scales).map(|((value, mean), scale)| (value - mean) / scale)
    };
    let samples: Vec<f64> = of.flat_map(scaled).collect();
    let mut covariance = covariance(&samples, mean.len(), Estimator::LedoitWolf)?;
    for (row, left) in covariance.chunks_exact_mut(mean.len()).zip(&scales) {
        row.iter_mut().zip(&scales).for_each(|(value, right)| *value *= left * right);
    }
    Ok(covariance)
}
