//! EOG regression: what the eyes put into every channel, taken off.

use ndarray::ArrayView2;
use neuraflow_core::model::{Channel, ChannelKind, Chunk};
use neuraflow_core::operator::{Operator, OperatorError, SignalSpec};
use serde::{Deserialize, Serialize};

use crate::kernel::{Value, dot, solve_positive, stats};
use crate::shape::{no_state, same_channels, whole_samples};
use crate::spatial::find;

/// How much of each EOG channel is in each EEG channel, fitted on a recording. Write it down with serde, and use it with
/// [`EogRegression`].
///
/// ```text
/// W = B · C⁻¹,    C = Σ e eᵀ over the samples,    B = Σ x eᵀ,    both with their means taken off
/// ```
///
/// The same numbers as `mne.preprocessing.EOGRegression(picks='eeg', picks_artifact='eog').fit(raw).coef_`. Source: G. Gratton, M.
/// G. H. Coles and E. Donchin (1983), Electroencephalogr. Clin. Neurophysiol. 55:468–484.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EogWeights {
    eeg: Vec<String>,
    eog: Vec<String>,
    /// `[eeg][eog]`
    weights: Vec<f64>,
}

impl EogWeights {
    /// Fits the weights of all EOG channels in all EEG channels of a recording `[sample][channel]`, in one unit; filter and reference it as
    /// the stream will be. Samples with a missing value in any of these channels are left out.
    ///
    /// # Errors
    /// Another number of channels than the array has columns; no EEG or no EOG channel; fewer samples than EOG channels; EOG channels of which one is flat or
    /// follows from the others.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use neuraflow_core::model::Channel;
    /// use neuraflow_ops::artifact::EogWeights;
    /// let channels = ["Fp1", "EOG"].map(Channel::new);
    /// let eye = |n: usize| if n % 100 < 20 { 200.0 } else { 0.0 };
    /// let recording = Array2::from_shape_fn((500, 2), |(n, c)| if c == 1 { eye(n) } else { 0.4 * eye(n) + (n % 3) as f64 });
    /// let weights = EogWeights::fit(recording.view(), &channels)?;
    /// assert!((weights.of("Fp1", "EOG").unwrap_or_default() - 0.4).abs() < 1e-3);
    /// # Ok::<(), neuraflow_core::operator::OperatorError>(())
    /// ```
    pub fn fit<T: Value>(recording: ArrayView2<'_, T>, channels: &[Channel]) -> Result<Self, OperatorError> {
        same_channels(channels.len(), recording.ncols())?;
        let refused = |expected: &str, found: String| OperatorError::Spec {
            what: "EOG regression",
            expected: expected.to_owned(),
            found,
        };
        let places = |kind| (0..channels.len()).filter(|c| channels[*c].kind() == kind).collect::<Vec<_>>();
        let (eeg, eog) = (places(ChannelKind::Eeg), places(ChannelKind::Eog));
        if eeg.is_empty() || eog.is_empty() {
            let found = format!("{} EEG and {} EOG channels", eeg.len(), eog.len());
            return Err(refused(
                "at least one EEG and one EOG channel; set their kinds with Channel::with_kind",
                found,
            ));
        }
        let whole: Vec<usize> = (0..recording.nrows())
            .filter(|n| eeg.iter().chain(&eog).all(|c| recording[[*n, *c]].to_f64().is_finite()))
            .collect();
        let centred = |channel: &usize| -> Vec<f64> {
            let mut values: Vec<f64> = whole.iter().map(|n| recording[[*n, *channel]].to_f64()).collect();
            let mean = stats::sum(&values) / values.len() as f64;
            values.iter_mut().for_each(|value| *value -= mean);
            values
        };
        if whole.len() <= eog.len() {
            return Err(refused("more complete samples than EOG channels", whole.len().to_string()));
        }
        let eyes: Vec<Vec<f64>> = eog.iter().map(centred).collect();
        let covariance: Vec<f64> = eyes.iter().flat_map(|a| eyes.iter().map(|b| dot(a, b))).collect();
        let mut weights = Vec::new();
        for channel in &eeg {
            let values = centred(channel);
            let mut row: Vec<f64> = eyes.iter().map(|eye| dot(&values, eye)).collect();
            if !solve_positive(&covariance, &mut row) {
                let expected = "EOG channels that move, and none that follows from the others; leave one out";
                return Err(refused(expected, format!("a singular covariance of {}", eog.len())));
            }
            weights.extend(row);
        }
        let names = |places: &[usize]| places.iter().map(|c| channels[*c].label().to_owned()).collect();
        Ok(Self { eeg: names(&eeg), eog: names(&eog), weights })
    }

    /// How much of an EOG channel is in an EEG channel, by their labels.
    pub fn of(&self, eeg: &str, eog: &str) -> Option<f64> {
        let row = self.eeg.iter().position(|label| label == eeg)?;
        let column = self.eog.iter().position(|label| label == eog)?;
        self.weights.get(row * self.eog.len() + column).copied()
    }

    /// All weights, `[eeg][eog]`, in the order of the recording's channels.
    pub fn values(&self) -> &[f64] {
        &self.weights
    }
}

/// Takes the eyes off: each EEG channel less its fitted part of the EOG channels.
///
/// ```text
/// y[n][c] = x[n][c] − Σ W[c][e] x[n][e]    for c an EEG channel of the fit;    all others pass unchanged
/// ```
///
/// Input and output `[sample][channel]` with the same channels. MNE takes the mean of a whole recording off the EOG first, which a stream
/// does not know: put a high-pass ahead, in the fit too, and it is 0. A missing EOG value makes every EEG value of its sample missing. No state,
/// no latency.
///
/// # Errors
/// `prepare`: a channel of the fit that the stream has not. `process`: another number of channels than prepared.
///
/// ```
/// use ndarray::array;
/// use neuraflow_core::model::{Channel, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::artifact::{EogRegression, EogWeights};
/// let channels = ["Fp1", "EOG"].map(Channel::new);
/// let recording = array![[1.0, 2.0], [-1.0, -2.0], [0.5, 1.0], [-0.5, -1.0]];
/// let weights = EogWeights::fit(recording.view(), &channels)?;
/// let mut regression = EogRegression::new(weights);
/// regression.prepare(&SignalSpec { channels: channels.into(), rate: SamplingRate::hz(250)?, missing: Missing::Restart })?;
/// let mut values = [60.0_f64, 100.0];
/// regression.apply(&mut values)?;
/// assert!((values[0] - 10.0).abs() < 1e-9 && values[1] == 100.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct EogRegression {
    model: EogWeights,
    channels: usize,
    eeg: Vec<usize>,
    eog: Vec<usize>,
    eyes: Vec<f64>,
}

impl EogRegression {
    /// With fitted weights.
    pub fn new(weights: EogWeights) -> Self {
        Self { model: weights, channels: 0, eeg: Vec::new(), eog: Vec::new(), eyes: Vec::new() }
    }

    /// Takes the eyes off plain sample-major values `[sample][channel]` in place, in `f32` or `f64`. After `prepare`.
    ///
    /// # Errors
    /// The number of values is not a multiple of the number of channels; nothing is changed then.
    pub fn apply<T: Value>(&mut self, values: &mut [T]) -> Result<(), OperatorError> {
        whole_samples(values.len(), self.channels)?;
        for sample in values.chunks_exact_mut(self.channels.max(1)) {
            for (eye, channel) in self.eyes.iter_mut().zip(&self.eog) {
                *eye = sample[*channel].to_f64();
            }
            for (channel, weights) in
                self.eeg.iter().zip(self.model.weights.chunks_exact(self.eog.len().max(1)))
            {
                let cleaned = sample[*channel].to_f64() - dot(weights, &self.eyes);
                sample[*channel] = T::from_f64(if cleaned.is_finite() { cleaned } else { f64::NAN });
            }
        }
        Ok(())
    }
}

impl Operator for EogRegression {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        let places = |labels: &[String]| -> Result<Vec<usize>, OperatorError> {
            labels.iter().map(|label| find(&spec.channels, label, "channel of the EOG regression")).collect()
        };
        (self.eeg, self.eog) = (places(&self.model.eeg)?, places(&self.model.eog)?);
        if self.model.weights.len() != self.eeg.len() * self.eog.len() {
            return Err(OperatorError::Spec {
                what: "weights of the EOG regression",
                expected: format!("{} for each of {} EEG channels", self.eog.len(), self.eeg.len()),
                found: self.model.weights.len().to_string(),
            });
        }
        self.eyes = vec![0.0; self.eog.len()];
        self.channels = spec.channels.len();
        Ok(spec.clone())
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        same_channels(self.channels, input.channels())?;
        let before = out.values().len();
        out.extend(input.values());
        self.apply(&mut out.values_mut()[before..])
    }

    no_state!();
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let fit = |labels: &[&str], values: Array2<f64>| {
            let channels: Vec<Channel> = labels.iter().copied().map(Channel::new).collect();
            EogWeights::fit(values.view(), &channels).unwrap_err().to_string()
        };
        let rows = array![[1.0, 2.0, 4.0], [0.0, 1.0, 2.0], [5.0, -1.0, -2.0], [2.0, 0.5, 1.0]];
        assert!(fit(&["Fp1", "EOG a", "EOG b"], rows.clone()).contains("singular"));
        assert!(fit(&["Fp1", "Fp2", "C3"], rows.clone()).contains("3 EEG and 0 EOG"));
        assert!(fit(&["Fp1", "EOG"], rows.clone()).contains("channels"));
        let holes = rows.mapv(|value| if value == 2.0 { f64::NAN } else { value });
        assert!(fit(&["Fp1", "EOG a", "EOG b"], holes).contains("more complete samples"));
    }
}
