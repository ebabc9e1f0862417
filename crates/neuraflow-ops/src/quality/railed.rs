//! How much of a signal rests at the ends of the amplifier's range.

use neuraflow_core::model::SamplingRate;
use neuraflow_core::operator::OperatorError;

use crate::feature::{Columns, Over, Statistic, look_back_feature};

/// The percentage of each channel's valid values that are at or beyond a rail, over a look-back.
///
/// An electrode that has come off, or an offset beyond the amplifier's range, rails. The rails are the ends of the range as the
/// header or data sheet gives them, less a step of the converter. Input: raw windows of any number of samples, before any
/// filter. Output: one row for each channel that is not a trigger, one column `railed`, in percent. NaN until the look-back has
/// been filled once, and where no value is valid. State: the samples of the look-back, by default one second. For a flag a
/// window without knowing the rails: [`ArtifactFlags`](crate::artifact::ArtifactFlags).
///
/// # Errors
/// `prepare`: a low rail that is not below the high one; a look-back shorter than a sample or longer than 2¹⁷; only trigger
/// channels. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::quality::Railed;
/// let values = [0.0, 187_500.0, 187_500.0, -3.0]; // µV
/// let percent = Railed::at(-187_500.0, 187_500.0).over_millis(400).of_samples(&values, 1, SamplingRate::hz(10)?)?;
/// assert_eq!(percent, [50.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Railed {
    over: Over<Rails>,
}

#[derive(Clone, Debug)]
struct Rails {
    low: f64,
    high: f64,
}

impl Railed {
    /// With rails at `low` and `high`, in the channels' unit.
    pub fn at(low: f64, high: f64) -> Self {
        Self { over: Over::new(Rails { low, high }) }
    }
}

impl Statistic for Rails {
    fn plan(&mut self, _: SamplingRate, _: usize) -> Result<Columns, OperatorError> {
        if self.low < self.high {
            return Ok(Columns::of(&["railed"], "%"));
        }
        Err(OperatorError::Spec {
            what: "rails",
            expected: "a low end below the high end".to_owned(),
            found: format!("{} and {}", self.low, self.high),
        })
    }

    fn compute(&mut self, samples: &[f64], out: &mut [f64]) {
        let valid = samples.iter().filter(|value| value.is_finite());
        let (railed, count) = valid.fold((0_usize, 0_usize), |(railed, count), value| {
            (railed + usize::from(*value <= self.low || *value >= self.high), count + 1)
        });
        out[0] = if count > 0 { 100.0 * railed as f64 / count as f64 } else { f64::NAN };
    }
}

look_back_feature!(Railed);
