//! Channels less a weighted mean of others.

use neuraflow_core::model::Chunk;
use neuraflow_core::operator::OperatorError;

use crate::kernel::Value;
use crate::shape::same_channels;

/// One output: a channel, and what is taken off it.
#[derive(Clone, Debug)]
pub(super) struct Referenced {
    pub(super) channel: usize,
    /// Channels with their weights; none where the channel passes unchanged.
    pub(super) reference: Vec<(usize, f64)>,
}

impl Referenced {
    /// The channel's value less the mean of those of its references that are valid; NaN without one.
    fn of<T: Value>(&self, sample: &[T]) -> T {
        let own = sample[self.channel];
        if self.reference.is_empty() {
            return own;
        }
        let (mut sum, mut weights) = (0.0, 0.0);
        for (channel, weight) in &self.reference {
            let value = sample[*channel].to_f64();
            if value.is_finite() {
                sum += weight * value;
                weights += weight;
            }
        }
        let difference = own.to_f64() - sum / weights;
        T::from_f64(if difference.is_finite() { difference } else { f64::NAN })
    }
}

/// Outputs over samples of so many channels.
#[derive(Clone, Debug, Default)]
pub(super) struct LocalReferences {
    channels: usize,
    outputs: Vec<Referenced>,
    sample: Vec<f32>,
}

impl LocalReferences {
    /// All places are below `channels`.
    pub(super) fn new(channels: usize, outputs: Vec<Referenced>) -> Self {
        Self { channels, sample: vec![0.0; outputs.len()], outputs }
    }

    pub(super) fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        same_channels(self.channels, input.channels())?;
        for sample in input.samples() {
            for (value, output) in self.sample.iter_mut().zip(&self.outputs) {
                *value = output.of(sample);
            }
            out.extend(&self.sample);
        }
        Ok(())
    }

    /// The outputs of sample-major values `[sample][channel]`.
    pub(super) fn apply<T: Value>(&self, values: &[T]) -> Result<Vec<T>, OperatorError> {
        crate::shape::whole_samples(values.len(), self.channels)?;
        let samples = values.chunks_exact(self.channels.max(1));
        Ok(samples.flat_map(|sample| self.outputs.iter().map(|output| output.of(sample))).collect())
    }
}

/// Gives an operator with `local: LocalReferences` and a `plan(channels)` what both that are made of it have.
macro_rules! local_operator {
    ($operator:ident) => {
        impl $operator {
            /// The outputs of plain sample-major values `[sample][channel]` in `f32` or `f64`, without a pipeline. After
            /// `prepare`.
            ///
            /// # Errors
            /// The number of values is not a multiple of the number of channels.
            pub fn apply<T: crate::kernel::Value>(
                &self,
                values: &[T],
            ) -> Result<Vec<T>, neuraflow_core::operator::OperatorError> {
                self.local.apply(values)
            }
        }

        impl neuraflow_core::operator::Operator for $operator {
            type In = neuraflow_core::model::Chunk;
            type Out = neuraflow_core::model::Chunk;

            fn prepare(
                &mut self,
                spec: &neuraflow_core::operator::SignalSpec,
            ) -> Result<neuraflow_core::operator::SignalSpec, neuraflow_core::operator::OperatorError> {
                let outputs = self.plan(&spec.channels)?;
                let channels = outputs.iter().map(|output| spec.channels[output.channel].clone()).collect();
                self.local = super::local::LocalReferences::new(spec.channels.len(), outputs);
                Ok(neuraflow_core::operator::SignalSpec { channels, ..spec.clone() })
            }

            fn process(
                &mut self,
                input: &neuraflow_core::model::Chunk,
                out: &mut neuraflow_core::model::Chunk,
            ) -> Result<(), neuraflow_core::operator::OperatorError> {
                self.local.process(input, out)
            }

            crate::shape::no_state!();
        }
    };
}

pub(super) use local_operator;
