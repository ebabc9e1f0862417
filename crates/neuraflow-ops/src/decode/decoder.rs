//! The operator that decides.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Decision, FeatureSpec, Features, NoDecision};
use neuraflow_core::operator::{Latency, Operator, OperatorError};

use super::Model;
use super::classifier::choose;
use super::layout::Layout;

/// Decides with a fitted [`Model`] which class each covariance or epoch belongs to.
///
/// Input: the output of the feature that it was fitted to, [`Covariance`](crate::feature::Covariance) or
/// [`Samples`](crate::feature::Samples), over epochs or a look-back. Output: the name of the
/// most probable class with its probability, or why there is none: [`WarmUp`](NoDecision::WarmUp) while filters or look-back
/// are not filled, [`Gap`](NoDecision::Gap) where less than nine tenths of the samples were received or a number is
/// NaN, [`Artifact`](NoDecision::Artifact) beyond the model's [limit](Model::limit), [`Degenerate`](NoDecision::Degenerate) where
/// a covariance is singular and the model cannot do with that, or where nothing comes through a filter. No state, no latency.
///
/// # Errors
/// `prepare`: other channels than the model was fitted to, or in another order; epochs of another length. `process`: another sampling rate, which ends the
/// pipeline.
#[derive(Clone, Debug)]
pub struct Decoder {
    model: Model,
}

impl Decoder {
    pub(super) fn new(model: Model) -> Self {
        Self { model }
    }

    fn same_montage(&self, names: &[String], axis: &str) -> Result<(), OperatorError> {
        let fitted = self.model.montage();
        let (expected, found) = match fitted.iter().zip(names).position(|(fitted, name)| fitted != name) {
            Some(at) => (format!("{} as channel {}", fitted[at], at + 1), names[at].clone()),
            None if fitted.len() == names.len() => return Ok(()),
            None => (format!("{} channels", fitted.len()), names.len().to_string()),
        };
        Err(OperatorError::Spec {
            what: "montage of the trials",
            expected: format!("{expected}, as the model was fitted; record that montage, or fit to this one"),
            found: format!("{found} in its {axis}"),
        })
    }
}

impl Operator for Decoder {
    type In = Features;
    type Out = Decision<String>;

    fn prepare(&mut self, spec: &Arc<FeatureSpec>) -> Result<Arc<[String]>, OperatorError> {
        self.same_montage(&spec.rows, "rows")?;
        match (self.model.layout(), Layout::of(spec)) {
            (Layout::Covariance, _) => self.same_montage(&spec.columns, "columns")?,
            (expected, found) if Some(expected) == found => {}
            (expected, found) => {
                return Err(OperatorError::Spec {
                    what: "numbers to decide on",
                    expected: format!("{}, as the model was fitted", expected.name()),
                    found: found.map_or_else(|| spec.columns.join(", "), Layout::name),
                });
            }
        }
        Ok(Arc::clone(self.model.classes()))
    }

    fn process(&mut self, input: &Features, out: &mut Decision<String>) -> Result<(), OperatorError> {
        let (info, rate) = (&input.info, self.model.rate());
        if info.stream.rate != rate {
            return Err(OperatorError::Spec {
                what: "sampling rate",
                expected: format!("{rate}, as the model was fitted; record at that rate, or fit to this one"),
                found: info.stream.rate.to_string(),
            });
        }
        out.outcome = if info.warm_up {
            Err(NoDecision::WarmUp)
        } else if u64::from(info.received) * 10 < u64::from(info.expected) * 9
            || input.values.iter().any(|value| !value.is_finite())
        {
            Err(NoDecision::Gap)
        } else if self.model.is_artifact(&input.values) {
            Err(NoDecision::Artifact)
        } else {
            self.model.scores(&input.values).map_err(|_| NoDecision::Degenerate).map(|scores| {
                let (class, confidence) = choose(&scores);
                (self.model.classes()[class].clone(), confidence)
            })
        };
        Ok(())
    }

    fn reset(&mut self) {}

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn snapshot(&self, _: &mut SnapshotWriter) {}

    fn restore(&mut self, _: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}
