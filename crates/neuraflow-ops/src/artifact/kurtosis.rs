//! Kurtosis: whether a few samples stick out of the rest.

use neuraflow_core::model::SamplingRate;
use neuraflow_core::operator::OperatorError;

use crate::feature::{Columns, Over, Statistic, look_back_feature};
use crate::kernel::stats;

/// Excess kurtosis of each channel over a look-back: `scipy.stats.kurtosis(x)`, m₄ / m₂² − 3 of the valid values.
///
/// 0 for normal noise, −1.5 for a sine, high for the odd pop, electrode jump or blink among quiet samples: channels and epochs
/// beyond some deviations of their neighbours' are commonly rejected. Input: windows of any number of samples, best before
/// any filter. Output: one row for each channel that is not a trigger, one column `kurtosis`, without unit. NaN until the
/// look-back has been filled once, for fewer than four valid values and for a flat channel. State: the samples of the look-back, by
/// default one second.
///
/// Source: A. Delorme, T. Sejnowski and S. Makeig (2007), NeuroImage 34:1443–1449.
///
/// # Errors
/// `prepare`: a look-back shorter than four samples or longer than 2¹⁷; only trigger channels. `process`: another number of
/// channels than prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::artifact::Kurtosis;
/// let mut quiet: Vec<f64> = (0..250).map(|n| f64::from(n % 7)).collect();
/// let before = Kurtosis::new().of_samples(&quiet, 1, SamplingRate::hz(250)?)?[0];
/// quiet[100] = 90.0;
/// let after = Kurtosis::new().of_samples(&quiet, 1, SamplingRate::hz(250)?)?[0];
/// assert!(before < 0.0 && after > 100.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Kurtosis {
    over: Over<Moments>,
}

#[derive(Clone, Debug)]
struct Moments;

/// With fewer values there is no fourth moment to speak of.
const FEWEST: usize = 4;

impl Default for Kurtosis {
    fn default() -> Self {
        Self { over: Over::new(Moments) }
    }
}

impl Kurtosis {
    /// Over one second.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Statistic for Moments {
    fn plan(&mut self, rate: SamplingRate, samples: usize) -> Result<Columns, OperatorError> {
        if samples < FEWEST {
            return Err(OperatorError::Spec {
                what: "look-back of the kurtosis",
                expected: format!("at least {FEWEST} samples, {} ms", FEWEST as f64 * 1e3 / rate.as_hz()),
                found: samples.to_string(),
            });
        }
        Ok(Columns::of(&["kurtosis"], ""))
    }

    fn compute(&mut self, samples: &[f64], out: &mut [f64]) {
        let mean = stats::mean(samples);
        let squares = || {
            samples.iter().filter(|value| value.is_finite()).map(|value| value - mean.value).map(|d| d * d)
        };
        let count = mean.valid as f64;
        let second = squares().sum::<f64>() / count;
        let fourth = squares().map(|square| square * square).sum::<f64>() / count;
        // What is flat has a variance of roundings alone.
        let rounding = f64::EPSILON * mean.value;
        let is_flat = second <= rounding * rounding;
        out[0] = if mean.valid < FEWEST || is_flat { f64::NAN } else { fourth / (second * second) - 3.0 };
    }
}

look_back_feature!(Kurtosis);
