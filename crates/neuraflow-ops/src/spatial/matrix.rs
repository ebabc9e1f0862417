//! Any spatial filter: outputs that are weighted sums of channels.

use ndarray::{Array2, ArrayView2};
use neuraflow_core::model::{Channel, Chunk};
use neuraflow_core::operator::{Operator, OperatorError, SignalSpec};

use super::position::find;
use crate::kernel::Value;
use crate::shape::{no_state, same_channels, whole_samples};

/// Any linear combination of channels: independent components, source estimates, a montage of your own.
///
/// ```text
/// y[n][o] = Σ W[o][c] x[n][c]    over the channels named, in their order
/// ```
///
/// Input `[sample][channel]`, output `[sample][output]`, labelled as named, of the kind and unit of the first channel named.
/// Sums are in `f64`, in the order of the names. An output is NaN where a value is missing that it has a weight for;
/// a weight of 0 is no weight. Names are labels exactly as recorded, or 10-20 names in any case. No state, no latency.
///
/// # Errors
/// `prepare`: a matrix that has not one row for each output and one column for each name; no output; weights that are not
/// finite; a row of zeros; a name that no channel has, or two that one channel has; channels of different units. `process`: another
/// number of channels than prepared.
///
/// ```
/// use ndarray::array;
/// use neuraflow_core::model::{Channel, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::spatial::SpatialFilter;
/// // What C3 and C4 share, and in what they differ.
/// let weights = array![[0.5, 0.5], [1.0, -1.0]];
/// let mut filter = SpatialFilter::new(["C3", "C4"], ["both", "left"], weights);
/// let channels = ["Cz", "C3", "C4"].map(Channel::new).to_vec().into();
/// filter.prepare(&SignalSpec { channels, rate: SamplingRate::hz(250)?, missing: Missing::Restart })?;
/// assert_eq!(filter.apply(&[99.0, 10.0, 4.0])?, [7.0, 6.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpatialFilter {
    names: Vec<String>,
    outputs: Vec<String>,
    weights: Array2<f64>,
    channels: usize,
    /// For each output, the channels that it has a weight for.
    terms: Vec<Vec<(usize, f64)>>,
    sample: Vec<f32>,
}

impl SpatialFilter {
    /// Outputs as sums of the channels named: `weights[output][name]`.
    pub fn new<N: Into<String>, O: Into<String>>(
        names: impl IntoIterator<Item = N>,
        outputs: impl IntoIterator<Item = O>,
        weights: Array2<f64>,
    ) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            outputs: outputs.into_iter().map(Into::into).collect(),
            weights,
            channels: 0,
            terms: Vec::new(),
            sample: Vec::new(),
        }
    }

    /// The outputs of sample-major values `[sample][channel]`, as `[sample][output]`. After `prepare`.
    ///
    /// # Errors
    /// The number of values is not a multiple of the number of channels.
    pub fn apply<T: Value>(&self, values: &[T]) -> Result<Vec<T>, OperatorError> {
        whole_samples(values.len(), self.channels)?;
        let samples = values.chunks_exact(self.channels.max(1));
        Ok(samples.flat_map(|sample| self.terms.iter().map(|terms| weighted(terms, |c| sample[c]))).collect())
    }

    /// The outputs of an array `[sample][channel]` of any memory layout. After `prepare`.
    ///
    /// # Errors
    /// The array has another number of channels.
    pub fn apply_array<T: Value>(&self, values: ArrayView2<'_, T>) -> Result<Array2<T>, OperatorError> {
        same_channels(self.channels, values.ncols())?;
        Ok(Array2::from_shape_fn((values.nrows(), self.terms.len()), |(sample, output)| {
            weighted(&self.terms[output], |channel| values[[sample, channel]])
        }))
    }
}

fn weighted<T: Value>(terms: &[(usize, f64)], value: impl Fn(usize) -> T) -> T {
    let sum = terms.iter().fold(0.0, |sum, (channel, weight)| sum + weight * value(*channel).to_f64());
    T::from_f64(if sum.is_finite() { sum } else { f64::NAN })
}

impl Operator for SpatialFilter {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        let refused = |expected: &str, found: String| OperatorError::Spec {
            what: "spatial filter",
            expected: expected.to_owned(),
            found,
        };
        let (outputs, names) = (self.outputs.len(), self.names.len());
        if self.weights.dim() != (outputs, names) || outputs == 0 {
            return Err(OperatorError::Spec {
                what: "weights of the spatial filter",
                expected: format!(
                    "a row for each of {outputs} outputs, at least one, and a column for each of {names} names"
                ),
                found: format!("{} rows and {} columns", self.weights.nrows(), self.weights.ncols()),
            });
        }
        let mut places = Vec::new();
        for name in &self.names {
            let place = find(&spec.channels, name, "channel of the spatial filter")?;
            if places.contains(&place) {
                return Err(refused("each channel once", name.clone()));
            }
            places.push(place);
        }
        let like = &spec.channels[places[0]];
        if let Some(other) = places.iter().find(|place| spec.channels[**place].unit() != like.unit()) {
            return Err(refused("channels of one unit", spec.channels[*other].label().to_owned()));
        }
        self.terms.clear();
        for (row, output) in self.weights.rows().into_iter().zip(&self.outputs) {
            if row.iter().any(|weight| !weight.is_finite()) || row.iter().all(|weight| *weight == 0.0) {
                return Err(refused(
                    "finite weights that are not all 0 in each row",
                    format!("{row} for {output}"),
                ));
            }
            let terms = places.iter().zip(row).filter(|(_, weight)| **weight != 0.0);
            self.terms.push(terms.map(|(place, weight)| (*place, *weight)).collect());
        }
        self.channels = spec.channels.len();
        self.sample = vec![0.0; outputs];
        let channels = self.outputs.iter().map(|output| Channel::derived(output.clone(), like)).collect();
        Ok(SignalSpec { channels, ..spec.clone() })
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        same_channels(self.channels, input.channels())?;
        for sample in input.samples() {
            for (value, terms) in self.sample.iter_mut().zip(&self.terms) {
                *value = weighted(terms, |channel| sample[channel]);
            }
            out.extend(&self.sample);
        }
        Ok(())
    }

    no_state!();
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use neuraflow_core::model::SamplingRate;
    use neuraflow_core::operator::Missing;

    use super::*;

    fn prepared(weights: Array2<f64>) -> Result<SpatialFilter, OperatorError> {
        let channels = ["C3", "Cz", "C4"].map(Channel::new).to_vec().into();
        let spec = SignalSpec { channels, rate: SamplingRate::hz(250).unwrap(), missing: Missing::Restart };
        let mut filter = SpatialFilter::new(["C3", "C4"], ["a", "b"], weights);
        filter.prepare(&spec)?;
        Ok(filter)
    }

    #[test]
    fn only_a_value_with_a_weight_can_be_missed() {
        let filter = prepared(array![[1.0, 0.0], [1.0, -1.0]]).unwrap();
        let out = filter.apply(&[3.0, f64::NAN, 1.0, 3.0, 0.0, f64::NAN]).unwrap();
        assert_eq!(out[..3], [3.0, 2.0, 3.0]);
        assert!(out[3].is_nan());
    }

    #[test]
    fn matrices_that_do_not_fit_are_refused() {
        let refused = |weights| prepared(weights).unwrap_err().to_string();
        assert!(refused(array![[1.0, 0.0]]).contains("2 outputs"));
        assert!(refused(array![[1.0, 0.0], [f64::NAN, 1.0]]).contains("finite"));
        assert!(refused(array![[1.0, 0.0], [0.0, 0.0]]).contains("for b"));
    }
}
