//! A fitted decoder with what it was fitted to, and the file it is kept in.

use std::path::Path;
use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Control, SamplingRate, Timestamp};
use serde::{Deserialize, Serialize};

use super::classifier::{Classifier, choose};
use super::csp::SpatialPatterns;
use super::layout::{Layout, peak_to_peak};
use super::{Decoder, EvokedFilters, ModelError, Trials, envelope};
use crate::kernel::linalg::LinalgError;

/// A fitted decoder, and what it was fitted to: montage, sampling rate, band and the names of the classes.
///
/// Cheap to clone. In a pipeline, behind a [`Covariance`](crate::feature::Covariance) or [`Samples`](crate::feature::Samples) set as in training:
/// `.decode(move || model.decoder())`. On a file it is a versioned envelope with a checksum; what is read is checked, and
/// takes no more memory than the file is long.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::decode::{Mdm, Model, Trials};
/// let mut trials = Trials::new(["C3", "C4"], SamplingRate::hz(160)?, ["left", "right"])?.band(8.0..30.0);
/// trials.push(0, &[1.0, 0.0, 0.0, 4.0])?;
/// trials.push(1, &[4.0, 0.0, 0.0, 1.0])?;
/// let model = Mdm::new().fit(&trials)?;
/// let again = Model::from_bytes(&model.to_bytes()?)?; // or save and load, with a path
/// assert_eq!((again.classes(), again.band()), (model.classes(), Some(8.0..30.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Model(Arc<Fitted>);

#[derive(Debug, PartialEq)]
struct Fitted {
    montage: Arc<[String]>,
    rate: SamplingRate,
    band: Option<(f64, f64)>,
    classes: Arc<[String]>,
    limit: Option<f64>,
    classifier: Classifier,
}

/// What is written down.
#[derive(Serialize, Deserialize)]
struct Body {
    montage: Vec<Vec<u8>>,
    rate: (u64, u64),
    band: Option<(f64, f64)>,
    classes: Vec<Vec<u8>>,
    limit: Option<f64>,
    classifier: Classifier,
}

impl Model {
    pub(super) fn new(trials: &Trials, classifier: Classifier) -> Self {
        Self(Arc::new(Fitted {
            montage: Arc::clone(&trials.montage),
            rate: trials.rate,
            band: trials.band,
            classes: Arc::clone(&trials.classes),
            limit: trials.limit,
            classifier,
        }))
    }

    /// The operator that decides with it, for [`decode`](neuraflow_core::dataflow::Flow::decode).
    pub fn decoder(&self) -> Decoder {
        Decoder::new(self.clone())
    }

    /// What gives this model to the [decoder](Decoder) of a running stream that listens to `target` ([`Decoder::NAME`] unless it is named): it decides
    /// every window that begins at or after `at`. Push it with the stream's device; it is in the packet log, the journal and the topic, so
    /// a replay decides the same. Where montage, rate, band or classes are others, the decoder refuses it and goes on as before:
    /// [`Flow::controls`](neuraflow_core::dataflow::Flow::controls) puts out what became of it. A stream that is opened anew
    /// begins with the model that the pipeline was built with.
    ///
    /// # Errors
    /// As [`to_bytes`](Self::to_bytes).
    ///
    /// ```
    /// use neuraflow_core::model::{SamplingRate, Timestamp};
    /// use neuraflow_core::operator::Operator;
    /// use neuraflow_ops::decode::{Decoder, Mdm, Trials};
    /// let mut trials = Trials::new(["C3", "C4"], SamplingRate::hz(160)?, ["left", "right"])?;
    /// trials.push(0, &[1.0, 0.0, 0.0, 4.0])?;
    /// trials.push(1, &[4.0, 0.0, 0.0, 1.0])?;
    /// let mut decoder = Mdm::new().fit(&trials)?.decoder();
    /// trials.push(0, &[1.0, 0.0, 0.0, 3.0])?;
    /// let better = Mdm::new().fit(&trials)?;
    /// let control = better.reload(Timestamp::from_nanos(60_000_000_000), Decoder::NAME)?;
    /// decoder.control(&control.payload)?; // in a pipeline: device.control(&key, control), and the engine does this
    /// assert_eq!(decoder.model(), &better);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reload(&self, at: Timestamp, target: &str) -> Result<Control, ModelError> {
        Ok(Control::new(at, target, self.to_bytes()?))
    }

    /// Names of the channels it was fitted to, in their order.
    pub fn montage(&self) -> &Arc<[String]> {
        &self.0.montage
    }

    /// The sampling rate it was fitted to.
    pub fn rate(&self) -> SamplingRate {
        self.0.rate
    }

    /// The band in hertz that the signals were filtered to, if it was [told](Trials::band).
    pub fn band(&self) -> Option<std::ops::Range<f64>> {
        self.0.band.map(|(low, high)| low..high)
    }

    /// Names of the classes.
    pub fn classes(&self) -> &Arc<[String]> {
        &self.0.classes
    }

    /// What kind of decoder it is, for people.
    pub fn method(&self) -> &'static str {
        self.0.classifier.name()
    }

    /// Its spatial filters and patterns, if it has any.
    pub fn csp(&self) -> Option<&SpatialPatterns> {
        match &self.0.classifier {
            Classifier::Csp { patterns, .. } => Some(patterns),
            _ => None,
        }
    }

    /// Its spatial filters and patterns in every band, if it has any.
    pub fn filter_bank(&self) -> Option<&[SpatialPatterns]> {
        match &self.0.classifier {
            Classifier::FilterBankCsp { patterns, .. } => Some(patterns),
            _ => None,
        }
    }

    /// Its filters of evoked responses, if it has any.
    pub fn xdawn(&self) -> Option<&EvokedFilters> {
        match &self.0.classifier {
            Classifier::XdawnLda { filters, .. } | Classifier::XdawnTangent { filters, .. } => Some(filters),
            _ => None,
        }
    }

    /// The greatest difference in µV between two values of a channel beyond which an epoch is an artifact, if one
    /// [was set](Trials::reject_above).
    pub fn limit(&self) -> Option<f64> {
        self.0.limit
    }

    /// What it decides on.
    pub(super) fn layout(&self) -> Layout {
        self.0.classifier.layout()
    }

    /// Whether this epoch is beyond the limit.
    pub(super) fn is_artifact(&self, values: &[f64]) -> bool {
        match (self.0.limit, self.layout()) {
            (Some(limit), Layout::Samples(samples)) => peak_to_peak(values, samples) > limit,
            _ => false,
        }
    }

    /// The name of the most probable class of a trial with this covariance `[channel][channel]`, or, if it was fitted to epochs,
    /// with these samples `[channel][sample]`; and its probability.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn decide(&self, values: &[f64]) -> Result<(&str, f64), LinalgError> {
        let (class, confidence) = choose(&self.scores(values)?);
        Ok((&self.0.classes[class], confidence))
    }

    /// For each class the logarithm of its probability, but for what all classes share: linear discriminants, negative
    /// squared distances, or 0 and the regression's.
    ///
    /// # Errors
    /// A covariance of another number of channels, with values that are not finite, or singular where that matters; an epoch
    /// of another size, or of which nothing comes through a filter.
    pub fn scores(&self, values: &[f64]) -> Result<Vec<f64>, LinalgError> {
        let channels = self.0.montage.len();
        let expected = channels * self.layout().columns(channels);
        if values.len() != expected {
            return Err(LinalgError::Length { what: "a trial", expected, found: values.len() });
        }
        self.0.classifier.scores(values)
    }

    /// Its bytes: an envelope with version and checksum.
    ///
    /// # Errors
    /// [`ModelError::Damaged`] for one that is too large to be read again.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let Fitted { montage, rate, band, classes, limit, classifier } = &*self.0;
        let mut writer = SnapshotWriter::default();
        writer.put(&Body {
            montage: envelope::to_bytes(montage),
            rate: (rate.num(), rate.den()),
            band: *band,
            classes: envelope::to_bytes(classes),
            limit: *limit,
            classifier: classifier.clone(),
        });
        envelope::seal(envelope::CLASSES, &writer.into_bytes().map_err(damaged)?)
    }

    /// The model of these bytes.
    ///
    /// # Errors
    /// Bytes that are no model, are damaged, or of a newer version; parts that do not fit each other.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut reader = SnapshotReader::new(envelope::open(envelope::CLASSES, bytes)?);
        let body: Body = reader.take().map_err(damaged)?;
        reader.finish().map_err(damaged)?;
        let invalid = |what, expected: &str, found: String| ModelError::Invalid {
            what,
            expected: expected.into(),
            found,
        };
        let (num, den) = body.rate;
        let rate = SamplingRate::ratio(num, den)
            .map_err(|error| invalid("sampling rate", "one above 0", error.to_string()))?;
        if body.band.is_some_and(|(low, high)| !(low.is_finite() && high.is_finite())) {
            return Err(invalid("band", "finite edges", format!("{:?}", body.band)));
        }
        if body.limit.is_some_and(|limit| !(limit.is_finite() && limit > 0.0)) {
            return Err(invalid("peak-to-peak limit", "one above 0", format!("{:?}", body.limit)));
        }
        let mut trials = Trials::new(
            envelope::to_names("montage", body.montage)?,
            rate,
            envelope::to_names("classes", body.classes)?,
        )
        .map_err(|error| invalid("montage and classes", "those of trials", error.to_string()))?;
        body.classifier.check(trials.montage.len(), trials.classes.len())?;
        (trials.band, trials.limit) = (body.band, body.limit);
        Ok(Self::new(&trials, body.classifier))
    }

    /// Writes it to a file, whole or not at all.
    ///
    /// # Errors
    /// [`ModelError::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        envelope::save(path.as_ref(), &self.to_bytes()?)
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// [`ModelError::Io`]; what [`from_bytes`](Self::from_bytes) refuses.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::from_bytes(&envelope::load(path.as_ref())?)
    }
}

pub(super) fn damaged(error: RestoreError) -> ModelError {
    let expected = "the numbers of a fitted decoder".to_owned();
    ModelError::Damaged { what: "body", expected, found: error.to_string() }
}
