//! The common average reference.

use ndarray::ArrayViewMut2;
use neuraflow_core::model::{ChannelKind, Chunk};
use neuraflow_core::operator::{Operator, OperatorError, SignalSpec};

use crate::kernel::{Value, stats};
use crate::shape::{no_state, same_channels, whole_samples};

/// Common average reference: subtracts from each EEG channel the mean over all EEG channels of the same sample.
///
/// ```text
/// y[n][c] = x[n][c] − mean over valid EEG channels k of x[n][k]        for c an EEG channel
/// y[n][c] = x[n][c]                                                     for any other kind
/// ```
///
/// Input and output `[sample][channel]` in µV, with the same channels. A value is valid when it is finite: a missing
/// EEG value is left out of the mean and comes out as NaN. Channels of other kinds
/// ([`ChannelKind`]) neither enter the mean nor change. No parameter, no state, no latency. The mean is
/// computed in `f64` as a fixed tree over the channels, so its bits do not depend on the processor.
///
/// Source: D. Lehmann and W. Skrandies (1980), Electroencephalogr. Clin. Neurophysiol. 48:609–621; for dense arrays
/// O. Bertrand, F. Perrin and J. Pernier (1985), ibid. 62:462–464.
///
/// # Errors
/// `prepare`: fewer than two EEG channels, since the average of one channel is that channel, and nothing would be
/// left of it. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::{Channel, Chunk, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::spatial::CommonAverage;
/// let channels = ["C3", "C4", "Status"].map(Channel::new).to_vec().into();
/// let mut average = CommonAverage::new();
/// average.prepare(&SignalSpec { channels, rate: SamplingRate::hz(250)?, missing: Missing::Restart })?;
/// let mut input = Chunk::new(0, 3);
/// input.extend(&[10.0, 20.0, 7.0]);
/// let mut output = Chunk::new(0, 3);
/// average.process(&input, &mut output)?;
/// assert_eq!(output.values(), [-5.0, 5.0, 7.0]);
///
/// // The same without a pipeline, on f32 or f64, in place: here over channels 0 and 1 of 3.
/// let mut plain = [10.0_f64, 20.0, 7.0];
/// CommonAverage::over(vec![0, 1], 3)?.apply(&mut plain)?;
/// assert_eq!(plain, [-5.0, 5.0, 7.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CommonAverage {
    eeg: Vec<usize>,
    channels: usize,
    sample: Vec<f64>,
}

impl CommonAverage {
    /// The average over the EEG channels that `prepare` will be told of.
    pub fn new() -> Self {
        Self::default()
    }

    /// The average over these of `channels` channels, prepared for use without a pipeline.
    ///
    /// # Errors
    /// Fewer than two channels, or one beyond the layout.
    pub fn over(eeg: Vec<usize>, channels: usize) -> Result<Self, OperatorError> {
        if eeg.len() < 2 {
            return Err(OperatorError::Spec {
                what: "common average",
                expected:
                    "at least two EEG channels; check their labels, or set their kind with Channel::with_kind"
                        .to_owned(),
                found: format!("{} among {channels} channels", eeg.len()),
            });
        }
        if let Some(beyond) = eeg.iter().find(|place| **place >= channels) {
            return Err(OperatorError::Spec {
                what: "common average",
                expected: format!("channels below {channels}"),
                found: beyond.to_string(),
            });
        }
        Ok(Self { sample: vec![0.0; eeg.len()], eeg, channels })
    }

    /// Subtracts the average in place from sample-major values `[sample][channel]`.
    ///
    /// # Errors
    /// The number of values is not a multiple of the number of channels; nothing is changed then.
    pub fn apply<T: Value>(&mut self, values: &mut [T]) -> Result<(), OperatorError> {
        let shape = (whole_samples(values.len(), self.channels)?, self.channels);
        let view = ArrayViewMut2::from_shape(shape, values).map_err(|error| OperatorError::Input {
            what: "values",
            expected: format!("samples of {} channels", self.channels),
            found: error.to_string(),
        })?;
        self.apply_array(view)
    }

    /// Subtracts the average in place from an array `[sample][channel]` of any memory layout.
    ///
    /// # Errors
    /// The array has another number of channels; nothing is changed then.
    pub fn apply_array<T: Value>(&mut self, mut values: ArrayViewMut2<'_, T>) -> Result<(), OperatorError> {
        same_channels(self.channels, values.ncols())?;
        for mut sample in values.rows_mut() {
            for (value, place) in self.sample.iter_mut().zip(&self.eeg) {
                *value = sample[*place].to_f64();
            }
            let mean = stats::mean(&self.sample).value;
            for (value, place) in self.sample.iter().zip(&self.eeg) {
                let referenced = if value.is_finite() { value - mean } else { f64::NAN };
                sample[*place] = T::from_f64(referenced);
            }
        }
        Ok(())
    }
}

impl Operator for CommonAverage {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        let kinds = spec.channels.iter().enumerate();
        let eeg = kinds.filter(|(_, c)| c.kind() == ChannelKind::Eeg).map(|(place, _)| place).collect();
        *self = Self::over(eeg, spec.channels.len())?;
        Ok(spec.clone())
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        same_channels(self.channels, input.channels())?;
        out.extend(input.values());
        self.apply(out.values_mut())
    }

    no_state!();
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ShapeBuilder, array};

    use super::*;

    #[test]
    fn missing_values_are_left_out_of_the_mean_and_stay_missing() {
        let mut average = CommonAverage::over(vec![0, 1, 2], 3).unwrap();
        let mut values = [1.0_f32, f32::NAN, 3.0, f32::NAN, f32::INFINITY, f32::NAN];
        average.apply(&mut values).unwrap();
        assert_eq!((values[0], values[2]), (-1.0, 1.0));
        assert!(values[1].is_nan() && values[3..].iter().all(|value| value.is_nan()));
    }

    #[test]
    fn any_memory_layout_gives_the_same_bits() {
        let rows = array![[1.0, 2.5, 9.0], [0.1, 0.2, 0.4], [-3.0, 7.0, 1e6]];
        let mut average = CommonAverage::over(vec![0, 2], 3).unwrap();
        let mut plain = rows.as_slice().unwrap().to_vec();
        average.apply(&mut plain).unwrap();
        let mut columns = Array2::zeros((3, 3).f());
        columns.assign(&rows);
        average.apply_array(columns.view_mut()).unwrap();
        assert_eq!(columns.iter().copied().collect::<Vec<f64>>(), plain);
    }

    #[test]
    fn half_a_sample_is_refused_and_left_alone() {
        let mut average = CommonAverage::over(vec![0, 1], 2).unwrap();
        let mut values = [1.0_f32, 2.0, 3.0];
        assert!(average.apply(&mut values).is_err());
        assert_eq!(values, [1.0, 2.0, 3.0]);
    }
}
