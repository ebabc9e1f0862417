//! Estimators of a covariance from few samples.

use super::LinalgError;

/// How a covariance is estimated from samples.
///
/// With `x̄` taken off, `S = Σ x xᵀ / n` is the sample covariance of `n` samples of `p` channels. A shrunk one is
/// `(1 − ρ) S + ρ μ I` with `μ = tr S / p`: it is of full rank, whatever `S` is, and ρ is computed from the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Estimator {
    /// `S` itself (`sklearn.covariance.empirical_covariance`). Singular where channels depend on each other, or are more than the
    /// samples.
    Sample,
    /// Shrunk as by O. Ledoit and M. Wolf (2004), J. Multivar. Anal. 88(2):365–411 (`sklearn.covariance.ledoit_wolf`).
    LedoitWolf,
    /// Oracle approximating shrinkage: Y. Chen, A. Wiesel, Y. C. Eldar and A. O. Hero (2010), IEEE Trans. Signal Process.
    /// 58(10):5016–5029, in the form of `sklearn.covariance.oas`. The default.
    #[default]
    Oas,
}

/// The covariance `[channel][channel]` of sample-major values `[sample][channel]`, in their unit squared.
///
/// ```
/// use neuraflow_ops::kernel::linalg::{Estimator, covariance};
/// let samples = [1.0, 2.0, -1.0, -2.0];
/// assert_eq!(covariance(&samples, 2, Estimator::Sample)?, [1.0, 2.0, 2.0, 4.0]);
/// # Ok::<(), neuraflow_ops::kernel::linalg::LinalgError>(())
/// ```
///
/// # Errors
/// Fewer than two samples, half a sample, a value that is not finite.
pub fn covariance(samples: &[f64], channels: usize, estimator: Estimator) -> Result<Vec<f64>, LinalgError> {
    let mut out = vec![0.0; channels * channels];
    covariance_into(samples, channels, estimator, &mut out)?;
    Ok(out)
}

/// As [`covariance`], into memory of the caller's.
///
/// # Errors
/// As [`covariance`]; and `out` of another length.
pub fn covariance_into(
    samples: &[f64],
    channels: usize,
    estimator: Estimator,
    out: &mut [f64],
) -> Result<(), LinalgError> {
    const WHAT: &str = "samples";
    let count = samples.len().checked_div(channels).unwrap_or(0);
    if channels == 0 || count * channels != samples.len() {
        let expected = count.max(1) * channels.max(1);
        return Err(LinalgError::Length { what: WHAT, expected, found: samples.len() });
    }
    if out.len() != channels * channels {
        let (what, expected) = ("a covariance", channels * channels);
        return Err(LinalgError::Length { what, expected, found: out.len() });
    }
    if count < 2 {
        return Err(LinalgError::TooFew { what: WHAT, needed: 2, found: count });
    }
    if let Some(found) = samples.iter().find(|value| !value.is_finite()) {
        return Err(LinalgError::NotFinite { what: WHAT, found: *found });
    }
    let squares = sample_covariance(samples, channels, out);
    let shrinkage = match estimator {
        Estimator::Sample => return Ok(()),
        Estimator::LedoitWolf => ledoit_wolf(out, channels, count, squares),
        Estimator::Oas => oas(out, channels, count),
    };
    let target = shrinkage * mean_variance(out, channels);
    out.iter_mut().for_each(|value| *value *= 1.0 - shrinkage);
    out.iter_mut().step_by(channels + 1).for_each(|variance| *variance += target);
    Ok(())
}

/// Fills in `S`; returns the mean over samples of `|x|⁴`, which Ledoit and Wolf's shrinkage needs.
fn sample_covariance(samples: &[f64], channels: usize, out: &mut [f64]) -> f64 {
    let count = (samples.len() / channels) as f64;
    let mut means = vec![0.0; channels];
    for sample in samples.chunks_exact(channels) {
        means.iter_mut().zip(sample).for_each(|(mean, value)| *mean += value);
    }
    means.iter_mut().for_each(|mean| *mean /= count);
    out.fill(0.0);
    let (mut centred, mut fourth) = (vec![0.0; channels], 0.0);
    for sample in samples.chunks_exact(channels) {
        let mut length = 0.0;
        for ((value, raw), mean) in centred.iter_mut().zip(sample).zip(&means) {
            *value = raw - mean;
            length += *value * *value;
        }
        fourth += length * length;
        for (i, factor) in centred.iter().enumerate() {
            let row = &mut out[i * channels + i..(i + 1) * channels];
            row.iter_mut().zip(&centred[i..]).for_each(|(sum, value)| *sum += factor * value);
        }
    }
    for i in 0..channels {
        for j in i..channels {
            let value = out[i * channels + j] / count;
            (out[i * channels + j], out[j * channels + i]) = (value, value);
        }
    }
    fourth / count
}

fn mean_variance(covariance: &[f64], channels: usize) -> f64 {
    covariance.iter().step_by(channels + 1).sum::<f64>() / channels as f64
}

fn squared(covariance: &[f64]) -> f64 {
    covariance.iter().map(|value| value * value).sum()
}

fn ledoit_wolf(covariance: &[f64], channels: usize, count: usize, fourth: f64) -> f64 {
    if channels == 1 {
        return 0.0;
    }
    let (p, n) = (channels as f64, count as f64);
    let (mean, squared) = (mean_variance(covariance, channels), squared(covariance));
    let beta = (fourth - squared) / (p * n);
    let delta = (squared - p * mean * mean) / p;
    if beta <= 0.0 || delta <= 0.0 { 0.0 } else { (beta / delta).min(1.0) }
}

fn oas(covariance: &[f64], channels: usize, count: usize) -> f64 {
    if channels == 1 {
        return 0.0;
    }
    let (p, n) = (channels as f64, count as f64);
    let alpha = squared(covariance) / (p * p);
    let mean = mean_variance(covariance, channels);
    let below = (n + 1.0) * (alpha - mean * mean / p);
    if below <= 0.0 { 1.0 } else { ((alpha + mean * mean) / below).min(1.0) }
}
