//! Hjorth's parameters: how much, how fast, how irregular.

use neuraflow_core::model::SamplingRate;
use neuraflow_core::operator::OperatorError;

use super::over::{Columns, Over, Statistic, look_back_feature};
use crate::kernel::stats;

/// Hjorth's parameters of each channel over a look-back: three numbers in the time domain that say what a spectrum does.
///
/// | column | is | unit |
/// |---|---|---|
/// | `activity` | var x | µV² |
/// | `mobility` | √(var Δx / var x): the mean frequency, as radians a sample | 1 |
/// | `complexity` | mobility of Δx / mobility of x: 1 for a sine, more for what is less regular | 1 |
///
/// Δx are the differences of consecutive samples in which both are valid; variances have the divisor n. Input: windows of any
/// number of samples. Output: one row for each channel that is not a trigger. NaN until the look-back has been filled once,
/// where too few values are valid, and mobility and complexity for a flat channel. State: the samples of the look-back, by
/// default one second.
///
/// Source: B. Hjorth (1970), Electroencephalogr. Clin. Neurophysiol. 29:306–310.
///
/// # Errors
/// `prepare`: a look-back shorter than three samples or longer than 2¹⁷; only trigger channels. `process`: another number of
/// channels than prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::feature::Hjorth;
/// let alpha: Vec<f64> = (0..250).map(|n| (std::f64::consts::TAU * 10.0 * f64::from(n) / 250.0).sin()).collect();
/// let [activity, mobility, complexity] = Hjorth::new().of_samples(&alpha, 1, SamplingRate::hz(250)?)?[..] else { panic!() };
/// assert!((activity - 0.5).abs() < 1e-9);
/// assert!((mobility * 250.0 / std::f64::consts::TAU - 10.0).abs() < 0.1); // Hz
/// assert!((complexity - 1.0).abs() < 0.01);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Hjorth {
    over: Over<Parameters>,
}

#[derive(Clone, Debug, Default)]
struct Parameters {
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Default for Hjorth {
    fn default() -> Self {
        Self { over: Over::new(Parameters::default()) }
    }
}

impl Hjorth {
    /// Over one second.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Differences of neighbours, NaN where one is missing.
fn differences(x: &[f64], out: &mut Vec<f64>) {
    out.clear();
    out.extend(x.windows(2).map(|pair| pair[1] - pair[0]));
}

impl Statistic for Parameters {
    fn plan(&mut self, rate: SamplingRate, samples: usize) -> Result<Columns, OperatorError> {
        if samples < 3 {
            return Err(OperatorError::Spec {
                what: "look-back of Hjorth's parameters",
                expected: format!("at least 3 samples, {} ms", 3e3 / rate.as_hz()),
                found: samples.to_string(),
            });
        }
        Ok(Columns::of(&["activity", "mobility", "complexity"], ""))
    }

    fn compute(&mut self, samples: &[f64], out: &mut [f64]) {
        differences(samples, &mut self.first);
        differences(&self.first, &mut self.second);
        let [of_signal, of_slope, of_bend] =
            [samples, &self.first, &self.second].map(|values| stats::variance(values, 0).value);
        let mobility = (of_slope / of_signal).sqrt();
        let complexity = (of_bend / of_slope).sqrt() / mobility;
        let found = [of_signal, mobility, complexity];
        for (value, found) in out.iter_mut().zip(found) {
            *value = if found.is_finite() { found } else { f64::NAN };
        }
    }
}

look_back_feature!(Hjorth);
