//! The operator that decides.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Decision, FeatureSpec, Features, NoDecision, StreamHeader};
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
/// a covariance is singular and the model cannot do with that, or where nothing comes through a filter. No latency.
///
/// While it runs it can be given another model, of the same montage, rate, band, classes and kind of numbers: [`Model::reload`]. State: that
/// model, once there is one.
///
/// # Errors
/// `prepare` and `open`: other channels than the model was fitted to, or in another order; epochs of another length; another sampling rate.
/// `control`: what is no model, or one that was fitted to something else; it goes on with the one it has. `process`, without a pipeline: another
/// sampling rate.
#[derive(Clone, Debug)]
pub struct Decoder {
    model: Model,
    name: String,
    /// Whether the model is one that it was given since.
    reloaded: bool,
}

impl Decoder {
    pub(super) fn new(model: Model) -> Self {
        Self { model, name: Self::NAME.to_owned(), reloaded: false }
    }

    /// The name that a decoder listens to unless it is [named](Self::named).
    pub const NAME: &str = "decoder";

    /// Listens to this name: where several decoders stand in one graph.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The model that it decides with.
    pub fn model(&self) -> &Model {
        &self.model
    }

    fn same_montage(&self, names: &[String], axis: &str) -> Result<(), OperatorError> {
        difference(self.model.montage(), names, "channel", "channels").map_or(Ok(()), |(expected, found)| {
            Err(OperatorError::Spec {
                what: "montage of the trials",
                expected: format!(
                    "{expected}, as the model was fitted; record that montage, or fit to this one"
                ),
                found: format!("{found} in its {axis}"),
            })
        })
    }

    fn same_rate(&self, stream: &StreamHeader) -> Result<(), OperatorError> {
        let rate = self.model.rate();
        if stream.rate == rate {
            return Ok(());
        }
        Err(OperatorError::Spec {
            what: "sampling rate",
            expected: format!("{rate}, as the model was fitted; record at that rate, or fit to this one"),
            found: stream.rate.to_string(),
        })
    }

    /// Whether a model can take the place of the one there is.
    fn must_fit(&self, other: &Model) -> Result<(), OperatorError> {
        let refused = |what, expected: String, found: String| {
            let expected =
                format!("{expected}, as the model that runs; fit it to the same, or build another pipeline");
            Err(OperatorError::Spec { what, expected, found })
        };
        let (own, rate) = (&self.model, self.model.rate());
        if let Some((expected, found)) = difference(own.montage(), other.montage(), "channel", "channels") {
            return refused("montage of a reloaded model", expected, found);
        }
        if rate != other.rate() {
            return refused("sampling rate of a reloaded model", rate.to_string(), other.rate().to_string());
        }
        if let Some((expected, found)) = difference(own.classes(), other.classes(), "class", "classes") {
            return refused("classes of a reloaded model", expected, found);
        }
        if own.layout() != other.layout() {
            return refused("numbers of a reloaded model", own.layout().name(), other.layout().name());
        }
        if own.band() != other.band() {
            let hz = |band: Option<std::ops::Range<f64>>| match band {
                Some(band) => format!("{} to {} Hz", band.start, band.end),
                None => "none told".to_owned(),
            };
            return refused("band of a reloaded model", hz(own.band()), hz(other.band()));
        }
        Ok(())
    }
}

/// Where two lists of names differ first: what was expected and found.
fn difference(expected: &[String], found: &[String], one: &str, many: &str) -> Option<(String, String)> {
    match expected.iter().zip(found).position(|(expected, found)| expected != found) {
        Some(at) => Some((format!("{} as {one} {}", expected[at], at + 1), found[at].clone())),
        None if expected.len() == found.len() => None,
        None => Some((format!("{} {many}", expected.len()), found.len().to_string())),
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

    fn open(&mut self, stream: &StreamHeader) -> Result<(), OperatorError> {
        self.same_rate(stream)
    }

    fn process(&mut self, input: &Features, out: &mut Decision<String>) -> Result<(), OperatorError> {
        let info = &input.info;
        self.same_rate(&info.stream)?;
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

    fn listens_to(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn control(&mut self, payload: &[u8]) -> Result<(), OperatorError> {
        let model = Model::from_bytes(payload).map_err(|error| OperatorError::Spec {
            what: "reloaded model",
            expected: "the bytes of a model, as Model::reload gives them".to_owned(),
            found: error.to_string(),
        })?;
        self.must_fit(&model)?;
        (self.model, self.reloaded) = (model, true);
        Ok(())
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        // It was made of bytes that were not too many, and so it can be made into bytes.
        writer.put(&self.reloaded.then(|| self.model.to_bytes().unwrap_or_default()));
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let failed = |reason: String| RestoreError::Encoding { reason };
        let Some(bytes) = reader.take::<Option<Vec<u8>>>()? else { return Ok(()) };
        let model = Model::from_bytes(&bytes).map_err(|error| failed(error.to_string()))?;
        self.must_fit(&model).map_err(|error| failed(error.to_string()))?;
        (self.model, self.reloaded) = (model, true);
        Ok(())
    }
}
