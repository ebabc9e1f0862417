//! Line length: how far a signal travels.

use neuraflow_core::model::SamplingRate;
use neuraflow_core::operator::OperatorError;

use super::over::{Columns, Over, Statistic, look_back_feature};

/// Line length of each channel over a look-back, in µV a sample: the mean of `|x[n] − x[n−1]|`.
///
/// It grows with amplitude and with frequency, and so with seizures, spikes and muscle. The mean, not the sum, so that missing
/// values and the look-back's length do not scale it; times the number of steps it is the sum of the paper. Only steps between
/// two valid samples count. Input: windows of any number of samples. Output: one row for each channel that is not a trigger,
/// one column `line length`. NaN until the look-back has been filled once, and without a step. State: the samples of the
/// look-back, by default one second.
///
/// Source: R. Esteller et al. (2001), Proc. 23rd Annu. Int. Conf. IEEE EMBS 2:1707–1710.
///
/// # Errors
/// `prepare`: a look-back shorter than two samples or longer than 2¹⁷; only trigger channels. `process`: another number of
/// channels than prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::feature::LineLength;
/// let saw = [0.0, 3.0, 0.0, 3.0];
/// let length = LineLength::new().over_millis(400).of_samples(&saw, 1, SamplingRate::hz(10)?)?;
/// assert_eq!(length, [3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LineLength {
    over: Over<Steps>,
}

#[derive(Clone, Debug)]
struct Steps;

impl Default for LineLength {
    fn default() -> Self {
        Self { over: Over::new(Steps) }
    }
}

impl LineLength {
    /// Over one second.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Statistic for Steps {
    fn plan(&mut self, rate: SamplingRate, samples: usize) -> Result<Columns, OperatorError> {
        if samples < 2 {
            return Err(OperatorError::Spec {
                what: "look-back of the line length",
                expected: format!("at least 2 samples, {} ms", 2e3 / rate.as_hz()),
                found: samples.to_string(),
            });
        }
        Ok(Columns::of(&["line length"], "µV"))
    }

    fn compute(&mut self, samples: &[f64], out: &mut [f64]) {
        let steps = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|step| step.is_finite());
        let (sum, count) = steps.fold((0.0, 0_usize), |(sum, count), step| (sum + step, count + 1));
        out[0] = if count > 0 { sum / count as f64 } else { f64::NAN };
    }
}

look_back_feature!(LineLength);
