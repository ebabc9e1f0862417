//! Bipolar derivations.

use ndarray::{Array2, ArrayView2};
use neuraflow_core::model::{Channel, Chunk};
use neuraflow_core::operator::{Operator, OperatorError, SignalSpec};

use super::position::find;
use crate::kernel::Value;
use crate::shape::{no_state, same_channels};

/// Bipolar derivations: each output channel is the difference of two input channels.
///
/// ```text
/// y[n][p] = x[n][anode of pair p] − x[n][cathode of pair p]
/// ```
///
/// Input `[sample][channel]` in µV; output `[sample][pair]` in µV, in the order of the pairs, labelled and named `A-B` as the
/// pair was written; channels in no pair are left out. Missing in either channel is missing in the difference. No state,
/// no latency. A reference common to both channels cancels, so the result does not depend on the montage.
///
/// Names are labels exactly as recorded, or 10-20 names in any case: `Fc5.`, `FC5` and `fc5` all find the channel
/// labelled `Fc5.`, and `T7` one that is still called `T3`. A channel that a [`BadChannels`](super::BadChannels) has masked is
/// missing in every pair that it is in.
///
/// Source: American Clinical Neurophysiology Society, Guideline 3: A Proposal for Standard Montages to Be Used in
/// Clinical EEG (2016).
///
/// # Errors
/// `prepare`: no pair; a name that no channel has (the error lists those there are); a channel paired with itself; two
/// channels of different units. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::{Channel, Chunk, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::spatial::Bipolar;
/// let channels = ["Fp1.", "F7..", "T7.."].map(Channel::new).to_vec().into();
/// let spec = SignalSpec { channels, rate: SamplingRate::hz(160)?, missing: Missing::Restart };
/// let mut chain = Bipolar::pairs([("Fp1", "F7"), ("F7", "T7")]);
/// let announced = chain.prepare(&spec)?;
/// assert_eq!((announced.channels[0].name(), announced.channels[0].ten_twenty()), ("Fp1-F7", None));
/// let mut input = Chunk::new(0, 3);
/// input.extend(&[30.0, 10.0, -5.0]);
/// let mut output = Chunk::new(0, 2);
/// chain.process(&input, &mut output)?;
/// assert_eq!(output.values(), [20.0, 15.0]);
/// assert_eq!(chain.apply(&[30.0_f64, 10.0, -5.0])?, [20.0, 15.0]); // without a pipeline
///
/// let error = Bipolar::pairs([("Fp1", "O9")]).prepare(&spec).unwrap_err();
/// assert!(error.to_string().contains("Fp1., F7.., T7.."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Bipolar {
    names: Vec<(String, String)>,
    places: Vec<(usize, usize)>,
    channels: usize,
    sample: Vec<f32>,
}

impl Bipolar {
    /// Derivations from pairs of names, anode first.
    pub fn pairs<A: Into<String>, B: Into<String>>(pairs: impl IntoIterator<Item = (A, B)>) -> Self {
        let names = pairs.into_iter().map(|(anode, cathode)| (anode.into(), cathode.into())).collect();
        Self { names, ..Self::default() }
    }

    /// The longitudinal montage, or double banana: from front to back over both temples, both sides of the middle, and the
    /// middle itself, in eighteen pairs of the 10-20 system.
    ///
    /// ```
    /// use neuraflow_core::model::{Channel, SamplingRate};
    /// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
    /// use neuraflow_ops::spatial::Bipolar;
    /// let names = "Fp1 Fp2 F7 F3 Fz F4 F8 T3 C3 Cz C4 T4 T5 P3 Pz P4 T6 O1 O2"; // a layout in the old names
    /// let channels = names.split(' ').map(Channel::new).collect();
    /// let spec = SignalSpec { channels, rate: SamplingRate::hz(250)?, missing: Missing::Restart };
    /// let announced = Bipolar::longitudinal().prepare(&spec)?;
    /// assert_eq!((announced.channels.len(), announced.channels[1].name()), (18, "F7-T7"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn longitudinal() -> Self {
        const CHAINS: [&[&str]; 5] = [
            &["Fp1", "F7", "T7", "P7", "O1"],
            &["Fp1", "F3", "C3", "P3", "O1"],
            &["Fz", "Cz", "Pz"],
            &["Fp2", "F4", "C4", "P4", "O2"],
            &["Fp2", "F8", "T8", "P8", "O2"],
        ];
        Self::pairs(CHAINS.iter().flat_map(|chain| chain.windows(2)).map(|pair| (pair[0], pair[1])))
    }

    /// The differences of sample-major values `[sample][channel]`, as `[sample][pair]`. After `prepare`.
    ///
    /// # Errors
    /// The number of values is not a multiple of the number of channels.
    pub fn apply<T: Value>(&self, values: &[T]) -> Result<Vec<T>, OperatorError> {
        Ok(self.apply_array(crate::shape::as_array(values, self.channels)?)?.into_raw_vec_and_offset().0)
    }

    /// The differences of an array `[sample][channel]` of any memory layout. After `prepare`.
    ///
    /// # Errors
    /// The array has another number of channels.
    pub fn apply_array<T: Value>(&self, values: ArrayView2<'_, T>) -> Result<Array2<T>, OperatorError> {
        same_channels(self.channels, values.ncols())?;
        Ok(Array2::from_shape_fn((values.nrows(), self.places.len()), |(sample, pair)| {
            let (anode, cathode) = self.places[pair];
            difference(values[[sample, anode]], values[[sample, cathode]])
        }))
    }
}

fn difference<T: Value>(anode: T, cathode: T) -> T {
    let difference = anode.to_f64() - cathode.to_f64();
    T::from_f64(if difference.is_finite() { difference } else { f64::NAN })
}

impl Operator for Bipolar {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        let refused = |expected: &str, found: String| OperatorError::Spec {
            what: "bipolar pairs",
            expected: expected.to_owned(),
            found,
        };
        if self.names.is_empty() {
            return Err(refused("at least one pair of channels", "none".to_owned()));
        }
        let (mut places, mut derived) = (Vec::new(), Vec::new());
        for (anode, cathode) in &self.names {
            let at = |name| find(&spec.channels, name, "bipolar channel");
            let (a, b) = (at(anode)?, at(cathode)?);
            let label = format!("{anode}-{cathode}");
            if a == b {
                return Err(refused("two different channels in each pair", label));
            }
            let (first, second) = (&spec.channels[a], &spec.channels[b]);
            if first.unit() != second.unit() {
                return Err(refused("two channels of the same unit in each pair", label));
            }
            places.push((a, b));
            derived.push(Channel::derived(label, first));
        }
        self.sample = vec![0.0; places.len()];
        (self.places, self.channels) = (places, spec.channels.len());
        Ok(SignalSpec { channels: derived.into(), ..spec.clone() })
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        same_channels(self.channels, input.channels())?;
        for sample in input.samples() {
            for (value, (anode, cathode)) in self.sample.iter_mut().zip(&self.places) {
                *value = difference(sample[*anode], sample[*cathode]);
            }
            out.extend(&self.sample);
        }
        Ok(())
    }

    no_state!();
}

#[cfg(test)]
mod tests {
    use neuraflow_core::model::{SamplingRate, Unit};
    use neuraflow_core::operator::Missing;

    use super::*;

    fn spec(channels: Vec<Channel>) -> SignalSpec {
        let rate = SamplingRate::hz(250).unwrap();
        SignalSpec { channels: channels.into(), rate, missing: Missing::Restart }
    }

    #[test]
    fn names_are_labels_first_and_then_ten_twenty() {
        let layout = spec(["EEG Cz-REF", "Pz", "EXG1"].map(Channel::new).to_vec());
        for (a, b) in [("Cz", "Pz"), ("EEG Cz-REF", "pz"), ("CZ", "EXG1")] {
            assert!(Bipolar::pairs([(a, b)]).prepare(&layout).is_ok(), "{a} {b}");
        }
        for (a, b) in [
            ("Cz", "EEG Cz-REF"),
            ("exg1", "Cz"),
            ("Cz", ""),
            ("Cz-P3", "Pz"),
            ("EXG1", "EEG Pz"),
            ("Pz.", "Cz"),
        ] {
            assert!(Bipolar::pairs([(a, b)]).prepare(&layout).is_err(), "{a} {b}");
        }
        assert!(Bipolar::pairs::<&str, &str>([]).prepare(&layout).is_err());
    }

    #[test]
    fn units_must_agree() {
        let mixed = spec(vec![Channel::new("Cz"), Channel::new("Pz").with_unit(Unit::Other("K".into()))]);
        assert!(Bipolar::pairs([("Cz", "Pz")]).prepare(&mixed).is_err());
    }
}
