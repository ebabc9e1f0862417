//! The operator that decides where.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Decision, FeatureSpec, Features, NoDecision, Span};
use neuraflow_core::operator::{Latency, Operator, OperatorError};

use super::history::History;
use super::kalman::{Estimate, Filter};
use super::model::{Method, TrajectoryModel};
use super::training::usable;
use super::wiener::probability;
use crate::shape::same_length;

/// Decides with a fitted [`TrajectoryModel`] which values, such as a position, the spikes of each window speak of.
///
/// Input: the output of [`SpikeCounts`](crate::feature::SpikeCounts) over windows as long as in training. Output: the values in the
/// order of [`TrajectoryModel::names`], and the confidence: by the model, the probability that a value is within a twentieth of its
/// range of the truth, the least over all values. Or why there is none: [`WarmUp`](NoDecision::WarmUp) until the look-back is
/// full; [`Gap`](NoDecision::Gap) where a window in it lacks more than a tenth of its samples, or is cut off by the stream's start or
/// end. A look-back begins anew where windows do not follow each other. Its latency is the windows of the look-back before the newest,
/// whose own length `SpikeCounts` declares. State: the spikes of the
/// look-back, and of a Kalman filter the values and their covariance.
///
/// # Errors
/// `prepare`: other units than the model was fitted to, or in another order; more than one column. `process`: windows of another
/// length, which ends the pipeline.
#[derive(Clone, Debug)]
pub struct TrajectoryDecoder {
    model: TrajectoryModel,
    state: State,
}

/// What is kept from window to window.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    history: History,
    /// Of a Kalman filter, once it has begun.
    estimate: Option<Estimate>,
}

impl State {
    pub(super) fn of(model: &TrajectoryModel) -> Self {
        Self { history: History::of(model.units().len(), model.windows()), estimate: None }
    }

    /// Takes in a window, or that its counts are not to be used, and decides.
    pub(super) fn step(
        &mut self,
        model: &TrajectoryModel,
        window: i64,
        counts: Option<&[f64]>,
    ) -> Result<(Vec<f64>, f64), NoDecision> {
        if !self.history.push(window, counts) {
            self.estimate = None;
        }
        if let Method::Kalman(filter) = model.kind() {
            return self.filter(filter, model.within(), counts);
        }
        let history = self.history.full().ok_or(NoDecision::WarmUp)?;
        if history.iter().any(|count| count.is_nan()) {
            return Err(NoDecision::Gap);
        }
        let (values, confidence) = match model.kind() {
            Method::Bayes(maps) => {
                let units = model.units().len();
                let mut spikes = vec![0.0; units];
                for window in history.chunks_exact(units.max(1)) {
                    spikes.iter_mut().zip(window).for_each(|(sum, count)| *sum += count);
                }
                let within = model.within().first().copied().unwrap_or(0.0);
                let (place, confidence) = maps.estimate(&spikes, within);
                (vec![place], confidence)
            }
            Method::Wiener(filter) => {
                let values = filter.estimate(history);
                let sure = model.within().iter().zip(&filter.deviations);
                (values, sure.map(|(within, off)| probability(*within, *off)).fold(1.0, f64::min))
            }
            Method::Kalman(_) => return Err(NoDecision::Degenerate),
        };
        if confidence.is_nan() || values.iter().any(|value| !value.is_finite()) {
            return Err(NoDecision::Degenerate);
        }
        Ok((values, confidence))
    }
}

impl State {
    /// A step of a Kalman filter.
    fn filter(
        &mut self,
        filter: &Filter,
        within: &[f64],
        counts: Option<&[f64]>,
    ) -> Result<(Vec<f64>, f64), NoDecision> {
        let Some(counts) = counts else {
            self.estimate = None;
            return Err(NoDecision::Gap);
        };
        let expected = filter.predict(self.estimate.as_ref());
        // What cannot be computed is not gone on from.
        self.estimate = filter.update(expected, counts).ok();
        let estimate = self.estimate.as_ref().ok_or(NoDecision::Degenerate)?;
        let variances = estimate.covariance.iter().step_by(estimate.values.len() + 1);
        let sure =
            within.iter().zip(variances).map(|(within, variance)| probability(*within, variance.sqrt()));
        let values: Vec<f64> =
            estimate.values.iter().zip(&filter.mean).map(|(value, mean)| value + mean).collect();
        let confidence = sure.fold(1.0, f64::min);
        if confidence.is_nan() || values.iter().any(|value| !value.is_finite()) {
            self.estimate = None;
            return Err(NoDecision::Degenerate);
        }
        Ok((values, confidence))
    }

    fn reset(&mut self) {
        self.history.reset();
        self.estimate = None;
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.history.snapshot(writer);
        writer.put(&self.estimate);
    }

    fn restore(
        &mut self,
        model: &TrajectoryModel,
        reader: &mut SnapshotReader<'_>,
    ) -> Result<(), RestoreError> {
        self.history.restore(reader)?;
        let estimate: Option<Estimate> = reader.take()?;
        if let Some(Estimate { values, covariance }) = &estimate {
            let names = model.names().len();
            same_length("values", names, values.len())?;
            same_length("covariance of the values", names * names, covariance.len())?;
            if !values.iter().chain(covariance).all(|value| value.is_finite()) {
                let reason = "an estimate that is not finite".to_owned();
                return Err(RestoreError::Encoding { reason });
            }
        }
        self.estimate = estimate;
        Ok(())
    }
}

impl TrajectoryDecoder {
    pub(super) fn new(model: TrajectoryModel) -> Self {
        Self { state: State::of(&model), model }
    }

    fn same_units(&self, names: &[String]) -> Result<(), OperatorError> {
        let fitted = self.model.units();
        let (expected, found) = match fitted.iter().zip(names).position(|(fitted, name)| fitted != name) {
            Some(at) => (format!("{} as unit {}", fitted[at], at + 1), names[at].clone()),
            None if fitted.len() == names.len() => return Ok(()),
            None => (format!("{} units", fitted.len()), names.len().to_string()),
        };
        let expected = format!("{expected}, as the model was fitted; sort into those units, or fit to these");
        Err(OperatorError::Spec { what: "units of the spike counts", expected, found })
    }
}

impl Operator for TrajectoryDecoder {
    type In = Features;
    type Out = Decision<Vec<f64>>;

    fn prepare(&mut self, spec: &Arc<FeatureSpec>) -> Result<Arc<[String]>, OperatorError> {
        self.same_units(&spec.rows)?;
        if spec.columns.len() != 1 {
            let (expected, found) = ("one: spike counts".to_owned(), spec.columns.join(", "));
            return Err(OperatorError::Spec { what: "columns of the spike counts", expected, found });
        }
        self.state = State::of(&self.model);
        Ok(Arc::clone(self.model.names()))
    }

    fn process(&mut self, input: &Features, out: &mut Decision<Vec<f64>>) -> Result<(), OperatorError> {
        let (info, hop) = (&input.info, self.model.hop());
        if info.end - info.start != hop {
            let length = |span: Span| format!("{} ms", span.as_millis_f64());
            return Err(OperatorError::Spec {
                what: "length of a window",
                expected: format!(
                    "{}, as the model was fitted; cut such windows, or fit to these",
                    length(hop)
                ),
                found: length(info.end - info.start),
            });
        }
        let units = self.model.units().len();
        if input.values.len() != units {
            let (expected, found) = (format!("{units} as prepared"), input.values.len().to_string());
            return Err(OperatorError::Input { what: "spike counts", expected, found });
        }
        let counted = usable(info) && input.values.iter().all(|count| count.is_finite());
        out.outcome = self.state.step(&self.model, info.index, counted.then_some(input.values.as_slice()));
        Ok(())
    }

    fn reset(&mut self) {
        self.state.reset();
    }

    fn latency(&self) -> Latency {
        let before = self.model.windows().saturating_sub(1) as i64;
        let look_back = Span::nanos(self.model.hop().as_nanos().saturating_mul(before));
        Latency { look_back, ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.state.snapshot(writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.state.restore(&self.model, reader)
    }
}
